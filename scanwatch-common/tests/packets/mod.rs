//! The table of packets: what each is, its bytes, and what parsing and classifying it must say.
//!
//! A crate that includes this module includes `build` as `crate::build`, too.

#![allow(dead_code, reason = "each test crate that includes this module uses its own part of it")]
#![allow(clippy::unnecessary_wraps, reason = "a contact stands in the same column as the reasons for none")]

mod arp;
mod icmp;
mod ipv4;
mod ipv6;
mod link;
mod refusals;
pub mod stripped;
mod tcp;
mod udp;
mod whom;

use crate::build::address;
use scanwatch_common::abi::{self, Address, Novelty, Technique, Words};
use scanwatch_common::classify::{View, classify, refuse};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::Passage;
use scanwatch_common::parse::{self, Payload};
use scanwatch_common::sighting::Sighting;
use std::net::Ipv6Addr;
use std::sync::LazyLock;

/// The usual source.
pub const CLIENT: [u8; 4] = [10, 0, 0, 5];
/// The usual target.
pub const SERVER: [u8; 4] = [10, 0, 1, 7];
/// The usual source over IPv6.
pub const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 5);
/// The usual target over IPv6.
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 7);
/// The usual source port.
pub const FROM: u16 = 40_000;

/// What comes of a packet: a contact, or the reason why it is none.
pub type Outcome = Result<Contacted, Counter>;

/// A contact: a probe by itself, what became of one, or a datagram that is a probe if its flow is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contacted {
    /// How.
    pub technique: Technique,
    /// What became of it.
    pub outcome: abi::Outcome,
    /// As what it is counted.
    pub counter: Counter,
    /// Who.
    pub source: Address,
    /// Whom.
    pub target: Address,
    /// Source port, 0 where there is none.
    pub source_port: u16,
    /// Destination port, protocol number, or 0.
    pub target_port: u16,
    /// Bytes of a datagram's data; 0 for all other techniques.
    pub data: u16,
}

/// What comes of this frame, by the same steps as in `scanwatch_common::observe` up to its tables.
pub fn outcome(frame: &[u8]) -> Outcome {
    let headers = parse::ethernet(frame)?;
    let contact = classify(&headers)?;
    let seen = Sighting::new(&headers, &contact, Passage::IN);
    let mut record = Novelty::EMPTY;
    parse::describe(frame, &seen, &mut record)?;
    if contact.view == View::Target {
        std::mem::swap(&mut record.source, &mut record.target);
    }
    if let Some(reason) = refuse(&seen, Words::of(&record.source), Words::of(&record.target)) {
        return Err(reason);
    }
    Ok(Contacted {
        technique: contact.technique,
        outcome: contact.outcome,
        counter: contact.counter,
        source: record.source,
        target: record.target,
        source_port: contact.source_port,
        target_port: contact.target_port,
        data: if let Payload::Udp(udp) = headers.payload { udp.payload } else { 0 },
    })
}

/// A packet and what must come of it.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// What the packet is.
    pub name: String,
    /// The frame.
    pub frame: Vec<u8>,
    /// VLAN ids it carries; looked at only where it can be parsed.
    pub vlan: [u16; 2],
    /// What must come of it.
    pub expect: Outcome,
}

/// An untagged fixture.
pub fn fixture(name: impl Into<String>, frame: Vec<u8>, expect: Outcome) -> Fixture {
    Fixture { name: name.into(), frame, vlan: [0, 0], expect }
}

/// Every fixture.
pub fn all() -> Vec<Fixture> {
    // Made once, for making them takes an interpreter longer than all that is asked of them.
    static ALL: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
        let all = [
            link::fixtures(),
            arp::fixtures(),
            ipv4::fixtures(),
            ipv6::fixtures(),
            tcp::fixtures(),
            udp::fixtures(),
            icmp::fixtures(),
            refusals::fixtures(),
            whom::fixtures(),
        ]
        .concat();
        some_of(all.into_iter()).collect()
    });
    ALL.clone()
}

/// Of what is the same again and again, all; some, where an interpreter runs it, a thousand times slower.
fn some_of<T>(all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    all.step_by(if cfg!(miri) { 7 } else { 1 })
}

/// No contact, for this reason.
pub fn not(reason: Counter) -> Outcome {
    Err(reason)
}

/// A contact from [`CLIENT`] to a port of [`SERVER`]; techniques without ports come from port 0.
pub fn probe(technique: Technique, target_port: u16) -> Outcome {
    Ok(between("10.0.0.5", "10.0.1.7", technique, target_port))
}

/// A contact from [`CLIENT_V6`] to a port of [`SERVER_V6`].
pub fn probe_v6(technique: Technique, target_port: u16) -> Outcome {
    Ok(between("2001:db8:0:1::5", "2001:db8:0:2::7", technique, target_port))
}

/// A datagram from [`CLIENT`] and [`FROM`] with so many bytes of data.
pub fn datagram(target_port: u16, data: u16) -> Outcome {
    probe(Technique::Udp, target_port).map(|contacted| Contacted { data, ..contacted })
}

/// The same over IPv6.
pub fn datagram_v6(target_port: u16, data: u16) -> Outcome {
    probe_v6(Technique::Udp, target_port).map(|contacted| Contacted { data, ..contacted })
}

/// What [`SERVER`] answered, or somebody said of it, on a contact from [`CLIENT`].
pub fn told(technique: Technique, outcome: abi::Outcome, counter: Counter, target_port: u16) -> Outcome {
    probe(technique, target_port).map(|contacted| Contacted { outcome, counter, ..contacted })
}

/// The same over IPv6.
pub fn told_v6(technique: Technique, outcome: abi::Outcome, counter: Counter, target_port: u16) -> Outcome {
    probe_v6(technique, target_port).map(|contacted| Contacted { outcome, counter, ..contacted })
}

/// A contact between any two.
pub fn between(source: &str, target: &str, technique: Technique, target_port: u16) -> Contacted {
    let has_ports = !matches!(technique, Technique::Icmp | Technique::Arp | Technique::Proto);
    Contacted {
        technique,
        outcome: abi::Outcome::Tried,
        counter: Counter::of_probe(technique),
        source: address(source),
        target: address(target),
        source_port: if has_ports { FROM } else { 0 },
        target_port,
        data: 0,
    }
}
