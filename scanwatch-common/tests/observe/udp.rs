//! Which end of a UDP conversation spoke first.

use crate::build::{BROADCAST, MAC_TARGET, ether, ipv4, udp};
use crate::world::{World, outside};
use scanwatch_common::abi::{CellKey, Outcome, Side, mapped};
use scanwatch_common::counters::Counter;
use std::net::Ipv4Addr;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const RESOLVER: [u8; 4] = [10, 0, 1, 53];

fn datagram(
    from: impl Into<Ipv4Addr>,
    port: u16,
    to: impl Into<Ipv4Addr>,
    target: u16,
    data: usize,
) -> Vec<u8> {
    ether().carry(ipv4(from, to).carry(udp(port, target).payload(data)))
}

#[test]
fn a_resolver_that_answers_500_ports_of_a_client_is_no_scanner() {
    let mut world = World::new();
    for port in 20_000..20_500 {
        world.see(&datagram(CLIENT, port, RESOLVER, 53, 40));
        let answer = datagram(RESOLVER, 53, CLIENT, port, 120);
        assert_eq!(world.see(&answer), [Counter::UdpAnswered, Counter::NotAsked]);
        assert_eq!(world.see(&answer), [Counter::UdpAnswered]);
    }
    assert_eq!(world.cells(), 0);
    assert!(world.records().is_empty());
}

#[test]
fn the_same_without_the_questions_is_no_scan_either() {
    let mut world = World::new();
    for port in 20_000..20_500 {
        let raised = world.see(&datagram(RESOLVER, 53, CLIENT, port, 120));
        assert_eq!(raised, [Counter::UdpAnswerShape]);
    }
    assert_eq!(world.cells(), 0);
}

#[test]
fn servers_on_unnamed_ports_that_answer_are_no_scanners() {
    let mut world = World::new();
    for port in 20_000..20_500 {
        world.see(&datagram(CLIENT, port, outside(1), 27_015, 40));
        let raised = world.see(&datagram(outside(1), 27_015, CLIENT, port, 120));
        assert_eq!(raised, [Counter::UdpAnswered, Counter::NotAsked]);
    }
    assert_eq!(world.tables.cells(Side::External).len(), 0);
}

#[test]
fn a_flow_is_first_once_then_known_and_its_answers_are_answers() {
    let mut world = World::admitting();
    let ask = datagram(CLIENT, 40_000, RESOLVER, 161, 40);
    let answer = datagram(RESOLVER, 161, CLIENT, 40_000, 40);
    assert_eq!(world.see(&ask), [Counter::ProbeUdp, Counter::Novel, Counter::CellCreated]);
    assert_eq!(world.see(&ask), [Counter::UdpKnown]);
    assert_eq!(world.see(&answer), [Counter::UdpAnswered, Counter::Novel, Counter::CellCreated]);
    assert_eq!(world.see(&ask), [Counter::UdpKnown]);
    assert_eq!(world.see(&answer), [Counter::UdpAnswered]);
}

#[test]
fn another_port_or_host_is_another_flow() {
    let mut world = World::admitting();
    world.see(&datagram(CLIENT, 40_000, RESOLVER, 161, 40));
    for other in [
        datagram(CLIENT, 40_001, RESOLVER, 161, 40),
        datagram(CLIENT, 40_000, RESOLVER, 162, 40),
        datagram(CLIENT, 40_000, [10, 0, 1, 54], 161, 40),
        datagram([10, 0, 0, 6], 40_000, RESOLVER, 161, 40),
    ] {
        assert_eq!(world.see(&other)[0], Counter::ProbeUdp);
    }
}

#[test]
fn a_flow_is_forgotten_after_so_many_idle_ticks_and_not_before() {
    let mut world = World::new();
    let idle = world.tables.settings.flow_idle_ticks;
    let ask = datagram(CLIENT, 40_000, RESOLVER, 27_015, 40);
    let answer = datagram(RESOLVER, 27_015, CLIENT, 40_000, 40);
    world.see(&ask);
    world.tables.control.tick += idle;
    assert_eq!(world.see(&answer), [Counter::UdpAnswered, Counter::NotAsked]);
    // The answer kept the flow alive.
    world.tables.control.tick += idle;
    assert_eq!(world.see(&ask), [Counter::UdpKnown]);
    world.tables.control.tick += idle + 1;
    assert_eq!(world.see(&answer), [Counter::ProbeUdp, Counter::NotAdmitted]);
    assert_eq!(world.see(&ask), [Counter::UdpAnswered, Counter::NotAsked]);
}

#[test]
fn flows_age_over_the_wrap_of_the_coarse_clock() {
    let mut world = World::new();
    let ask = datagram(CLIENT, 40_000, RESOLVER, 27_015, 40);
    for before_wrap in [(1 << 24) - 1, u32::MAX] {
        world.tables.control.tick = before_wrap;
        world.see(&ask);
        world.tables.control.tick = before_wrap.wrapping_add(2);
        assert_eq!(world.see(&ask), [Counter::UdpKnown]);
        world.tables.control.tick = world.tables.control.tick.wrapping_add(1000);
    }
}

#[test]
fn the_shape_of_an_answer_is_from_a_service_port_to_an_unnamed_high_port() {
    let shape =
        |from, to| World::new().see(&datagram(RESOLVER, from, CLIENT, to, 40))[0] == Counter::UdpAnswerShape;
    assert!(shape(53, 40_000));
    assert!(shape(5353, 40_000));
    assert!(shape(123, 1024));
    assert!(shape(1023, 65_535));
    assert!(!shape(40_000, 53));
    assert!(!shape(40_000, 40_001));
    assert!(!shape(53, 53));
    assert!(!shape(123, 123));
    assert!(!shape(53, 1023));
    assert!(!shape(53, 5353));
    assert!(!shape(1024, 40_000));
}

#[test]
fn a_large_first_datagram_is_media_unless_it_is_quic() {
    let mut world = World::new();
    let first =
        |world: &mut World, target, data| world.see(&datagram(CLIENT, 40_000, RESOLVER, target, data))[0];
    assert_eq!(first(&mut world, 5004, 513), Counter::UdpLarge);
    assert_eq!(first(&mut world, 5005, 512), Counter::ProbeUdp);
    assert_eq!(first(&mut world, 443, 1200), Counter::ProbeUdp);
    // It is the first of its flow all the same.
    assert_eq!(first(&mut world, 5004, 10), Counter::UdpKnown);
    assert_eq!(world.see(&datagram(RESOLVER, 5004, CLIENT, 40_000, 10))[0], Counter::UdpAnswered);
}

#[test]
fn a_udp_scan_is_counted() {
    let mut world = World::new();
    for port in 1..=300 {
        world.see(&datagram(CLIENT, 40_000, RESOLVER, port, 0));
    }
    let admitted = world.count(Counter::Novel) + world.count(Counter::NotNovel);
    assert!(admitted >= 298, "{admitted}");
}

#[test]
fn both_ends_may_ask() {
    // Two name servers that query each other by port 53 on both ends share one flow; the second one answers it.
    let mut world = World::admitting();
    assert_eq!(world.see(&datagram(CLIENT, 53, RESOLVER, 53, 40))[0], Counter::ProbeUdp);
    assert_eq!(world.see(&datagram(RESOLVER, 53, CLIENT, 53, 40))[0], Counter::UdpAnswered);
    assert!(world.tables.cells(Side::Internal).keys().all(|key| key.source == mapped(CLIENT)));
}

/// A relay, a peer, or a server that answers from another port than it was asked at (RFC 1350, RFC 8445).
#[test]
fn a_datagram_to_a_socket_that_talks_is_answered_and_no_probe() {
    let mut world = World::admitting();
    assert_eq!(world.see(&datagram(CLIENT, 40_000, RESOLVER, 69, 40))[0], Counter::ProbeUdp);
    let other_port = world.see(&datagram(RESOLVER, 49_152, CLIENT, 40_000, 40));
    assert_eq!(other_port, [Counter::UdpAnswered, Counter::NotAsked]);
    assert_eq!(world.see(&datagram(outside(1), 40_000, CLIENT, 40_000, 40))[0], Counter::UdpAnswered);
    // Another socket of the same host does not talk.
    assert_eq!(world.see(&datagram(outside(1), 40_000, CLIENT, 40_001, 40))[0], Counter::ProbeUdp);
    // By now the other peer was admitted: that it reaches a socket that talks is an outcome of its own.
    world.see(&datagram(outside(1), 40_007, CLIENT, 40_000, 40));
    let keys: Vec<_> = world.tables.cells(Side::External).keys().map(CellKey::outcome).collect();
    assert!(keys.contains(&Some(Outcome::Answered)) && keys.contains(&Some(Outcome::Tried)), "{keys:?}");
}

#[test]
fn a_socket_that_fell_silent_is_a_target_again() {
    let mut world = World::admitting();
    world.see(&datagram(CLIENT, 40_000, RESOLVER, 69, 40));
    world.tables.control.tick += world.tables.settings.flow_idle_ticks;
    assert_eq!(world.see(&datagram(outside(1), 9_999, CLIENT, 40_000, 40))[0], Counter::UdpAnswered);
    world.tables.control.tick += 1;
    assert_eq!(world.see(&datagram(outside(2), 9_999, CLIENT, 40_000, 40))[0], Counter::ProbeUdp);
}

#[test]
fn a_scanned_port_does_not_become_a_socket_that_talks() {
    let mut world = World::admitting();
    for source in 0..20 {
        assert_eq!(world.see(&datagram(outside(source), 40_000, RESOLVER, 161, 40))[0], Counter::ProbeUdp);
    }
}

/// By NetBIOS, by mDNS, to a group's link-layer address or not.
#[test]
fn answers_to_a_question_to_all_are_no_probes_of_who_asked() {
    for (port, group, mac) in [
        (137, [10, 0, 0, 255], BROADCAST),
        (5353, [224, 0, 0, 251], [1, 0, 0x5e, 0, 0, 0xfb]),
        (5353, [224, 0, 0, 251], MAC_TARGET),
    ] {
        let mut world = World::admitting();
        for asker in 1..=30 {
            let question = ipv4([10, 0, 0, asker], group).carry(udp(port, port).payload(50));
            let question = ether().to(mac).carry(question);
            assert_eq!(world.see(&question), [Counter::GroupTarget]);
            let answer = world.see(&datagram([10, 0, 0, 200], port, [10, 0, 0, asker], port, 90));
            assert!(answer.contains(&Counter::UdpAnswered), "{answer:?}");
        }
        let tried = |key: &&CellKey| key.outcome() == Some(Outcome::Tried);
        assert_eq!(world.tables.cells(Side::Internal).keys().filter(tried).count(), 0);
        let unasked = world.see(&datagram([10, 0, 0, 200], port, [10, 0, 0, 99], port, 90));
        assert!(unasked.contains(&Counter::ProbeUdp), "who did not ask is probed: {unasked:?}");
    }
}

#[test]
fn groups_are_never_targets() {
    let mut world = World::admitting();
    for source in 1..100 {
        let question = datagram([10, 0, 0, source], 5353, [224, 0, 0, 251], 5353, 40);
        assert_eq!(world.see(&question), [Counter::GroupTarget]);
    }
    assert_eq!((world.cells(), world.records().len()), (0, 0));
}
