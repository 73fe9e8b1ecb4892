//! Sources nobody owns and targets nobody is.

use super::{CLIENT, CLIENT_V6, FROM, Fixture, Outcome, SERVER, SERVER_V6, fixture, not, some_of};
use crate::build::{BROADCAST, Segment, ether, icmp, icmpv6, ipv4, ipv6, raw, sctp, tcp, udp};
use scanwatch_common::classify::tcp_flags::{ACK, RST, SYN};
use scanwatch_common::counters::Counter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NO_TARGETS: [&str; 10] = [
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "ff02::fb",
    "ff0e::1",
];
const NO_TARGETS_V6: [&str; 2] = ["::", "::1"];

pub fn fixtures() -> Vec<Fixture> {
    [targets(), sources(), answers(), order()].concat()
}

fn sent(source: Option<&str>, target: Option<&str>, segment: impl Into<Segment>) -> Vec<u8> {
    let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
    let is_v6 = source.or(target).is_some_and(|text| text.contains(':'));
    if is_v6 {
        let of = |text: Option<&str>, usual: Ipv6Addr| match text.map(parse) {
            Some(IpAddr::V6(v6)) => v6,
            _ => usual,
        };
        return ether().carry(ipv6(of(source, CLIENT_V6), of(target, SERVER_V6)).carry(segment));
    }
    let of = |text: Option<&str>, usual: [u8; 4]| match text.map(parse) {
        Some(IpAddr::V4(v4)) => v4,
        _ => Ipv4Addr::from(usual),
    };
    ether().carry(ipv4(of(source, CLIENT), of(target, SERVER)).carry(segment))
}

fn targets() -> Vec<Fixture> {
    let group = || not(Counter::GroupTarget);
    let mut fixtures = Vec::new();
    for target in some_of(NO_TARGETS.into_iter().chain(NO_TARGETS_V6)) {
        let to = |segment: Segment| sent(None, Some(target), segment);
        fixtures.push(fixture(format!("TCP SYN to {target}"), to(tcp(FROM, 80).into()), group()));
        fixtures.push(fixture(format!("UDP to {target}"), to(udp(FROM, 5353).into()), group()));
        fixtures.push(fixture(format!("SCTP INIT to {target}"), to(sctp(FROM, 80).into()), group()));
        fixtures.push(fixture(format!("protocol 99 to {target}"), to(raw(99, &[0; 8])), group()));
        let echo: Segment = if target.contains(':') { icmpv6(128).into() } else { icmp(8).into() };
        fixtures.push(fixture(format!("echo request to {target}"), to(echo), group()));
    }
    let syn = || ipv4(CLIENT, SERVER).carry(tcp(FROM, 80));
    fixtures.push(fixture("TCP SYN in a broadcast frame", ether().to(BROADCAST).carry(syn()), group()));
    let directed = ipv4(CLIENT, [10, 0, 1, 255]).carry(udp(FROM, 137).payload(50));
    fixtures.push(fixture("UDP to a subnet's broadcast", ether().to(BROADCAST).carry(directed), group()));
    let multicast = ether().to([0x33, 0x33, 0, 0, 0, 1]).carry(ipv6(CLIENT_V6, SERVER_V6).carry(icmpv6(128)));
    fixtures.push(fixture("echo request in a multicast frame", multicast, group()));
    fixtures
}

fn sources() -> Vec<Fixture> {
    let nobody: fn() -> Outcome = || not(Counter::SourceUnusable);
    let mut fixtures = Vec::new();
    for source in some_of(NO_TARGETS.into_iter().chain(NO_TARGETS_V6)) {
        let from = |segment: Segment| sent(Some(source), None, segment);
        fixtures.push(fixture(format!("TCP SYN from {source}"), from(tcp(FROM, 80).into()), nobody()));
        fixtures.push(fixture(format!("UDP from {source}"), from(udp(FROM, 53).into()), nobody()));
    }
    for (own, is_v6) in [("10.0.0.5", false), ("2001:db8:0:1::5", true)] {
        let land = |segment: Segment| sent(Some(own), Some(own), segment);
        fixtures.push(fixture(format!("TCP SYN from {own} to itself"), land(tcp(80, 80).into()), nobody()));
        fixtures.push(fixture(format!("UDP from {own} to itself"), land(udp(7, 19).into()), nobody()));
        let echo: Segment = if is_v6 { icmpv6(128).into() } else { icmp(8).into() };
        fixtures.push(fixture(format!("echo request from {own} to itself"), land(echo), nobody()));
    }
    fixtures
}

/// In an answer, who tried is whom it goes to.
fn answers() -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for nobody in some_of(NO_TARGETS.into_iter().chain(NO_TARGETS_V6)) {
        let answer = || tcp(80, FROM).flags(SYN | ACK);
        let from = sent(Some(nobody), None, answer());
        let to = sent(None, Some(nobody), answer());
        fixtures.push(fixture(format!("TCP SYN ACK from {nobody}"), from, not(Counter::GroupTarget)));
        fixtures.push(fixture(format!("TCP SYN ACK to {nobody}"), to, not(Counter::SourceUnusable)));
    }
    let refusal = ether().to(BROADCAST).carry(ipv4(SERVER, CLIENT).carry(tcp(80, FROM).flags(RST)));
    fixtures.push(fixture("TCP RST in a broadcast frame", refusal, not(Counter::GroupTarget)));
    fixtures
}

/// Cheap tests come first: what a packet does is told before whom it concerns.
fn order() -> Vec<Fixture> {
    vec![
        fixture(
            "TCP ACK to loopback",
            sent(None, Some("127.0.0.1"), tcp(FROM, 80).flags(ACK).numbers(5, 7)),
            not(Counter::TcpEstablished),
        ),
        fixture(
            "IGMP to a group",
            sent(None, Some("224.0.0.22"), raw(2, &[0; 8])),
            not(Counter::CarrierProtocol),
        ),
        fixture(
            "TCP SYN from nobody to nobody",
            sent(Some("0.0.0.0"), Some("255.255.255.255"), tcp(FROM, 80)),
            not(Counter::GroupTarget),
        ),
    ]
}
