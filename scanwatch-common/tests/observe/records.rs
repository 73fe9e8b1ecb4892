//! What user space is told of a novelty, and that it is enough.

use crate::build::{BROADCAST, address, arp_request, ether, ipv4, ipv6, raw, tcp, udp};
use crate::host_tables::{Capacity, HostTables};
use crate::packets;
use crate::world::{DNS, INTERFACE, OFFICE, SERVERS, SMB, START_NS, World, outside, syn};
use scanwatch_common::abi::{
    Address, Cell, CellKey, KeyedCell, Novelty, Outcome, Settings, Side, Technique, Words, mapped,
    port_bucket,
};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, Ports, Tables, observe};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sighting::Workspace;
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine, Hasher, IndexLine, PortSketch};
use std::collections::HashMap;
use std::net::Ipv6Addr;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [10, 0, 1, 7];
const MAC: [u8; 6] = [2, 4, 6, 8, 10, 12];

/// The record of the first frame of a world.
fn record(frame: &[u8]) -> Novelty {
    let mut world = World::admitting();
    world.see(frame);
    let records = world.records();
    assert_eq!(records.len(), 1);
    records[0]
}

fn key(source: Address, zone: u8, service: u8, technique: Technique) -> CellKey {
    CellKey {
        source,
        vlan: [0, 0],
        zone,
        service,
        bucket: 0,
        contact: CellKey::contact_of(technique, Outcome::Tried),
    }
}

#[test]
fn a_record_says_what_a_tcp_probe_said() {
    let probe = tcp(40_000, 445).numbers(0xdead_beef, 17).window(1024).options(1);
    let frame = ether().from(MAC).tag(9).carry(ipv4(CLIENT, SERVER).ttl(57).id(54_321).carry(probe));
    let expected = Novelty {
        time_ns: START_NS,
        key: CellKey { vlan: [9, 0], ..key(mapped(CLIENT), SERVERS, SMB, Technique::Syn) },
        source: mapped(CLIENT),
        target: mapped(SERVER),
        sequence: 0xdead_beef,
        acknowledgement: 17,
        interface: INTERFACE,
        source_port: 40_000,
        target_port: 445,
        length: 44,
        ip_id: 54_321,
        window: 1024,
        flags: 2,
        ttl: 57,
        mac: MAC,
        side: Side::Internal as u8,
        reserved: 0,
    };
    assert_eq!(record(&frame), expected);
}

#[test]
fn a_record_of_an_external_ipv6_source_has_its_key_cut_and_its_address_whole() {
    let source = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 3, 0, 0, 0x77, 9);
    let target = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);
    let frame = ether().from(MAC).carry(ipv6(source, target).hop_limit(3).carry(udp(40_000, 53).payload(20)));
    let expected = Novelty {
        time_ns: START_NS,
        key: key(address("2001:db8:ffff:3::"), OFFICE, DNS, Technique::Udp),
        source: source.octets(),
        target: target.octets(),
        interface: INTERFACE,
        source_port: 40_000,
        target_port: 53,
        length: 68,
        ttl: 3,
        mac: MAC,
        side: Side::External as u8,
        ..Novelty::EMPTY
    };
    assert_eq!(record(&frame), expected);
}

#[test]
fn a_record_of_an_arp_request_has_addresses_and_no_port() {
    let frame = ether().from(MAC).to(BROADCAST).carry(arp_request(CLIENT, SERVER));
    let expected = Novelty {
        time_ns: START_NS,
        key: key(mapped(CLIENT), SERVERS, 0, Technique::Arp),
        source: mapped(CLIENT),
        target: mapped(SERVER),
        interface: INTERFACE,
        length: 28,
        mac: MAC,
        ..Novelty::EMPTY
    };
    assert_eq!(record(&frame), expected);
}

#[test]
fn a_record_of_an_odd_protocol_has_its_number_for_a_port() {
    let record = record(&ether().carry(ipv4(CLIENT, SERVER).carry(raw(99, &[]))));
    assert_eq!((record.source_port, record.target_port), (0, 99));
    assert_eq!(record.key.bucket, port_bucket(99));
}

/// Host tables whose room for a record is as the packet before left it, or worse.
struct Dirty(HostTables);

impl Tables for Dirty {
    type Clock = u64;
    type Settings = Settings;
    type Workspace = Workspace;

    fn settings(&self) -> Settings {
        self.0.settings
    }
    fn tick(&mut self) -> u32 {
        self.0.tick()
    }
    fn clock(&mut self) -> u64 {
        self.0.clock()
    }
    fn zone(&mut self, address: Words) -> u8 {
        self.0.zone(address)
    }
    fn service(&mut self, ports: Ports, port: u16) -> u8 {
        self.0.service(ports, port)
    }
    fn flow_line(&mut self, flow: u64) -> Option<&mut FlowLine> {
        self.0.flow_line(flow)
    }
    fn serving_line(&mut self, socket: u64) -> Option<&mut FlowLine> {
        self.0.serving_line(socket)
    }
    fn door_set(&mut self, side: u32, source: u64) -> Option<&mut DoorSet> {
        self.0.door_set(side, source)
    }
    fn port(&mut self, key: PortKey) -> Option<&mut PortSketch> {
        self.0.port(key)
    }
    fn index_line(&mut self, side: u32, hash: u64) -> Option<&mut IndexLine> {
        self.0.index_line(side, hash)
    }
    fn cell(&mut self, side: u32, number: u32) -> Option<&mut KeyedCell> {
        self.0.cell(side, number)
    }
    fn new_cell(&mut self, side: u32) -> Option<u32> {
        self.0.new_cell(side)
    }
    fn workspace(&mut self) -> Option<Workspace> {
        let key = CellKey {
            source: [255; 16],
            vlan: [0xffff; 2],
            zone: 255,
            service: 255,
            bucket: 255,
            contact: 255,
        };
        let record = Novelty {
            time_ns: u64::MAX,
            key,
            source: [255; 16],
            target: [255; 16],
            sequence: u32::MAX,
            acknowledgement: u32::MAX,
            interface: u32::MAX,
            source_port: u16::MAX,
            target_port: u16::MAX,
            length: u16::MAX,
            ip_id: u16::MAX,
            window: u16::MAX,
            flags: 255,
            ttl: 255,
            mac: [255; 6],
            side: 255,
            reserved: 255,
        };
        Some(Workspace { record, ..Workspace::EMPTY })
    }
    fn emit(&mut self, side: u32, novelty: &Novelty) -> bool {
        self.0.emit(side, novelty)
    }
    fn first_contact(&mut self, source: u64, way: usize) -> Option<&mut FirstContact> {
        self.0.first_contact(source, way)
    }
    fn count_number(&mut self, number: u32) {
        self.0.count_number(number);
    }
}

#[test]
fn nothing_of_the_packet_before_stays_in_a_record() {
    let mut clean = World::admitting();
    let mut dirty = Dirty(World::admitting().tables);
    for fixture in packets::all() {
        observe(&fixture.frame[..], INTERFACE, Passage::IN, &mut clean.tables);
        observe(&fixture.frame[..], INTERFACE, Passage::IN, &mut dirty);
        let said = std::iter::from_fn(|| dirty.0.next_novelty()).collect::<Vec<_>>();
        assert_eq!(clean.records(), said, "{}", fixture.name);
    }
}

/// Cells made of nothing but records.
fn replay(records: &[Novelty], hasher: &Hasher) -> HashMap<CellKey, Cell> {
    let mut cells = HashMap::new();
    for record in records {
        let cell = cells.entry(record.key).or_insert(Cell::EMPTY);
        let target = hasher.endpoint(&record.target);
        cell.pairs.insert(target.pair(hasher, record.target_port));
        cell.hosts.insert(target.host());
        cell.ports.insert(hasher.port(record.target_port));
        let facts = &mut cell.facts;
        facts.novelties += 1;
        facts.size_sum += u32::from(record.length);
        facts.size_squares += u64::from(record.length).pow(2);
        facts.first_ns = if facts.first_ns == 0 { record.time_ns } else { facts.first_ns };
        facts.lasted_us = ((record.time_ns - facts.first_ns) / 1_000) as u32;
        facts.interface = record.interface;
        (facts.mac, facts.ttl) = (record.mac, record.ttl);
    }
    cells
}

#[test]
fn the_records_alone_make_the_same_cells() {
    let mut world = World::new();
    for port in 1..=2000 {
        world.see(&syn(CLIENT, SERVER, port));
        world.see(&syn(outside(3), [10, 0, 2, port as u8], port / 256 + 440));
        world.see(&ether().carry(ipv4(CLIENT, outside(u32::from(port))).carry(udp(40_000, 161))));
    }
    for fixture in packets::all() {
        world.see(&fixture.frame);
    }
    let records = world.records();
    assert_eq!(world.count(Counter::RingLost), 0);
    let cells = replay(&records, &world.tables.settings.hasher);
    let drained = world.tables.end_epoch();
    assert_eq!(cells.len(), drained.len());
    assert!(records.len() > 1000 && cells.len() > 20);
    for (_, key, cell) in drained {
        assert_eq!(cells[&key], cell, "{key:?}");
    }
}

#[test]
fn a_scan_makes_few_records_however_many_packets_it_sends() {
    let mut world = World::admitting();
    for round in 0..3 {
        for host in 0..20_000 {
            world.see(&syn(CLIENT, outside(host), 445));
        }
        if round == 0 {
            // The bitmap's 2,048 bits, and 256 registers that rise about log2(20,000/256) + 2 times, of pairs and hosts.
            let records = world.records().len();
            assert!((2_000..7_000).contains(&records), "{records} records");
        }
    }
    assert_eq!(world.records().len(), 0);
}

#[test]
fn a_full_ring_is_counted_and_the_cell_counts_on() {
    let settings = Settings { admit: [1, 4], ..Settings::DEFAULT };
    let capacity = Capacity { novelties_max: [10, 0], ..Capacity::DEFAULT };
    let mut world = World::with(settings, capacity);
    for host in 0..100 {
        world.see(&syn(CLIENT, outside(host), 445));
    }
    assert_eq!(world.records().len(), 10);
    assert_eq!(world.count(Counter::RingLost), world.count(Counter::Novel) - 10);
    let cell = world.tables.end_epoch()[0].2;
    assert!((95..=105).contains(&cell.hosts.estimate().rounded()));
}
