//! TCP, UDP, SCTP, ICMP and ICMPv6, as far as a probe shows in them.

use super::{Payload, quote};
use crate::counters::Counter;
use crate::packet::{Packet, be16, be32};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;
pub(super) const SCTP: u8 = 132;
/// UDP-Lite (RFC 3828): ports where UDP has them.
pub(super) const UDP_LITE: u8 = 136;

const ICMP_HEADER: usize = 8;
/// ICMPv6 types of the neighbour messages that have a subject, and the least length of these (RFC 4861, 7.1).
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const NEIGHBOUR_MESSAGE: usize = 24;
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
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// CWR, ECE, URG, ACK, PSH, RST, SYN, FIN from the highest bit.
    pub flags: u8,
    /// Bytes behind the header.
    pub payload: u16,
    /// The header has options.
    pub options: bool,
    /// The first fragment ends before the flags: all but the ports is 0.
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

/// Where the IP payload lies.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Its beginning.
    pub(super) at: usize,
    /// Its length by the IP header.
    pub(super) length: usize,
    /// It is the first fragment of several.
    pub(super) first_of_many: bool,
}

/// Reads the transport header and hands it to `then`.
#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized, R>(
    packet: &P,
    protocol: u8,
    part: Part,
    is_v6: bool,
    then: impl FnOnce(Payload) -> Result<R, Counter>,
) -> Result<R, Counter> {
    match protocol {
        TCP => then(Payload::Tcp(tcp(packet, part)?)),
        UDP | UDP_LITE => {
            let h = within::<P, 8>(packet, part)?;
            let payload = (part.length - 8).min(0xffff) as u16;
            then(Payload::Udp(Udp { source_port: be16(&h, 0), target_port: be16(&h, 2), payload }))
        }
        SCTP => {
            let h = within::<P, 13>(packet, part)?;
            then(Payload::Sctp(Sctp { source_port: be16(&h, 0), target_port: be16(&h, 2), chunk: h[12] }))
        }
        // RFC 8200, 4: the other family's ICMP has no meaning, so it is one more protocol.
        ICMP | ICMPV6 if (protocol == ICMPV6) == is_v6 => {
            let h = within::<P, ICMP_HEADER>(packet, part)?;
            if is_unreachable(h[0], h[1], is_v6) {
                return then(Payload::Unreachable(quote::parse(
                    packet,
                    part.at + ICMP_HEADER,
                    part.length - ICMP_HEADER,
                    is_v6,
                )?));
            }
            if is_v6 && matches!(h[0], SOLICITATION | ADVERTISEMENT) && part.length < NEIGHBOUR_MESSAGE {
                return Err(Counter::Malformed);
            }
            let icmp = Icmp { kind: h[0], code: h[1] };
            then(if is_v6 { Payload::IcmpV6(icmp) } else { Payload::Icmp(icmp) })
        }
        other => then(Payload::Other(other)),
    }
}

/// Destination unreachable (RFC 792; RFC 4443, 3.1). IPv4's code 4 asks for smaller packets (RFC 1191): the host is there.
#[inline(always)]
const fn is_unreachable(kind: u8, code: u8, is_v6: bool) -> bool {
    if is_v6 { kind == 1 } else { kind == 3 && code != 4 }
}

/// A header that must lie within the IP payload, and within the frame.
#[inline(always)]
fn within<P: Packet + ?Sized, const N: usize>(packet: &P, part: Part) -> Result<[u8; N], Counter> {
    if part.length < N {
        return Err(Counter::Malformed);
    }
    packet.bytes::<N>(part.at).ok_or(Counter::Truncated)
}

#[inline(always)]
fn tcp<P: Packet + ?Sized>(packet: &P, part: Part) -> Result<Tcp, Counter> {
    let Part { length: payload, first_of_many: first, .. } = part;
    if first && payload < TCP_BEFORE_FLAGS {
        let h = within::<P, 8>(packet, part)?;
        return Ok(Tcp {
            source_port: be16(&h, 0),
            target_port: be16(&h, 2),
            sequence: 0,
            acknowledgement: 0,
            flags: 0,
            payload: 0,
            options: false,
            cut: true,
        });
    }
    // A first fragment of 16 bytes holds the flags, but not the whole header.
    let h = if first && payload < TCP_HEADER {
        let part = within::<P, 16>(packet, part)?;
        let mut whole = [0; TCP_HEADER];
        whole[..16].copy_from_slice(&part);
        whole[12] = 0x50;
        whole
    } else {
        within::<P, TCP_HEADER>(packet, part)?
    };
    let header_length = usize::from(h[12] >> 4) * 4;
    if header_length < TCP_HEADER || (header_length > payload && !first) {
        return Err(Counter::Malformed);
    }
    Ok(Tcp {
        source_port: be16(&h, 0),
        target_port: be16(&h, 2),
        sequence: be32(&h, 4),
        acknowledgement: be32(&h, 8),
        flags: h[13],
        payload: payload.saturating_sub(header_length).min(0xffff) as u16,
        options: header_length > TCP_HEADER,
        cut: false,
    })
}
