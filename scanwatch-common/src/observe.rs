//! The whole decision about one packet, generic over where packets and tables live.

use crate::abi::{
    Address, Cell, CellFacts, CellKey, Novelty, OTHER_SERVICE, Settings, Side, Technique, port_bucket,
};
use core::borrow::BorrowMut;

use crate::classify::{classify, is_large_datagram, refuse, words};
use crate::counters::Counter;
use crate::packet::Packet;
use crate::parse::{self, Headers, Payload, Udp, describe};
use crate::sketch::{DoorSet, Flow, FlowLine, Hasher};

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
    /// The cell of the active copy with this key, if there is one.
    fn cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell>;
    /// A new, empty cell in the active copy.
    fn create_cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell>;
    /// Room for one record, of any content; `None` where there is none.
    fn record(&mut self) -> Option<Self::Record>;
    /// Hands a record to user space; false where there is no room.
    fn emit(&mut self, side: Side, novelty: &Novelty) -> bool;
    /// Adds one to a counter.
    fn count(&mut self, counter: Counter);
}

/// Observes one Ethernet frame that came in by `interface`.
#[inline(always)]
pub fn observe<P: Packet + ?Sized, T: Tables>(packet: &P, interface: u32, tables: &mut T) {
    let outcome = match parse::ethernet(packet) {
        Ok(headers) => contact(packet, &headers, interface, tables),
        Err(reason) => reason,
    };
    tables.count(outcome);
}

#[inline(always)]
fn contact<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    headers: &Headers,
    interface: u32,
    tables: &mut T,
) -> Counter {
    let contact = match classify(headers) {
        Ok(contact) => contact,
        Err(reason) => return reason,
    };
    let Some(mut record) = tables.record() else { return Counter::CellRefused };
    let record = record.borrow_mut();
    if let Err(reason) = describe(packet, headers, record) {
        return reason;
    }
    if let Some(reason) = refuse(contact.technique, &record.source, &record.target) {
        return reason;
    }
    record.source_port = contact.source_port;
    record.target_port = contact.target_port;
    record.interface = interface;
    record.reserved = 0;
    if let Payload::Udp(udp) = &headers.payload
        && let Err(reason) = first_datagram(record, udp, tables)
    {
        return reason;
    }
    tables.count(Counter::of_probe(contact.technique));
    count_probe(contact.technique, record, tables)
}

/// Tells the first datagram of a flow from all others.
#[inline(always)]
fn first_datagram<T: Tables>(record: &Novelty, udp: &Udp, tables: &mut T) -> Result<(), Counter> {
    let settings = tables.settings();
    let tick = tables.tick();
    let hasher = Hasher::new(settings.seed);
    let from = hasher.endpoint(&record.source).pair(udp.source_port);
    let to = hasher.endpoint(&record.target).pair(udp.target_port);
    // A sum is the same from both ends; which end is the greater tells the direction.
    let flow = from.wrapping_add(to);
    let state = match tables.flow_line(flow) {
        Some(line) => line.note(flow, from < to, tick, settings.flow_idle_ticks),
        None => Flow::First,
    };
    match state {
        Flow::First => {}
        Flow::Known => return Err(Counter::UdpKnown),
        Flow::Answer | Flow::Answered => return Err(Counter::UdpAnswered),
    }
    if is_large_datagram(udp) {
        return Err(Counter::UdpLarge);
    }
    let from_service = udp.source_port < 1024 || tables.service(Ports::Udp, udp.source_port) != OTHER_SERVICE;
    if from_service && udp.target_port >= 1024 && tables.service(Ports::Udp, udp.target_port) == OTHER_SERVICE
    {
        return Err(Counter::UdpAnswerShape);
    }
    Ok(())
}

/// Counts a probe in its source's cell, if the source is worth one.
#[inline(always)]
fn count_probe<T: Tables>(technique: Technique, record: &mut Novelty, tables: &mut T) -> Counter {
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
    let target = hasher.endpoint(&record.target);
    let pair = target.pair(record.target_port);
    // The technique is part of what the doorkeeper tells apart: three odd packets to one port are three.
    let knock = pair.rotate_left(u32::from(technique as u8));
    let admitted = match tables.door_set(side, source) {
        Some(set) => set.knock(source, knock, need),
        None => true,
    };
    if !admitted {
        return Counter::NotAdmitted;
    }
    fill_key(technique, record, tables);
    let clock = tables.clock();
    let mut created = false;
    let cell = if let Some(cell) = tables.cell(side, &record.key) {
        cell
    } else {
        created = true;
        let Some(cell) = tables.create_cell(side, &record.key) else { return Counter::CellRefused };
        cell
    };
    let novel_pair = cell.pairs.insert(pair);
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

/// Completes the key of the cell a probe counts in; source and VLAN are there.
#[inline(always)]
fn fill_key<T: Tables>(technique: Technique, record: &mut Novelty, tables: &mut T) {
    let service = match technique {
        Technique::Udp => tables.service(Ports::Udp, record.target_port),
        technique if technique.is_tcp() => tables.service(Ports::Tcp, record.target_port),
        _ => OTHER_SERVICE,
    };
    record.key.zone = tables.zone(&record.target);
    record.key.service = service;
    record.key.bucket = if service == OTHER_SERVICE { port_bucket(record.target_port) } else { 0 };
    record.key.technique = technique as u8;
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
