//! Which cell a probe counts in, and what it leaves there.

use crate::build::{BROADCAST, Ether, Packet, arp_request, ether, icmp, ipv4, ipv6, raw, sctp, tcp, udp};
use crate::host_tables::Capacity;
use crate::world::{DNS, INTERFACE, OFFICE, SERVERS, SMB, START_NS, WEB, World, outside, syn};
use proptest::prelude::*;
use scanwatch_common::abi::{Cell, CellKey, Outcome, Settings, Side, Technique, mapped, port_bucket};
use scanwatch_common::classify::tcp_flags::{FIN, PSH, SYN, URG};
use scanwatch_common::counters::Counter;
use std::net::Ipv6Addr;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [10, 0, 1, 7];

/// The key of the one cell that a frame makes.
fn key(frame: &[u8]) -> CellKey {
    let mut world = World::admitting();
    let raised = world.see(frame);
    assert!(raised.ends_with(&[Counter::Novel, Counter::CellCreated]), "{raised:?}");
    let (_, key, _) = world.tables.end_epoch()[0];
    key
}

fn usual() -> CellKey {
    CellKey {
        source: mapped(CLIENT),
        vlan: [0, 0],
        zone: SERVERS,
        service: SMB,
        bucket: 0,
        contact: CellKey::contact_of(Technique::Syn, Outcome::Tried),
    }
}

fn with_prefixes(internal: u8, external: u8) -> Settings {
    let source_mask_v6 = [Settings::prefix(internal), Settings::prefix(external)];
    Settings { source_mask_v6, ..Settings::DEFAULT }
}

#[test]
fn a_cell_is_keyed_by_source_vlan_zone_service_and_technique() {
    let to = |port| ipv4(CLIENT, SERVER).carry(tcp(40_000, port));
    let by = |flags| ether().carry(ipv4(CLIENT, SERVER).carry(tcp(40_000, 445).flags(flags)));
    let tagged = |tags: Ether| tags.carry(to(445));
    assert_eq!(key(&ether().carry(to(445))), usual());
    assert_eq!(key(&ether().carry(to(139))), usual());
    assert_eq!(key(&ether().carry(to(443))), CellKey { service: WEB, ..usual() });
    assert_eq!(key(&syn([10, 0, 0, 6], SERVER, 445)), CellKey { source: mapped([10, 0, 0, 6]), ..usual() });
    assert_eq!(key(&syn(CLIENT, [10, 0, 2, 7], 445)), CellKey { zone: OFFICE, ..usual() });
    assert_eq!(key(&syn(CLIENT, [192, 0, 2, 7], 445)), CellKey { zone: 0, ..usual() });
    assert_eq!(key(&tagged(ether().tag(10))), CellKey { vlan: [10, 0], ..usual() });
    assert_eq!(key(&tagged(ether().tag_as(0x88a8, 10).tag(20))), CellKey { vlan: [10, 20], ..usual() });
    for (flags, technique) in [
        (0, Technique::Null),
        (FIN, Technique::Fin),
        (FIN | PSH | URG, Technique::Xmas),
        (SYN | FIN, Technique::Flags),
    ] {
        assert_eq!(
            key(&by(flags)),
            CellKey { contact: CellKey::contact_of(technique, Outcome::Tried), ..usual() }
        );
    }
}

#[test]
fn ports_of_no_service_are_spread_over_slices() {
    let mut seen = std::collections::HashSet::new();
    for port in (1..=65_535).step_by(97).filter(|port| ![80, 443, 139, 445, 53].contains(port)) {
        let key = key(&syn(CLIENT, SERVER, port));
        assert_eq!(key, CellKey { service: 0, bucket: port_bucket(port), ..usual() });
        seen.insert(key.bucket);
    }
    assert_eq!(seen.len(), 16);
}

#[test]
fn services_of_udp_are_not_those_of_tcp() {
    let of = |port| key(&ether().carry(ipv4(CLIENT, SERVER).carry(udp(40_000, port))));
    let udp = CellKey { contact: CellKey::contact_of(Technique::Udp, Outcome::Tried), ..usual() };
    assert_eq!(of(53), CellKey { service: DNS, ..udp });
    assert_eq!(of(445), CellKey { service: 0, bucket: port_bucket(445), ..udp });
}

#[test]
fn techniques_without_services_have_none() {
    let ip = |segment: Packet| key(&ether().carry(segment));
    let header = || ipv4(CLIENT, SERVER);
    let bare = |technique: Technique, port| CellKey {
        service: 0,
        bucket: port_bucket(port),
        contact: CellKey::contact_of(technique, Outcome::Tried),
        ..usual()
    };
    assert_eq!(ip(header().carry(sctp(40_000, 445))), bare(Technique::Sctp, 445));
    assert_eq!(ip(header().carry(icmp(8))), bare(Technique::Icmp, 0));
    assert_eq!(ip(header().carry(raw(99, &[]))), bare(Technique::Proto, 99));
    let asked = key(&ether().to(BROADCAST).carry(arp_request(CLIENT, SERVER)));
    assert_eq!(asked, bare(Technique::Arp, 0));
}

proptest! {
    #[test]
    fn an_ipv6_source_is_cut_to_its_prefix(source: u128, prefix in 1..=128_u8) {
        // 2001:db8::/32 outside and fd00::/8 inside the zones.
        for (side, first) in [(Side::External, 0x2001_0db8_u128 << 96), (Side::Internal, 0xfd << 120)] {
            let source = first | source >> 32;
            let settings = match side {
                Side::External => with_prefixes(128, prefix),
                Side::Internal => with_prefixes(prefix, 64),
            };
            let settings = Settings { admit: [1, 1], ..settings };
            let mut world = World::with(settings, Capacity::DEFAULT);
            let target = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);
            world.see(&ether().carry(ipv6(Ipv6Addr::from(source), target).carry(tcp(40_000, 22))));
            let (of, key, _) = world.tables.end_epoch()[0];
            prop_assert_eq!(of, side);
            let mask = u128::MAX << (128 - u32::from(prefix));
            prop_assert_eq!(u128::from_be_bytes(key.source), source & mask);
            let record = world.records()[0];
            prop_assert_eq!(u128::from_be_bytes(record.source), source);
        }
    }
}

#[test]
fn an_ipv4_source_is_never_cut() {
    let settings = Settings { admit: [2, 1], ..with_prefixes(128, 1) };
    let mut world = World::with(settings, Capacity::DEFAULT);
    world.see(&syn([192, 0, 2, 77], SERVER, 22));
    assert_eq!(world.tables.end_epoch()[0].1.source, mapped([192, 0, 2, 77]));
}

/// All cells of a world, merged.
fn total(world: &mut World) -> Cell {
    let mut total = Cell::EMPTY;
    for (_, _, cell) in world.tables.end_epoch() {
        total.pairs.merge(&cell.pairs);
        total.hosts.merge(&cell.hosts);
        total.ports.merge(&cell.ports);
        total.facts.novelties += cell.facts.novelties;
        total.facts.size_sum += cell.facts.size_sum;
    }
    total
}

#[test]
fn a_vertical_scan_is_one_host_and_its_ports() {
    let mut world = World::admitting();
    for port in 1..=1000 {
        world.see(&syn(CLIENT, SERVER, port));
    }
    let cell = total(&mut world);
    assert_eq!(cell.hosts.estimate().rounded(), 1);
    assert!((930..=1070).contains(&cell.ports.estimate().rounded()));
    assert!((930..=1070).contains(&cell.pairs.estimate().rounded()));
}

#[test]
fn a_horizontal_scan_is_its_hosts_and_one_port() {
    let mut world = World::admitting();
    for host in 0..1000 {
        world.see(&syn(CLIENT, outside(host), 445));
    }
    assert_eq!(world.cells(), 1);
    let cell = total(&mut world);
    assert!((930..=1070).contains(&cell.hosts.estimate().rounded()));
    assert_eq!(cell.ports.estimate().rounded(), 1);
}

#[test]
fn facts_are_of_the_novel_probes() {
    let mut world = World::admitting();
    let from = |mac, ttl, port, words| {
        let header = ipv4(CLIENT, SERVER).ttl(ttl);
        ether().from(mac).carry(header.carry(tcp(40_000, port).options(words)))
    };
    world.see(&from([2, 0, 0, 0, 0, 1], 64, 139, 0));
    world.see(&from([2, 0, 0, 0, 0, 2], 63, 445, 5));
    world.see(&from([2, 0, 0, 0, 0, 3], 62, 445, 9));
    let facts = world.tables.end_epoch()[0].2.facts;
    assert_eq!((facts.first_ns, facts.last_ns()), (START_NS, START_NS + 1_000_000));
    assert_eq!((facts.novelties, facts.size_sum, facts.size_squares), (2, 40 + 60, 40 * 40 + 60 * 60));
    assert_eq!((facts.interface, facts.mac, facts.ttl), (INTERFACE, [2, 0, 0, 0, 0, 2], 63));
}

#[test]
fn a_full_side_refuses_cells_and_says_so_while_the_other_goes_on() {
    let settings = Settings { admit: [1, 1], ..Settings::DEFAULT };
    let capacity = Capacity { cells_max: [3, 2], ..Capacity::DEFAULT };
    let mut world = World::with(settings, capacity);
    for host in 1..=10 {
        world.see(&syn([10, 0, 0, host], SERVER, 445));
        world.see(&syn([192, 0, 2, host], SERVER, 445));
    }
    assert_eq!(world.tables.cells(Side::Internal).len(), 3);
    assert_eq!(world.tables.cells(Side::External).len(), 2);
    assert_eq!(world.count(Counter::CellRefused), 15);
    assert_eq!(world.see(&syn([10, 0, 0, 1], SERVER, 139)), [Counter::ProbeSyn, Counter::Novel]);
}

#[test]
fn who_begins_while_a_side_is_full_is_counted_from_the_next_epoch_on() {
    let capacity = Capacity { cells_max: [3, 2], ..Capacity::DEFAULT };
    let mut world = World::with(Settings { admit: [1, 1], ..Settings::DEFAULT }, capacity);
    (1..=3).for_each(|host| drop(world.see(&syn([10, 0, 0, host], SERVER, 445))));
    let probe = |world: &mut World, port| world.see(&syn([10, 0, 0, 99], SERVER, port));
    assert_eq!(probe(&mut world, 1), [Counter::ProbeSyn, Counter::CellRefused]);
    world.tables.end_epoch();
    assert_eq!(probe(&mut world, 2), [Counter::ProbeSyn, Counter::Novel, Counter::CellCreated]);
}
