//! TCP, UDP, SCTP, ICMP and ICMPv6, as far as a probe shows in them.

use super::{Found, Network, Payload, Reader, quote};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};

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

/// Reads the transport header and hands it on.
#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized, R: Reader>(
    packet: &P,
    protocol: u8,
    part: Part,
    found: Found<R>,
) -> Result<R::Read, Counter> {
    let is_v6 = matches!(found.network, Network::V6);
    match protocol {
        TCP => found.carries(Payload::Tcp(tcp(packet, part)?), part.at),
        UDP | UDP_LITE => {
            let h = within::<P, 8>(packet, part)?;
            let payload = (part.length - 8).min(0xffff) as u16;
            let udp = Udp { source_port: h.be16::<0>(), target_port: h.be16::<2>(), payload };
            found.carries(Payload::Udp(udp), part.at)
        }
        SCTP => {
            let h = within::<P, 13>(packet, part)?;
            let sctp = Sctp { source_port: h.be16::<0>(), target_port: h.be16::<2>(), chunk: h.u8::<12>() };
            found.carries(Payload::Sctp(sctp), part.at)
        }
        // RFC 8200, 4: the other family's ICMP has no meaning, so it is one more protocol.
        ICMP | ICMPV6 if (protocol == ICMPV6) == is_v6 => {
            let h = within::<P, ICMP_HEADER>(packet, part)?;
            if is_unreachable(h.u8::<0>(), h.u8::<1>(), is_v6) {
                let quote = quote::parse(packet, part.at + ICMP_HEADER, part.length - ICMP_HEADER, is_v6)?;
                return found.carries(Payload::Unreachable(quote), part.at);
            }
            if is_v6 && matches!(h.u8::<0>(), SOLICITATION | ADVERTISEMENT) && part.length < NEIGHBOUR_MESSAGE
            {
                return Err(Counter::Malformed);
            }
            let icmp = Icmp { kind: h.u8::<0>(), code: h.u8::<1>() };
            found.carries(if is_v6 { Payload::IcmpV6(icmp) } else { Payload::Icmp(icmp) }, part.at)
        }
        other => found.carries(Payload::Other(other), part.at),
    }
}

/// Destination unreachable (RFC 792; RFC 4443, 3.1). IPv4's code 4 asks for smaller packets (RFC 1191): the host is there.
#[inline(always)]
const fn is_unreachable(kind: u8, code: u8, is_v6: bool) -> bool {
    if is_v6 { kind == 1 } else { kind == 3 && code != 4 }
}

/// A header that must lie within the IP payload, and within the frame.
#[inline(always)]
fn within<P: Packet + ?Sized, const N: usize>(packet: &P, part: Part) -> Result<P::Fields<'_, N>, Counter> {
    if part.length < N {
        return Err(Counter::Malformed);
    }
    packet.fields::<N>(part.at).ok_or(Counter::Truncated)
}

#[inline(always)]
fn tcp<P: Packet + ?Sized>(packet: &P, part: Part) -> Result<Tcp, Counter> {
    if part.first_of_many && part.length < TCP_HEADER {
        return tcp_of_fragment(packet, part);
    }
    let h = within::<P, TCP_HEADER>(packet, part)?;
    let header_length = usize::from(h.u8::<12>() >> 4) * 4;
    if header_length < TCP_HEADER || (header_length > part.length && !part.first_of_many) {
        return Err(Counter::Malformed);
    }
    Ok(Tcp {
        source_port: h.be16::<0>(),
        target_port: h.be16::<2>(),
        sequence: h.be32::<4>(),
        acknowledgement: h.be32::<8>(),
        flags: h.u8::<13>(),
        payload: part.length.saturating_sub(header_length).min(0xffff) as u16,
        options: header_length > TCP_HEADER,
        cut: false,
    })
}

/// Of a first fragment that is shorter than a TCP header: 16 bytes hold the flags, 8 do not.
#[inline(always)]
fn tcp_of_fragment<P: Packet + ?Sized>(packet: &P, part: Part) -> Result<Tcp, Counter> {
    let h = within::<P, 8>(packet, part)?;
    let hidden = Tcp {
        source_port: h.be16::<0>(),
        target_port: h.be16::<2>(),
        sequence: 0,
        acknowledgement: 0,
        flags: 0,
        payload: 0,
        options: false,
        cut: true,
    };
    if part.length < TCP_BEFORE_FLAGS {
        return Ok(hidden);
    }
    let h = within::<P, 16>(packet, part)?;
    Ok(Tcp {
        sequence: h.be32::<4>(),
        acknowledgement: h.be32::<8>(),
        flags: h.u8::<13>(),
        cut: false,
        ..hidden
    })
}
