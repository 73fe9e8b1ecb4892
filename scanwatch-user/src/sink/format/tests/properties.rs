//! Whatever names hold, a line stays one line, and says what was meant to whoever reads it by the format's rules.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Format, parts};
use super::messages::{dropped, named, observer};
use crate::engine::{Action, IncidentEvent};
use crate::sink::Message;

/// Any characters, and more often those that mean something to some form.
fn name() -> impl Strategy<Value = String> {
    let special: Vec<char> =
        "|=\\^\n\r\t \"'{}<>,:;\u{0}\u{1b}\u{85}\u{200e}\u{2028}\u{202e}\u{2066}é漢".chars().collect();
    let character = prop_oneof![prop::sample::select(special), any::<char>()];
    prop::collection::vec(character, 1..24).prop_map(|characters| characters.into_iter().collect())
}

fn written(format: Format, message: &Message) -> String {
    String::from_utf8(format.write(message, &observer())).unwrap()
}

fn incident(name: &str) -> IncidentEvent {
    IncidentEvent { action: Action::Ended, snapshot: named(name) }
}

/// What a reader is to find for a name: as it was, but for what is spelt out.
fn read(name: &str, spelt: impl Fn(char) -> bool) -> String {
    name.chars().map(|c| if spelt(c) { format!("\\u{{{:x}}}", c as u32) } else { c.to_string() }).collect()
}

/// Reads a line as the CEF standard says: header fields end at `|`, a key is what stands between a space and `=`.
fn parse_cef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut header = vec![String::new()];
    let mut rest = line.chars();
    while header.len() < 8 {
        match rest.next().unwrap() {
            '\\' => header.last_mut().unwrap().push(rest.next().unwrap()),
            '|' => header.push(String::new()),
            c => header.last_mut().unwrap().push(c),
        }
    }
    header.pop();
    let mut values: Vec<(String, String)> = Vec::new();
    let mut text = String::new();
    // Where the last key would begin, if this were one.
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next().unwrap() {
                'n' => text.push('\n'),
                c => {
                    assert!(matches!(c, '\\' | '='), "{line}: an escaped {c:?}");
                    text.push(c);
                }
            },
            '=' => {
                let (value, key) = text.rsplit_once(' ').unwrap_or(("", &text));
                if let Some((_, last)) = values.last_mut() {
                    value.clone_into(last);
                }
                values.push((key.to_owned(), String::new()));
                text.clear();
            }
            c => text.push(c),
        }
    }
    values.last_mut().unwrap().1 = text;
    let count = values.len();
    let values: BTreeMap<_, _> = values.into_iter().collect();
    assert_eq!(values.len(), count, "{line}: each key once");
    (header, values)
}

fn parse_leef(line: &str) -> (Vec<&str>, BTreeMap<&str, &str>) {
    let mut parts: Vec<&str> = line.splitn(7, '|').collect();
    let attributes = parts.pop().unwrap().split(parts[5]);
    (parts, attributes.map(|attribute| attribute.split_once('=').unwrap()).collect())
}

proptest! {
    #[test]
    fn every_form_is_one_line_without_controls(name in name()) {
        let event = incident(&name);
        let dropped = dropped(&name);
        for message in [Message::Incident(&event), Message::Dropped(&dropped)] {
            for format in [Format::Cef, Format::Leef, Format::Text] {
                let line = written(format, &message);
                prop_assert!(!line.chars().any(parts::is_harmful), "{:?}", line);
            }
        }
    }

    #[test]
    fn cef_reads_back(name in name()) {
        let event = incident(&name);
        let (header, values) = parse_cef(&written(Format::Cef, &Message::Incident(&event)));
        prop_assert_eq!(&header[..2], ["CEF:0", "scanwatch"]);
        let name = read(&name, |c| c != '\n' && parts::is_harmful(c));
        prop_assert_eq!(&values["deviceInboundInterface"], &name);
        prop_assert_eq!(&values["cs3"], &name);
        prop_assert_eq!(&values["cs6"], &format!("{name} (over its budget)"));
        prop_assert_eq!(&values["flexString1"], &format!("{name} → {name}"));
        prop_assert_eq!(&values["src"], "10.1.0.99");
        let zones = format!("({name} → {name})");
        prop_assert!(values["msg"].contains(&zones));
    }

    #[test]
    fn leef_reads_back(name in name()) {
        let event = incident(&name);
        let line = written(Format::Leef, &Message::Incident(&event));
        let (header, values) = parse_leef(&line);
        prop_assert_eq!(header, ["LEEF:2.0", "scanwatch", "scanwatch", "1.2.3", "scan-ended", "^"]);
        let name = read(&name, |c| matches!(c, '^' | '|') || parts::is_harmful(c));
        for key in ["interface", "services", "sourceZone", "targetZones", "roleName"] {
            prop_assert_eq!(values[key], &name, "{}", key);
        }
        prop_assert_eq!(values["src"], "10.1.0.99");
        let zones = format!("({name} → {name})");
        prop_assert!(values["reason"].contains(&zones));
    }

    #[test]
    fn text_holds_the_sentence(name in name()) {
        let event = incident(&name);
        let line = written(Format::Text, &Message::Incident(&event));
        let name = read(&name, parts::is_harmful);
        let sentence = format!("10.1.0.99 tried about 20 ports on 10.2.0.10 ({name} → {name}): a vertical scan.");
        let expected = format!("2028-01-03T00:00:07Z high scan-ended: {sentence} ");
        prop_assert!(line.starts_with(&expected), "{}", line);
    }

    #[test]
    fn json_reads_back(name in name()) {
        let event = incident(&name);
        for (format, path) in [
            (Format::Ecs, "/scanwatch/role"),
            (Format::Ecs, "/observer/ingress/interface/name"),
            (Format::Ocsf, "/unmapped/scanwatch/role"),
            (Format::Ocsf, "/evidences/0/src_endpoint/zone"),
        ] {
            let line = written(format, &Message::Incident(&event));
            prop_assert!(!line.contains(['\n', '\r']));
            let document: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(document.pointer(path).and_then(|value| value.as_str()), Some(name.as_str()));
        }
        let line = written(Format::Eve, &Message::Incident(&event));
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        let texts = document["metadata"]["flowvars"].as_array().unwrap();
        let role = texts.iter().find(|text| text["key"] == "scanwatch.role").unwrap();
        prop_assert_eq!(role["value"].as_str(), Some(name.as_str()));
    }
}
