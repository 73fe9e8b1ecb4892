//! The packet that an ICMP error quotes (RFC 792, RFC 4443): who was refused what.

use super::transport::{ICMP, ICMPV6, SCTP, TCP, UDP};
use crate::counters::Counter;
use crate::packet::{Packet, be16};

/// A quoted packet, without addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Where its network header begins.
    pub network_at: usize,
    /// It is IPv6.
    pub is_v6: bool,
    /// What it carried.
    pub carried: Quoted,
}

/// The transport of a quoted packet, of which eight bytes are sure to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoted {
    /// TCP, source and destination port.
    Tcp(u16, u16),
    /// UDP, source and destination port.
    Udp(u16, u16),
    /// SCTP, source and destination port.
    Sctp(u16, u16),
    /// ICMP or ICMPv6 echo request.
    Echo,
    /// Any other IP protocol, by number.
    Other(u8),
}

/// Reads the quote at `at`. Extension headers of a quoted IPv6 packet are not followed: probes have none.
#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized>(packet: &P, at: usize, is_v6: bool) -> Result<Quote, Counter> {
    let (protocol, payload_at) = if is_v6 {
        let h = packet.bytes::<8>(at).ok_or(Counter::Truncated)?;
        if h[0] >> 4 != 6 {
            return Err(Counter::IcmpError);
        }
        (h[6], at + 40)
    } else {
        let h = packet.bytes::<20>(at).ok_or(Counter::Truncated)?;
        let header_length = usize::from(h[0] & 0x0f) * 4;
        let later_fragment = be16(&h, 6) & 0x1fff != 0;
        if h[0] >> 4 != 4 || header_length < 20 || later_fragment {
            return Err(Counter::IcmpError);
        }
        (h[9], at + header_length)
    };
    let h = packet.bytes::<8>(payload_at).ok_or(Counter::Truncated)?;
    let (source, target) = (be16(&h, 0), be16(&h, 2));
    let carried = match protocol {
        TCP => Quoted::Tcp(source, target),
        UDP => Quoted::Udp(source, target),
        SCTP => Quoted::Sctp(source, target),
        ICMP if !is_v6 && h[0] == 8 => Quoted::Echo,
        ICMPV6 if is_v6 && h[0] == 128 => Quoted::Echo,
        ICMP | ICMPV6 => return Err(Counter::IcmpError),
        other => Quoted::Other(other),
    };
    Ok(Quote { network_at: at, is_v6, carried })
}
