//! ARP for IPv4 over Ethernet (RFC 826).

use super::{Found, Payload, Reader};
use crate::abi::{Novelty, Words};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};

const PACKET: usize = 28;
const ETHERNET: u16 = 1;

#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized, R: Reader>(packet: &P, found: Found<R>) -> Result<R::Read, Counter> {
    let at = found.network_at;
    let p = packet.fields::<PACKET>(at).ok_or(Counter::Truncated)?;
    // Ethernet, IPv4, addresses of six and four bytes.
    if p.be16::<0>() != ETHERNET
        || p.be16::<2>() != super::ethernet::IPV4
        || p.u8::<4>() != 6
        || p.u8::<5>() != 4
    {
        return Err(Counter::Malformed);
    }
    found.carries(Payload::Arp(p.be16::<6>()), at)
}

/// Sender and target.
#[inline(always)]
pub(super) fn addresses<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<(Words, Words), Counter> {
    let sender = packet.fields::<4>(at + 14).ok_or(Counter::Truncated)?;
    let target = packet.fields::<4>(at + 24).ok_or(Counter::Truncated)?;
    Ok((Words::mapped(sender.be32::<0>()), Words::mapped(target.be32::<0>())))
}

#[inline(always)]
pub(super) fn describe(record: &mut Novelty) {
    record.length = PACKET as u16;
    record.ip_id = 0;
    record.ttl = 0;
}
