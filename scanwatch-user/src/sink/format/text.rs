//! Records as lines for a person: when, how bad, what happened in one sentence, and the evidence in short.
//!
//! ```text
//! 2028-01-03T00:00:05Z high scan-detected: 10.1.0.99 tried 20 ports on … Answered: 10.2.0.10:22. [rule vertical; syn; …]
//! ```

use std::fmt::Write as _;
use std::net::IpAddr;

use super::Message;
use super::ecs::mac_name;
use crate::engine::{
    FloodEvent, IncidentEvent, Kind, Snapshot, Target, Timestamp, attack_techniques, ip_of, technique_names,
};

/// Targets that are named.
const LISTED_MAX: usize = 5;

/// The line of a message, without its end.
#[must_use]
pub fn message(message: &Message) -> String {
    match message {
        Message::Incident(event) => incident(event),
        Message::Flood(event) => flood(event),
        Message::Dropped(dropped) => {
            let name = message.severity().name();
            escaped(&begin(dropped.at, name, message.action(), &dropped.reason))
        }
    }
}

/// The line of an incident's record.
#[must_use]
pub fn incident(event: &IncidentEvent) -> String {
    let snapshot = &event.snapshot;
    let action = event.action.of_scan();
    let mut line = begin(snapshot.at, snapshot.severity.name(), action, &snapshot.reason);
    let answered: Vec<String> =
        snapshot.targets.iter().filter(|target| target.answered).map(target_name).collect();
    if !answered.is_empty() {
        let _ = write!(line, " Answered: {}.", listed(&answered));
    }
    escaped(&format!("{line} [{}]", notes(snapshot).join("; ")))
}

fn flood(event: &FloodEvent) -> String {
    let action = event.action.of_flood();
    let line = begin(event.at, event.severity.name(), action, &event.reason);
    let sources: Vec<String> = event.sample.iter().map(ToString::to_string).collect();
    escaped(&format!("{line} [sources {}; incident {}]", listed(&sources), event.id))
}

fn begin(at: Timestamp, severity: &str, action: &str, reason: &str) -> String {
    let at = jiff::Timestamp::from_second(at.as_secs()).unwrap_or(jiff::Timestamp::MAX);
    format!("{at} {severity} {action}: {reason}")
}

/// What is looked up with the sentence in hand.
fn notes(snapshot: &Snapshot) -> Vec<String> {
    let mut notes = vec![format!("rule {}", snapshot.rule)];
    notes.push(technique_names(snapshot.techniques, snapshot.connects).join(", "));
    let mut ids: Vec<&str> = attack_techniques(snapshot).iter().map(|technique| technique.id).collect();
    ids.dedup();
    notes.push(ids.join(", "));
    notes.extend(snapshot.tool.map(|tool| format!("tool {tool}")));
    // Nobody is the one source of a shared scan.
    let mac = snapshot.scanner.mac.filter(|_| snapshot.kind != Kind::Distributed);
    notes.extend(mac.map(|mac| format!("MAC {}", mac_name(mac))));
    let [outer, inner] = snapshot.scanner.vlan;
    if outer != 0 && snapshot.kind != Kind::Distributed {
        notes.push(if inner == 0 { format!("VLAN {outer}") } else { format!("VLAN {outer}.{inner}") });
    }
    notes.push(format!("incident {}", snapshot.incident));
    notes.retain(|note| !note.is_empty());
    notes
}

fn target_name(target: &Target) -> String {
    let address = ip_of(&target.address);
    match (target.port, address) {
        (None, address) => address.to_string(),
        (Some(port), IpAddr::V4(address)) => format!("{address}:{port}"),
        (Some(port), IpAddr::V6(address)) => format!("[{address}]:{port}"),
    }
}

fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(LISTED_MAX)].join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A record stays one line and leaves the terminal alone, whatever somebody named a zone or a role: control characters, line
/// separators and what turns the direction of writing are spelt out.
fn escaped(line: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    line.chars().fold(String::with_capacity(line.len()), |mut text, c| {
        if is_harmful(c) {
            text.extend(c.escape_unicode());
        } else {
            text.push(c);
        }
        text
    })
}
