//! The Open Cybersecurity Schema Framework 1.8.0: a scan is a Detection Finding (class 2004), one finding an incident, which
//! is created, updated and closed. What OCSF has no attribute for stands under `unmapped`, by the names it has in
//! [the ECS document](super::ecs).
//!
//! Records that were dropped are no finding, but an Application Error (class 6008).

mod evidence;

use serde_json::{Map, Value, json};

use super::parts::{self, PRODUCT, millis};
use super::{Message, Observer, ecs};
use crate::engine::{Action, AttackTechnique, Severity, Snapshot, attack_techniques};
use crate::sink::Dropped;

/// The version of the schema that is followed.
pub const OCSF_VERSION: &str = "1.8.0";

/// Identifiers of a class, its category, and one of its activities, with their names.
struct Class {
    category: (u32, &'static str),
    uid: u32,
    name: &'static str,
    activity: (u32, &'static str),
}

/// The document of a message.
#[must_use]
pub fn message(message: &Message, observer: &Observer) -> Value {
    let mut document = match message {
        Message::Incident(event) => {
            let mut document = finding(message, event.action, observer);
            of_incident(&mut document, &event.snapshot);
            document
        }
        Message::Flood(event) => {
            let mut document = finding(message, event.action, observer);
            document["evidences"] = evidence::of_flood(event);
            document["observables"] = evidence::observables(&document["evidences"]);
            document
        }
        Message::Dropped(dropped) => error(message, dropped, observer),
    };
    document["unmapped"] = unmapped(message, observer);
    document
}

/// What every message has.
fn base(message: &Message, class: &Class, observer: &Observer) -> Value {
    let (first, last) = parts::span(message);
    let (activity, activity_name) = class.activity;
    let (severity, severity_name) = severity(message.severity());
    json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_name": class.category.1,
        "category_uid": class.category.0,
        "class_name": class.name,
        "class_uid": class.uid,
        "duration": millis(last).saturating_sub(millis(first)),
        "end_time": millis(last),
        "message": parts::reason(message),
        "metadata": metadata(message, observer),
        "severity": severity_name,
        "severity_id": severity,
        "start_time": millis(first),
        "time": millis(message.at()),
        "type_name": format!("{}: {activity_name}", class.name),
        "type_uid": class.uid * 100 + activity,
    })
}

fn metadata(message: &Message, observer: &Observer) -> Value {
    let mut metadata = json!({
        "correlation_uid": message.key(),
        "event_code": message.action(),
        "original_time": parts::rfc3339(message.at()),
        "product": { "name": PRODUCT, "vendor_name": PRODUCT, "version": observer.version },
        "reporter": { "hostname": observer.hostname, "name": PRODUCT },
        "uid": message.id(),
        "version": OCSF_VERSION,
    });
    if let Some(sequence) = parts::sequence(message) {
        metadata["sequence"] = json!(sequence);
    }
    metadata
}

const fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

fn finding(message: &Message, action: Action, observer: &Observer) -> Value {
    let (activity, status) = match action {
        Action::Detected => ((1, "Create"), (1, "New")),
        Action::Updated => ((2, "Update"), (1, "New")),
        // Nobody has looked at it and found it resolved: it is over.
        Action::Ended => ((3, "Close"), (99, "Ended")),
    };
    let class = Class { category: (2, "Findings"), uid: 2004, name: "Detection Finding", activity };
    let mut document = base(message, &class, observer);
    let (first, last) = parts::span(message);
    let rule = parts::rule(message);
    document["finding_info"] = json!({
        "analytic": {
            "name": rule, "type": "Rule", "type_id": 1, "uid": rule, "version": observer.version,
        },
        "data_sources": ["network traffic"],
        "desc": parts::reason(message),
        "first_seen_time": millis(first),
        "last_seen_time": millis(last),
        "modified_time": millis(message.at()),
        "title": parts::title(message),
        "types": [parts::kind(message)],
        "uid": message.key(),
    });
    document["is_alert"] = json!(action != Action::Ended);
    document["status_id"] = json!(status.0);
    document["status"] = json!(status.1);
    document
}

fn of_incident(document: &mut Value, snapshot: &Snapshot) {
    let (level, level_name) = match snapshot.severity {
        Severity::Low => (1, "Low"),
        Severity::Medium => (2, "Medium"),
        Severity::High => (3, "High"),
        Severity::Critical => (4, "Critical"),
    };
    document["risk_level_id"] = json!(level);
    document["risk_level"] = json!(level_name);
    document["risk_score"] = json!(snapshot.risk);
    document["finding_info"]["attacks"] = attack_techniques(snapshot).iter().map(attack).collect();
    document["evidences"] = evidence::of_incident(snapshot);
    document["observables"] = evidence::observables(&document["evidences"]);
}

/// A sub-technique is named beside the technique it belongs to, whose name stands in front of it in ATT&CK's matrix.
fn attack(technique: &AttackTechnique) -> Value {
    let mut attack = json!({ "tactic": { "name": technique.tactic, "uid": technique.tactic_id } });
    match technique.id.split_once('.') {
        None => attack["technique"] = json!({ "name": technique.name, "uid": technique.id }),
        Some((parent, _)) => {
            attack["technique"] = json!({ "uid": parent });
            attack["sub_technique"] = json!({ "name": technique.name, "uid": technique.id });
        }
    }
    attack
}

fn error(message: &Message, dropped: &Dropped, observer: &Observer) -> Value {
    let class = Class {
        category: (6, "Application Activity"),
        uid: 6008,
        name: "Application Error",
        activity: (1, "General Error"),
    };
    let mut document = base(message, &class, observer);
    document["count"] = json!(dropped.records);
    document["status_id"] = json!(2);
    document["status"] = json!("Failure");
    document
}

/// All of scanwatch's own, and a port that stands alone: an endpoint needs more than that.
fn unmapped(message: &Message, observer: &Observer) -> Value {
    let mut document = ecs::message(message, observer);
    let mut unmapped = Map::new();
    unmapped.insert("scanwatch".to_owned(), document["scanwatch"].take());
    if let Message::Incident(event) = message {
        if let Some(port) = event.snapshot.port.filter(|_| event.snapshot.host.is_none()) {
            unmapped.insert("destination".to_owned(), json!({ "port": port }));
        }
        if let Some(interface) = &event.snapshot.scanner.interface {
            unmapped
                .insert("observer".to_owned(), json!({ "ingress": { "interface": { "name": interface } } }));
        }
    }
    unmapped.into()
}
