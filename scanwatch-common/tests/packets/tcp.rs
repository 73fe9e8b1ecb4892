//! TCP: all 64 flag sets, and what payload, header length and the ECN bits change.

use super::{
    CLIENT, CLIENT_V6, Contacted, FROM, Fixture, Outcome, SERVER, SERVER_V6, fixture, not, probe, probe_v6,
    some_of, told,
};
use crate::build::{Tcp, ether, ipv4, ipv6, tcp};
use scanwatch_common::abi::Outcome::{Answered, Continued, Refused};
use scanwatch_common::abi::Technique;
use scanwatch_common::classify::tcp_flags::{ACK, FIN, PSH, RST, SYN, URG};
use scanwatch_common::counters::Counter;

/// What a flag set without payload is.
#[derive(Clone, Copy)]
enum Means {
    /// A contact by this technique.
    Contact(Technique),
    /// The answer to a contact the other way round.
    Answer,
    /// The end of a conversation that was one.
    End,
    /// None, for this reason.
    Nothing(Counter),
}

const SYN_PROBE: Means = Means::Contact(Technique::Syn);
const ODD: Means = Means::Contact(Technique::Flags);
const OPEN: Means = Means::Nothing(Counter::TcpEstablished);
const ANSWER: Means = Means::Answer;
const END: Means = Means::End;
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
    ("ACK", Means::Contact(Technique::Ack)),
    ("ACK FIN", END),
    ("ACK SYN", ANSWER),
    ("ACK SYN FIN", ODD),
    ("ACK RST", END),
    ("ACK RST FIN", RESET),
    ("ACK RST SYN", ODD),
    ("ACK RST SYN FIN", ODD),
    ("ACK PSH", OPEN),
    ("ACK PSH FIN", END),
    ("ACK PSH SYN", ANSWER),
    ("ACK PSH SYN FIN", ODD),
    ("ACK PSH RST", END),
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
    ("URG ACK FIN", END),
    ("URG ACK SYN", ANSWER),
    ("URG ACK SYN FIN", ODD),
    ("URG ACK RST", END),
    ("URG ACK RST FIN", RESET),
    ("URG ACK RST SYN", ODD),
    ("URG ACK RST SYN FIN", ODD),
    ("URG ACK PSH", OPEN),
    ("URG ACK PSH FIN", END),
    ("URG ACK PSH SYN", ANSWER),
    ("URG ACK PSH SYN FIN", ODD),
    ("URG ACK PSH RST", END),
    ("URG ACK PSH RST FIN", RESET),
    ("URG ACK PSH RST SYN", ODD),
    ("URG ACK PSH RST SYN FIN", ODD),
];

pub fn fixtures() -> Vec<Fixture> {
    [flag_sets(), payloads(), headers(), resets(), acknowledgements()].concat()
}

fn frame(segment: Tcp) -> Vec<u8> {
    ether().carry(ipv4(CLIENT, SERVER).carry(segment))
}

/// The same contact seen from its other end, by a packet of the target's.
fn reversed(outcome: Outcome) -> Outcome {
    let turn = |c: Contacted| Contacted {
        source: c.target,
        target: c.source,
        source_port: c.target_port,
        target_port: c.source_port,
        ..c
    };
    outcome.map(turn)
}

fn outcome(means: Means, probe: impl Fn(Technique, u16) -> Outcome) -> Outcome {
    let syn = |outcome, counter| {
        probe(Technique::Syn, 443).map(|contacted| Contacted { outcome, counter, ..contacted })
    };
    match means {
        Means::Contact(technique) => probe(technique, 443),
        Means::Answer => reversed(syn(Answered, Counter::TcpAnswered)),
        Means::End => syn(Continued, Counter::TcpContinued),
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
    some_of(FLAG_SETS.iter().enumerate()).flat_map(each).collect()
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
        with(SYN | ACK, "SYN ACK", outcome(ANSWER, probe)),
        with(FIN | ACK, "FIN ACK", outcome(END, probe)),
        with(ACK, "ACK alone", not(Counter::TcpEstablished)),
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

/// Which reset refuses, and what (RFC 9293, 3.10.7.1).
fn resets() -> Vec<Fixture> {
    // From a server's port to a client's.
    let back = |segment: Tcp| ether().carry(ipv4(SERVER, CLIENT).carry(segment));
    let refused = |technique, counter| told(technique, Refused, counter, 443);
    let syn_refused = || refused(Technique::Syn, Counter::TcpRefused);
    let stranger = || refused(Technique::Ack, Counter::TcpStranger);
    let to_low = |port: u16| {
        let of = |c: Contacted| Contacted { source_port: port, ..c };
        stranger().map(of)
    };
    let between =
        |target_port, source_port| stranger().map(|c: Contacted| Contacted { source_port, target_port, ..c });
    let back_v6 = ether().carry(ipv6(SERVER_V6, CLIENT_V6).carry(tcp(443, FROM).flags(RST)));
    let stranger_v6 = super::told_v6(Technique::Ack, Refused, Counter::TcpStranger, 443);
    vec![
        fixture(
            "TCP RST ACK, sequence 0",
            back(tcp(443, FROM).flags(RST | ACK).numbers(0, 9)),
            syn_refused(),
        ),
        fixture(
            "TCP RST ACK, sequence 0, ECE CWR",
            back(tcp(443, FROM).flags(RST | ACK | 0xc0).numbers(0, 9)),
            syn_refused(),
        ),
        fixture(
            "TCP RST ACK, sequence 1",
            frame(tcp(FROM, 443).flags(RST | ACK).numbers(1, 9)),
            told(Technique::Syn, Continued, Counter::TcpContinued, 443),
        ),
        fixture(
            "TCP RST ACK FIN, sequence 0",
            back(tcp(443, FROM).flags(RST | ACK | FIN).numbers(0, 9)),
            not(Counter::TcpReset),
        ),
        fixture("TCP RST to a client", back(tcp(443, FROM).flags(RST).numbers(9, 0)), stranger()),
        fixture("TCP RST, sequence 0", back(tcp(443, FROM).flags(RST).numbers(0, 0)), stranger()),
        fixture("TCP RST with data", back(tcp(443, FROM).flags(RST).payload(b"no")), stranger()),
        fixture("TCP RST to a client over IPv6", back_v6, stranger_v6),
        fixture("TCP RST to port 1024", back(tcp(443, 1024).flags(RST)), to_low(1024)),
        fixture("TCP RST from port 511 to 53", back(tcp(511, 53).flags(RST)), between(511, 53)),
        fixture("TCP RST from port 512 to 53", back(tcp(512, 53).flags(RST)), not(Counter::TcpReset)),
        fixture("TCP RST to a server's port", back(tcp(FROM, 443).flags(RST)), not(Counter::TcpReset)),
    ]
}

/// ACK alone: which numbers no conversation has.
fn acknowledgements() -> Vec<Fixture> {
    let ack = |name: &str, segment: Tcp, expect| fixture(name, frame(segment), expect);
    let of = |sequence, acknowledgement| tcp(FROM, 443).flags(ACK).numbers(sequence, acknowledgement);
    let scan = || probe(Technique::Ack, 443);
    let open = || not(Counter::TcpEstablished);
    vec![
        ack("TCP ACK, sequence 0", of(0, 7), scan()),
        ack("TCP ACK, acknowledgement 0", of(7, 0), scan()),
        ack("TCP ACK, both numbers 0", of(0, 0), scan()),
        ack("TCP ACK of a conversation", of(7, 9), open()),
        ack("TCP ACK, sequence 0, with options", of(0, 7).options(3), open()),
        ack("TCP ACK, sequence 0, with data", of(0, 7).payload(b"x"), open()),
        ack("TCP ACK PSH, sequence 0", of(0, 7).flags(ACK | PSH), open()),
        ack("TCP ACK URG, sequence 0", of(0, 7).flags(ACK | URG), open()),
    ]
}
