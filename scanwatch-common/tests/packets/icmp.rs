//! ICMP and ICMPv6: every type.

use super::{
    CLIENT, CLIENT_V6, Contacted, Fixture, Outcome, SERVER, SERVER_V6, between, fixture, not, probe,
    probe_v6, some_of,
};
use crate::build::{ether, icmp, icmpv6, ipv4, ipv6, raw};
use scanwatch_common::abi::{self, Technique};
use scanwatch_common::counters::Counter;

pub fn fixtures() -> Vec<Fixture> {
    let v4 = some_of(0..=255).map(|kind| {
        let frame = ether().carry(ipv4(CLIENT, SERVER).carry(icmp(kind)));
        fixture(format!("ICMP type {kind}"), frame, expected(kind))
    });
    let v6 = some_of(0..=255).map(|kind| {
        let frame = ether().carry(ipv6(CLIENT_V6, SERVER_V6).carry(icmpv6(kind)));
        fixture(format!("ICMPv6 type {kind}"), frame, expected_v6(kind))
    });
    let port_unreachable = icmp(3).code(3).body(&[0; 32]);
    let cut = not(Counter::Malformed);
    v4.chain(v6)
        .chain([
            fixture(
                "ICMP echo with code 9 (nmap)",
                ether().carry(ipv4(CLIENT, SERVER).carry(icmp(8).code(9))),
                probe(Technique::Icmp, 0),
            ),
            fixture(
                "ICMP port unreachable",
                ether().carry(ipv4(CLIENT, SERVER).carry(port_unreachable)),
                not(Counter::IcmpError),
            ),
            fixture("ICMP of 7 bytes", ether().carry(ipv4(CLIENT, SERVER).carry(raw(1, &[8; 7]))), cut),
            fixture(
                "ICMPv6 of 7 bytes",
                ether().carry(ipv6(CLIENT_V6, SERVER_V6).carry(raw(58, &[128; 7]))),
                cut,
            ),
        ])
        .collect()
}

/// Who was answered by whom.
fn answered(source: &str, target: &str) -> Contacted {
    let asked = between(source, target, Technique::Icmp, 0);
    Contacted { outcome: abi::Outcome::Answered, counter: Counter::IcmpAnswered, ..asked }
}

/// IANA's ICMP types.
fn expected(kind: u8) -> Outcome {
    match kind {
        // Echo, timestamp, information, address mask.
        8 | 13 | 15 | 17 => probe(Technique::Icmp, 0),
        // Their replies.
        0 | 14 | 16 | 18 => Ok(answered("10.0.1.7", "10.0.0.5")),
        // Unreachable without a quote, source quench, time exceeded, parameter problem.
        3 | 4 | 11 | 12 => not(Counter::IcmpError),
        _ => not(Counter::IcmpOther),
    }
}

/// IANA's ICMPv6 types.
fn expected_v6(kind: u8) -> Outcome {
    match kind {
        128 => probe_v6(Technique::Icmp, 0),
        129 => Ok(answered("2001:db8:0:2::7", "2001:db8:0:1::5")),
        // Neighbour messages without a subject.
        135 | 136 => not(Counter::Malformed),
        // Unreachable without a quote, too big, time exceeded, parameter problem.
        1..=4 => not(Counter::IcmpError),
        // Listener query, report and done; router and neighbour discovery, redirect; MLDv2 report.
        130..=137 | 143 => not(Counter::IcmpNeighbour),
        _ => not(Counter::IcmpOther),
    }
}
