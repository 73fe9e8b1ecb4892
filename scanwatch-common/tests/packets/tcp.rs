//! TCP: all 64 flag sets, and what payload, header length and the ECN bits change.

use super::{CLIENT, CLIENT_V6, FROM, Fixture, Outcome, SERVER, SERVER_V6, fixture, not, probe, probe_v6};
use crate::build::{Tcp, ether, ipv4, ipv6, tcp};
use scanwatch_common::abi::Technique;
use scanwatch_common::classify::tcp_flags::{ACK, FIN, PSH, SYN, URG};
use scanwatch_common::counters::Counter;

/// What a flag set without payload is.
#[derive(Clone, Copy)]
enum Means {
    /// A contact by this technique.
    Contact(Technique),
    /// None, for this reason.
    Nothing(Counter),
}

const SYN_PROBE: Means = Means::Contact(Technique::Syn);
const ODD: Means = Means::Contact(Technique::Flags);
const OPEN: Means = Means::Nothing(Counter::TcpEstablished);
const ANSWER: Means = Means::Nothing(Counter::TcpAnswered);
const RESET: Means = Means::Nothing(Counter::TcpReset);

/// Every set of URG, ACK, PSH, RST, SYN, FIN, in the order of their number.
const FLAG_SETS: [(&str, Means); 64] = [
    ("none", Means::Contact(Technique::Null)),
    ("FIN", Means::Contact(Technique::Fin)),
    ("SYN", SYN_PROBE),
    ("SYN FIN", ODD),
    ("RST", RESET),
    ("RST FIN", ODD),
    ("RST SYN", ODD),
    ("RST SYN FIN", ODD),
    ("PSH", ODD),
    ("PSH FIN", ODD),
    ("PSH SYN", SYN_PROBE),
    ("PSH SYN FIN", ODD),
    ("PSH RST", RESET),
    ("PSH RST FIN", ODD),
    ("PSH RST SYN", ODD),
    ("PSH RST SYN FIN", ODD),
    ("ACK", OPEN),
    ("ACK FIN", OPEN),
    ("ACK SYN", ANSWER),
    ("ACK SYN FIN", ODD),
    ("ACK RST", RESET),
    ("ACK RST FIN", RESET),
    ("ACK RST SYN", ODD),
    ("ACK RST SYN FIN", ODD),
    ("ACK PSH", OPEN),
    ("ACK PSH FIN", OPEN),
    ("ACK PSH SYN", ANSWER),
    ("ACK PSH SYN FIN", ODD),
    ("ACK PSH RST", RESET),
    ("ACK PSH RST FIN", RESET),
    ("ACK PSH RST SYN", ODD),
    ("ACK PSH RST SYN FIN", ODD),
    ("URG", ODD),
    ("URG FIN", ODD),
    ("URG SYN", ODD),
    ("URG SYN FIN", ODD),
    ("URG RST", RESET),
    ("URG RST FIN", ODD),
    ("URG RST SYN", ODD),
    ("URG RST SYN FIN", ODD),
    ("URG PSH", ODD),
    ("URG PSH FIN", Means::Contact(Technique::Xmas)),
    ("URG PSH SYN", ODD),
    ("URG PSH SYN FIN", ODD),
    ("URG PSH RST", RESET),
    ("URG PSH RST FIN", ODD),
    ("URG PSH RST SYN", ODD),
    ("URG PSH RST SYN FIN", ODD),
    ("URG ACK", OPEN),
    ("URG ACK FIN", OPEN),
    ("URG ACK SYN", ANSWER),
    ("URG ACK SYN FIN", ODD),
    ("URG ACK RST", RESET),
    ("URG ACK RST FIN", RESET),
    ("URG ACK RST SYN", ODD),
    ("URG ACK RST SYN FIN", ODD),
    ("URG ACK PSH", OPEN),
    ("URG ACK PSH FIN", OPEN),
    ("URG ACK PSH SYN", ANSWER),
    ("URG ACK PSH SYN FIN", ODD),
    ("URG ACK PSH RST", RESET),
    ("URG ACK PSH RST FIN", RESET),
    ("URG ACK PSH RST SYN", ODD),
    ("URG ACK PSH RST SYN FIN", ODD),
];

pub fn fixtures() -> Vec<Fixture> {
    [flag_sets(), payloads(), headers()].concat()
}

fn frame(segment: Tcp) -> Vec<u8> {
    ether().carry(ipv4(CLIENT, SERVER).carry(segment))
}

fn outcome(means: Means, probe: impl Fn(Technique, u16) -> Outcome) -> Outcome {
    match means {
        Means::Contact(technique) => probe(technique, 443),
        Means::Nothing(reason) => not(reason),
    }
}

fn flag_sets() -> Vec<Fixture> {
    let each = |(number, (name, means)): (usize, &(&str, Means))| {
        let segment = |ecn: u8| tcp(FROM, 443).flags(number as u8 | ecn);
        let v6 = ether().carry(ipv6(CLIENT_V6, SERVER_V6).carry(segment(0)));
        [
            fixture(format!("TCP {name}"), frame(segment(0)), outcome(*means, probe)),
            // RFC 3168: the two ECN bits are no part of what a segment does.
            fixture(format!("TCP {name} ECE CWR"), frame(segment(0xc0)), outcome(*means, probe)),
            fixture(format!("TCP {name} CWR"), frame(segment(0x80)), outcome(*means, probe)),
            fixture(format!("TCP {name} over IPv6"), v6, outcome(*means, probe_v6)),
        ]
    };
    FLAG_SETS.iter().enumerate().flat_map(each).collect()
}

fn payloads() -> Vec<Fixture> {
    let with = |flags, name: &str, expect| {
        fixture(format!("TCP {name} with data"), frame(tcp(FROM, 443).flags(flags).payload(b"data")), expect)
    };
    vec![
        with(SYN, "SYN (Fast Open)", probe(Technique::Syn, 443)),
        with(0, "without flags", not(Counter::TcpEstablished)),
        with(FIN, "FIN", not(Counter::TcpEstablished)),
        with(FIN | PSH | URG, "FIN PSH URG", not(Counter::TcpEstablished)),
        with(PSH, "PSH", not(Counter::TcpEstablished)),
        with(SYN | FIN, "SYN FIN", not(Counter::TcpEstablished)),
        with(ACK | PSH, "ACK PSH", not(Counter::TcpEstablished)),
        with(SYN | ACK, "SYN ACK", not(Counter::TcpAnswered)),
    ]
}

fn headers() -> Vec<Fixture> {
    let broken = |name: &str, segment| fixture(name, frame(segment), not(Counter::Malformed));
    vec![
        fixture("TCP, ten words of options", frame(tcp(FROM, 443).options(10)), probe(Technique::Syn, 443)),
        fixture("TCP to port 0", frame(tcp(FROM, 0)), probe(Technique::Syn, 0)),
        fixture("TCP to the highest port", frame(tcp(FROM, 65_535)), probe(Technique::Syn, 65_535)),
        fixture("TCP, wrong checksum", frame(tcp(FROM, 443).checksum(0xdead)), probe(Technique::Syn, 443)),
        broken("TCP, header length 0", tcp(FROM, 443).words(0)),
        broken("TCP, header length 4 words", tcp(FROM, 443).words(4)),
        broken("TCP, header longer than the packet", tcp(FROM, 443).words(6)),
    ]
}
