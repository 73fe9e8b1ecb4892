//! IBM's Log Event Extended Format 2.0 (QRadar LEEF format guide, version 2).
//!
//! ```text
//! LEEF:2.0|scanwatch|scanwatch|1.0.0|scan-detected|^|cat=vertical^devTime=2028-01-03T00:00:05.000+0000^devTimeFormat=…
//! ```
//!
//! Attributes are separated by `^`, as the guide's own examples are: the tab it would be otherwise does not survive every
//! relay. The format has no way to escape. What it asks to keep out of values (`^`, `|`, the tab) is spelt out, as are all
//! characters that could harm; `=` may stay, for a key ends at the first. A key without a value is left out.
//!
//! The event's id and `cat` are what QRadar maps: what happened, and what kind of scan it was.

use std::fmt::{Display, Write as _};

use super::parts::{self, PRODUCT, spelt};
use super::{Message, Observer};
use crate::engine::{FloodEvent, Losses, Snapshot, technique_names};
use crate::sink::Dropped;

/// How `devTime` is written, as Java's `SimpleDateFormat` has it.
const TIME_FORMAT: &str = "yyyy-MM-dd'T'HH:mm:ss.SSSZ";

/// The line of a message, without its end.
#[must_use]
pub fn message(message: &Message, observer: &Observer) -> String {
    let mut line = Line::new(message, observer);
    line.put("cat", parts::kind(message));
    line.put("devTime", parts::time(message.at()).strftime("%Y-%m-%dT%H:%M:%S.%3f+0000"));
    line.put("devTimeFormat", TIME_FORMAT);
    line.put("sev", parts::out_of_ten(message.severity()));
    match message {
        Message::Incident(event) => incident(&mut line, &event.snapshot),
        Message::Flood(event) => flood(&mut line, event),
        Message::Dropped(dropped) => records_dropped(&mut line, dropped),
    }
    line.put("rule", parts::rule(message));
    let (first, last) = parts::span(message);
    line.put("firstSeen", parts::rfc3339(first));
    line.put("lastSeen", parts::rfc3339(last));
    line.put("incident", message.key());
    line.put("eventUid", message.id());
    line.put("sequence", parts::sequence(message).map_or_else(String::new, |number| number.to_string()));
    line.put("severityName", message.severity().name());
    line.put("sensor", &observer.hostname);
    line.put("reason", parts::reason(message));
    line.text
}

fn incident(line: &mut Line, snapshot: &Snapshot) {
    endpoints(line, snapshot);
    line.put("scanDirection", parts::direction_name(snapshot.direction));
    line.put("techniques", technique_names(snapshot.techniques, snapshot.connects).join(", "));
    line.put("attackTechniques", parts::attack_ids(snapshot).join(", "));
    line.put("hosts", snapshot.hosts.rounded());
    line.put("ports", snapshot.ports.rounded());
    line.put("pairs", snapshot.pairs.rounded());
    line.put("answered", snapshot.answered.rounded());
    line.put("refused", snapshot.refused.rounded());
    line.put("relativeError", format_args!("{:.4}", snapshot.relative_error()));
    line.put("windowSeconds", snapshot.window.as_secs());
    line.put("services", snapshot.services.join(", "));
    line.put("targets", parts::target_names(snapshot, false).join(", "));
    line.put("targetsAnswered", parts::target_names(snapshot, true).join(", "));
    line.put("sourceZone", &snapshot.scanner.zone);
    line.put("targetZones", snapshot.zones.join(", "));
    line.put("visibility", parts::visibility_name(snapshot.visibility));
    line.put("sourceConfirmed", snapshot.source_confirmed);
    if let Some(role) = &snapshot.role {
        line.put("roleName", &role.name);
        line.put("roleVerdict", role.verdict.name());
    }
    line.put("tool", snapshot.tool.unwrap_or_default());
    line.put("riskScore", snapshot.risk);
    measures(line, snapshot);
    losses(line, snapshot.losses);
}

fn measures(line: &mut Line, snapshot: &Snapshot) {
    if let Some(ttl) = snapshot.scanner.ttl {
        line.put("ttl", ttl);
    }
    if let Some(rate) = snapshot.rate {
        line.put("newPairsPerSecond", format_args!("{rate:.3}"));
    }
    if let Some(length) = snapshot.length {
        line.put("lengthMeanBytes", format_args!("{:.1}", length.mean));
        line.put("lengthDeviationBytes", format_args!("{:.1}", length.deviation));
    }
    if let Some(surge) = &snapshot.surge {
        line.put("slotSeconds", surge.slot.as_secs());
        line.put("sourcesLeast", format_args!("{:.1}", surge.least));
        line.put("sourcesUsual", format_args!("{:.1}", surge.usual));
    }
}

fn endpoints(line: &mut Line, snapshot: &Snapshot) {
    if let Some(scanner) = snapshot.source() {
        line.put("src", scanner.address);
        line.put("srcMAC", scanner.mac.map(parts::mac_name).unwrap_or_default());
    }
    if let Some(host) = snapshot.host {
        line.put("dst", host);
    }
    if let Some(port) = snapshot.port {
        line.put("dstPort", port);
    }
    line.put("proto", parts::protocol(snapshot).unwrap_or_default());
    line.put("vlan", parts::vlans(snapshot).map(|id| id.to_string()).collect::<Vec<_>>().join("."));
    line.put("interface", snapshot.scanner.interface.as_deref().unwrap_or_default());
    if snapshot.others_count > 0 {
        let name = parts::others_name(snapshot);
        line.put(name, parts::addresses(&snapshot.others).join(", "));
        line.put(&format!("{name}Count"), snapshot.others_count);
    }
}

fn flood(line: &mut Line, event: &FloodEvent) {
    line.put("scans", event.scans);
    line.put("sources", parts::addresses(&event.sample).join(", "));
    line.put("sourcesCount", event.sources.rounded());
    let services: Vec<&str> = event.services.iter().map(|(name, _)| name.as_str()).collect();
    line.put("services", services.join(", "));
    let counted = |name: &str, scans: &u64| format!("{name} {scans}");
    let kinds = event.kinds.iter().map(|(kind, scans)| counted(kind, scans));
    line.put("kinds", kinds.collect::<Vec<_>>().join(", "));
    let directions = event.directions.iter();
    let directions = directions.map(|(direction, scans)| counted(parts::direction_name(*direction), scans));
    line.put("directions", directions.collect::<Vec<_>>().join(", "));
    losses(line, event.losses);
}

fn records_dropped(line: &mut Line, dropped: &Dropped) {
    line.put("sink", &dropped.sink);
    line.put("records", dropped.records);
}

fn losses(line: &mut Line, losses: Losses) {
    line.put("ringLost", losses.ring_lost);
    line.put("cellsRefused", losses.cells_refused);
}

/// What must not stand in a value.
const fn is_reserved(c: char) -> bool {
    matches!(c, '^' | '|')
}

/// A line as it grows.
struct Line {
    text: String,
    /// Nothing stands behind the header yet.
    is_bare: bool,
}

impl Line {
    fn new(message: &Message, observer: &Observer) -> Self {
        let version = spelt(&observer.version, is_reserved);
        let header = format!("LEEF:2.0|{PRODUCT}|{PRODUCT}|{version}|{}|^|", message.action());
        Self { text: header, is_bare: true }
    }

    fn put(&mut self, key: &str, value: impl Display) {
        let value = spelt(&value.to_string(), is_reserved);
        if value.is_empty() {
            return;
        }
        if !std::mem::take(&mut self.is_bare) {
            self.text.push('^');
        }
        let _ = write!(self.text, "{key}={value}");
    }
}
