//! The port table: who tries what from outside, whoever is admitted.

use crate::build::{ether, ipv4, ipv6, sctp, tcp, udp};
use crate::world::{World, outside, syn};
use scanwatch_common::abi::EPOCH_S;
use scanwatch_common::classify::tcp_flags::{ACK, FIN, RST, SYN};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::Passage;
use scanwatch_common::ports::{PortKey, Ports};
use scanwatch_common::sketch::PortSketch;

const SERVER: [u8; 4] = [10, 0, 1, 7];

const fn tcp_port(port: u16) -> PortKey {
    PortKey { transport: Ports::Tcp, port }
}

fn syn_ack(target: [u8; 4], port: u16, client: std::net::Ipv4Addr) -> Vec<u8> {
    ether().carry(ipv4(target, client).carry(tcp(port, 40_000).flags(SYN | ACK)))
}

fn sources(ports: &[(PortKey, PortSketch)]) -> Vec<(String, u64)> {
    ports.iter().map(|(key, sketch)| (key.to_string(), sketch.sources().rounded())).collect()
}

#[test]
fn every_stranger_counts_from_its_first_packet_and_once() {
    let mut world = World::new();
    for n in 0..40 {
        for _ in 0..3 {
            world.see(&syn(outside(n), SERVER, 8_291));
        }
    }
    assert_eq!(world.cells(), 0, "none of them is worth a cell");
    let ports = world.tables.take_ports();
    let [(key, sketch)] = &ports[..] else { panic!("{ports:?}") };
    assert_eq!(*key, tcp_port(8_291));
    assert!((28..=56).contains(&sketch.sources().rounded()), "{:?}", sketch.sources());
    assert_eq!(sketch.hosts().rounded(), 1);
    assert!(world.tables.take_ports().is_empty(), "a port is taken once");
}

#[test]
fn a_probe_is_counted_beside_its_way_out_where_it_told_something() {
    let mut world = World::new();
    let probe = syn(outside(1), SERVER, 8_291);
    assert_eq!(world.see(&probe), [Counter::ProbeSyn, Counter::NotAdmitted, Counter::PortNovel]);
    assert_eq!(world.see(&probe), [Counter::ProbeSyn, Counter::NotAdmitted]);
}

#[test]
fn tcp_and_udp_are_counted_apart_and_other_techniques_and_directions_not_at_all() {
    let mut world = World::new();
    let from_outside = |target: [u8; 4]| ipv4(outside(1), target);
    world.see(&ether().carry(from_outside(SERVER).carry(tcp(40_000, 9_000))));
    world.see(&ether().carry(from_outside(SERVER).carry(udp(40_000, 9_000).payload(8))));
    let counted = [("tcp/9000".to_owned(), 1), ("udp/9000".to_owned(), 1)];
    assert_eq!(sources(&world.tables.take_ports()), counted);

    world.see(&ether().carry(from_outside(SERVER).carry(tcp(40_000, 9_001).flags(FIN))));
    world.see(&ether().carry(from_outside(SERVER).carry(sctp(40_000, 9_001))));
    world.see(&ether().carry(from_outside([203, 0, 113, 5]).carry(tcp(40_000, 9_001))));
    world.see(&syn([10, 0, 0, 5], SERVER, 9_001));
    world.see(&syn([10, 0, 0, 5], [203, 0, 113, 5], 9_001));
    world.see(&ether().carry(ipv4(SERVER, outside(1)).carry(tcp(9_001, 40_000).flags(RST))));
    assert_eq!(sources(&world.tables.take_ports()), []);
}

#[test]
fn forwarded_probes_are_counted_where_they_come_in() {
    let mut world = World::new();
    world.see_pass(&syn(outside(1), SERVER, 8_291), Passage::THROUGH);
    assert_eq!(sources(&world.tables.take_ports()), []);
}

#[test]
fn a_network_outside_is_one_source_as_it_is_for_cells() {
    let mut world = World::new();
    for host in 1..=20_u128 {
        let source = std::net::Ipv6Addr::from(0x2001_0db8_00ff_0001_u128 << 64 | host);
        let target = std::net::Ipv6Addr::from(0x2001_0db8_0001_u128 << 80 | 7);
        world.see(&ether().carry(ipv6(source, target).carry(tcp(40_000, 8_291))));
    }
    assert_eq!(sources(&world.tables.take_ports()), [("tcp/8291".to_owned(), 1)]);
}

#[test]
fn a_service_that_answers_has_guests_and_no_scanners_but_its_port_elsewhere_has() {
    let mut world = World::new();
    for n in 0..60 {
        world.see(&syn(outside(n), SERVER, 443));
        world.see(&syn_ack(SERVER, 443, outside(n)));
    }
    let ports = world.tables.take_ports();
    assert_eq!(sources(&ports), [("tcp/443".to_owned(), 1)], "the first found nobody serving yet");
    assert!((40..=80).contains(&ports[0].1.answered().rounded()), "{:?}", ports[0].1.answered());

    for n in 0..20 {
        world.see(&syn(outside(n), [10, 0, 1, 8], 443));
        world.see(&syn(outside(n), SERVER, 444));
    }
    let elsewhere = sources(&world.tables.take_ports());
    assert!(elsewhere.iter().all(|(_, sources)| (16..=24).contains(sources)), "{elsewhere:?}");
    assert_eq!(elsewhere.len(), 2);
}

#[test]
fn a_service_that_fell_silent_is_one_no_more() {
    let mut world = World::new();
    let idle = world.tables.settings.flow_idle_ticks;
    world.see(&syn(outside(1), SERVER, 443));
    world.see(&syn_ack(SERVER, 443, outside(1)));
    world.tables.take_ports();
    for _ in 0..idle {
        world.tables.end_epoch();
    }
    world.see(&syn(outside(2), SERVER, 443));
    assert_eq!(sources(&world.tables.take_ports()), [], "still within {} s", idle * EPOCH_S);
    world.tables.end_epoch();
    world.see(&syn(outside(3), SERVER, 443));
    assert_eq!(sources(&world.tables.take_ports()), [("tcp/443".to_owned(), 1)]);
}

#[test]
fn who_goes_on_with_a_conversation_is_served_though_answers_are_unseen_and_is_no_proof_of_an_answer() {
    let mut world = World::new();
    let goodbye = ipv4(outside(1), SERVER).carry(tcp(40_000, 443).flags(FIN | ACK).numbers(7, 8));
    world.see(&ether().carry(goodbye));
    world.see(&syn(outside(2), SERVER, 443));
    assert_eq!(world.tables.take_ports(), []);
}

#[test]
fn a_server_outside_that_ends_a_conversation_is_no_guest() {
    let mut world = World::new();
    let goodbye = ipv4(outside(1), SERVER).carry(tcp(443, 50_000).flags(FIN | ACK).numbers(7, 8));
    world.see(&ether().carry(goodbye));
    world.see(&syn(outside(2), SERVER, 50_000));
    assert_eq!(sources(&world.tables.take_ports()), [("tcp/50000".to_owned(), 1)]);
}

#[test]
fn a_datagram_that_is_answered_is_a_guests() {
    let mut world = World::new();
    for n in 0..30 {
        world.see(&ether().carry(ipv4(outside(n), SERVER).carry(udp(40_000, 9_000).payload(8))));
        world.see(&ether().carry(ipv4(SERVER, outside(n)).carry(udp(9_000, 40_000).payload(8))));
    }
    let ports = world.tables.take_ports();
    assert_eq!(sources(&ports), [("udp/9000".to_owned(), 1)]);
    assert!((20..=40).contains(&ports[0].1.answered().rounded()), "{:?}", ports[0].1.answered());
}

#[test]
fn a_flood_of_forged_sources_writes_ever_less() {
    let mut world = World::new();
    for n in 0..50_000 {
        world.see(&syn(outside(n), SERVER, 80));
    }
    let written = world.count(Counter::PortNovel);
    assert!(written < 1_000, "{written} of 50,000");
    let count = world.tables.take_ports()[0].1.sources().count;
    assert!((30_000.0..70_000.0).contains(&count), "{count}");
}
