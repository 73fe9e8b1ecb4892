//! ArcSight's Common Event Format, version 0 (CEF Implementation Standard, version 26).
//!
//! ```text
//! CEF:0|scanwatch|scanwatch|1.0.0|vertical|Vertical scan detected|8|cat=scan-detected rt=1830470405000 …
//! ```
//!
//! In the header `\` and `|` are escaped, in the extension `\` and `=`, and a new line there is `\n`. Other characters that
//! could harm are spelt out. `src` and `dst` hold IPv4 alone; IPv6 goes into `c6a2` and `c6a3`. A key without a value is left
//! out.
//!
//! `cat` comes first on purpose: liblognorm before 2.0.7 loses the first letter of the first key, and that one is the
//! least loss.

use std::fmt::{Display, Write as _};
use std::net::IpAddr;

use super::parts::{self, PRODUCT, spelt};
use super::{Message, Observer};
use crate::engine::{FloodEvent, Snapshot, technique_names};
use crate::policy::Direction;
use crate::sink::Dropped;

/// The line of a message, without its end.
#[must_use]
pub fn message(message: &Message, observer: &Observer) -> String {
    let mut line = Line::new(message, observer);
    line.put("cat", message.action());
    line.put("rt", parts::millis(message.at()));
    let (first, last) = parts::span(message);
    line.put("start", parts::millis(first));
    line.put("end", parts::millis(last));
    line.put("externalId", message.id());
    line.put("dvchost", &observer.hostname);
    match message {
        Message::Incident(event) => incident(&mut line, &event.snapshot),
        Message::Flood(event) => flood(&mut line, event),
        Message::Dropped(dropped) => records_dropped(&mut line, dropped),
    }
    line.put("msg", parts::reason(message));
    line.text
}

fn incident(line: &mut Line, snapshot: &Snapshot) {
    endpoints(line, snapshot);
    line.put("cnt", snapshot.pairs.rounded());
    line.custom("cn1", "hosts", snapshot.hosts.rounded());
    line.custom("cn2", "ports", snapshot.ports.rounded());
    line.custom("cn3", "answered", snapshot.answered.rounded());
    line.custom("flexNumber1", "refused", snapshot.refused.rounded());
    line.custom("cs1", "incident", snapshot.incident);
    line.custom("cs2", "techniques", technique_names(snapshot.techniques, snapshot.connects).join(", "));
    line.custom("cs3", "services", snapshot.services.join(", "));
    line.custom("cs4", "targets", parts::target_names(snapshot, false).join(", "));
    line.custom("cs5", "attack", parts::attack_ids(snapshot).join(", "));
    if snapshot.others_count > 0 {
        line.custom("flexNumber2", parts::others_name(snapshot), snapshot.others_count);
    }
    match &snapshot.role {
        Some(role) => line.custom("cs6", "role", format!("{} ({})", role.name, role.verdict.name())),
        None => {
            line.custom("cs6", parts::others_name(snapshot), parts::addresses(&snapshot.others).join(", "));
        }
    }
    line.custom("flexString1", "zones", format!("{} → {}", snapshot.scanner.zone, snapshot.zones.join(", ")));
    line.custom("flexString2", "visibility", parts::visibility_name(snapshot.visibility));
    // Strings and whole numbers of one's own are all in use.
    line.custom("cfp1", "source confirmed", u8::from(snapshot.source_confirmed));
    line.put("sproc", snapshot.tool.unwrap_or_default());
}

fn endpoints(line: &mut Line, snapshot: &Snapshot) {
    line.put("deviceInboundInterface", snapshot.scanner.interface.as_deref().unwrap_or_default());
    match snapshot.direction {
        Direction::Inbound => line.put("deviceDirection", 0),
        Direction::Outbound => line.put("deviceDirection", 1),
        Direction::Lateral | Direction::Transit => {}
    }
    if let Some(scanner) = snapshot.source() {
        line.address("src", ("c6a2", "Source IPv6 Address"), scanner.address);
        line.put("smac", scanner.mac.map(cef_mac).unwrap_or_default());
    }
    if let Some(host) = snapshot.host {
        line.address("dst", ("c6a3", "Destination IPv6 Address"), host);
    }
    if let Some(port) = snapshot.port {
        line.put("dpt", port);
    }
    line.put("proto", parts::protocol(snapshot).unwrap_or_default().to_ascii_uppercase());
}

fn flood(line: &mut Line, event: &FloodEvent) {
    line.put("cnt", event.scans);
    line.custom("cn1", "sources", event.sources.rounded());
    line.custom("cs1", "incident", event.id);
    let services: Vec<&str> = event.services.iter().map(|(name, _)| name.as_str()).collect();
    line.custom("cs3", "services", services.join(", "));
    line.custom("cs6", "sources", parts::addresses(&event.sample).join(", "));
}

fn records_dropped(line: &mut Line, dropped: &Dropped) {
    line.put("cnt", dropped.records);
    line.custom("cs1", "sink", &dropped.sink);
}

/// As the standard's examples have it.
fn cef_mac(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

/// A line as it grows.
struct Line {
    text: String,
    /// Nothing stands behind the header yet.
    is_bare: bool,
}

impl Line {
    fn new(message: &Message, observer: &Observer) -> Self {
        let title = parts::title(message);
        let fields = [PRODUCT, PRODUCT, &observer.version, parts::rule(message), &title];
        let header = fields.map(|field| escaped(&spelt(field, |_| false), '|')).join("|");
        let severity = parts::out_of_ten(message.severity());
        Self { text: format!("CEF:0|{header}|{severity}|"), is_bare: true }
    }

    fn put(&mut self, key: &str, value: impl Display) {
        let value = value.to_string();
        if value.is_empty() {
            return;
        }
        if !std::mem::take(&mut self.is_bare) {
            self.text.push(' ');
        }
        let value = escape_value(&value);
        let _ = write!(self.text, "{key}={value}");
    }

    /// A field of the sender's own choice, with what it is.
    fn custom(&mut self, key: &str, label: &str, value: impl Display) {
        let value = value.to_string();
        if !value.is_empty() {
            self.put(&format!("{key}Label"), label);
            self.put(key, value);
        }
    }

    fn address(&mut self, key_v4: &str, (key_v6, label): (&str, &str), address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.put(key_v4, address),
            IpAddr::V6(address) => self.custom(key_v6, label, address),
        }
    }
}

/// Lines of a value are told apart by `\n`; whatever else could harm is spelt out.
fn escape_value(value: &str) -> String {
    let lines = value.split('\n').map(|line| escaped(&spelt(line, |_| false), '='));
    lines.collect::<Vec<_>>().join("\\n")
}

fn escaped(text: &str, special: char) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        if c == '\\' || c == special {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    })
}
