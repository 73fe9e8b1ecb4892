//! Whatever an ICMP error quotes, in a message that is well-formed around it.

use scanwatch_common::abi::{Novelty, mapped};
use scanwatch_common::classify::classify;
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::Passage;
use scanwatch_common::parse::{self, Payload, Quoted};
use scanwatch_common::sighting::Sighting;

use crate::build::{ether, icmp, icmpv6, ipv4, ipv6};
use crate::{frames, observation, packets};

/// Longest quote: what RFC 4443 lets an error be.
const QUOTE_MAX: usize = 1_232;
/// Ethernet, the network header, and the ICMP header.
const BEFORE_V4: usize = 14 + 20 + 8;
const BEFORE_V6: usize = 14 + 40 + 8;

/// Puts the input, but for its first byte, into an error of IPv4 and of IPv6.
///
/// # Panics
/// Where a quote is read elsewhere than it lies, tells of others than it names, or where [`observation::check`] does.
pub fn check(input: &[u8]) {
    let Some((&code, quote)) = input.split_first() else { return };
    let quote = &quote[..quote.len().min(QUOTE_MAX)];
    // RFC 792 has four unused bytes before the quote, RFC 4443 too.
    let body = [&[0; 4], quote].concat();
    let v4 = ether().carry(ipv4([198, 51, 100, 1], packets::CLIENT).carry(icmp(3).code(code).body(&body)));
    let router = [0x2001, 0xdb8, 0, 9, 0, 0, 0, 1];
    let v6 = ether().carry(ipv6(router, packets::CLIENT_V6).carry(icmpv6(1).code(code).body(&body)));
    for (frame, before) in [(&v4, BEFORE_V4), (&v6, BEFORE_V6)] {
        let parsed = parse::ethernet(&frame[..]);
        match parsed {
            Err(reason) => assert!(
                matches!(reason, Counter::IcmpError | Counter::Truncated | Counter::Malformed),
                "{reason:?}"
            ),
            Ok(headers) => tells_of_the_quoted(&headers, frame, before, quote),
        }
    }
    let steps = [(0, &v4[..]), (0, &v6[..]), (0, &v4[..]), (1, &v6[..])];
    observation::check(&frames::write(code & 7 | 1, steps));
}

fn tells_of_the_quoted(headers: &parse::Headers, frame: &[u8], before: usize, quote: &[u8]) {
    let Payload::Unreachable(found) = headers.payload else { return };
    assert_eq!(found.network_at, before, "{headers:?}");
    assert_eq!(found.is_v6, quote[0] >> 4 == 6, "{headers:?}");
    let header = if found.is_v6 { 40 } else { usize::from(quote[0] & 0x0f) * 4 };
    let port = |at: usize| u16::from_be_bytes([quote[header + at], quote[header + at + 1]]);
    if let Quoted::Tcp(source, target) | Quoted::Udp(source, target) | Quoted::Sctp(source, target) =
        found.carried
    {
        assert_eq!((source, target), (port(0), port(2)), "{headers:?}");
    }
    let Ok(contact) = classify(headers) else { return };
    let mut record = Novelty::EMPTY;
    if parse::describe(frame, &Sighting::new(headers, &contact, Passage::IN), &mut record).is_err() {
        return;
    }
    let address = |at: usize| {
        if found.is_v6 {
            quote[8 + at * 16..][..16].try_into().expect("16 bytes")
        } else {
            mapped(quote[12 + at * 4..][..4].try_into().expect("4 bytes"))
        }
    };
    assert_eq!((record.source, record.target), (address(0), address(1)), "{headers:?}");
}

/// What every fixture holds behind its Ethernet header, and what the fixtures' own errors quote.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let fixtures = packets::all().into_iter().map(|fixture| fixture.frame);
    let mut seeds = Vec::new();
    for frame in fixtures {
        for before in [14, BEFORE_V4, BEFORE_V6] {
            if let Some(quote) = frame.get(before..)
                && quote.first().is_some_and(|first| matches!(first >> 4, 4 | 6))
            {
                seeds.push([&[3], quote].concat());
            }
        }
    }
    seeds.sort();
    seeds.dedup();
    seeds
}
