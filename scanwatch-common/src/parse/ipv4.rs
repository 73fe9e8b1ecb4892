//! IPv4 with options and fragments (RFC 791).

use super::transport::Part;
use super::{Payload, transport};
use crate::abi::{Novelty, mapped};
use crate::counters::Counter;
use crate::packet::{Packet, be16};

const HEADER: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized, R>(
    packet: &P,
    at: usize,
    then: impl FnOnce(Payload, usize) -> Result<R, Counter>,
) -> Result<R, Counter> {
    let h = packet.bytes::<HEADER>(at).ok_or(Counter::Truncated)?;
    let header_length = usize::from(h[0] & 0x0f) * 4;
    let length = usize::from(be16(&h, 2));
    if h[0] >> 4 != 4 || header_length < HEADER || length < header_length {
        return Err(Counter::Malformed);
    }
    let fragment = be16(&h, 6);
    if fragment & FRAGMENT_OFFSET != 0 {
        return Err(Counter::LaterFragment);
    }
    let payload_at = at + header_length;
    let first_of_many = fragment & MORE_FRAGMENTS != 0;
    let part = Part { at: payload_at, length: length - header_length, first_of_many };
    transport::parse(packet, h[9], part, false, |payload| then(payload, payload_at))
}

#[inline(always)]
pub(super) fn describe<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    record: &mut Novelty,
) -> Result<(), Counter> {
    let h = packet.bytes::<HEADER>(at).ok_or(Counter::Truncated)?;
    record.source = mapped([h[12], h[13], h[14], h[15]]);
    record.target = mapped([h[16], h[17], h[18], h[19]]);
    record.length = be16(&h, 2);
    record.ip_id = be16(&h, 4);
    record.ttl = h[8];
    Ok(())
}
