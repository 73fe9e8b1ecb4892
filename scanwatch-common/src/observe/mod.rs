//! The whole decision about one packet, generic over where packets and tables live.

mod cell;
mod port;
mod tables;

pub use crate::ports::Ports;
pub use tables::{Clock, Tables};

use core::borrow::BorrowMut;

use crate::abi::{Address, Novelty, OTHER_SERVICE, Outcome, Side, Technique};
use crate::classify::{Contact, View, classify, from_words, is_large_datagram, refuse, words};
use crate::counters::Counter;
use crate::packet::Packet;
use crate::parse::{self, Headers, Payload, describe};
use crate::sighting::{self, Sighting};
use crate::sketch::{Flow, Hasher, Knock};
use cell::{count_first, count_pair, exchange, side_of};
use port::note_port;

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
    /// On its way out for somebody else: what the source does was counted where it came in, under the source's own address,
    /// which masquerading may have replaced by now. Answers and refusals are told, and UDP flows are remembered.
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
        outcome = second_look(packet, &mut seen, interface, tables);
    }
    tables.count_number(outcome);
}

#[inline(always)]
fn second_look<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    seen: &mut Sighting,
    interface: u32,
    tables: &mut T,
) -> u32 {
    let Some(mut record) = tables.record() else { return Counter::CellRefused as u32 };
    let record = record.borrow_mut();
    record.interface = interface;
    record.reserved = 0;
    let mut outcome = describe_contact(packet, seen, record, tables);
    match (seen.payload, outcome) {
        (sighting::UDP, CONTACT) => outcome = first_datagram(record, seen, tables),
        (sighting::UDP, TO_GROUP) | (sighting::UDP_TO_ALL, CONTACT | TO_GROUP | FROM_NOBODY) => {
            outcome = question_to_all(record, seen, tables);
        }
        _ => {}
    }
    if outcome == CONTACT {
        outcome = place_source(seen, record, tables);
    }
    if outcome != CONTACT {
        return outcome;
    }
    if side_of(record) == Side::External {
        // Before the doorkeeper: on the internet many a scanner sends one packet.
        let noted = note_port(seen, record, tables);
        tables.count_number(noted);
    }
    let verdict = admit(seen, record, tables);
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
/// The frame leaves because its target is a group.
const TO_GROUP: u32 = Counter::GroupTarget as u32;
/// The frame leaves because nobody can have sent it.
const FROM_NOBODY: u32 = Counter::SourceUnusable as u32;

/// Parses and classifies: [`CONTACT`] where there is one, which stands in `seen`, else the number of the counter by which
/// the frame leaves. A function of its own, whose stack is free again when the contact is counted: the kernel gives 512
/// bytes to all functions that are under way together. (It returns a number because it must return something: what the
/// compiler leaves behind in the register of a function without a value may be an address, which the verifier refuses.)
#[inline(never)]
fn first_look<P: Packet + ?Sized>(packet: &P, passage: Passage, seen: &mut Sighting) -> u32 {
    let outcome = parse::ethernet_then(packet, |headers| {
        let contact = match classify(&headers) {
            Err(Counter::GroupTarget) => to_all(&headers)?,
            other => other?,
        };
        *seen = Sighting::new(&headers, &contact, passage);
        Ok(())
    });
    match outcome {
        Ok(()) => CONTACT,
        Err(reason) => reason as u32,
    }
}

/// A datagram to all or to a group, which teaches who asked; nothing else to a group does.
#[inline(always)]
fn to_all(headers: &Headers) -> Result<Contact, Counter> {
    match &headers.payload {
        Payload::Udp(udp) => Ok(Contact {
            technique: Technique::Udp,
            outcome: Outcome::Tried,
            view: View::Source,
            source_port: udp.source_port,
            target_port: udp.target_port,
            counter: Counter::GroupTarget,
        }),
        _ => Err(Counter::GroupTarget),
    }
}

/// Settles what was seen, and fills the record with what the frame says: [`CONTACT`], or the number of the counter by which
/// the frame leaves. On a stack of its own, as above.
#[inline(never)]
fn describe_contact<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    seen: &mut Sighting,
    record: &mut Novelty,
    tables: &mut T,
) -> u32 {
    let Some(settled) = tables.settle(*seen) else { return Counter::CellRefused as u32 };
    if let Err(reason) = describe(packet, &settled, record) {
        return reason as u32;
    }
    turn(record, settled.reversed);
    *seen = settled;
    match refuse(&settled, &record.source, &record.target) {
        Some(reason) => reason as u32,
        None => CONTACT,
    }
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

/// Tells the first datagram of a flow, and its first answer, from all others: [`CONTACT`] for these two, else the number of
/// the counter by which the frame leaves. On a stack of its own, as above.
#[inline(never)]
fn first_datagram<T: Tables>(record: &mut Novelty, seen: &mut Sighting, tables: &mut T) -> u32 {
    let settings = tables.settings();
    let tick = tables.tick();
    let idle = settings.flow_idle_ticks;
    let hasher = Hasher::new(settings.seed);
    let from = hasher.endpoint(&record.source).pair(seen.source_port);
    let to = hasher.endpoint(&record.target).pair(seen.target_port);
    // A sum is the same from both ends; which end is the greater tells the direction.
    let flow = from.wrapping_add(to);
    let state = match tables.flow_line(flow) {
        // What is forwarded under a translated address is answered there, too, and told where it came in.
        Some(line) => line.note(flow, from < to, seen.through, tick, idle),
        None => Flow::First,
    };
    match state {
        Flow::First => {}
        Flow::Known => return Counter::UdpKnown as u32,
        Flow::Answered => return Counter::UdpAnswered as u32,
        Flow::Answer => {
            // The target's: everything about it is the other way round.
            seen.answered();
            seen.reversed = 1;
            turn(record, 1);
            core::mem::swap(&mut seen.source_port, &mut seen.target_port);
            return CONTACT;
        }
    }
    if is_large_datagram(seen.udp_payload, seen.target_port) {
        return Counter::UdpLarge as u32;
    }
    // A socket that talks is there: peers, relays, and answers from another port than was asked (RFC 1350, RFC 8445).
    let talks = match tables.flow_line(to) {
        Some(line) => line.knows(to, tick, idle),
        None => false,
    };
    if let Some(line) = tables.flow_line(from) {
        line.note(from, true, 0, tick, idle);
    }
    if talks {
        seen.answered();
        return CONTACT;
    }
    let from_service =
        seen.source_port < 1024 || tables.service(Ports::Udp, seen.source_port) != OTHER_SERVICE;
    let to_service = seen.target_port < 1024 || tables.service(Ports::Udp, seen.target_port) != OTHER_SERVICE;
    if from_service && !to_service { Counter::UdpAnswerShape as u32 } else { CONTACT }
}

/// Remembers who asked all others. Whoever answers does so from its own address to that very socket, at a well-known port
/// often enough: NetBIOS (RFC 1002, 4.2.13), mDNS (RFC 6762, 5.4). The number of the counter by which the frame leaves. On a
/// stack of its own, as above.
#[inline(never)]
fn question_to_all<T: Tables>(record: &mut Novelty, seen: &mut Sighting, tables: &mut T) -> u32 {
    let settings = tables.settings();
    let tick = tables.tick();
    let socket = Hasher::new(settings.seed).endpoint(&record.source).pair(seen.source_port);
    if let Some(line) = tables.flow_line(socket) {
        line.note(socket, true, 0, tick, settings.flow_idle_ticks);
    }
    TO_GROUP
}

/// Finds out which side the contact's source is on, and under which address it counts: [`CONTACT`], or the number of the
/// counter by which a contact leaves that was told elsewhere. On a stack of its own, as above.
#[inline(never)]
fn place_source<T: Tables>(seen: &Sighting, record: &mut Novelty, tables: &mut T) -> u32 {
    if seen.through != 0 && seen.reversed == 0 && !seen.is(Outcome::Refused) {
        return Counter::Forwarded as u32;
    }
    if is_stranger(seen) && tables.stands_for_others(&record.source) {
        return Counter::Translated as u32;
    }
    tables.count_number(u32::from(seen.counter));
    record.source_port = seen.source_port;
    record.target_port = seen.target_port;
    record.key.contact = seen.contact;
    let settings = tables.settings();
    let side = if tables.zone(&record.source) == 0 { Side::External } else { Side::Internal };
    let prefix = match side {
        Side::Internal => settings.source_prefix_v6_internal,
        Side::External => settings.source_prefix_v6_external,
    };
    record.side = side as u8;
    record.key.source = cut(&record.source, prefix);
    CONTACT
}

/// Asks whether the contact's source is worth a cell; on a stack of its own, as above.
#[inline(never)]
fn admit<T: Tables>(seen: &Sighting, record: &mut Novelty, tables: &mut T) -> Verdict {
    let settings = tables.settings();
    let side = side_of(record);
    let need = match side {
        Side::Internal => settings.admit_internal,
        Side::External => settings.admit_external,
    };
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
    seen.is(Outcome::Tried) || is_stranger(seen)
}

/// A segment of no conversation was refused.
#[inline(always)]
const fn is_stranger(seen: &Sighting) -> bool {
    seen.is(Outcome::Refused) && seen.technique() == Technique::Ack as u8
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
