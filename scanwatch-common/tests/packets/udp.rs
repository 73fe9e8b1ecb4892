//! UDP and SCTP.

use super::{
    CLIENT, CLIENT_V6, Contacted, FROM, Fixture, SERVER, SERVER_V6, datagram, fixture, not, probe, told,
};
use crate::build::{BROADCAST, Segment, ether, ipv4, ipv6, raw, sctp, udp};
use scanwatch_common::abi::{Outcome, Technique};
use scanwatch_common::counters::Counter;
use std::net::Ipv6Addr;

pub fn fixtures() -> Vec<Fixture> {
    [datagrams(), dhcp(), streams()].concat()
}

fn frame(segment: impl Into<Segment>) -> Vec<u8> {
    ether().carry(ipv4(CLIENT, SERVER).carry(segment))
}

fn datagrams() -> Vec<Fixture> {
    let answer = datagram(FROM, 100).map(|contacted| Contacted { source_port: 53, ..contacted });
    vec![
        fixture("UDP, empty", frame(udp(FROM, 161)), datagram(161, 0)),
        fixture("UDP, DNS query", frame(udp(FROM, 53).payload(40)), datagram(53, 40)),
        fixture("UDP, DNS answer, its direction unknown here", frame(udp(53, FROM).payload(100)), answer),
        fixture("UDP, 512 bytes", frame(udp(FROM, 5000).payload(512)), datagram(5000, 512)),
        fixture("UDP, 1,400 bytes", frame(udp(FROM, 5000).payload(1400)), datagram(5000, 1400)),
        fixture("QUIC Initial, 1,200 bytes", frame(udp(FROM, 443).payload(1200)), datagram(443, 1200)),
        fixture("UDP, no checksum", frame(udp(FROM, 161).checksum(0)), datagram(161, 0)),
        // The IP length decides: the header's own may be forged, and a jumbogram's is 0 (RFC 2675).
        fixture("UDP, length 0 in its header", frame(udp(FROM, 161).payload(4).length(0)), datagram(161, 4)),
        fixture("UDP to port 0", frame(udp(FROM, 0)), datagram(0, 0)),
        fixture("UDP-Lite", frame(udp(FROM, 5000).lite().payload(4)), datagram(5000, 4)),
        fixture("UDP header cut by the IP length", frame(raw(17, &[0; 7])), not(Counter::Malformed)),
    ]
}

fn dhcp() -> Vec<Fixture> {
    let all = [255, 255, 255, 255];
    let discover = ether().to(BROADCAST).carry(ipv4([0, 0, 0, 0], all).carry(udp(68, 67).payload(300)));
    let relay = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
    let solicit =
        ether().to([0x33, 0x33, 0, 1, 0, 2]).carry(ipv6(CLIENT_V6, relay).carry(udp(546, 547).payload(60)));
    let v6 = |segment: Segment| ether().carry(ipv6(CLIENT_V6, SERVER_V6).carry(segment));
    let own = || not(Counter::Dhcp);
    vec![
        fixture("DHCP discover to all", discover, own()),
        fixture("DHCP renewal", frame(udp(68, 67).payload(300)), own()),
        fixture("DHCP answer", frame(udp(67, 68).payload(300)), own()),
        fixture("DHCP between relay and server", frame(udp(67, 67).payload(300)), own()),
        fixture("DHCPv6 solicit to all", solicit, own()),
        fixture("DHCPv6 renewal", v6(udp(546, 547).payload(60).into()), own()),
        fixture("DHCPv6 answer", v6(udp(547, 546).payload(60).into()), own()),
        fixture("UDP to the DHCP server's port from elsewhere", frame(udp(FROM, 67)), datagram(67, 0)),
    ]
}

fn streams() -> Vec<Fixture> {
    let other = [0, 3, 4, 5, 7, 10, 11, 14, 255].map(|chunk| {
        let name = format!("SCTP, chunk type {chunk}");
        fixture(name, frame(sctp(FROM, 3868).chunk(chunk)), not(Counter::SctpOther))
    });
    let v6 = ether().carry(ipv6(CLIENT_V6, SERVER_V6).carry(sctp(FROM, 3868)));
    let back = |chunk| ether().carry(ipv4(SERVER, CLIENT).carry(sctp(3868, FROM).chunk(chunk)));
    let said = |outcome, counter| told(Technique::Sctp, outcome, counter, 3868);
    let mut fixtures = vec![
        fixture("SCTP INIT-ACK", back(2), said(Outcome::Answered, Counter::SctpAnswered)),
        fixture("SCTP ABORT", back(6), said(Outcome::Refused, Counter::SctpRefused)),
        fixture("SCTP INIT", frame(sctp(FROM, 3868)), probe(Technique::Sctp, 3868)),
        fixture("SCTP INIT over IPv6", v6, super::probe_v6(Technique::Sctp, 3868)),
        fixture("SCTP without a chunk", frame(raw(132, &[0; 12])), not(Counter::Malformed)),
    ];
    fixtures.extend(other);
    fixtures
}
