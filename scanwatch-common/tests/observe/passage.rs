//! Which way a frame goes: in, out of this host, or through it for somebody else.

use crate::build::{ether, icmp, ipv4, tcp, udp};
use crate::packets;
use crate::world::{World, outside, syn};
use scanwatch_common::abi::{CellKey, Outcome, Side, mapped};
use scanwatch_common::classify::tcp_flags::{ACK, RST, SYN};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::Passage;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const ROUTER: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [192, 0, 2, 7];

#[test]
fn a_frame_that_came_in_by_an_interface_goes_through_and_all_others_are_the_hosts_own() {
    assert_eq!(Passage::out_from(0), Passage::OUT);
    for interface in [1, 2, 7, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        assert_eq!(Passage::out_from(interface), Passage::THROUGH, "{interface}");
    }
}

#[test]
fn nothing_that_a_source_does_counts_on_its_way_through() {
    let mut world = World::admitting();
    for fixture in packets::all() {
        let Ok(contacted) = fixture.expect else { continue };
        if !matches!(contacted.outcome, Outcome::Tried | Outcome::Continued) {
            continue;
        }
        let raised = world.see_pass(&fixture.frame, Passage::THROUGH);
        let ways = [Counter::Forwarded, Counter::UdpKnown, Counter::UdpAnswerShape, Counter::UdpLarge];
        let [way] = raised[..] else { panic!("{}: {raised:?}", fixture.name) };
        assert!(ways.contains(&way), "{}: {raised:?}", fixture.name);
    }
    assert_eq!((world.cells(), world.records().len()), (0, 0));
}

#[test]
fn the_hosts_own_probes_count_like_those_that_come_in() {
    let (mut own, mut others) = (World::new(), World::new());
    for port in 1..=200 {
        let probe = syn(ROUTER, SERVER, port);
        assert_eq!(own.see_pass(&probe, Passage::OUT), others.see(&probe));
    }
    assert!(own.state() == others.state());
    assert!(own.cells() > 0);
}

/// A client behind a masquerading router: in by one interface, out by the other as the router's, and back.
#[test]
fn a_masquerading_router_is_not_accused_and_its_client_gets_the_answers() {
    let mut world = World::new();
    for port in 1..=100 {
        world.see(&syn(CLIENT, SERVER, port));
        let translated = ether().carry(ipv4(ROUTER, SERVER).carry(tcp(61_000, port)));
        assert_eq!(world.see_pass(&translated, Passage::THROUGH), [Counter::Forwarded]);
        let refusal =
            |to| ether().carry(ipv4(SERVER, to).carry(tcp(port, 61_000).flags(RST | ACK).numbers(0, 1)));
        assert_eq!(world.see(&refusal(ROUTER)), [Counter::TcpRefused, Counter::NotAsked]);
        world.see_pass(&refusal(CLIENT), Passage::THROUGH);
    }
    let cells = world.tables.end_epoch();
    assert!(cells.iter().all(|(_, key, _)| key.source == mapped(CLIENT)));
    let refused: u64 = cells
        .iter()
        .filter(|(_, key, _)| key.outcome() == Some(Outcome::Refused))
        .map(|(_, _, cell)| cell.pairs.estimate().rounded())
        .sum();
    assert!((96..=100).contains(&refused), "{refused} of 100 refusals");
}

#[test]
fn the_answer_to_a_translated_datagram_is_no_probe_of_the_router() {
    let mut world = World::new();
    for port in 1..=100 {
        let ask =
            |from, source_port| ether().carry(ipv4(from, SERVER).carry(udp(source_port, 20_000 + port)));
        let answer = |to, to_port| ether().carry(ipv4(SERVER, to).carry(udp(20_000 + port, to_port)));
        assert_eq!(world.see(&ask(CLIENT, 40_000))[0], Counter::ProbeUdp);
        assert_eq!(world.see_pass(&ask(ROUTER, 61_000), Passage::THROUGH), [Counter::Forwarded]);
        assert_eq!(world.see(&answer(ROUTER, 61_000)), [Counter::UdpAnswered]);
        assert_eq!(world.see_pass(&answer(CLIENT, 40_000), Passage::THROUGH)[0], Counter::UdpAnswered);
    }
    assert_eq!(world.tables.cells(Side::External).len(), 0);
    assert!(world.tables.end_epoch().iter().all(|(_, key, _)| key.source == mapped(CLIENT)));
}

#[test]
fn an_answer_of_this_host_counts_for_who_asked_it() {
    let mut world = World::new();
    for port in 1..=30 {
        world.see(&syn(outside(1), ROUTER, port));
        let refusal = ipv4(ROUTER, outside(1)).carry(tcp(port, 40_000).flags(RST | ACK).numbers(0, 1));
        world.see_pass(&ether().carry(refusal), Passage::OUT);
    }
    let answer = ipv4(ROUTER, outside(1)).carry(tcp(22, 40_000).flags(SYN | ACK));
    world.see_pass(&ether().carry(answer), Passage::OUT);
    world.see_pass(&ether().carry(ipv4(ROUTER, outside(1)).carry(icmp(0))), Passage::OUT);
    let outcomes: Vec<_> = world.tables.cells(Side::External).keys().filter_map(CellKey::outcome).collect();
    for outcome in [Outcome::Tried, Outcome::Refused, Outcome::Answered] {
        assert!(outcomes.contains(&outcome), "{outcome:?} is not among {outcomes:?}");
    }
    assert_eq!(world.tables.cells(Side::Internal).len(), 0);
}

/// On the other side of the router its address talks, and is answered: that is nobody's contact.
#[test]
fn datagrams_through_to_a_socket_that_talks_are_forwarded() {
    let mut world = World::admitting();
    let datagram = |from, source_port, to, port| ether().carry(ipv4(from, to).carry(udp(source_port, port)));
    world.see(&datagram(SERVER, 27_015, CLIENT, 40_000));
    let raised = world.see_pass(&datagram(ROUTER, 61_000, SERVER, 27_015), Passage::THROUGH);
    assert_eq!(raised, [Counter::Forwarded]);
}
