//! ARP for IPv4 over Ethernet (RFC 826).

use super::Payload;
use crate::abi::{Novelty, mapped};
use crate::counters::Counter;
use crate::packet::{Packet, be16};

const PACKET: usize = 28;
const ETHERNET: u16 = 1;

#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized, R>(
    packet: &P,
    at: usize,
    then: impl FnOnce(Payload, usize) -> Result<R, Counter>,
) -> Result<R, Counter> {
    let p = packet.bytes::<PACKET>(at).ok_or(Counter::Truncated)?;
    // Ethernet, IPv4, addresses of six and four bytes.
    if be16(&p, 0) != ETHERNET || be16(&p, 2) != super::ethernet::IPV4 || p[4] != 6 || p[5] != 4 {
        return Err(Counter::Malformed);
    }
    then(Payload::Arp(be16(&p, 6)), at)
}

#[inline(always)]
pub(super) fn describe<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    record: &mut Novelty,
) -> Result<(), Counter> {
    let sender = packet.bytes::<4>(at + 14).ok_or(Counter::Truncated)?;
    let target = packet.bytes::<4>(at + 24).ok_or(Counter::Truncated)?;
    record.source = mapped(sender);
    record.target = mapped(target);
    record.length = PACKET as u16;
    record.ip_id = 0;
    record.ttl = 0;
    Ok(())
}
