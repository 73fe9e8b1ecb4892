//! Suricata's Extensible Event Format (EVE), as `etc/schema.json` of Suricata 7 has it: its strictest edition, which
//! knows no fields but its own.
//!
//! A scan is an `alert`. Its counts stand where Suricata keeps what a detection remembers, `metadata.flowints`, all else
//! that has no field in `metadata.flowvars`, both by the names they have in [the ECS document](super::ecs). Where many
//! share a scan there is no `src_ip`: none of them is the scanner. What happened to delivery is no alert but what the
//! `engine` says of itself.
//!
//! `flow_id` is the same on all records of an incident, so that tools that gather by it gather an incident.

use serde_json::{Map, Value, json};

use super::parts::{self, rule, title};
use super::{Message, Observer, ecs};
use crate::engine::{Severity, Snapshot};
use crate::policy::Direction;
use crate::sink::Dropped;

/// As Suricata's `classification.config` describes its class `network-scan`.
const CATEGORY: &str = "Detection of a Network Scan";

/// Signatures by rule, from the range that is set aside for local use, 1,000,000 to 1,999,999. They are frozen, for people
/// suppress alerts by them; what comes later goes to the end.
const SIGNATURES: [(&str, u32); 28] = [
    ("vertical", 1_846_001),
    ("vertical_known", 1_846_002),
    ("vertical_any", 1_846_003),
    ("vertical_blind", 1_846_004),
    ("vertical_ways_in", 1_846_005),
    ("horizontal_lateral_sensitive", 1_846_006),
    ("horizontal_lateral", 1_846_007),
    ("horizontal_outbound_sensitive", 1_846_008),
    ("horizontal_outbound", 1_846_009),
    ("horizontal_outbound_noisy", 1_846_010),
    ("horizontal_network", 1_846_011),
    ("horizontal_blind", 1_846_012),
    ("fan_out_sensitive", 1_846_013),
    ("fan_out", 1_846_014),
    ("fan_out_icmp", 1_846_015),
    ("fan_out_mail", 1_846_016),
    ("icmp_lateral", 1_846_017),
    ("icmp_outbound", 1_846_018),
    ("arp", 1_846_019),
    ("flags", 1_846_020),
    ("refused_ports", 1_846_021),
    ("refused_hosts", 1_846_022),
    ("protocols", 1_846_023),
    ("block_lateral", 1_846_024),
    ("block_outbound", 1_846_025),
    ("distributed", 1_846_026),
    ("surge", 1_846_027),
    ("hosts_max", 1_846_028),
];
/// The signature of a flood, and of a rule that has none of its own.
const SIGNATURE_OTHER: u32 = 1_846_000;

/// The document of a message.
#[must_use]
pub fn message(message: &Message, observer: &Observer) -> Value {
    if let Message::Dropped(dropped) = message {
        return engine(message, dropped);
    }
    let mut document = json!({
        "timestamp": timestamp(message),
        "event_type": "alert",
        "flow_id": flow_id(&message.key()),
        "alert": alert(message),
        "metadata": metadata(message, observer),
    });
    if let Message::Incident(event) = message {
        endpoints(&mut document, &event.snapshot);
    }
    document
}

/// As Suricata writes it: the offset has no colon.
fn timestamp(message: &Message) -> String {
    parts::time(message.at()).strftime("%Y-%m-%dT%H:%M:%S.%6f+0000").to_string()
}

/// 48 bits of the identity: numbers of JSON are exact to 53.
fn flow_id(incident: &str) -> u64 {
    incident.get(..12).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

fn alert(message: &Message) -> Value {
    let rule = rule(message);
    let signature = SIGNATURES.iter().find(|(name, _)| *name == rule).map_or(SIGNATURE_OTHER, |(_, id)| *id);
    let mut metadata = json!({ "signature_severity": [signature_severity(message.severity())] });
    let mut tags = vec![parts::kind(message), rule];
    if let Message::Incident(event) = message {
        tags.dedup();
        tags.extend(parts::attack_ids(&event.snapshot));
        metadata["deployment"] = json!([deployment(event.snapshot.direction)]);
    }
    metadata["tag"] = json!(tags);
    json!({
        "action": "allowed",
        "category": CATEGORY,
        "gid": 1,
        "metadata": metadata,
        "rev": 1,
        "severity": priority(message.severity()),
        "signature": format!("SCANWATCH {}", title(message)),
        "signature_id": signature,
    })
}

/// 1 is the worst, as in Suricata's classes.
const fn priority(severity: Severity) -> u8 {
    match severity {
        Severity::Critical | Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
    }
}

/// As the metadata of published rules has it.
const fn signature_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "Major",
        Severity::Medium => "Minor",
        Severity::Low => "Informational",
    }
}

const fn deployment(direction: Direction) -> &'static str {
    match direction {
        Direction::Lateral => "Internal",
        Direction::Outbound | Direction::Inbound | Direction::Transit => "Perimeter",
    }
}

fn endpoints(document: &mut Value, snapshot: &Snapshot) {
    if let Some(scanner) = snapshot.source() {
        document["src_ip"] = json!(scanner.address.to_string());
        if let Some(mac) = scanner.mac {
            let mac = mac.map(|octet| format!("{octet:02x}")).join(":");
            document["ether"] = json!({ "src_mac": mac });
        }
    }
    if let Some(host) = snapshot.host {
        document["dest_ip"] = json!(host.to_string());
    }
    if let Some(port) = snapshot.port {
        document["dest_port"] = json!(port);
    }
    if let Some(protocol) = parts::protocol(snapshot) {
        let name = if protocol == "ipv6-icmp" { "IPv6-ICMP".to_owned() } else { protocol.to_uppercase() };
        document["proto"] = json!(name);
    }
    let vlans: Vec<u16> = parts::vlans(snapshot).collect();
    if !vlans.is_empty() {
        document["vlan"] = json!(vlans);
    }
}

/// What has no field of its own: whole numbers by their names, and texts, a list one by one.
fn metadata(message: &Message, observer: &Observer) -> Value {
    let mut document = ecs::message(message, observer);
    let mut facts = Facts::default();
    for name in ["action", "end", "id", "reason", "risk_score", "sequence", "start"] {
        facts.add(&format!("event.{name}"), &document["event"][name]);
    }
    facts.add("observer.hostname", &document["observer"]["hostname"]);
    facts.add("observer.ingress.interface.name", &document["observer"]["ingress"]["interface"]["name"]);
    if let Message::Incident(event) = message {
        let scan = document["scanwatch"]["scan"].as_object_mut();
        scan.and_then(|scan| scan.remove("targets"));
        for target in &event.snapshot.targets {
            let name = if target.answered { "answered" } else { "tried" };
            facts.text(&format!("scanwatch.scan.targets.{name}"), &parts::target_name(target));
        }
    }
    facts.add("scanwatch", &document["scanwatch"]);
    json!({ "flowints": facts.numbers, "flowvars": facts.texts })
}

#[derive(Default)]
struct Facts {
    numbers: Map<String, Value>,
    texts: Vec<Value>,
}

impl Facts {
    fn add(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                fields.iter().for_each(|(field, value)| self.add(&format!("{name}.{field}"), value));
            }
            Value::Array(values) => values.iter().for_each(|value| self.add(name, value)),
            Value::Number(number) if number.is_u64() => {
                self.numbers.insert(name.to_owned(), value.clone());
            }
            Value::String(text) => self.text(name, text),
            Value::Number(_) | Value::Bool(_) => self.text(name, &value.to_string()),
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.texts.push(json!({ "key": name, "value": value }));
    }
}

fn engine(message: &Message, dropped: &Dropped) -> Value {
    json!({
        "timestamp": timestamp(message),
        "event_type": "engine",
        "log_level": "Warning",
        "engine": { "message": dropped.reason },
        "metadata": {
            "flowints": { "scanwatch.delivery.dropped": dropped.records },
            "flowvars": [
                { "key": "event.id", "value": dropped.id },
                { "key": "event.start", "value": parts::rfc3339(dropped.first) },
                { "key": "event.end", "value": parts::rfc3339(dropped.last) },
                { "key": "scanwatch.delivery.sink", "value": dropped.sink },
            ],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::rule_names;

    #[test]
    fn every_rule_has_a_signature_of_its_own() {
        let names: Vec<&str> = SIGNATURES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, rule_names());
        let in_order = (SIGNATURE_OTHER + 1..).zip(&SIGNATURES);
        assert!(in_order.into_iter().all(|(expected, (_, id))| expected == *id), "numbers are used once");
    }

    #[test]
    fn an_incident_has_one_flow_id_that_is_exact_as_a_number_of_json() {
        let id = flow_id("ffffffffffffabcdabcdabcdabcdabcd");
        assert_eq!(id, 0xffff_ffff_ffff);
        assert!(id < 1 << 53);
    }
}
