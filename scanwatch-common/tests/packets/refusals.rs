//! What ICMP errors quote, and neighbour discovery: who was refused or answered what.

use super::{
    CLIENT, CLIENT_V6, Contacted, FROM, Fixture, Outcome, SERVER, SERVER_V6, between, fixture, not, probe_v6,
    some_of, told, told_v6,
};
use crate::build::{Extension, Packet, Segment, ether, icmp, icmpv6, ipv4, ipv6, raw, sctp, tcp, udp};
use scanwatch_common::abi::Outcome::{Answered, Refused};
use scanwatch_common::abi::Technique;
use scanwatch_common::counters::Counter;
use std::net::Ipv6Addr;

/// Who says that the server cannot be reached.
const ROUTER: [u8; 4] = [10, 0, 0, 1];
const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1);
/// Header and eight bytes, as RFC 792 asks for.
const SHORTEST: usize = 28;

pub fn fixtures() -> Vec<Fixture> {
    [quotes(), quotes_v6(), codes(), broken(), broken_v6(), neighbours()].concat()
}

fn refused(technique: Technique, port: u16) -> Outcome {
    told(technique, Refused, Counter::IcmpRefused, port)
}

fn refused_v6(technique: Technique, port: u16) -> Outcome {
    told_v6(technique, Refused, Counter::IcmpRefused, port)
}

fn asked(segment: impl Into<Segment>) -> Packet {
    ipv4(CLIENT, SERVER).carry(segment)
}

fn asked_v6(segment: impl Into<Segment>) -> Packet {
    ipv6(CLIENT_V6, SERVER_V6).carry(segment)
}

/// Port unreachable, from the router to the client.
fn unreachable(quoted: &Packet, length_max: usize) -> Vec<u8> {
    ether().carry(ipv4(ROUTER, CLIENT).carry(icmp(3).code(3).quote(quoted, length_max)))
}

fn unreachable_v6(quoted: &Packet) -> Vec<u8> {
    ether().carry(ipv6(ROUTER_V6, CLIENT_V6).carry(icmpv6(1).code(4).quote(quoted, 1232)))
}

fn quotes() -> Vec<Fixture> {
    let quoting = |what: &str, packet: Packet, expect: Outcome| {
        let name = |how: &str| format!("ICMP unreachable, quoting {what}{how}");
        [
            fixture(name(""), unreachable(&packet, SHORTEST), expect),
            fixture(name(" whole"), unreachable(&packet, 548), expect),
        ]
    };
    let options = |words| ipv4(CLIENT, SERVER).options(words);
    [
        quoting("TCP", asked(tcp(FROM, 445).payload(b"data")), refused(Technique::Syn, 445)),
        quoting("UDP", asked(udp(FROM, 161).payload(40)), refused(Technique::Udp, 161)),
        quoting("UDP-Lite", asked(udp(FROM, 161).lite().payload(40)), refused(Technique::Udp, 161)),
        quoting("SCTP", asked(sctp(FROM, 3868)), refused(Technique::Sctp, 3868)),
        quoting("an echo request", asked(icmp(8).body(&[7; 60])), refused(Technique::Icmp, 0)),
        quoting("an echo reply", asked(icmp(0).body(&[7; 60])), not(Counter::IcmpError)),
        quoting("protocol 99", asked(raw(99, &[0; 20])), refused(Technique::Proto, 99)),
        quoting("GRE", asked(raw(47, &[0; 20])), not(Counter::IcmpError)),
        quoting("ICMPv6 over IPv4", asked(raw(58, &[128; 20])), not(Counter::IcmpError)),
        quoting(
            "a first fragment",
            ipv4(CLIENT, SERVER).piece(0..512).carry(udp(FROM, 2049).payload(1400)),
            refused(Technique::Udp, 2049),
        ),
        quoting(
            "a later fragment",
            ipv4(CLIENT, SERVER).piece(512..1024).carry(udp(FROM, 2049).payload(1400)),
            not(Counter::IcmpError),
        ),
    ]
    .into_iter()
    .flatten()
    .chain(some_of(1..=10).map(|words| {
        let frame = unreachable(&options(words).carry(tcp(FROM, 22)), SHORTEST + words * 4);
        let name = format!("ICMP unreachable, quoting TCP behind {words} words of options");
        fixture(name, frame, refused(Technique::Syn, 22))
    }))
    .chain([fixture(
        "ICMP unreachable with options of its own",
        ether().carry(ipv4(ROUTER, CLIENT).options(4).carry(icmp(3).quote(&asked(tcp(FROM, 22)), SHORTEST))),
        refused(Technique::Syn, 22),
    )])
    .collect()
}

fn quotes_v6() -> Vec<Fixture> {
    let quoting = |what: &str, packet: Packet, expect| {
        fixture(format!("ICMPv6 unreachable, quoting {what}"), unreachable_v6(&packet), expect)
    };
    let behind = |extension| ipv6(CLIENT_V6, SERVER_V6).extension(extension).carry(tcp(FROM, 22));
    vec![
        quoting("TCP", asked_v6(tcp(FROM, 445)), refused_v6(Technique::Syn, 445)),
        quoting("UDP", asked_v6(udp(FROM, 161).payload(40)), refused_v6(Technique::Udp, 161)),
        quoting("SCTP", asked_v6(sctp(FROM, 3868)), refused_v6(Technique::Sctp, 3868)),
        quoting("an echo request", asked_v6(icmpv6(128)), refused_v6(Technique::Icmp, 0)),
        quoting("an echo reply", asked_v6(icmpv6(129)), not(Counter::IcmpError)),
        quoting("ICMP over IPv6", asked_v6(raw(1, &[8; 20])), not(Counter::IcmpError)),
        quoting("protocol 99", asked_v6(raw(99, &[0; 20])), refused_v6(Technique::Proto, 99)),
        quoting("a fragment", behind(Extension::fragment(0, true)), not(Counter::IcmpError)),
        quoting("hop-by-hop options", behind(Extension::hop_by_hop(0)), not(Counter::IcmpError)),
        quoting("destination options", behind(Extension::destination(0)), not(Counter::IcmpError)),
        quoting("a routing header", behind(Extension::routing(0)), not(Counter::IcmpError)),
    ]
}

/// Every code of destination unreachable; IPv4's fourth asks a host that is there for smaller packets (RFC 1191).
fn codes() -> Vec<Fixture> {
    let quoted = asked(tcp(FROM, 22));
    let quoted_v6 = asked_v6(tcp(FROM, 22));
    let error =
        |kind, code| ether().carry(ipv4(ROUTER, CLIENT).carry(icmp(kind).code(code).quote(&quoted, 576)));
    let v4 = some_of(0..=15).map(|code| {
        let expect = if code == 4 { not(Counter::IcmpError) } else { refused(Technique::Syn, 22) };
        fixture(format!("ICMP unreachable, code {code}"), error(3, code), expect)
    });
    let v6 = some_of(0..=6).map(|code| {
        let message = icmpv6(1).code(code).quote(&quoted_v6, 1232);
        let frame = ether().carry(ipv6(ROUTER_V6, CLIENT_V6).carry(message));
        fixture(format!("ICMPv6 unreachable, code {code}"), frame, refused_v6(Technique::Syn, 22))
    });
    let others = [4, 11, 12].map(|kind| {
        fixture(format!("ICMP error {kind} with a quote"), error(kind, 0), not(Counter::IcmpError))
    });
    v4.chain(v6).chain(others).collect()
}

/// Quotes that tell of nobody.
fn broken() -> Vec<Fixture> {
    let error = || not(Counter::IcmpError);
    let quoted = |name: &str, packet: &Packet, length| {
        fixture(format!("ICMP unreachable, quote {name}"), unreachable(packet, length), error())
    };
    let header = || ipv4(CLIENT, SERVER);
    let padded = ether().padded().carry(ipv4(ROUTER, CLIENT).carry(icmp(3).quote(&asked(tcp(1, 2)), 0)));
    let group = ipv4(CLIENT, [224, 0, 0, 251]).carry(udp(5353, 5353).payload(30));
    let own = ipv4(SERVER, SERVER).carry(udp(5353, 5353).payload(30));
    vec![
        fixture("ICMP unreachable without a quote, padded", padded, error()),
        quoted("of 1 byte", &asked(tcp(FROM, 22)), 1),
        quoted("of a header alone", &asked(tcp(FROM, 22)), 20),
        quoted("of one byte less than ports take", &asked(tcp(FROM, 22)), SHORTEST - 1),
        quoted("cut in its options", &header().options(4).carry(tcp(FROM, 22)), SHORTEST),
        quoted("of version 6", &header().version(6).carry(tcp(FROM, 22)), 548),
        quoted("whose header length is 4 words", &header().words(4).carry(tcp(FROM, 22)), 548),
        quoted("of an IPv6 packet", &asked_v6(tcp(FROM, 22)), 548),
        fixture("ICMP unreachable, quoting a group", unreachable(&group, 548), not(Counter::GroupTarget)),
        fixture("ICMP unreachable, quoting a loop", unreachable(&own, 548), not(Counter::SourceUnusable)),
    ]
}

fn broken_v6() -> Vec<Fixture> {
    let error = || not(Counter::IcmpError);
    let cut = |length: usize| {
        let message = icmpv6(1).quote(&asked_v6(tcp(FROM, 22)), length);
        let frame = ether().carry(ipv6(ROUTER_V6, CLIENT_V6).carry(message));
        fixture(format!("ICMPv6 unreachable, quote of {length} bytes"), frame, error())
    };
    let v4 =
        fixture("ICMPv6 unreachable, quoting IPv4", unreachable_v6(&asked(udp(1, 2).payload(60))), error());
    [0, 1, 39, 40, 47].map(cut).into_iter().chain([v4]).collect()
}

/// Neighbour discovery (RFC 4861): whom it is about stands in the message.
fn neighbours() -> Vec<Fixture> {
    // The group of all addresses that end like this one (RFC 4291, 2.7.1).
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 7);
    let group_mac = [0x33, 0x33, 0xff, 0, 0, 7];
    let ask = || icmpv6(135).about(SERVER_V6);
    let tell = || icmpv6(136).about(SERVER_V6);
    let to_group =
        |source: Ipv6Addr, message| ether().to(group_mac).carry(ipv6(source, group).carry(message));
    let to_all = ipv6(SERVER_V6, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)).carry(tell());
    let from_link_local = Ok(between("fe80::9", "2001:db8:0:2::7", Technique::Arp, 0));
    let answered = told_v6(Technique::Arp, Answered, Counter::NeighbourAnswered, 0);
    let other_sender = ipv6([0xfe80, 0, 0, 0, 0, 0, 0, 7], CLIENT_V6).carry(tell());
    let link_local = ether().carry(ipv6(SERVER_V6, [0xfe80, 0, 0, 0, 0, 0, 0, 9]).carry(tell()));
    let to_link_local = Contacted {
        counter: Counter::NeighbourAnswered,
        outcome: Answered,
        ..between("fe80::9", "2001:db8:0:2::7", Technique::Arp, 0)
    };
    vec![
        fixture("neighbour solicitation", to_group(CLIENT_V6, ask()), probe_v6(Technique::Arp, 0)),
        fixture(
            "neighbour solicitation from a link-local address",
            to_group(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9), ask()),
            from_link_local,
        ),
        fixture(
            "neighbour solicitation for a duplicate (RFC 4862)",
            to_group(Ipv6Addr::UNSPECIFIED, ask()),
            not(Counter::ArpOwn),
        ),
        fixture(
            "neighbour solicitation for a group",
            to_group(CLIENT_V6, icmpv6(135).about(group)),
            not(Counter::ArpOwn),
        ),
        fixture(
            "neighbour solicitation, refresh",
            ether().carry(asked_v6(ask())),
            not(Counter::IcmpNeighbour),
        ),
        fixture("neighbour advertisement", ether().carry(ipv6(SERVER_V6, CLIENT_V6).carry(tell())), answered),
        fixture("neighbour advertisement by a link-local address", ether().carry(other_sender), answered),
        fixture("neighbour advertisement to a link-local address", link_local, Ok(to_link_local)),
        fixture(
            "neighbour advertisement to all",
            ether().to([0x33, 0x33, 0, 0, 0, 1]).carry(to_all),
            not(Counter::IcmpNeighbour),
        ),
        fixture(
            "neighbour solicitation cut in its subject",
            to_group(CLIENT_V6, icmpv6(135).body(&[0; 19])),
            not(Counter::Malformed),
        ),
        fixture(
            "neighbour advertisement cut in its subject",
            ether().carry(ipv6(SERVER_V6, CLIENT_V6).carry(icmpv6(136).body(&[0; 19]))),
            not(Counter::Malformed),
        ),
    ]
}
