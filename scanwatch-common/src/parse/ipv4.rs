//! IPv4 with options and fragments (RFC 791).

use super::transport::Part;
use super::{Found, Reader, transport};
use crate::abi::{Novelty, Words};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};

const HEADER: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized, R: Reader>(packet: &P, found: Found<R>) -> Result<R::Read, Counter> {
    let at = found.network_at;
    let h = packet.fields::<HEADER>(at).ok_or(Counter::Truncated)?;
    let header_length = usize::from(h.u8::<0>() & 0x0f) * 4;
    let length = usize::from(h.be16::<2>());
    if h.u8::<0>() >> 4 != 4 || header_length < HEADER || length < header_length {
        return Err(Counter::Malformed);
    }
    let fragment = h.be16::<6>();
    if fragment & FRAGMENT_OFFSET != 0 {
        return Err(Counter::LaterFragment);
    }
    let payload_at = at + header_length;
    let first_of_many = fragment & MORE_FRAGMENTS != 0;
    let part = Part { at: payload_at, length: length - header_length, first_of_many };
    transport::parse(packet, h.u8::<9>(), part, found)
}

/// Source and target.
#[inline(always)]
pub(super) fn addresses<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<(Words, Words), Counter> {
    let h = packet.fields::<8>(at + 12).ok_or(Counter::Truncated)?;
    Ok((Words::mapped(h.be32::<0>()), Words::mapped(h.be32::<4>())))
}

#[inline(always)]
pub(super) fn describe<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    record: &mut Novelty,
) -> Result<(), Counter> {
    let h = packet.fields::<9>(at).ok_or(Counter::Truncated)?;
    record.length = h.be16::<2>();
    record.ip_id = h.be16::<4>();
    record.ttl = h.u8::<8>();
    Ok(())
}
