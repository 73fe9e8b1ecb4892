//! The packet that an ICMP error quotes (RFC 792, RFC 4443): who was refused what.

use super::ipv6::is_extension;
use super::transport::{ICMP, ICMPV6, SCTP, TCP, UDP, UDP_LITE};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};

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

/// Bytes of the quoted transport header that RFC 792 promises.
const TRANSPORT: usize = 8;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// Reads the quote at `at`, of which the message holds `length` bytes. Extension headers of a quoted IPv6 packet are not
/// followed: probes have none.
#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    length: usize,
    is_v6: bool,
) -> Result<Quote, Counter> {
    // What lies behind the message is the frame's padding.
    if length < (if is_v6 { IPV6_HEADER } else { IPV4_HEADER }) + TRANSPORT {
        return Err(Counter::IcmpError);
    }
    let (protocol, header_length) = if is_v6 {
        let h = packet.fields::<8>(at).ok_or(Counter::Truncated)?;
        if h.u8::<0>() >> 4 != 6 || is_extension(h.u8::<6>()) {
            return Err(Counter::IcmpError);
        }
        (h.u8::<6>(), IPV6_HEADER)
    } else {
        let h = packet.fields::<IPV4_HEADER>(at).ok_or(Counter::Truncated)?;
        let header_length = usize::from(h.u8::<0>() & 0x0f) * 4;
        let later_fragment = h.be16::<6>() & 0x1fff != 0;
        if h.u8::<0>() >> 4 != 4 || header_length < IPV4_HEADER || later_fragment {
            return Err(Counter::IcmpError);
        }
        (h.u8::<9>(), header_length)
    };
    if length < header_length + TRANSPORT {
        return Err(Counter::IcmpError);
    }
    let h = packet.fields::<TRANSPORT>(at + header_length).ok_or(Counter::Truncated)?;
    let (source, target) = (h.be16::<0>(), h.be16::<2>());
    let carried = match protocol {
        TCP => Quoted::Tcp(source, target),
        UDP | UDP_LITE => Quoted::Udp(source, target),
        SCTP => Quoted::Sctp(source, target),
        ICMP if !is_v6 && h.u8::<0>() == 8 => Quoted::Echo,
        ICMPV6 if is_v6 && h.u8::<0>() == 128 => Quoted::Echo,
        ICMP | ICMPV6 => return Err(Counter::IcmpError),
        other => Quoted::Other(other),
    };
    Ok(Quote { network_at: at, is_v6, carried })
}
