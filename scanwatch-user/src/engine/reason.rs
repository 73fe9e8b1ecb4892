//! An incident in one sentence that a tired analyst understands.

use std::time::Duration;

use scanwatch_common::abi::Technique;
use scanwatch_common::sketch::{Estimate, PortSketch};

use super::record::{Action, Snapshot, SurgeNote, Visibility, technique_names, transport};
use super::scan::{Kind, Techniques};
use super::severity::RoleVerdict;
use crate::policy::Direction;

/// Names that are listed before "and more".
const LISTED_MAX: usize = 3;

/// The sentence.
#[must_use]
pub fn reason(action: Action, snapshot: &Snapshot) -> String {
    let verb = match action {
        Action::Detected | Action::Ended => "",
        Action::Updated => "has by now ",
    };
    if snapshot.kind == Kind::Distributed {
        return format!(
            "{} sources tried {} on {} ({}) {}: a distributed scan {}{}{}.",
            snapshot.others_count,
            counted(snapshot.ports, "port"),
            snapshot.host.map_or_else(|| "a host".to_owned(), |host| host.to_string()),
            listed(&snapshot.zones),
            lasted(snapshot.grew.since(snapshot.first)),
            direction(snapshot.direction),
            unconfirmed(snapshot),
            if action == Action::Ended { ", now over" } else { "" },
        );
    }
    let over = if action == Action::Ended { ", now over" } else { "" };
    if let Some(surge) = &snapshot.surge {
        return rising(surge, snapshot) + unconfirmed(snapshot) + over + ".";
    }
    format!(
        "{source} {verb}{what} ({zone} → {zones}) {time}, {outcome}: a {kind} scan {direction}{role}{over}.",
        source = snapshot.scanner.address,
        what = what(snapshot),
        zone = snapshot.scanner.zone,
        zones = listed(&snapshot.zones),
        outcome = outcome(snapshot),
        time = lasted(snapshot.grew.since(snapshot.first)),
        kind = snapshot.kind.name(),
        direction = direction(snapshot.direction),
        role = role(snapshot) + &aliases(snapshot) + unconfirmed(snapshot),
    )
}

/// How a port's sources rose.
fn rising(surge: &SurgeNote, snapshot: &Snapshot) -> String {
    let hosts = if snapshot.hosts.count >= PortSketch::BITMAP_MOST {
        format!("{} hosts or more", snapshot.hosts.rounded())
    } else {
        counted(snapshot.hosts, "host")
    };
    let before = match surge.usual.round() {
        usual if usual < 1.0 => "where nobody did before".to_owned(),
        usual => format!("where {usual} were the most before"),
    };
    format!(
        "{} tried {} on {hosts} {}, at least {:.0} {} {before}: scans of this port from the internet surge",
        counted(surge.sources, "source"),
        port(snapshot),
        lasted(snapshot.grew.since(snapshot.first)),
        surge.least,
        each(surge.slot),
    )
}

/// The port of a surge, with its service where it has one.
fn port(snapshot: &Snapshot) -> String {
    let transport = transport(snapshot.techniques).unwrap_or("port");
    let port = format!("{transport}/{}", snapshot.port.unwrap_or_default());
    match snapshot.services.first() {
        Some(service) if *service != port => format!("{port} ({service})"),
        _ => port,
    }
}

/// A rate's time.
fn each(time: Duration) -> String {
    match time.as_secs() {
        3_600 => "an hour".to_owned(),
        86_400 => "a day".to_owned(),
        s if s % 60 == 0 => format!("in {} min", s / 60),
        s => format!("in {s} s"),
    }
}

/// What was done to whom.
fn what(snapshot: &Snapshot) -> String {
    let techniques = snapshot.techniques;
    let hosts = counted(snapshot.hosts, "host");
    let target = snapshot.host.map_or_else(|| hosts.clone(), |host| host.to_string());
    if techniques.within(Techniques::PORTLESS) {
        return look_for(techniques, &target, snapshot);
    }
    let ports = if techniques == Techniques::of(&[Technique::Proto]) {
        counted(snapshot.ports, "IP protocol")
    } else {
        counted(snapshot.ports, "port")
    };
    let tried = if snapshot.kind == Kind::Horizontal { listed(&snapshot.services) } else { ports };
    let odd = if techniques.within(Techniques::ODD) {
        format!(" with flags no stack sends ({})", technique_names(techniques, false).join(", "))
    } else {
        String::new()
    };
    let also = match (techniques.has(Technique::Icmp), techniques.has(Technique::Arp)) {
        (true, true) => ", asked for by ICMP and ARP, too",
        (true, false) => ", asked for by ICMP, too",
        (false, true) => ", asked for by ARP, too",
        (false, false) => "",
    };
    format!("tried {tried} on {target}{odd}{also}")
}

fn look_for(techniques: Techniques, target: &str, snapshot: &Snapshot) -> String {
    match (techniques.has(Technique::Icmp), techniques.has(Technique::Arp)) {
        (true, true) => format!("looked for {target} by ICMP and ARP"),
        (true, false) => format!("sent ICMP requests to {target}"),
        (false, _) => format!("asked for {} by ARP", counted(snapshot.hosts, "address")),
    }
}

/// What became of it.
fn outcome(snapshot: &Snapshot) -> String {
    if snapshot.visibility == Visibility::OneWay {
        return "answers unseen".to_owned();
    }
    let pairs = snapshot.pairs.rounded();
    let answered = snapshot.answered.rounded().min(pairs);
    let refused = snapshot.refused.rounded().min(pairs - answered);
    let silent = pairs - answered - refused;
    let parts = [(refused, "refused"), (silent, "silent"), (answered, "answered")];
    if let Some((_, what)) = parts.iter().find(|(count, _)| *count == pairs) {
        return format!("all {what}");
    }
    let named = parts.iter().filter(|(count, _)| *count > 0);
    let named: Vec<String> = named.map(|(count, what)| format!("{count} {what}")).collect();
    format!("{} of {pairs}", named.join(", "))
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Lateral => "from inside the network",
        Direction::Outbound => "of the internet from inside the network",
        Direction::Inbound => "from the internet",
        Direction::Transit => "from the internet through the network",
    }
}

/// Decoys and what a stranger learned.
fn aliases(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    if snapshot.others_count > 0 {
        text = format!(", under {} other addresses of the same machine", snapshot.others_count);
    }
    if snapshot.escalated {
        text += ", answered where nothing was known to answer";
    }
    text
}

/// Whoever is named may have sent nothing of it.
fn unconfirmed(snapshot: &Snapshot) -> &'static str {
    match (snapshot.source_confirmed, snapshot.source()) {
        (true, _) => "",
        (false, Some(_)) => ", source unconfirmed",
        (false, None) => ", sources unconfirmed",
    }
}

fn role(snapshot: &Snapshot) -> String {
    match &snapshot.role {
        None => String::new(),
        Some(role) => match role.verdict {
            RoleVerdict::Outside => format!(", outside its role `{}`", role.name),
            RoleVerdict::OverBudget => format!(", over the budget of its role `{}`", role.name),
        },
    }
}

/// A count with its noun, "about" where it may well be off by one.
fn counted(count: Estimate, noun: &str) -> String {
    let number = count.rounded();
    let about = if count.count * count.relative_error >= 1.0 { "about " } else { "" };
    let plural = match (number, noun) {
        (1, _) => "",
        (_, "address") => "es",
        _ => "s",
    };
    format!("{about}{number} {noun}{plural}")
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "unnamed ports".to_owned(),
        [only] => only.clone(),
        [first @ .., last] if names.len() <= LISTED_MAX => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", names[..LISTED_MAX].join(", "), names.len() - LISTED_MAX),
    }
}

fn lasted(time: Duration) -> String {
    match time.as_secs() {
        0 => "within a second".to_owned(),
        s @ 1..120 => format!("in {s} s"),
        s @ 120..7_200 => format!("in {} min", s / 60),
        s => format!("in {} h", s / 3_600),
    }
}
