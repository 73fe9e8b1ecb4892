//! IPv4 with options and fragments (RFC 791).

use super::{Datagram, transport};
use crate::abi::mapped;
use crate::counters::Counter;
use crate::packet::{Packet, be16};

const HEADER: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized>(packet: &P, offset: usize) -> Result<Datagram, Counter> {
    let h = packet.bytes::<HEADER>(offset).ok_or(Counter::Truncated)?;
    let header_length = usize::from(h[0] & 0x0f) * 4;
    let length = be16(&h, 2);
    if h[0] >> 4 != 4 || header_length < HEADER || usize::from(length) < header_length {
        return Err(Counter::Malformed);
    }
    let fragment = be16(&h, 6);
    if fragment & FRAGMENT_OFFSET != 0 {
        return Err(Counter::LaterFragment);
    }
    let payload = usize::from(length) - header_length;
    let first_of_many = fragment & MORE_FRAGMENTS != 0;
    let transport = transport::parse(packet, offset + header_length, h[9], payload, first_of_many, false)?;
    Ok(Datagram {
        source: mapped([h[12], h[13], h[14], h[15]]),
        target: mapped([h[16], h[17], h[18], h[19]]),
        length,
        ip_id: be16(&h, 4),
        ttl: h[8],
        transport,
    })
}
