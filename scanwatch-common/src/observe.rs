//! The whole decision about one packet, generic over where packets and tables live.

use core::borrow::BorrowMut;

use crate::abi::{
    Address, Cell, CellFacts, CellKey, Novelty, OTHER_SERVICE, Outcome, Settings, Side, Technique,
    port_bucket,
};
use crate::classify::{classify, is_large_datagram, refuse, words};
use crate::counters::Counter;
use crate::packet::Packet;
use crate::parse::{self, describe};
use crate::sighting::{self, Sighting};
use crate::sketch::{DoorSet, FirstContact, Flow, FlowLine, Hasher, Knock};

/// Transports whose ports are grouped into services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A source of time.
pub trait Clock: Copy {
    /// Nanoseconds of a clock that does not run backwards.
    fn now_ns(self) -> u64;
}

/// A packet's own time, for replay and tests.
impl Clock for u64 {
    #[inline(always)]
    fn now_ns(self) -> u64 {
        self
    }
}

/// The state a packet is observed against: BPF maps in the kernel, plain memory on the host.
pub trait Tables {
    /// Where the time comes from.
    type Clock: Clock;
    /// Where a record is put together: memory of its own in the kernel, whose stack is too small for it.
    type Record: BorrowMut<Novelty>;

    /// What was fixed at load.
    fn settings(&self) -> Settings;
    /// The coarse clock of UDP flows, [`crate::abi::Control::tick`].
    fn tick(&mut self) -> u32;
    /// The clock, free of any borrow: it is read on novelty only, while a cell is held.
    fn clock(&mut self) -> Self::Clock;
    /// Zone of an address; 0, the internet, where no configured zone holds it.
    fn zone(&mut self, address: &Address) -> u8;
    /// Service group of a port, 0 for none.
    fn service(&mut self, ports: Ports, port: u16) -> u8;
    /// The cache line of a UDP flow, chosen by the low bits of its hash.
    fn flow_line(&mut self, flow: u64) -> Option<&mut FlowLine>;
    /// The doorkeeper's set of a source, chosen by the low bits of its hash.
    fn door_set(&mut self, side: Side, source: u64) -> Option<&mut DoorSet>;
    /// What the source in this place of its doorkeeper's set tried first; `None` where that is not kept.
    fn first_contact(&mut self, side: Side, source: u64, way: usize) -> Option<&mut FirstContact>;
    /// The cell of the active copy with this key, if there is one.
    fn cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell>;
    /// A new, empty cell in the active copy.
    fn create_cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell>;
    /// Room for one record, of any content; `None` where there is none.
    fn record(&mut self) -> Option<Self::Record>;
    /// Hands a record to user space; false where there is no room.
    fn emit(&mut self, side: Side, novelty: &Novelty) -> bool;
    /// Takes a sighting through memory, so that nothing is known of its numbers; `None` where there is no memory.
    fn settle(&mut self, seen: Sighting) -> Option<Sighting> {
        Some(seen)
    }
    /// Adds one to the counter with this number; does nothing where none has it.
    fn count_number(&mut self, number: u32);
    /// Adds one to a counter.
    #[inline(always)]
    fn count(&mut self, counter: Counter) {
        self.count_number(counter as u32);
    }
}

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
    let outcome = match first_look(packet, passage) {
        Ok(seen) => contact(packet, &seen, interface, tables),
        Err(reason) => reason,
    };
    tables.count(outcome);
}

/// Parses and classifies. A function of its own, whose stack is free again when the contact is counted: the kernel
/// gives 512 bytes to all functions that are under way together.
#[inline(never)]
fn first_look<P: Packet + ?Sized>(packet: &P, passage: Passage) -> Result<Sighting, Counter> {
    parse::ethernet_then(packet, |headers| {
        let contact = classify(&headers)?;
        Ok(Sighting::new(&headers, &contact, passage))
    })
}

/// Describes and counts; on a stack of its own, as above.
#[inline(never)]
fn contact<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    seen: &Sighting,
    interface: u32,
    tables: &mut T,
) -> Counter {
    let Some(mut seen) = tables.settle(*seen) else { return Counter::CellRefused };
    let Some(mut record) = tables.record() else { return Counter::CellRefused };
    let record = record.borrow_mut();
    if let Err(reason) = describe(packet, &seen, record) {
        return reason;
    }
    record.interface = interface;
    record.reserved = 0;
    if seen.reversed != 0 {
        core::mem::swap(&mut record.source, &mut record.target);
    }
    if let Some(reason) = refuse(&seen, &record.source, &record.target) {
        return reason;
    }
    if seen.payload == sighting::UDP
        && let Some(reason) = first_datagram(record, &mut seen, tables)
    {
        return reason;
    }
    record.source_port = seen.source_port;
    record.target_port = seen.target_port;
    record.key.contact = seen.contact;
    if seen.through != 0 && seen.is(Outcome::Tried) {
        return Counter::Forwarded;
    }
    tables.count_number(u32::from(seen.counter));
    count_contact(&seen, record, tables)
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
            core::mem::swap(&mut record.source, &mut record.target);
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

/// Counts a contact in its source's cell, if the source is worth one.
#[inline(always)]
fn count_contact<T: Tables>(seen: &Sighting, record: &mut Novelty, tables: &mut T) -> Counter {
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
        Some(_) => return Counter::NotAsked,
    };
    match knock {
        Knock::First(way) => {
            if let Some(first) = tables.first_contact(side, source, way) {
                *first = FirstContact { source, ..first_of(record) };
            }
            return Counter::NotAdmitted;
        }
        Knock::Waiting => return Counter::NotAdmitted,
        Knock::Newly(way) => {
            if let Some(first) = tables.first_contact(side, source, way)
                && first.source == source
            {
                let then = *first;
                *first = first_of(record);
                restore(record, &then);
                // The frame at hand has a way out of its own.
                match count_pair(side, record, tables) {
                    Counter::Novel => tables.count(Counter::FirstNovel),
                    Counter::CellRefused => tables.count(Counter::CellRefused),
                    _ => {}
                }
                if let Some(now) = tables.first_contact(side, source, way) {
                    restore(record, now);
                }
            }
        }
        Knock::Admitted => {}
    }
    count_pair(side, record, tables)
}

/// Only what a source does itself brings it in: it tries, or it is refused what nobody else can have sent.
#[inline(always)]
const fn admits(seen: &Sighting) -> bool {
    seen.is(Outcome::Tried) || (seen.is(Outcome::Refused) && seen.technique() == Technique::Ack as u8)
}

#[inline(always)]
fn first_of(record: &Novelty) -> FirstContact {
    FirstContact {
        source: 0,
        target: record.target,
        target_port: record.target_port,
        source_port: record.source_port,
        length: record.length,
        contact: record.key.contact,
        reserved: 0,
    }
}

#[inline(always)]
fn restore(record: &mut Novelty, first: &FirstContact) {
    record.target = first.target;
    record.target_port = first.target_port;
    record.source_port = first.source_port;
    record.length = first.length;
    record.key.contact = first.contact;
}

/// Counts the record's pair in its cell.
#[inline(always)]
fn count_pair<T: Tables>(side: Side, record: &mut Novelty, tables: &mut T) -> Counter {
    fill_key(record, tables);
    let hasher = Hasher::new(tables.settings().seed);
    let target = hasher.endpoint(&record.target);
    let clock = tables.clock();
    let mut created = false;
    let cell = if let Some(cell) = tables.cell(side, &record.key) {
        cell
    } else {
        created = true;
        let Some(cell) = tables.create_cell(side, &record.key) else { return Counter::CellRefused };
        cell
    };
    let novel_pair = cell.pairs.insert(target.pair(record.target_port));
    let novel_host = cell.hosts.insert(target.host());
    let novel_port = cell.ports.insert(hasher.port(record.target_port));
    let novel = novel_pair | novel_host | novel_port;
    if novel {
        record.time_ns = clock.now_ns();
        note(&mut cell.facts, record);
    }
    if created {
        tables.count(Counter::CellCreated);
    }
    if !novel {
        return Counter::NotNovel;
    }
    if !tables.emit(side, record) {
        tables.count(Counter::RingLost);
    }
    Counter::Novel
}

/// Completes the key of the cell a contact counts in; source, VLAN, technique and outcome are there.
#[inline(always)]
fn fill_key<T: Tables>(record: &mut Novelty, tables: &mut T) {
    let technique = record.key.contact & 0x0f;
    let service = if technique == Technique::Udp as u8 {
        tables.service(Ports::Udp, record.target_port)
    } else if technique <= Technique::Flags as u8 || technique == Technique::Ack as u8 {
        tables.service(Ports::Tcp, record.target_port)
    } else {
        OTHER_SERVICE
    };
    record.key.zone = tables.zone(&record.target);
    record.key.service = service;
    record.key.bucket = if service == OTHER_SERVICE { port_bucket(record.target_port) } else { 0 };
}

#[inline(always)]
fn note(facts: &mut CellFacts, record: &Novelty) {
    let size = u64::from(record.length);
    if facts.novelties == 0 {
        facts.first_ns = record.time_ns;
    }
    facts.last_ns = record.time_ns;
    facts.size_sum += size;
    facts.size_squares += size * size;
    facts.novelties = facts.novelties.wrapping_add(1);
    facts.interface = record.interface;
    facts.mac = record.mac;
    facts.ttl = record.ttl;
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
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}
