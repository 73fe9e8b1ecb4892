//! IPv6 with extension headers and fragments (RFC 8200).

use super::transport::Part;
use super::{Found, OFFSET_MASK, Reader, transport};
use crate::abi::{Novelty, Words};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};

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
pub(super) const fn is_extension(next: u8) -> bool {
    matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HIP | SHIM6)
}

#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized, R: Reader>(packet: &P, found: Found<R>) -> Result<R::Read, Counter> {
    let at = found.network_at;
    let h = packet.fields::<8>(at).ok_or(Counter::Truncated)?;
    if h.u8::<0>() >> 4 != 6 {
        return Err(Counter::Malformed);
    }
    let length = usize::from(h.be16::<4>());
    let chain = walk(packet, at + HEADER, h.u8::<6>())?;
    let extensions = chain.at - at - HEADER;
    // A jumbogram's length is 0 here (RFC 2675); it then bounds nothing.
    let length = if length == 0 { usize::from(u16::MAX) } else { length };
    if length < extensions {
        return Err(Counter::Malformed);
    }
    let part = Part { at: chain.at, length: length - extensions, first_of_many: chain.first_of_many };
    transport::parse(packet, chain.next, part, found)
}

/// Source and target.
#[inline(always)]
pub(super) fn addresses<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<(Words, Words), Counter> {
    let h = packet.fields::<32>(at + 8).ok_or(Counter::Truncated)?;
    let source = Words { high: h.be64::<0>(), low: h.be64::<8>() };
    let target = Words { high: h.be64::<16>(), low: h.be64::<24>() };
    // On the wire these addresses are nobody's (RFC 6890, table 20); in records they are IPv4's.
    if source.is_mapped() || target.is_mapped() {
        return Err(Counter::Malformed);
    }
    Ok((source, target))
}

#[inline(always)]
pub(super) fn describe<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    record: &mut Novelty,
) -> Result<(), Counter> {
    let h = packet.fields::<8>(at).ok_or(Counter::Truncated)?;
    record.length = h.be16::<4>().saturating_add(HEADER as u16);
    record.ip_id = 0;
    record.ttl = h.u8::<7>();
    Ok(())
}

struct Chain {
    next: u8,
    at: usize,
    first_of_many: bool,
}

/// Follows the extension headers to the transport header.
#[inline(always)]
fn walk<P: Packet + ?Sized>(packet: &P, mut at: usize, mut next: u8) -> Result<Chain, Counter> {
    let mut more = 0;
    for _ in 0..EXTENSIONS_MAX {
        if !is_extension(next) {
            break;
        }
        let e = packet.fields::<8>(at).ok_or(Counter::Truncated)?;
        let units = usize::from(e.u8::<1>());
        let length = match next {
            FRAGMENT => {
                let fragment = e.be16::<2>();
                if fragment & 0xfff8 != 0 {
                    return Err(Counter::LaterFragment);
                }
                more |= fragment & 1;
                8
            }
            AUTHENTICATION => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        at = packet.forget::<OFFSET_MASK>(at + length);
        next = e.u8::<0>();
    }
    match next {
        NO_NEXT => Err(Counter::NoNextHeader),
        next if is_extension(next) => Err(Counter::ExtensionsTooMany),
        next => Ok(Chain { next, at, first_of_many: packet.forget::<1>(usize::from(more)) != 0 }),
    }
}
