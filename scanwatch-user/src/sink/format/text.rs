//! Records as lines for a person: when, how bad, what happened in one sentence, and the evidence in short.
//!
//! ```text
//! 2028-01-03T00:00:05Z high scan-detected: 10.1.0.99 tried 20 ports on … Answered: 10.2.0.10:22. [rule vertical; syn; …]
//! ```

use std::fmt::Write as _;

use super::Message;
use super::parts::{self, mac_name, spelt};
use crate::engine::{FloodEvent, IncidentEvent, Snapshot, Timestamp, technique_names};

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
            spelt_out(&begin(dropped.at, name, message.action(), &dropped.reason))
        }
    }
}

/// The line of an incident's record.
#[must_use]
pub fn incident(event: &IncidentEvent) -> String {
    let snapshot = &event.snapshot;
    let action = event.action.of_scan();
    let mut line = begin(snapshot.at, snapshot.severity.name(), action, &snapshot.reason);
    let answered = parts::target_names(snapshot, true);
    if !answered.is_empty() {
        let _ = write!(line, " Answered: {}.", listed(&answered));
    }
    spelt_out(&format!("{line} [{}]", notes(snapshot).join("; ")))
}

fn flood(event: &FloodEvent) -> String {
    let action = event.action.of_flood();
    let line = begin(event.at, event.severity.name(), action, &event.reason);
    let sources = parts::addresses(&event.sample);
    spelt_out(&format!("{line} [sources {}; incident {}]", listed(&sources), event.id))
}

fn begin(at: Timestamp, severity: &str, action: &str, reason: &str) -> String {
    let at = jiff::Timestamp::from_second(at.as_secs()).unwrap_or(jiff::Timestamp::MAX);
    format!("{at} {severity} {action}: {reason}")
}

/// What is looked up with the sentence in hand.
fn notes(snapshot: &Snapshot) -> Vec<String> {
    let mut notes = vec![format!("rule {}", snapshot.rule)];
    notes.push(technique_names(snapshot.techniques, snapshot.connects).join(", "));
    notes.push(parts::attack_ids(snapshot).join(", "));
    notes.extend(snapshot.tool.map(|tool| format!("tool {tool}")));
    // Nobody is the one source of a shared scan.
    let mac = snapshot.source().and_then(|scanner| scanner.mac);
    notes.extend(mac.map(|mac| format!("MAC {}", mac_name(mac))));
    let vlans: Vec<String> = parts::vlans(snapshot).map(|id| id.to_string()).collect();
    if !vlans.is_empty() {
        notes.push(format!("VLAN {}", vlans.join(".")));
    }
    notes.push(format!("incident {}", snapshot.incident));
    notes.retain(|note| !note.is_empty());
    notes
}

fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(LISTED_MAX)].join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn spelt_out(line: &str) -> String {
    spelt(line, |_| false)
}
