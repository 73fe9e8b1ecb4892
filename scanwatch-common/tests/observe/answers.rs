//! What becomes of a contact: answered, refused, continued; and for whom that is told.

use crate::build::{
    MAC_SOURCE, Tcp, arp_reply, arp_request, ether, icmp, icmpv6, ipv4, ipv6, sctp, tcp, udp,
};
use crate::host_tables::Capacity;
use crate::world::{DNS, INTERFACE, SERVERS, SMB, START_NS, World, outside, syn};
use scanwatch_common::abi::{CellKey, Novelty, Outcome, Settings, Side, Technique, mapped};
use scanwatch_common::classify::tcp_flags::{ACK, FIN, RST, SYN};
use scanwatch_common::counters::Counter;
use std::net::Ipv6Addr;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [10, 0, 1, 7];
const MAC: [u8; 6] = [2, 4, 6, 8, 10, 12];
const BROADCAST: [u8; 6] = [0xff; 6];

fn back(segment: Tcp) -> Vec<u8> {
    ether().from(MAC).carry(ipv4(SERVER, CLIENT).ttl(60).id(77).carry(segment))
}

fn refusal(port: u16) -> Vec<u8> {
    back(tcp(port, 40_000).flags(RST | ACK).numbers(0, 5))
}

/// Distinct pairs by technique and outcome, over all cells of a source.
fn pairs(world: &mut World, source: [u8; 4]) -> Vec<(Technique, Outcome, u64)> {
    let mut sums = std::collections::BTreeMap::new();
    for (_, key, cell) in world.tables.end_epoch() {
        if key.source == mapped(source) {
            let contact = (key.technique().expect("a technique"), key.outcome().expect("an outcome"));
            *sums.entry(contact).or_insert(0) += cell.pairs.estimate().rounded();
        }
    }
    sums.into_iter().map(|((technique, outcome), pairs)| (technique, outcome, pairs)).collect()
}

/// A client that was admitted by other pairs.
fn admitted() -> World {
    let mut world = World::new();
    for port in 9_001..=9_008 {
        world.see(&syn(CLIENT, SERVER, port));
    }
    world.records();
    world.tables.end_epoch();
    world
}

/// What it is, its frames, and what the last of them tells.
type Case = (&'static str, Vec<Vec<u8>>, Technique, Outcome, Counter);

#[test]
fn every_answer_and_refusal_counts_for_the_source_that_asked() {
    use Outcome::{Answered, Continued, Refused};
    use Technique::{Ack, Arp, Icmp, Proto, Sctp, Syn, Udp};
    let header = || ipv4(SERVER, CLIENT);
    let quote = |segment| icmp(3).code(3).quote(&ipv4(CLIENT, SERVER).carry(segment), 28);
    let unreachable = |message| ether().carry(ipv4([10, 0, 0, 1], CLIENT).carry(message));
    let ask = ether().carry(ipv4(CLIENT, SERVER).carry(udp(40_000, 161)));
    let cases: [Case; 13] = [
        ("SYN-ACK", vec![back(tcp(22, 40_000).flags(SYN | ACK))], Syn, Answered, Counter::TcpAnswered),
        ("RST ACK", vec![refusal(22)], Syn, Refused, Counter::TcpRefused),
        ("RST", vec![back(tcp(22, 40_000).flags(RST).numbers(9, 0))], Ack, Refused, Counter::TcpStranger),
        (
            "FIN ACK",
            vec![ether().carry(ipv4(CLIENT, SERVER).carry(tcp(40_000, 22).flags(FIN | ACK)))],
            Syn,
            Continued,
            Counter::TcpContinued,
        ),
        (
            "datagram back",
            vec![ask, ether().carry(header().carry(udp(161, 40_000)))],
            Udp,
            Answered,
            Counter::UdpAnswered,
        ),
        (
            "INIT-ACK",
            vec![ether().carry(header().carry(sctp(3868, 40_000).chunk(2)))],
            Sctp,
            Answered,
            Counter::SctpAnswered,
        ),
        (
            "ABORT",
            vec![ether().carry(header().carry(sctp(3868, 40_000).chunk(6)))],
            Sctp,
            Refused,
            Counter::SctpRefused,
        ),
        ("echo reply", vec![ether().carry(header().carry(icmp(0)))], Icmp, Answered, Counter::IcmpAnswered),
        ("ARP reply", vec![ether().carry(arp_reply(SERVER, CLIENT))], Arp, Answered, Counter::ArpAnswered),
        ("quoted TCP", vec![unreachable(quote(tcp(40_000, 22).into()))], Syn, Refused, Counter::IcmpRefused),
        ("quoted UDP", vec![unreachable(quote(udp(40_000, 53).into()))], Udp, Refused, Counter::IcmpRefused),
        ("quoted echo", vec![unreachable(quote(icmp(8).into()))], Icmp, Refused, Counter::IcmpRefused),
        (
            "quoted protocol",
            vec![unreachable(quote(crate::build::raw(99, &[0; 8])))],
            Proto,
            Refused,
            Counter::IcmpRefused,
        ),
    ];
    for (name, frames, technique, outcome, counter) in cases {
        let mut world = admitted();
        let before = world.count(counter);
        for frame in &frames {
            world.see(frame);
        }
        assert_eq!(world.count(counter), before + 1, "{name}");
        let told = pairs(&mut world, CLIENT);
        assert!(told.contains(&(technique, outcome, 1)), "{name}: {told:?}");
        assert!(pairs(&mut world, SERVER).is_empty(), "{name}: the server did nothing");
    }
}

#[test]
fn a_record_of_an_answer_has_the_contact_the_right_way_round_and_the_evidence_of_the_answer() {
    let mut world = admitted();
    world.tables.control.clock_ns = START_NS;
    world.see(&back(tcp(445, 40_000).flags(SYN | ACK).numbers(11, 12).window(1024)));
    let contact = CellKey::contact_of(Technique::Syn, Outcome::Answered);
    let expected = Novelty {
        time_ns: START_NS,
        key: CellKey {
            source: mapped(CLIENT),
            vlan: [0, 0],
            zone: SERVERS,
            service: SMB,
            bucket: 0,
            contact,
        },
        source: mapped(CLIENT),
        target: mapped(SERVER),
        sequence: 11,
        acknowledgement: 12,
        interface: INTERFACE,
        source_port: 40_000,
        target_port: 445,
        length: 40,
        ip_id: 77,
        window: 1024,
        flags: SYN | ACK,
        ttl: 60,
        mac: MAC,
        side: Side::Internal as u8,
        reserved: 0,
    };
    assert_eq!(world.records(), [expected]);
}

#[test]
fn a_record_of_the_first_datagram_back_has_the_contact_the_right_way_round() {
    let mut world = World::admitting();
    world.see(&ether().carry(ipv4(CLIENT, SERVER).carry(udp(40_000, 53).payload(30))));
    world.see(&ether().from(MAC).carry(ipv4(SERVER, CLIENT).carry(udp(53, 40_000).payload(90))));
    let [_, answer] = world.records()[..] else { panic!("two records") };
    assert_eq!((answer.source, answer.target), (mapped(CLIENT), mapped(SERVER)));
    assert_eq!((answer.source_port, answer.target_port), (40_000, 53));
    assert_eq!((answer.key.outcome(), answer.key.service), (Some(Outcome::Answered), DNS));
    assert_eq!((answer.length, answer.mac), (118, MAC));
}

#[test]
fn neighbours_that_answer_over_ipv6_are_answered_solicitations() {
    let mut world = World::admitting();
    let client = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 5);
    let server = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 7);
    let ask =
        ether().to([0x33, 0x33, 0xff, 0, 0, 7]).carry(ipv6(client, group).carry(icmpv6(135).about(server)));
    let tell = ether().carry(ipv6(server, client).carry(icmpv6(136).about(server)));
    assert_eq!(world.see(&ask)[0], Counter::ProbeArp);
    assert_eq!(world.see(&tell)[0], Counter::NeighbourAnswered);
    let keys: Vec<CellKey> = world.tables.end_epoch().into_iter().map(|(_, key, _)| key).collect();
    assert!(keys.iter().all(|key| key.source == client.octets()));
    let outcomes: Vec<_> = keys.iter().filter_map(CellKey::outcome).collect();
    assert_eq!(outcomes, [Outcome::Tried, Outcome::Answered]);
}

#[test]
fn answers_to_a_source_that_was_not_admitted_leave_no_trace() {
    let frames = [
        back(tcp(22, 40_000).flags(SYN | ACK)),
        refusal(22),
        ether().carry(ipv4(SERVER, CLIENT).carry(icmp(0))),
        ether().carry(arp_reply(SERVER, CLIENT)),
        ether().carry(ipv4(CLIENT, SERVER).carry(tcp(40_000, 22).flags(FIN | ACK))),
    ];
    let mut world = World::new();
    let empty = world.state();
    for frame in &frames {
        let raised = world.see(frame);
        assert_eq!(raised.len(), 2, "{raised:?}");
        assert!(raised.contains(&Counter::NotAsked), "{raised:?}");
    }
    assert!(world.state() == empty);
}

#[test]
fn one_pair_does_not_make_its_answer_count_and_the_second_does() {
    let mut world = World::new();
    world.see(&syn(CLIENT, SERVER, 21));
    assert_eq!(world.see(&refusal(21)), [Counter::TcpRefused, Counter::NotAsked]);
    world.see(&syn(CLIENT, SERVER, 22));
    assert_eq!(world.see(&refusal(22))[..2], [Counter::TcpRefused, Counter::Novel]);
}

/// ACK, window and Maimon scans are known by nothing else.
#[test]
fn refused_segments_of_no_conversation_admit_their_source() {
    let mut world = World::new();
    for port in 1..=300 {
        world.see(&back(tcp(port, 40_000).flags(RST).numbers(9, 0)));
    }
    let told = pairs(&mut world, CLIENT);
    let [(Technique::Ack, Outcome::Refused, refused)] = told[..] else { panic!("{told:?}") };
    assert!((294..=306).contains(&refused), "{refused} of 300");
}

#[test]
fn refused_syns_admit_nobody() {
    let mut world = World::new();
    for port in 1..=300 {
        assert_eq!(world.see(&refusal(port)), [Counter::TcpRefused, Counter::NotAsked]);
    }
    assert_eq!(world.cells(), 0);
}

/// Answers to what a flood sent in somebody's name.
#[test]
fn backscatter_makes_no_scanner_of_the_source_nor_of_the_target() {
    let mut world = World::new();
    for n in 0..2_000 {
        let from = outside(n);
        world.see(&ether().carry(ipv4(from, CLIENT).carry(tcp(80, 1024 + n as u16).flags(SYN | ACK))));
        world.see(
            &ether().carry(ipv4(from, CLIENT).carry(tcp(80, 1024 + n as u16).flags(RST | ACK).numbers(0, 1))),
        );
        world.see(&ether().carry(ipv4(from, CLIENT).carry(icmp(0))));
    }
    assert_eq!((world.cells(), world.count(Counter::NotAsked)), (0, 6_000));
}

/// The first pair waits at the door until the second comes: no pair is missing.
#[test]
fn of_an_internal_source_every_pair_counts() {
    for many in 2..=40 {
        let mut world = World::new();
        for port in 1..=many {
            world.see(&syn(CLIENT, SERVER, 10_000 + port));
        }
        let waited = world.count(Counter::NotAdmitted);
        let told = pairs(&mut world, CLIENT);
        let [(Technique::Syn, Outcome::Tried, tried)] = told[..] else { panic!("{told:?}") };
        // Pairs that share one of the doorkeeper's 32 bits with the first wait, too; they come again.
        assert_eq!(tried, u64::from(many) + 1 - waited, "{many} pairs, {waited} waited");
        assert_eq!(world.count(Counter::FirstNovel), 1);
    }
}

#[test]
fn the_first_pair_is_told_as_it_was_and_leaves_the_second_as_it_is() {
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 9];
    let mut world = World::new();
    world.see(&ether().from(OTHER).carry(ipv4(CLIENT, [10, 0, 2, 9]).carry(udp(7_000, 161).payload(40))));
    let raised = world.see(&ether().carry(ipv4(CLIENT, SERVER).carry(tcp(40_000, 445))));
    let created = [Counter::CellCreated; 2];
    assert_eq!(raised, [&[Counter::ProbeSyn, Counter::Novel, Counter::FirstNovel][..], &created].concat());
    let [first, second] = world.records()[..] else { panic!("two records") };
    assert_eq!((first.target, first.target_port, first.source_port), (mapped([10, 0, 2, 9]), 161, 7_000));
    assert_eq!((first.length, first.key.technique()), (68, Some(Technique::Udp)));
    assert_eq!((second.target, second.target_port, second.source_port), (mapped(SERVER), 445, 40_000));
    assert_eq!((second.length, second.key.technique()), (40, Some(Technique::Syn)));
    assert_eq!((first.mac, second.mac), (OTHER, MAC_SOURCE), "either may be forged");
    assert_eq!((second.key.zone, second.key.service, second.flags), (SERVERS, SMB, SYN));
}

#[test]
fn the_first_pair_of_an_external_source_is_given_up() {
    let mut world = World::new();
    for port in 1..=40 {
        world.see(&syn(outside(1), SERVER, 10_000 + port));
    }
    assert_eq!(world.count(Counter::FirstNovel), 0);
    assert_eq!(world.count(Counter::Novel) + world.count(Counter::NotAdmitted), 40);
}

#[test]
fn a_first_pair_that_finds_no_room_is_counted_as_refused() {
    let capacity = Capacity { cells_max: [0, 0], ..Capacity::DEFAULT };
    let mut world = World::with(Settings::DEFAULT, capacity);
    world.see(&syn(CLIENT, SERVER, 10_001));
    let raised = world.see(&syn(CLIENT, SERVER, 10_002));
    assert_eq!(raised, [Counter::ProbeSyn, Counter::CellRefused, Counter::CellRefused]);
}

#[test]
fn an_arp_sweep_and_its_answers_are_two_cells() {
    let mut world = World::new();
    for host in 1..=60 {
        world.see(&ether().to(BROADCAST).carry(arp_request(CLIENT, [10, 0, 1, host])));
        if host % 3 == 0 {
            world.see(&ether().carry(arp_reply([10, 0, 1, host], CLIENT)));
        }
    }
    let told = pairs(&mut world, CLIENT);
    let [(Technique::Arp, Outcome::Tried, tried), (Technique::Arp, Outcome::Answered, answered)] = told[..]
    else {
        panic!("{told:?}")
    };
    assert!(
        (57..=62).contains(&tried) && (18..=20).contains(&answered),
        "{tried} tried, {answered} answered"
    );
}
