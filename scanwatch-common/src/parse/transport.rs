//! TCP, UDP, SCTP, ICMP and ICMPv6, as far as a probe shows in them.

use super::Payload;
use crate::counters::Counter;
use crate::packet::{Packet, be16};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
/// UDP-Lite (RFC 3828): ports where UDP has them.
const UDP_LITE: u8 = 136;

const TCP_HEADER: usize = 20;
/// Bytes of a TCP header before its flags; a first fragment that ends there hides them.
const TCP_BEFORE_FLAGS: usize = 14;

/// A TCP header (RFC 9293, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub target_port: u16,
    /// CWR, ECE, URG, ACK, PSH, RST, SYN, FIN from the highest bit.
    pub flags: u8,
    /// Bytes behind the header.
    pub payload: u16,
    /// The first fragment ends before the flags: flags and payload are 0.
    pub cut: bool,
}

/// A UDP header (RFC 768).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub target_port: u16,
    /// Bytes behind the header.
    pub payload: u16,
}

/// An SCTP common header and the type of the first chunk (RFC 9260, 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sctp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub target_port: u16,
    /// Type of the first chunk.
    pub chunk: u8,
}

/// The head of an ICMP (RFC 792) or ICMPv6 (RFC 4443) message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
}

/// Reads the transport header at `offset`, which holds `payload` bytes by the IP header.
#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    protocol: u8,
    payload: usize,
    first_of_many: bool,
    is_v6: bool,
) -> Result<Payload, Counter> {
    match protocol {
        TCP => tcp(packet, at, payload, first_of_many).map(Payload::Tcp),
        UDP | UDP_LITE => {
            let h = within::<P, 8>(packet, at, payload)?;
            let udp = Udp {
                source_port: be16(&h, 0),
                target_port: be16(&h, 2),
                payload: (payload - 8).min(0xffff) as u16,
            };
            Ok(Payload::Udp(udp))
        }
        SCTP => {
            let h = within::<P, 13>(packet, at, payload)?;
            Ok(Payload::Sctp(Sctp { source_port: be16(&h, 0), target_port: be16(&h, 2), chunk: h[12] }))
        }
        // RFC 8200, 4: the other family's ICMP has no meaning, so it is one more protocol.
        ICMP if !is_v6 => icmp(packet, at, payload).map(Payload::Icmp),
        ICMPV6 if is_v6 => icmp(packet, at, payload).map(Payload::IcmpV6),
        other => Ok(Payload::Other(other)),
    }
}

/// A header that must lie within the IP payload, and within the frame.
#[inline(always)]
fn within<P: Packet + ?Sized, const N: usize>(
    packet: &P,
    at: usize,
    payload: usize,
) -> Result<[u8; N], Counter> {
    if payload < N {
        return Err(Counter::Malformed);
    }
    packet.bytes::<N>(at).ok_or(Counter::Truncated)
}

#[inline(always)]
fn icmp<P: Packet + ?Sized>(packet: &P, at: usize, payload: usize) -> Result<Icmp, Counter> {
    let h = within::<P, 8>(packet, at, payload)?;
    Ok(Icmp { kind: h[0], code: h[1] })
}

#[inline(always)]
fn tcp<P: Packet + ?Sized>(packet: &P, at: usize, payload: usize, first: bool) -> Result<Tcp, Counter> {
    if first && payload < TCP_BEFORE_FLAGS {
        let h = within::<P, 8>(packet, at, payload)?;
        return Ok(Tcp {
            source_port: be16(&h, 0),
            target_port: be16(&h, 2),
            flags: 0,
            payload: 0,
            cut: true,
        });
    }
    // A first fragment of 16 bytes holds the flags, but not the whole header.
    let h = if first && payload < TCP_HEADER {
        let part = within::<P, 16>(packet, at, payload)?;
        let mut whole = [0; TCP_HEADER];
        whole[..16].copy_from_slice(&part);
        whole[12] = 0x50;
        whole
    } else {
        within::<P, TCP_HEADER>(packet, at, payload)?
    };
    let header_length = usize::from(h[12] >> 4) * 4;
    if header_length < TCP_HEADER || (header_length > payload && !first) {
        return Err(Counter::Malformed);
    }
    Ok(Tcp {
        source_port: be16(&h, 0),
        target_port: be16(&h, 2),
        flags: h[13],
        payload: payload.saturating_sub(header_length).min(0xffff) as u16,
        cut: false,
    })
}
