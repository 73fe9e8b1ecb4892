//! The whole decision about one packet, generic over where packets and tables live.

mod cell;
mod tables;

pub use tables::{Clock, Ports, Tables};

use core::borrow::BorrowMut;

use crate::abi::{Address, Novelty, OTHER_SERVICE, Outcome, Side, Technique};
use crate::classify::{classify, from_words, is_large_datagram, refuse, words};
use crate::counters::Counter;
use crate::packet::Packet;
use crate::parse::{self, describe};
use crate::sighting::{self, Sighting};
use crate::sketch::{Flow, Hasher, Knock};
use cell::{count_first, count_pair, exchange};

/// Where a frame is seen, which decides what it can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    through: u8,
}

impl Passage {
    /// On its way in.
    pub const IN: Self = Self { through: 0 };
    /// On its way out, from this host itself.
    pub const OUT: Self = Self { through: 0 };
    /// On its way out for somebody else: the probe was counted where it came in, under the source's own address, which
    /// masquerading may have replaced by now. Answers and UDP flows are told all the same.
    pub const THROUGH: Self = Self { through: 1 };

    /// Of a packet on its way out that came in by this interface, 0 for one of this host's own. Arithmetic, for the
    /// verifier would go both ways of a branch.
    #[inline(always)]
    #[must_use]
    pub const fn out_from(ingress_interface: u32) -> Self {
        Self { through: ((ingress_interface as u64).wrapping_neg() >> 63) as u8 }
    }

    #[inline(always)]
    pub(crate) const fn number(self) -> u8 {
        self.through
    }
}

/// Observes one Ethernet frame that passes `interface`.
#[inline(always)]
pub fn observe<P: Packet + ?Sized, T: Tables>(packet: &P, interface: u32, passage: Passage, tables: &mut T) {
    let mut seen = Sighting::NOTHING;
    let mut outcome = first_look(packet, passage, &mut seen);
    if outcome == CONTACT {
        outcome = second_look(packet, &seen, interface, tables);
    }
    tables.count_number(outcome);
}

#[inline(always)]
fn second_look<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    seen: &Sighting,
    interface: u32,
    tables: &mut T,
) -> u32 {
    let Some(mut record) = tables.record() else { return Counter::CellRefused as u32 };
    let record = record.borrow_mut();
    record.interface = interface;
    record.reserved = 0;
    let verdict = contact(packet, seen, record, tables);
    if verdict.0 < Verdict::WITH_FIRST {
        return verdict.0;
    }
    if verdict != Verdict::COUNTS && !count_first(verdict.way(), record, tables) {
        return Counter::NotAdmitted as u32;
    }
    count_pair(record, tables)
}

/// What is to be done about a contact: the number of the [`Counter`] of why nothing is, or one of the below. A plain
/// number, because it is handed from one function of the kernel to another in a register.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Verdict(u32);

impl Verdict {
    /// It counts.
    const COUNTS: Self = Self(u32::MAX);
    /// From here on: it counts, and so does what its source tried first. The low bits are the source's place in its set of
    /// the doorkeeper.
    const WITH_FIRST: u32 = 1 << 16;

    const fn leaves(reason: Counter) -> Self {
        Self(reason as u32)
    }

    const fn with_first(way: usize) -> Self {
        Self(Self::WITH_FIRST | way as u32)
    }

    const fn way(self) -> usize {
        (self.0 & 0xff) as usize
    }
}

/// The frame tells of a contact: it leaves by none of the counters yet.
const CONTACT: u32 = u32::MAX;

/// Parses and classifies: [`CONTACT`] where there is one, which stands in `seen`, else the number of the counter by which
/// the frame leaves. A function of its own, whose stack is free again when the contact is counted: the kernel gives 512
/// bytes to all functions that are under way together. (It returns a number because it must return something: what the
/// compiler leaves behind in the register of a function without a value may be an address, which the verifier refuses.)
#[inline(never)]
fn first_look<P: Packet + ?Sized>(packet: &P, passage: Passage, seen: &mut Sighting) -> u32 {
    let outcome = parse::ethernet_then(packet, |headers| {
        let contact = classify(&headers)?;
        *seen = Sighting::new(&headers, &contact, passage);
        Ok(())
    });
    match outcome {
        Ok(()) => CONTACT,
        Err(reason) => reason as u32,
    }
}

/// Describes a contact, and asks flow cache and doorkeeper about it; on a stack of its own, as above.
#[inline(never)]
fn contact<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    seen: &Sighting,
    record: &mut Novelty,
    tables: &mut T,
) -> Verdict {
    match described(packet, seen, record, tables) {
        Ok(seen) => {
            tables.count_number(u32::from(seen.counter));
            admit(&seen, record, tables)
        }
        Err(reason) => Verdict::leaves(reason),
    }
}

/// Fills the record with all but the cell's key.
#[inline(always)]
fn described<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    seen: &Sighting,
    record: &mut Novelty,
    tables: &mut T,
) -> Result<Sighting, Counter> {
    let mut seen = tables.settle(*seen).ok_or(Counter::CellRefused)?;
    describe(packet, &seen, record)?;
    turn(record, seen.reversed);
    if let Some(reason) = refuse(&seen, &record.source, &record.target) {
        return Err(reason);
    }
    if seen.payload == sighting::UDP
        && let Some(reason) = first_datagram(record, &mut seen, tables)
    {
        return Err(reason);
    }
    record.source_port = seen.source_port;
    record.target_port = seen.target_port;
    record.key.contact = seen.contact;
    if seen.through != 0 && seen.is(Outcome::Tried) {
        return Err(Counter::Forwarded);
    }
    Ok(seen)
}

/// Exchanges source and target where `reversed` is 1. Arithmetic, for the verifier would go both ways of a branch.
#[inline(always)]
fn turn(record: &mut Novelty, reversed: u8) {
    let mask = u64::from(reversed).wrapping_neg();
    let ((a, b), (c, d)) = (words(&record.source), words(&record.target));
    let (high, low) = ((a ^ c) & mask, (b ^ d) & mask);
    record.source = from_words(a ^ high, b ^ low);
    record.target = from_words(c ^ high, d ^ low);
}

/// Tells the first datagram of a flow, and its first answer, from all others; `None` for these two.
#[inline(always)]
fn first_datagram<T: Tables>(record: &mut Novelty, seen: &mut Sighting, tables: &mut T) -> Option<Counter> {
    let settings = tables.settings();
    let tick = tables.tick();
    let idle = settings.flow_idle_ticks;
    let hasher = Hasher::new(settings.seed);
    let from = hasher.endpoint(&record.source).pair(seen.source_port);
    let to = hasher.endpoint(&record.target).pair(seen.target_port);
    // A sum is the same from both ends; which end is the greater tells the direction.
    let flow = from.wrapping_add(to);
    let state = match tables.flow_line(flow) {
        Some(line) => line.note(flow, from < to, tick, idle),
        None => Flow::First,
    };
    match state {
        Flow::First => {}
        Flow::Known => return Some(Counter::UdpKnown),
        Flow::Answered => return Some(Counter::UdpAnswered),
        Flow::Answer => {
            // The target's: everything about it is the other way round.
            seen.answered();
            turn(record, 1);
            core::mem::swap(&mut seen.source_port, &mut seen.target_port);
            return None;
        }
    }
    if is_large_datagram(seen.udp_payload, seen.target_port) {
        return Some(Counter::UdpLarge);
    }
    // A socket that talks is there: peers, relays, and answers from another port than was asked (RFC 1350, RFC 8445).
    let talks = match tables.flow_line(to) {
        Some(line) => line.knows(to, tick, idle),
        None => false,
    };
    if let Some(line) = tables.flow_line(from) {
        line.note(from, true, tick, idle);
    }
    if talks {
        seen.answered();
        return None;
    }
    let from_service =
        seen.source_port < 1024 || tables.service(Ports::Udp, seen.source_port) != OTHER_SERVICE;
    let to_service = seen.target_port < 1024 || tables.service(Ports::Udp, seen.target_port) != OTHER_SERVICE;
    if from_service && !to_service { Some(Counter::UdpAnswerShape) } else { None }
}

/// Asks whether the contact's source is worth a cell.
#[inline(always)]
fn admit<T: Tables>(seen: &Sighting, record: &mut Novelty, tables: &mut T) -> Verdict {
    let settings = tables.settings();
    let side = if tables.zone(&record.source) == 0 { Side::External } else { Side::Internal };
    let (need, prefix) = match side {
        Side::Internal => (settings.admit_internal, settings.source_prefix_v6_internal),
        Side::External => (settings.admit_external, settings.source_prefix_v6_external),
    };
    record.side = side as u8;
    record.key.source = cut(&record.source, prefix);
    let hasher = Hasher::new(settings.seed);
    let source = hasher.endpoint(&record.key.source).host();
    let pair = hasher.endpoint(&record.target).pair(record.target_port);
    let knock = match tables.door_set(side, source) {
        None => Knock::Admitted,
        // The technique is part of what the doorkeeper tells apart: three odd packets to one port are three.
        Some(set) if admits(seen) => set.knock(source, pair.rotate_left(u32::from(seen.technique())), need),
        Some(set) if set.knows(source, need) => Knock::Admitted,
        Some(_) => return Verdict::leaves(Counter::NotAsked),
    };
    match knock {
        Knock::First(way) => {
            if let Some(first) = tables.first_contact(side, source, way) {
                first.source = source;
                exchange(record, first);
            }
            Verdict::leaves(Counter::NotAdmitted)
        }
        Knock::Waiting => Verdict::leaves(Counter::NotAdmitted),
        Knock::Newly(way) => Verdict::with_first(way),
        Knock::Admitted => Verdict::COUNTS,
    }
}

/// Only what a source does itself brings it in: it tries, or it is refused what nobody else can have sent.
#[inline(always)]
const fn admits(seen: &Sighting) -> bool {
    seen.is(Outcome::Tried) || (seen.is(Outcome::Refused) && seen.technique() == Technique::Ack as u8)
}

/// The leading `prefix` bits of an IPv6 address; IPv4 stays whole, for one address there is one machine.
#[inline(always)]
fn cut(address: &Address, prefix: u8) -> Address {
    let (high, low) = words(address);
    let is_v4 = high == 0 && low >> 32 == 0xffff;
    let (high, low) = match prefix {
        _ if is_v4 => (high, low),
        1..=63 => (high & (u64::MAX << (64 - prefix)), 0),
        64 => (high, 0),
        65..=127 => (high, low & (u64::MAX << (128 - prefix))),
        _ => (high, low),
    };
    from_words(high, low)
}
