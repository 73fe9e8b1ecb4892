//! Fields, types and values against what is published.
//!
//! - ECS: the generated types and `ecs_flat` of the package `@elastic/ecs` 9.4.0, which are those of ECS 9.4.0; expected event
//!   types by category from the ECS reference, "ECS categorization fields".
//! - EVE: `etc/schema.json` of Suricata 7, which forbids all fields that it does not name; no package holds it. That of
//!   Suricata 8 is held against all messages by a root test of the xtask.
//! - OCSF: the schema itself is held against all messages by a root test of the xtask; here is what a schema cannot say.

use serde_json::Value;

use super::super::{Format, ecs, eve, ocsf};
use super::messages::{Sample, all, observer};
use crate::sink::Message;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Texts,
    Whole,
    Wholes,
    Date,
    Address,
    Addresses,
}

use Type::{Address, Addresses, Date, Text, Texts, Whole, Wholes};

const ECS: &[(&str, Type)] = &[
    ("@timestamp", Date),
    ("destination.address", Text),
    ("destination.ip", Address),
    ("destination.port", Whole),
    ("ecs.version", Text),
    ("event.action", Text),
    ("event.category", Texts),
    ("event.dataset", Text),
    ("event.duration", Whole),
    ("event.end", Date),
    ("event.id", Text),
    ("event.kind", Text),
    ("event.module", Text),
    ("event.outcome", Text),
    ("event.reason", Text),
    ("event.risk_score", Whole),
    ("event.sequence", Whole),
    ("event.severity", Whole),
    ("event.start", Date),
    ("event.type", Texts),
    ("message", Text),
    ("network.direction", Text),
    ("network.inner.vlan.id", Text),
    ("network.transport", Text),
    ("network.type", Text),
    ("network.vlan.id", Text),
    ("observer.hostname", Text),
    ("observer.ingress.interface.name", Text),
    ("observer.product", Text),
    ("observer.type", Text),
    ("observer.vendor", Text),
    ("observer.version", Text),
    ("related.ip", Addresses),
    ("rule.name", Text),
    ("rule.ruleset", Text),
    ("source.address", Text),
    ("source.ip", Address),
    ("source.mac", Text),
    ("threat.framework", Text),
    ("threat.tactic.id", Texts),
    ("threat.tactic.name", Texts),
    ("threat.technique.id", Texts),
    ("threat.technique.name", Texts),
    ("threat.technique.subtechnique.id", Texts),
    ("threat.technique.subtechnique.name", Texts),
];

/// Values that ECS restricts, or gives a list of.
const ECS_VALUES: &[(&str, &[&str])] = &[
    ("event.kind", &["alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"]),
    ("event.outcome", &["failure", "success", "unknown"]),
    ("network.direction", &["ingress", "egress", "inbound", "outbound", "internal", "external", "unknown"]),
    ("network.type", &["ipv4", "ipv6", "ipsec", "pim"]),
    ("network.transport", &["tcp", "udp", "sctp", "icmp", "ipv6-icmp"]),
    ("observer.type", &["forwarder", "firewall", "ids", "ips", "proxy", "poller", "sensor", "APM server"]),
];

const ECS_TYPES_EXPECTED: &[(&str, &[&str])] = &[
    ("intrusion_detection", &["allowed", "denied", "info"]),
    ("network", &["access", "allowed", "connection", "denied", "end", "info", "protocol", "start"]),
    ("process", &["access", "change", "end", "info", "start"]),
];

const EVE: &[(&str, Type)] = &[
    ("alert.action", Text),
    ("alert.category", Text),
    ("alert.gid", Whole),
    ("alert.metadata.deployment", Texts),
    ("alert.metadata.signature_severity", Texts),
    ("alert.metadata.tag", Texts),
    ("alert.rev", Whole),
    ("alert.severity", Whole),
    ("alert.signature", Text),
    ("alert.signature_id", Whole),
    ("dest_ip", Text),
    ("dest_port", Whole),
    ("engine.message", Text),
    ("ether.src_mac", Text),
    ("event_type", Text),
    ("flow_id", Whole),
    ("log_level", Text),
    ("proto", Text),
    ("src_ip", Text),
    ("timestamp", Text),
    ("vlan", Wholes),
];

fn fits(value: &Value, kind: Type) -> bool {
    let is_all = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|values| values.iter().all(fits));
    let is_address =
        |value: &Value| value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok());
    match kind {
        Text => value.is_string(),
        Texts => is_all(Value::is_string),
        Whole => value.is_u64(),
        Wholes => is_all(Value::is_u64),
        Date => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        Address => is_address(value),
        Addresses => is_all(is_address),
    }
}

/// Every value that is no object, by its path.
fn leaves(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value.as_object() {
        Some(fields) => fields.iter().for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            leaves(&path, value, found);
        }),
        None => found.push((path.to_owned(), value.clone())),
    }
}

fn fields(document: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    leaves("", document, &mut found);
    found
}

/// The documents with their samples' names.
fn documents(write: fn(&Message, &crate::sink::Observer) -> Value) -> Vec<(Sample, Value)> {
    let write = |sample: Sample| {
        let document = write(&sample.message(), &observer());
        (sample, document)
    };
    all().into_iter().map(write).collect()
}

fn check(sample: &Sample, table: &[(&str, Type)], path: &str, value: &Value) {
    let known = table.iter().find(|(field, _)| *field == path);
    let (_, kind) = known.unwrap_or_else(|| panic!("{}: the standard has no field {path}", sample.name));
    assert!(fits(value, *kind), "{}: {path} is {value}, which is no {kind:?}", sample.name);
}

/// Keys of a line of this form, without those that say what another key is.
fn keys(format: Format, line: &str) -> Vec<String> {
    let unescaped = line.replace("\\=", "");
    let keys: Vec<&str> = match format {
        Format::Leef => {
            let attributes = line.splitn(7, '|').last().unwrap();
            attributes.split('^').filter_map(|attribute| Some(attribute.split_once('=')?.0)).collect()
        }
        _ => unescaped.split('=').filter_map(|text| text.split([' ', '|']).next_back()).collect(),
    };
    keys.into_iter().filter(|key| !key.ends_with("Label")).map(str::to_owned).collect()
}

#[test]
fn every_field_of_every_form_is_in_the_document_about_them() {
    const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/FORMATS.md"));
    for sample in all() {
        for (name, format) in Format::NAMES {
            let line = String::from_utf8(format.write(&sample.message(), &observer())).unwrap();
            let found: Vec<String> = match format {
                Format::Ecs | Format::Eve | Format::Ocsf => {
                    let paths =
                        fields(&serde_json::from_str(&line).unwrap()).into_iter().map(|(path, _)| path);
                    paths
                        .filter(|path| !path.starts_with("unmapped.") && !path.contains(".flowints."))
                        .collect()
                }
                Format::Cef => {
                    let mut found = keys(format, &line);
                    // Behind the last `=` there is no key.
                    found.pop();
                    found
                }
                Format::Leef => keys(format, &line),
                Format::Text => Vec::new(),
            };
            for field in found {
                assert!(
                    DOCUMENT.contains(&format!("`{field}`")),
                    "{name}: docs/FORMATS.md does not say what {field} is"
                );
            }
        }
    }
}

#[test]
fn ecs_has_every_field_and_value_that_is_written() {
    for (sample, document) in documents(ecs::message) {
        assert_eq!(document["ecs"]["version"], "9.4.0");
        for (path, value) in fields(&document).iter().filter(|(path, _)| !path.starts_with("scanwatch.")) {
            check(&sample, ECS, path, value);
            if let Some((_, allowed)) = ECS_VALUES.iter().find(|(field, _)| field == path) {
                let text = value.as_str().unwrap_or_default();
                assert!(allowed.contains(&text), "{}: {path} is {text}", sample.name);
            }
        }
        for category in document["event"]["category"].as_array().unwrap() {
            let expected =
                ECS_TYPES_EXPECTED.iter().find(|(name, _)| category == name).map(|(_, types)| *types);
            let types = document["event"]["type"].as_array().unwrap();
            let fit =
                |kind: &Value| expected.is_some_and(|expected| expected.iter().any(|name| kind == name));
            assert!(types.iter().all(fit), "{}: {types:?} of {category}", sample.name);
        }
    }
}

#[test]
fn suricata_has_every_field_that_is_written() {
    for (sample, document) in documents(eve::message) {
        for (path, value) in fields(&document) {
            match path.strip_prefix("metadata.") {
                None => check(&sample, EVE, &path, &value),
                Some("flowvars") => {
                    let is_pair = |var: &Value| {
                        var.as_object().is_some_and(|var| {
                            var.len() == 2 && ["key", "value"].iter().all(|key| var[*key].is_string())
                        })
                    };
                    assert!(value.as_array().unwrap().iter().all(is_pair), "{}: {value}", sample.name);
                }
                Some(path) => {
                    assert!(
                        path.starts_with("flowints.") && value.is_u64(),
                        "{}: {path} {value}",
                        sample.name
                    );
                }
            }
        }
        let timestamp = document["timestamp"].as_str().unwrap();
        let (date, rest) = timestamp.split_once('.').unwrap();
        assert_eq!(date.len(), "2028-01-03T00:00:07".len());
        assert!(rest.len() == 11 && rest.ends_with("+0000"), "{timestamp}: the pattern of the schema");
        let body = if document["event_type"] == "alert" { "alert" } else { "engine" };
        assert!(document[body].is_object() && document["event_type"] == body);
    }
}

#[test]
fn many_sources_are_nobodys_address() {
    for (sample, document) in documents(eve::message) {
        let is_one = match sample.message() {
            Message::Incident(event) => event.snapshot.source().is_some(),
            Message::Flood(_) | Message::Dropped(_) => false,
        };
        assert_eq!(document.get("src_ip").is_some(), is_one, "{}", sample.name);
        let line = ocsf::message(&sample.message(), &observer()).to_string();
        assert!(is_one || !line.contains("0.0.0.0"), "{line}");
    }
}

#[test]
fn findings_are_consistent_in_themselves() {
    for (sample, document) in documents(ocsf::message) {
        let number = |path: &str| document.pointer(path).and_then(Value::as_u64).unwrap();
        assert_eq!(number("/type_uid"), number("/class_uid") * 100 + number("/activity_id"));
        let name = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap();
        assert_eq!(name("/type_name"), format!("{}: {}", name("/class_name"), name("/activity_name")));
        assert_eq!(name("/metadata/version"), "1.8.0");
        let message = sample.message();
        assert_eq!(name("/metadata/uid"), message.id());
        assert_eq!(number("/time"), message.at().as_ns() / 1_000_000, "{}: milliseconds", sample.name);
        let evidences = document["evidences"].as_array().into_iter().flatten();
        for endpoint in evidences.flat_map(|evidence| [&evidence["src_endpoint"], &evidence["dst_endpoint"]])
        {
            let has_address = endpoint["ip"].is_string();
            assert!(endpoint.is_null() || has_address, "{}: {endpoint} is more than a port", sample.name);
        }
    }
}

#[test]
fn a_finding_is_one_from_its_creation_to_its_close() {
    let documents = documents(ocsf::message);
    let found: Vec<(u64, &str)> = documents[..3]
        .iter()
        .map(|(_, document)| {
            (document["activity_id"].as_u64().unwrap(), document["finding_info"]["uid"].as_str().unwrap())
        })
        .collect();
    let uid = found[0].1;
    assert_eq!(found, [(1, uid), (2, uid), (3, uid)]);
    let uids: std::collections::BTreeSet<_> =
        documents.iter().map(|(_, d)| d["metadata"]["uid"].as_str()).collect();
    assert_eq!(uids.len(), documents.len(), "a message has an id of its own");
}
