//! ARP for IPv4 over Ethernet (RFC 826).

use crate::abi::{Address, mapped};
use crate::counters::Counter;
use crate::packet::{Packet, be16};

const PACKET: usize = 28;

/// An ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Sender's protocol address, mapped.
    pub sender: Address,
    /// Target's protocol address, mapped.
    pub target: Address,
}

#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized>(packet: &P, offset: usize) -> Result<Arp, Counter> {
    let p = packet.bytes::<PACKET>(offset).ok_or(Counter::Truncated)?;
    // Ethernet, IPv4, six and four bytes.
    if be16(&p, 0) != 1 || be16(&p, 2) != super::ethernet::IPV4 || p[4] != 6 || p[5] != 4 {
        return Err(Counter::Malformed);
    }
    Ok(Arp {
        operation: be16(&p, 6),
        sender: mapped([p[14], p[15], p[16], p[17]]),
        target: mapped([p[24], p[25], p[26], p[27]]),
    })
}
