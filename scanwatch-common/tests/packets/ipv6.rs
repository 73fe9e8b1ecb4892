//! IPv6: extension headers, fragments, lengths.

use super::{
    CLIENT, CLIENT_V6, FROM, Fixture, SERVER, SERVER_V6, datagram_v6, fixture, not, probe_v6, some_of,
};
use crate::build::{Extension, Ipv6, Segment, ether, icmpv6, ipv6, raw, sctp, tcp, udp};
use scanwatch_common::abi::Technique::{Flags, Icmp, Null, Proto, Sctp, Syn};
use scanwatch_common::classify::tcp_flags::ACK;
use scanwatch_common::counters::Counter;
use std::net::{Ipv4Addr, Ipv6Addr};

pub fn fixtures() -> Vec<Fixture> {
    [extensions(), chains(), fragments(), lengths(), protocols(), mapped()].concat()
}

fn header() -> Ipv6 {
    ipv6(CLIENT_V6, SERVER_V6)
}

fn every_extension() -> [(&'static str, Extension); 14] {
    [
        ("hop-by-hop", Extension::hop_by_hop(0)),
        ("hop-by-hop of 24 bytes", Extension::hop_by_hop(2)),
        ("hop-by-hop of 2,048 bytes", Extension::hop_by_hop(255)),
        ("routing", Extension::routing(0)),
        ("routing over two hops", Extension::routing(4)),
        ("fragment that is the whole", Extension::fragment(0, false)),
        ("authentication", Extension::authentication(4)),
        ("authentication without digest", Extension::authentication(1)),
        ("authentication of 1,028 bytes", Extension::authentication(255)),
        ("destination options", Extension::destination(0)),
        ("destination options of 32 bytes", Extension::destination(3)),
        ("mobility", Extension::mobility(0)),
        ("HIP", Extension::hip(4)),
        ("shim6", Extension::shim6(0)),
    ]
}

fn extensions() -> Vec<Fixture> {
    let with = |(what, extension): (&str, Extension)| {
        let name = |carried: &str| format!("IPv6, {what}, {carried}");
        let header = || header().extension(extension.clone());
        vec![
            fixture(name("TCP"), ether().carry(header().carry(tcp(FROM, 445))), probe_v6(Syn, 445)),
            fixture(
                name("UDP"),
                ether().carry(header().carry(udp(FROM, 161).payload(4))),
                datagram_v6(161, 4),
            ),
            fixture(name("SCTP"), ether().carry(header().carry(sctp(FROM, 3868))), probe_v6(Sctp, 3868)),
            fixture(name("ICMPv6"), ether().carry(header().carry(icmpv6(128))), probe_v6(Icmp, 0)),
            fixture(
                name("nothing"),
                ether().carry(header().next(59).carry(raw(59, &[]))),
                not(Counter::NoNextHeader),
            ),
        ]
    };
    some_of(every_extension().into_iter()).flat_map(with).collect()
}

fn chains() -> Vec<Fixture> {
    let chain =
        |length: usize| (0..length).fold(header(), |header, _| header.extension(Extension::destination(0)));
    let followed = (1..=6).map(|length| {
        let frame = ether().carry(chain(length).carry(tcp(FROM, 22)));
        fixture(format!("IPv6, {length} extension headers"), frame, probe_v6(Syn, 22))
    });
    let too_many = (7..=9).map(|length| {
        let frame = ether().carry(chain(length).carry(tcp(FROM, 22)));
        fixture(format!("IPv6, {length} extension headers"), frame, not(Counter::ExtensionsTooMany))
    });
    let ordered = header()
        .extension(Extension::hop_by_hop(0))
        .extension(Extension::destination(1))
        .extension(Extension::routing(2))
        .extension(Extension::fragment(0, false))
        .extension(Extension::authentication(4))
        .extension(Extension::destination(0));
    let nothing = |header: Ipv6| ether().carry(header.next(59).carry(raw(59, &[])));
    followed
        .chain(too_many)
        .chain([
            fixture(
                "IPv6, all six in order",
                ether().carry(ordered.carry(udp(FROM, 53))),
                datagram_v6(53, 0),
            ),
            fixture("IPv6, no next header", nothing(header()), not(Counter::NoNextHeader)),
            fixture("IPv6, six, then nothing", nothing(chain(6)), not(Counter::NoNextHeader)),
            fixture("IPv6, seven, then nothing", nothing(chain(7)), not(Counter::ExtensionsTooMany)),
        ])
        .collect()
}

fn fragments() -> Vec<Fixture> {
    let first = |name: &str, length, segment: Segment, expect| {
        let header = header().extension(Extension::fragment(0, true)).piece(0..length);
        fixture(name, ether().carry(header.carry(segment)), expect)
    };
    let later = |name: &str, offset: u16, more| {
        let header = header().extension(Extension::fragment(offset, more)).piece(512..1024);
        let frame = ether().carry(header.carry(tcp(FROM, 80).payload(&[0; 1460])));
        fixture(name, frame, not(Counter::LaterFragment))
    };
    let behind = header()
        .extension(Extension::hop_by_hop(0))
        .extension(Extension::fragment(0, true))
        .extension(Extension::destination(0))
        .piece(0..8);
    vec![
        first("IPv6 first fragment, TCP", 512, tcp(FROM, 80).payload(&[0; 1460]).into(), probe_v6(Syn, 80)),
        first("IPv6 first fragment, UDP", 512, udp(FROM, 2049).payload(1400).into(), datagram_v6(2049, 504)),
        first("IPv6 first fragment, echo request", 8, icmpv6(128).body(&[0; 64]).into(), probe_v6(Icmp, 0)),
        first("IPv6 tiny first fragment, TCP before the flags", 8, tcp(FROM, 80).into(), probe_v6(Flags, 80)),
        first(
            "IPv6 tiny first fragment of 16 bytes, TCP",
            16,
            tcp(FROM, 80).flags(0).into(),
            probe_v6(Null, 80),
        ),
        first(
            "IPv6 tiny first fragment of 16 bytes, TCP ACK",
            16,
            tcp(FROM, 80).flags(ACK).numbers(5, 7).into(),
            not(Counter::TcpEstablished),
        ),
        fixture(
            "IPv6 first fragment between other headers, TCP before the flags",
            ether().carry(behind.carry(tcp(FROM, 80))),
            probe_v6(Flags, 80),
        ),
        later("IPv6 later fragment", 512, true),
        later("IPv6 last fragment", 512, false),
        later("IPv6 later fragment at 8", 8, true),
        later("IPv6 later fragment at the highest offset", 0xfff8, false),
    ]
}

fn lengths() -> Vec<Fixture> {
    let syn = |header: Ipv6| ether().carry(header.carry(tcp(FROM, 80)));
    let broken = |name: &str, header| fixture(name, syn(header), not(Counter::Malformed));
    let jumbo = header().extension(Extension::jumbo(70_000)).length(0);
    vec![
        fixture("IPv6 jumbogram", syn(jumbo), probe_v6(Syn, 80)),
        fixture("IPv6, length says more than there is", syn(header().length(1400)), probe_v6(Syn, 80)),
        broken("IPv6, version 4", header().version(4)),
        broken("IPv6, version 0", header().version(0)),
        broken("IPv6, length ends within TCP", header().length(19)),
        broken("IPv6, length ends within an extension", header().extension(Extension::routing(2)).length(23)),
        broken("IPv6, length ends with the extensions", header().extension(Extension::routing(2)).length(24)),
    ]
}

fn protocols() -> Vec<Fixture> {
    let of = |number: u8| ether().carry(header().carry(raw(number, &[0; 20])));
    let carrier =
        |number, name: &str| fixture(format!("IPv6, {name}"), of(number), not(Counter::CarrierProtocol));
    vec![
        fixture("IPv6, protocol 99", of(99), probe_v6(Proto, 99)),
        fixture("IPv6, protocol 253", of(253), probe_v6(Proto, 253)),
        carrier(1, "ICMP over IPv6"),
        carrier(4, "IPv4 in IPv6"),
        carrier(41, "IPv6 in IPv6"),
        carrier(47, "GRE"),
        carrier(50, "ESP"),
        carrier(89, "OSPF"),
    ]
}

/// An IPv4 address in mapped form is on no wire: taken for IPv4, it would accuse a host that never sent this.
fn mapped() -> Vec<Fixture> {
    let v4 = |[a, b, c, d]: [u8; 4]| Ipv4Addr::new(a, b, c, d).to_ipv6_mapped();
    let syn = |source: Ipv6Addr, target: Ipv6Addr| ether().carry(ipv6(source, target).carry(tcp(FROM, 80)));
    let broken = |name: &str, frame| fixture(name, frame, not(Counter::Malformed));
    vec![
        broken("IPv6 from a mapped IPv4 address", syn(v4(CLIENT), SERVER_V6)),
        broken("IPv6 to a mapped IPv4 address", syn(CLIENT_V6, v4(SERVER))),
        broken("IPv6 between mapped IPv4 addresses", syn(v4(CLIENT), v4(SERVER))),
    ]
}
