//! What the pages about integrations tell people to write.

use std::fs;
use std::path::Path;

use crate::config::parse;
use crate::sink::Format;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integrations");

/// Every page, with the form that its configurations choose.
const PAGES: [(&str, Format); 10] = [
    ("arcsight-cef.md", Format::Cef),
    ("elastic.md", Format::Ecs),
    ("kafka.md", Format::Ecs),
    ("nats.md", Format::Ecs),
    ("opentelemetry.md", Format::Ecs),
    ("qradar-leef.md", Format::Leef),
    ("rsyslog.md", Format::Ecs),
    ("splunk.md", Format::Ecs),
    ("wazuh.md", Format::Eve),
    ("webhook.md", Format::Ecs),
];

/// The configurations on a page.
fn configurations(page: &str) -> Vec<&str> {
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_configurations_on_the_pages_are_valid_and_choose_the_form_they_are_about() {
    for (page, format) in PAGES {
        let page = fs::read_to_string(Path::new(FOLDER).join(page)).unwrap();
        let configurations = configurations(&page);
        assert!(!configurations.is_empty());
        for text in configurations {
            let policy = match parse(text, "page") {
                Ok(policy) => policy,
                // The tests of sinks that are not built in hold that page's configuration valid.
                Err(error) if !cfg!(feature = "kafka") && text.contains("type = \"kafka\"") => {
                    assert!(error.to_string().contains("without"), "{error}");
                    continue;
                }
                Err(error) => panic!("{error}\n{text}"),
            };
            assert!(!policy.sinks.is_empty(), "{text}");
            assert!(policy.sinks.iter().all(|sink| sink.format == format), "{text}");
        }
    }
}

#[test]
fn no_page_is_left_out() {
    let mut found: Vec<String> =
        fs::read_dir(FOLDER).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, PAGES.map(|(page, _)| page));
}

#[test]
fn every_form_is_a_value_of_format() {
    for (name, format) in Format::NAMES {
        let text = format!("[[sink]]\nname = \"a\"\ntype = \"stdout\"\nformat = \"{name}\"\n");
        assert_eq!(parse(&text, "page").unwrap().sinks[0].format, format);
    }
}
