//! What several forms say in the same way.

use std::net::IpAddr;

use super::Message;
use crate::engine::{
    Action, Kind, Severity, Snapshot, Target, Timestamp, Visibility, attack_techniques, ip_of, transport,
};
use crate::policy::Direction;

/// Who made this program and what it is called: both are its name.
pub(super) const PRODUCT: &str = "scanwatch";

/// RFC 3339 in UTC, to the microsecond, with `Z`.
pub(super) fn rfc3339(at: Timestamp) -> String {
    format!("{:.6}", time(at))
}

/// The time as a library knows it. 2⁶⁴ nanoseconds after 1970 is 2554, well within what can be written.
pub(super) fn time(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(at.as_ns())).unwrap_or(jiff::Timestamp::MAX)
}

/// Milliseconds since the Unix epoch.
pub(super) const fn millis(at: Timestamp) -> u64 {
    at.as_ns() / 1_000_000
}

/// A link-layer address by RFC 7042, as ECS asks for.
pub(super) fn mac_name(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02X}")).join("-")
}

/// As `network.direction` of ECS has it.
pub(super) const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Lateral => "internal",
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
        Direction::Transit => "external",
    }
}

/// What can be seen of answers.
pub(super) const fn visibility_name(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Symmetric => "symmetric",
        Visibility::OneWay => "one_way",
    }
}

/// The transport protocol, as IANA names it, in small letters; `None` where there is none, or more than one.
pub(super) fn protocol(snapshot: &Snapshot) -> Option<&'static str> {
    match transport(snapshot.techniques) {
        Some("icmp") if snapshot.scanner.address.is_ipv6() => Some("ipv6-icmp"),
        transport => transport,
    }
}

/// VLAN ids from the outer to the inner tag.
pub(super) fn vlans(snapshot: &Snapshot) -> impl Iterator<Item = u16> {
    snapshot.source().into_iter().flat_map(|scanner| scanner.vlan).filter(|id| *id != 0)
}

/// Severity out of ten, the same for CEF (7 and 8 are high, above is very high) and LEEF (10 is the worst).
pub(super) const fn out_of_ten(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 3,
        Severity::Medium => 6,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

/// What it is about in a few words, the same for all messages that are about the same: no address, no name, no count.
pub(super) fn title(message: &Message) -> String {
    let (what, action) = match message {
        Message::Incident(event) => (
            match event.snapshot.kind {
                Kind::Vertical => "Vertical scan",
                Kind::Horizontal => "Horizontal scan",
                Kind::Block => "Block scan",
                Kind::Distributed => "Distributed scan",
                Kind::Surge => "Surge of scans",
            },
            event.action,
        ),
        Message::Flood(event) => ("Flood of scans", event.action),
        Message::Dropped(_) => return "Records dropped".to_owned(),
    };
    let became = match action {
        Action::Detected => "detected",
        Action::Updated => "updated",
        Action::Ended => "ended",
    };
    format!("{what} {became}")
}

/// What made it a message: the name of a threshold or a limit of the configuration, or what happened where it was none.
pub(super) const fn rule(message: &Message) -> &'static str {
    match message {
        Message::Incident(event) => event.snapshot.rule,
        Message::Flood(_) => "incidents_per_minute",
        Message::Dropped(_) => "records_dropped",
    }
}

/// What sort of event it is: the kind of scan, or that it is no single one.
pub(super) const fn kind(message: &Message) -> &'static str {
    match message {
        Message::Incident(event) => event.snapshot.kind.name(),
        Message::Flood(_) => "flood",
        Message::Dropped(_) => "delivery",
    }
}

/// Number of the message within its incident or flood, from 1.
pub(super) const fn sequence(message: &Message) -> Option<u32> {
    match message {
        Message::Incident(event) => Some(event.snapshot.sequence),
        Message::Flood(event) => Some(event.sequence),
        Message::Dropped(_) => None,
    }
}

/// The sentence for a person.
pub(super) const fn reason<'a>(message: &Message<'a>) -> &'a str {
    match message {
        Message::Incident(event) => event.snapshot.reason.as_str(),
        Message::Flood(event) => event.reason.as_str(),
        Message::Dropped(dropped) => dropped.reason.as_str(),
    }
}

/// First and last moment of what it is about.
pub(super) const fn span(message: &Message) -> (Timestamp, Timestamp) {
    match message {
        Message::Incident(event) => (event.snapshot.first, event.snapshot.last),
        Message::Flood(event) => (event.first, event.last),
        Message::Dropped(dropped) => (dropped.first, dropped.last),
    }
}

/// Address and port, as URLs have them.
pub(super) fn target_name(target: &Target) -> String {
    let address = ip_of(&target.address);
    match (target.port, address) {
        (None, address) => address.to_string(),
        (Some(port), IpAddr::V4(address)) => format!("{address}:{port}"),
        (Some(port), IpAddr::V6(address)) => format!("[{address}]:{port}"),
    }
}

/// Names of the sampled targets; `answered` alone, or all.
pub(super) fn target_names(snapshot: &Snapshot, only_answered: bool) -> Vec<String> {
    let shown = snapshot.targets.iter().filter(|target| target.answered || !only_answered);
    shown.map(target_name).collect()
}

/// Ids of ATT&CK techniques, each once.
pub(super) fn attack_ids(snapshot: &Snapshot) -> Vec<&'static str> {
    let mut ids: Vec<&str> = attack_techniques(snapshot).iter().map(|technique| technique.id).collect();
    ids.dedup();
    ids
}

/// What the other addresses of a scan are: those that share it, or those that one machine uses besides its own.
pub(super) fn others_name(snapshot: &Snapshot) -> &'static str {
    if snapshot.source().is_none() { "sources" } else { "decoys" }
}

/// Addresses as text.
pub(super) fn addresses(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

/// The text with characters spelt out that could end a line, move a terminal, or turn the direction of writing, and
/// those a form has no other way to write: whatever somebody named a zone or a role, a line stays one line and says what
/// it seems to say.
pub(super) fn spelt(text: &str, is_also: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut spelt, c| {
        if is_harmful(c) || is_also(c) {
            spelt.extend(c.escape_unicode());
        } else {
            spelt.push(c);
        }
        spelt
    })
}

/// True for controls (Unicode Cc), line and paragraph separators, and marks of direction (UAX #9).
pub(super) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
