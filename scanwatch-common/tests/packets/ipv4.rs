//! IPv4: options, fragments, lengths, protocols.

use super::{CLIENT, Contacted, FROM, Fixture, SERVER, between, datagram, fixture, not, probe, some_of};
use crate::build::{Ipv4, Segment, ether, icmp, ipv4, raw, sctp, tcp, udp};
use scanwatch_common::abi::Outcome::Answered;
use scanwatch_common::abi::Technique::{Flags, Icmp, Null, Proto, Sctp, Syn};
use scanwatch_common::classify::tcp_flags::{ACK, SYN};
use scanwatch_common::counters::Counter;

pub fn fixtures() -> Vec<Fixture> {
    [options(), fragments(), lengths(), protocols()].concat()
}

fn header() -> Ipv4 {
    ipv4(CLIENT, SERVER)
}

fn options() -> Vec<Fixture> {
    let with = |words: usize| {
        let name = |what: &str| format!("IPv4, {words} words of options, {what}");
        let header = || header().options(words);
        let echo = [0, 1, 0, 1];
        vec![
            fixture(name("TCP"), ether().carry(header().carry(tcp(FROM, 445))), probe(Syn, 445)),
            fixture(name("UDP"), ether().carry(header().carry(udp(FROM, 161).payload(4))), datagram(161, 4)),
            fixture(name("SCTP"), ether().carry(header().carry(sctp(FROM, 3868))), probe(Sctp, 3868)),
            fixture(name("ICMP"), ether().carry(header().carry(icmp(8).body(&echo))), probe(Icmp, 0)),
        ]
    };
    some_of(0..=10).flat_map(with).collect()
}

fn fragments() -> Vec<Fixture> {
    let tcp_with_data = || tcp(FROM, 80).payload(&[0x61; 1460]);
    let first = |name: &str, length, segment: Segment, expect| {
        fixture(name, ether().carry(header().piece(0..length).carry(segment)), expect)
    };
    let later = |name: &str, piece, segment: Segment| {
        fixture(name, ether().carry(header().piece(piece).carry(segment)), not(Counter::LaterFragment))
    };
    vec![
        fixture("IPv4, don't fragment", ether().carry(header().whole().carry(tcp(FROM, 80))), probe(Syn, 80)),
        first("IPv4 first fragment, TCP SYN", 512, tcp_with_data().into(), probe(Syn, 80)),
        first(
            "IPv4 first fragment, TCP ACK",
            512,
            tcp_with_data().flags(ACK).into(),
            not(Counter::TcpEstablished),
        ),
        first("IPv4 first fragment, UDP", 512, udp(FROM, 2049).payload(1400).into(), datagram(2049, 504)),
        first(
            "IPv4 first fragment, UDP header alone",
            8,
            udp(FROM, 2049).payload(1400).into(),
            datagram(2049, 0),
        ),
        first("IPv4 first fragment, ICMP echo", 8, icmp(8).body(&[0; 64]).into(), probe(Icmp, 0)),
        first("IPv4 first fragment, SCTP INIT", 16, sctp(FROM, 3868).into(), probe(Sctp, 3868)),
        first("IPv4 tiny first fragment, TCP before the flags", 8, tcp(FROM, 80).into(), probe(Flags, 80)),
        first(
            "IPv4 tiny first fragment, TCP ACK hidden",
            8,
            tcp(FROM, 80).flags(ACK).into(),
            probe(Flags, 80),
        ),
        first("IPv4 tiny first fragment of 16 bytes, TCP SYN", 16, tcp(FROM, 80).into(), probe(Syn, 80)),
        first(
            "IPv4 tiny first fragment of 16 bytes, TCP NULL",
            16,
            tcp(FROM, 80).flags(0).into(),
            probe(Null, 80),
        ),
        first(
            "IPv4 tiny first fragment of 16 bytes, TCP SYN-ACK",
            16,
            tcp(FROM, 80).flags(SYN | ACK).into(),
            Ok(Contacted {
                outcome: Answered,
                counter: Counter::TcpAnswered,
                source_port: 80,
                ..between("10.0.1.7", "10.0.0.5", Syn, FROM)
            }),
        ),
        first(
            "IPv4 first fragment within TCP's options",
            24,
            tcp(FROM, 80).options(10).into(),
            probe(Syn, 80),
        ),
        first(
            "IPv4 tiny first fragment, SCTP common header",
            8,
            sctp(FROM, 3868).into(),
            not(Counter::Malformed),
        ),
        first("IPv4 first fragment without payload", 0, tcp(FROM, 80).into(), not(Counter::Malformed)),
        first(
            "IPv4 tiny first fragment of 16 bytes, TCP header length 0",
            16,
            tcp(FROM, 80).words(0).into(),
            probe(Syn, 80),
        ),
        later("IPv4 later fragment at 32,768", 32_768..32_800, raw(17, &[0; 40_000])),
        later("IPv4 later fragment", 512..1024, tcp_with_data().into()),
        later("IPv4 last fragment", 1024..1480, tcp_with_data().into()),
        later("IPv4 later fragment at 8, TCP flags in it (RFC 1858)", 8..20, tcp(FROM, 80).into()),
        later("IPv4 later fragment of UDP", 8..408, udp(FROM, 53).payload(400).into()),
        later("IPv4 later fragment at the highest offset", 65_528..65_530, raw(17, &[0; 65_530])),
    ]
}

fn lengths() -> Vec<Fixture> {
    // An odd protocol is read no further, so nothing but the header itself can be wrong.
    let odd = |name: &str, header: Ipv4| {
        fixture(name, ether().carry(header.carry(raw(99, &[0; 40]))), not(Counter::Malformed))
    };
    let broken = |name: &str, header: Ipv4| {
        fixture(name, ether().carry(header.carry(tcp(FROM, 80))), not(Counter::Malformed))
    };
    vec![
        odd("IPv4, header length 0, protocol 99", header().words(0)),
        odd("IPv4, header length 4 words, protocol 99", header().words(4)),
        odd("IPv4, version 5, protocol 99", header().version(5)),
        odd("IPv4, total length 19, protocol 99", header().length(19)),
        broken("IPv4, header length 0", header().words(0)),
        broken("IPv4, header length 4 words", header().words(4)),
        broken("IPv4, header longer than the packet", header().words(15).length(40)),
        broken("IPv4, version 0", header().version(0)),
        broken("IPv4, version 5", header().version(5)),
        broken("IPv4, version 6", header().version(6)),
        broken("IPv4, total length 0", header().length(0)),
        broken("IPv4, total length 19", header().length(19)),
        broken("IPv4, total length ends with the header", header().length(20)),
        broken("IPv4, total length ends within TCP", header().length(39)),
        broken("IPv4, options longer than the total length", header().options(4).length(35)),
        fixture(
            "IPv4, total length says more than there is",
            ether().carry(header().length(1500).carry(tcp(FROM, 80))),
            probe(Syn, 80),
        ),
        fixture(
            "IPv4, wrong header checksum",
            ether().carry(header().checksum(0xdead).carry(tcp(FROM, 80))),
            probe(Syn, 80),
        ),
    ]
}

fn protocols() -> Vec<Fixture> {
    let odd = [3, 5, 8, 9, 20, 27, 59, 60, 61, 99, 135, 143, 200, 253, 254, 255].map(|number| {
        let frame = ether().carry(header().carry(raw(number, &[0; 20])));
        fixture(format!("IPv4, protocol {number}"), frame, probe(Proto, u16::from(number)))
    });
    let carriers = [
        (2, "IGMP"),
        (4, "IPv4 in IPv4"),
        (33, "DCCP"),
        (41, "IPv6 in IPv4"),
        (46, "RSVP"),
        (47, "GRE"),
        (50, "ESP"),
        (51, "AH"),
        (55, "mobile IP"),
        (58, "ICMPv6 over IPv4"),
        (88, "EIGRP"),
        (89, "OSPF"),
        (94, "IPIP"),
        (97, "Ethernet in IP"),
        (103, "PIM"),
        (108, "IPComp"),
        (112, "VRRP"),
        (115, "L2TP"),
        (137, "MPLS in IP"),
    ]
    .map(|(number, name)| {
        let frame = ether().carry(header().carry(raw(number, &[0; 20])));
        fixture(format!("IPv4, {name}"), frame, not(Counter::CarrierProtocol))
    });
    let bare = fixture(
        "IPv4, odd protocol without payload",
        ether().carry(header().carry(raw(99, &[]))),
        probe(Proto, 99),
    );
    [odd.to_vec(), carriers.to_vec(), vec![bare]].concat()
}
