//! One frame through the parser and the classifier.

use scanwatch_common::abi::Novelty;
use scanwatch_common::classify::classify;
use scanwatch_common::counters::{Class, Counter};
use scanwatch_common::observe::Passage;
use scanwatch_common::packet::Packet;
use scanwatch_common::parse::{self, Headers, OFFSET_MASK, Payload};
use scanwatch_common::sighting::Sighting;

use crate::packets::{self, stripped::Stripped};

/// Where the tags of a frame begin.
const MACS: usize = 12;

/// Parses, classifies and describes a frame.
///
/// # Panics
/// Where headers lie outside the frame, where what follows a frame changes what it is, or where a tag that the network card
/// took off does.
pub fn check(frame: &[u8]) {
    let parsed = parse::ethernet(frame);
    let told = told(frame, &parsed);
    if let Ok(headers) = &parsed {
        lies_within(headers, frame.len());
    }
    let followed = [frame, &[0xa5; 64]].concat();
    let again = parse::ethernet(&followed[..]);
    // A frame that is cut in its headers, or in the addresses that are read later, is another when it goes on.
    if parsed != Err(Counter::Truncated) {
        assert_eq!(again, parsed, "what follows a frame is none of it");
    }
    if told != Err(Counter::Truncated) {
        assert_eq!(self::told(&followed[..], &again), told, "what follows a frame is none of it");
    }
    stripped(frame);
}

/// What is told of a frame in the end: the counter it leaves by, and its record.
fn told<P: Packet + ?Sized>(
    packet: &P,
    parsed: &Result<Headers, Counter>,
) -> Result<(Counter, Novelty), Counter> {
    let headers = (*parsed)?;
    let contact = classify(&headers)?;
    assert_eq!(Counter::ALL.get(contact.counter as usize), Some(&contact.counter));
    assert!(matches!(contact.counter.class(), Class::Probe | Class::Reply | Class::Skipped));
    let seen = Sighting::new(&headers, &contact, Passage::IN);
    let mut record = Novelty::EMPTY;
    parse::describe(packet, &seen, &mut record)?;
    Ok((contact.counter, record))
}

fn lies_within(headers: &Headers, length: usize) {
    assert!(
        headers.network_at < headers.payload_at || matches!(headers.payload, Payload::Arp(_)),
        "{headers:?}"
    );
    assert!(headers.payload_at <= OFFSET_MASK, "{headers:?}");
    // Of another protocol nothing is read but its number, so the frame may end before it.
    let is_read = !matches!(headers.payload, Payload::Other(_));
    assert!(!is_read || headers.payload_at <= length, "{headers:?} in {length} bytes");
    assert!(headers.link.vlan.iter().all(|id| *id < 4_096), "{headers:?}");
    if let Payload::Unreachable(quote) = headers.payload {
        assert!(quote.network_at > headers.payload_at, "{headers:?}");
        assert!(quote.network_at + 28 <= length, "{headers:?} in {length} bytes");
    }
}

/// A tag in the frame and the same tag beside it are the same tag.
fn stripped(frame: &[u8]) {
    let [.., high, low] = *frame else { return };
    if frame.len() < MACS {
        return;
    }
    let tag = u16::from_be_bytes([high, low]);
    let beside = Stripped { frame, tag };
    let (macs, rest) = frame.split_at(MACS);
    let inside = [macs, &[0x81, 0x00], &tag.to_be_bytes(), rest].concat();
    let (of_beside, of_inside) = (parse::ethernet(&beside), parse::ethernet(&inside[..]));
    assert_eq!(of_beside.map(|h| (h.link, h.network)), of_inside.map(|h| (h.link, h.network)));
    let without_size = |(counter, record): (Counter, Novelty)| {
        (counter, record.source, record.target, record.sequence, record.ttl, record.flags)
    };
    assert_eq!(told(&beside, &of_beside).map(without_size), told(&inside[..], &of_inside).map(without_size));
}

/// Every fixture.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    packets::all().into_iter().map(|fixture| fixture.frame).collect()
}
