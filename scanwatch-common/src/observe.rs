//! The whole decision about one packet, generic over where packets and tables live.

use crate::abi::{
    Address, Cell, CellFacts, CellKey, Novelty, OTHER_SERVICE, Settings, Side, Technique, port_bucket,
};
use crate::classify::{Class, Probe, classify, is_large_datagram};
use crate::counters::Counter;
use crate::packet::Packet;
use crate::parse::{self, Headers, Network, Transport, Udp};
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
    /// Hands a record to user space; false where there is no room.
    fn emit(&mut self, side: Side, novelty: &Novelty) -> bool;
    /// Adds one to a counter.
    fn count(&mut self, counter: Counter);
}

/// Observes one Ethernet frame that came in by `interface`.
#[inline(always)]
pub fn observe<P: Packet + ?Sized, T: Tables>(packet: &P, interface: u32, tables: &mut T) {
    let headers = match parse::ethernet(packet) {
        Ok(headers) => headers,
        Err(reason) => return tables.count(reason),
    };
    let probe = match classify(&headers) {
        Class::Probe(probe) => probe,
        Class::Datagram(probe, udp) => match first_datagram(&probe, &udp, tables) {
            Ok(()) => probe,
            Err(reason) => return tables.count(reason),
        },
        Class::Skip(reason) => return tables.count(reason),
    };
    tables.count(Counter::of_probe(probe.technique));
    let outcome = count_probe(&headers, &probe, interface, tables);
    tables.count(outcome);
}

/// Tells the first datagram of a flow from all others.
#[inline(always)]
fn first_datagram<T: Tables>(probe: &Probe, udp: &Udp, tables: &mut T) -> Result<(), Counter> {
    let settings = tables.settings();
    let tick = tables.tick();
    let hasher = Hasher::new(settings.seed);
    let from = hasher.endpoint(&probe.source).pair(udp.source_port);
    let to = hasher.endpoint(&probe.target).pair(udp.target_port);
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
    if from_service && udp.target_port >= 1024 && tables.service(Ports::Udp, udp.target_port) == OTHER_SERVICE {
        return Err(Counter::UdpAnswerShape);
    }
    Ok(())
}

/// Counts a probe in its source's cell, if the source is worth one.
#[inline(always)]
fn count_probe<T: Tables>(headers: &Headers, probe: &Probe, interface: u32, tables: &mut T) -> Counter {
    let settings = tables.settings();
    let side = if tables.zone(&probe.source) == 0 { Side::External } else { Side::Internal };
    let (need, prefix) = match side {
        Side::Internal => (settings.admit_internal, settings.source_prefix_v6_internal),
        Side::External => (settings.admit_external, settings.source_prefix_v6_external),
    };
    let source = cut(&probe.source, prefix);
    let hasher = Hasher::new(settings.seed);
    let who = hasher.endpoint(&source).host();
    let whom = hasher.endpoint(&probe.target);
    let pair = whom.pair(probe.target_port);
    // The technique is part of what a doorkeeper tells apart: three odd packets to one port are three.
    let door_pair = pair.rotate_left(u32::from(probe.technique as u8));
    let admitted = match tables.door_set(side, who) {
        Some(set) => set.knock(who, door_pair, need),
        None => true,
    };
    if !admitted {
        return Counter::NotAdmitted;
    }
    let key = cell_key(headers, probe, source, tables);
    let mut novelty = describe(headers, probe, key, side);
    novelty.interface = interface;
    let clock = tables.clock();
    let mut created = false;
    let cell = match tables.cell(side, &key) {
        Some(cell) => cell,
        None => {
            created = true;
            match tables.create_cell(side, &key) {
                Some(cell) => cell,
                None => return Counter::CellRefused,
            }
        }
    };
    let novel_pair = cell.pairs.insert(pair);
    let novel_host = cell.hosts.insert(whom.host());
    let novel_port = cell.ports.insert(hasher.port(probe.target_port));
    let novel = novel_pair | novel_host | novel_port;
    if novel {
        novelty.time_ns = clock.now_ns();
        note(&mut cell.facts, &novelty);
    }
    if created {
        tables.count(Counter::CellCreated);
    }
    if !novel {
        return Counter::NotNovel;
    }
    if !tables.emit(side, &novelty) {
        tables.count(Counter::RingLost);
    }
    Counter::Novel
}

/// The cell a probe counts in.
#[inline(always)]
fn cell_key<T: Tables>(headers: &Headers, probe: &Probe, source: Address, tables: &mut T) -> CellKey {
    let service = match probe.technique {
        Technique::Udp => tables.service(Ports::Udp, probe.target_port),
        technique if technique.is_tcp() => tables.service(Ports::Tcp, probe.target_port),
        _ => OTHER_SERVICE,
    };
    CellKey {
        source,
        vlan: headers.link.vlan,
        zone: tables.zone(&probe.target),
        service,
        bucket: if service == OTHER_SERVICE { port_bucket(probe.target_port) } else { 0 },
        technique: probe.technique as u8,
    }
}

/// The evidence a probe leaves, all but time and interface.
#[inline(always)]
fn describe(headers: &Headers, probe: &Probe, key: CellKey, side: Side) -> Novelty {
    const ARP_LENGTH: u16 = 28;
    let mut novelty = Novelty {
        time_ns: 0,
        key,
        source: probe.source,
        target: probe.target,
        sequence: 0,
        acknowledgement: 0,
        interface: 0,
        source_port: probe.source_port,
        target_port: probe.target_port,
        length: ARP_LENGTH,
        ip_id: 0,
        window: 0,
        flags: 0,
        ttl: 0,
        mac: headers.link.mac,
        side: side as u8,
        reserved: 0,
    };
    if let Network::Ip(datagram) = &headers.network {
        novelty.length = datagram.length;
        novelty.ip_id = datagram.ip_id;
        novelty.ttl = datagram.ttl;
        if let Transport::Tcp(tcp) = &datagram.transport {
            novelty.sequence = tcp.sequence;
            novelty.acknowledgement = tcp.acknowledgement;
            novelty.window = tcp.window;
            novelty.flags = tcp.flags;
        }
    }
    novelty
}

#[inline(always)]
fn note(facts: &mut CellFacts, novelty: &Novelty) {
    let size = u64::from(novelty.length);
    if facts.novelties == 0 {
        facts.first_ns = novelty.time_ns;
    }
    facts.last_ns = novelty.time_ns;
    facts.size_sum += size;
    facts.size_squares += size * size;
    facts.novelties += 1;
    facts.interface = novelty.interface;
    facts.mac = novelty.mac;
    facts.ttl = novelty.ttl;
}

/// The leading `prefix` bits of an IPv6 address; IPv4 stays whole, for one address there is one machine.
#[inline(always)]
fn cut(address: &Address, prefix: u8) -> Address {
    let value = u128::from_be_bytes(*address);
    if value >> 32 == 0xffff || prefix >= 128 {
        return *address;
    }
    let [high, low] = [(value >> 64) as u64, value as u64];
    let (high, low) = match prefix {
        0 => (0, 0),
        1..=63 => (high & (u64::MAX << (64 - prefix)), 0),
        64 => (high, 0),
        _ => (high, low & (u64::MAX << (128 - prefix))),
    };
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}
