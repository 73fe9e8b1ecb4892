//! What costs nothing: established traffic, floods, and packets that say nothing new.

use crate::build::{BROADCAST, arp_request, ether, icmp, ipv4, sctp, tcp, udp};
use crate::packets;
use crate::world::{World, outside, syn};
use scanwatch_common::abi::Side;
use scanwatch_common::classify::tcp_flags::{ACK, FIN, PSH, SYN};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};
use std::net::Ipv4Addr;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [10, 0, 1, 7];

#[test]
fn ten_thousand_packets_of_one_connection_leave_no_cell() {
    let mut world = World::new();
    let up = |flags, data: &[u8]| {
        ether().carry(ipv4(CLIENT, SERVER).carry(tcp(40_000, 443).flags(flags).payload(data)))
    };
    let down = |flags, data: &[u8]| {
        ether().carry(ipv4(SERVER, CLIENT).carry(tcp(443, 40_000).flags(flags).payload(data)))
    };
    world.see(&up(SYN, &[]));
    world.see(&down(SYN | ACK, &[]));
    let opened = world.state();
    for _ in 0..5_000 {
        world.see(&up(ACK | PSH, b"request"));
        world.see(&down(ACK, &[0; 1000]));
    }
    world.see(&up(FIN | ACK, &[]));
    world.see(&down(FIN | ACK, &[]));
    assert_eq!(world.count(Counter::TcpEstablished), 10_000);
    // The client ended what it had begun; the server began nothing.
    assert_eq!((world.count(Counter::TcpContinued), world.count(Counter::NotAsked)), (2, 3));
    assert_eq!(world.cells(), 0);
    assert!(world.state() == opened);
}

/// Addresses as a flood forges them: all over the internet, no order.
fn forged(n: u32) -> Ipv4Addr {
    let address = n.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    // Into 64.0.0.0/3, where every address is a host's.
    Ipv4Addr::from(0x4000_0000 | address >> 3)
}

#[test]
fn a_flood_of_100_000_forged_sources_leaves_next_to_no_cell() {
    let mut world = World::new();
    for n in 0..100_000 {
        world.see(&syn(forged(n), SERVER, 80));
    }
    assert_eq!(world.count(Counter::ProbeSyn), 100_000);
    assert!(world.cells() <= 2, "{} cells", world.cells());
    assert!(world.records().len() <= 2);
}

#[test]
fn a_flood_to_random_ports_and_by_udp_leaves_next_to_no_cell() {
    let mut world = World::new();
    for n in 0..50_000_u32 {
        let port = (n.wrapping_mul(40_503) >> 8) as u16;
        world.see(&syn(forged(n), SERVER, port));
        world.see(&ether().carry(ipv4(forged(n + 50_000), SERVER).carry(udp(40_000, port.min(1023)))));
    }
    assert_eq!(world.count(Counter::ProbeUdp), 50_000);
    assert!(world.cells() <= 2, "{} cells", world.cells());
}

#[test]
fn a_flood_from_outside_does_not_push_a_scanner_inside_out() {
    let mut world = World::new();
    for port in 1..=20 {
        world.see(&syn(CLIENT, SERVER, port));
    }
    let inside = world.tables.door_sets(Side::Internal).to_vec();
    for n in 0..100_000 {
        world.see(&syn(outside(n), SERVER, 80));
    }
    assert!(world.tables.door_sets(Side::Internal) == inside);
    assert!(!world.tables.cells(Side::Internal).is_empty());
}

#[test]
fn a_repeated_packet_writes_nothing() {
    let probes = [
        syn(CLIENT, SERVER, 445),
        syn([192, 0, 2, 9], SERVER, 445),
        ether().carry(ipv4(CLIENT, SERVER).carry(tcp(1, 2).flags(0))),
        ether().carry(ipv4(CLIENT, SERVER).carry(udp(40_000, 161))),
        ether().carry(ipv4(CLIENT, SERVER).carry(sctp(40_000, 3868))),
        ether().carry(ipv4(CLIENT, SERVER).carry(icmp(8))),
        ether().to(BROADCAST).carry(arp_request(CLIENT, SERVER)),
    ];
    for mut world in [World::new(), World::admitting()] {
        // Twice: by the end of the first round the sources are known, and then the first pairs are novel, too.
        for probe in probes.iter().chain(&probes) {
            world.see(probe);
        }
        world.records();
        let state = world.state();
        for probe in &probes {
            let raised = world.see(probe);
            assert!(!raised.contains(&Counter::Novel), "{raised:?}");
        }
        assert!(world.state() == state);
        assert_eq!(world.records(), []);
    }
}

#[test]
fn every_fixture_seen_again_on_another_interface_writes_nothing() {
    let mut world = World::admitting();
    let frames: Vec<Vec<u8>> = packets::all().into_iter().map(|fixture| fixture.frame).collect();
    for frame in &frames {
        world.see(frame);
    }
    world.records();
    let state = world.state();
    for frame in &frames {
        observe(&frame[..], 99, Passage::IN, &mut world.tables);
    }
    assert!(world.state() == state);
    assert_eq!(world.records(), []);
}

/// Apart from the sockets of those who ask all others, which are remembered as flows are.
#[test]
fn answers_and_errors_leave_no_trace() {
    let mut world = World::admitting();
    let empty = world.state();
    let not_probes = packets::all().into_iter().filter(|fixture| fixture.expect.is_err());
    let mut flows = 0;
    for fixture in not_probes {
        let before = world.state().2;
        let raised = world.see(&fixture.frame);
        let reason = fixture.expect.unwrap_err();
        assert_eq!(raised, [reason], "{}", fixture.name);
        if world.state().2 != before {
            assert_eq!(reason, Counter::GroupTarget, "{}", fixture.name);
            flows += 1;
        }
    }
    let (cells, doors, _) = world.state();
    assert!((cells, doors) == (empty.0, empty.1));
    assert!(flows > 0, "nobody asked all others");
}
