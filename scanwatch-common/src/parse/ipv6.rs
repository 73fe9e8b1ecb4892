//! IPv6 with extension headers and fragments (RFC 8200).

use super::{Datagram, transport};
use crate::counters::Counter;
use crate::packet::{Packet, be16};

/// Extension headers that are followed; more are counted as [`Counter::ExtensionsTooMany`].
pub const EXTENSIONS_MAX: usize = 6;

const HEADER: usize = 40;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

#[inline(always)]
const fn is_extension(next: u8) -> bool {
    matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HIP | SHIM6)
}

#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized>(packet: &P, offset: usize) -> Result<Datagram, Counter> {
    let h = packet.bytes::<HEADER>(offset).ok_or(Counter::Truncated)?;
    if h[0] >> 4 != 6 {
        return Err(Counter::Malformed);
    }
    let payload = be16(&h, 4);
    let chain = walk(packet, offset + HEADER, h[6])?;
    let extensions = chain.offset - offset - HEADER;
    // A jumbogram's length is 0 here (RFC 2675); it then bounds nothing.
    let rest = if payload == 0 { usize::from(u16::MAX) } else { usize::from(payload) };
    if rest < extensions {
        return Err(Counter::Malformed);
    }
    let transport =
        transport::parse(packet, chain.offset, chain.next, rest - extensions, chain.first_of_many, true)?;
    let mut source = [0; 16];
    let mut target = [0; 16];
    source.copy_from_slice(&h[8..24]);
    target.copy_from_slice(&h[24..40]);
    Ok(Datagram {
        source,
        target,
        length: payload.saturating_add(HEADER as u16),
        ip_id: 0,
        ttl: h[7],
        transport,
    })
}

struct Chain {
    next: u8,
    offset: usize,
    first_of_many: bool,
}

/// Follows the extension headers to the transport header.
#[inline(always)]
fn walk<P: Packet + ?Sized>(packet: &P, mut offset: usize, mut next: u8) -> Result<Chain, Counter> {
    let mut first_of_many = false;
    for _ in 0..EXTENSIONS_MAX {
        if !is_extension(next) {
            break;
        }
        let e = packet.bytes::<8>(offset).ok_or(Counter::Truncated)?;
        let units = usize::from(e[1]);
        offset += match next {
            FRAGMENT => {
                let fragment = be16(&e, 2);
                if fragment & 0xfff8 != 0 {
                    return Err(Counter::LaterFragment);
                }
                first_of_many |= fragment & 1 != 0;
                8
            }
            AUTHENTICATION => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        next = e[0];
    }
    match next {
        NO_NEXT => Err(Counter::NoNextHeader),
        next if is_extension(next) => Err(Counter::ExtensionsTooMany),
        next => Ok(Chain { next, offset, first_of_many }),
    }
}
