//! What a packet is: a probe, an answer, or neither.
//!
//! Pure: UDP's direction, which is memory, is the business of [`crate::observe`].

use crate::abi::{Address, Technique};
use crate::counters::Counter;
use crate::parse::{Headers, Icmp, Payload, Sctp, Tcp, Udp};

/// TCP flags (RFC 9293, 3.1).
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
}

/// Largest first datagram that may be a probe, bytes of payload. Scanners' payloads are small; media and tunnels are not.
pub const UDP_PROBE_PAYLOAD_MAX: u16 = 512;
/// QUIC's first datagrams are padded to 1,200 bytes (RFC 9000, 14.1).
const QUIC_PORT: u16 = 443;

/// How a frame would contact its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// How.
    pub technique: Technique,
    /// Source port, 0 where there is none.
    pub source_port: u16,
    /// Destination port, or the protocol number of [`Technique::Proto`], or 0.
    pub target_port: u16,
}

/// What a frame is, by all but its addresses.
///
/// A contact is a probe if [`refuse`] has nothing against its addresses and, for UDP, if its flow is new.
///
/// # Errors
/// The counter of the reason why the frame is no contact.
#[inline(always)]
pub fn classify(headers: &Headers) -> Result<Contact, Counter> {
    let (technique, source_port, target_port) = match &headers.payload {
        Payload::Tcp(tcp) => (tcp_technique(tcp)?, tcp.source_port, tcp.target_port),
        Payload::Udp(udp) => {
            if is_dhcp(udp) {
                return Err(Counter::Dhcp);
            }
            (Technique::Udp, udp.source_port, udp.target_port)
        }
        Payload::Sctp(sctp) => (sctp_technique(sctp)?, sctp.source_port, sctp.target_port),
        Payload::Icmp(icmp) => (icmp_technique(icmp)?, 0, 0),
        Payload::IcmpV6(icmp) => (icmpv6_technique(icmp)?, 0, 0),
        Payload::Other(protocol) => (protocol_technique(*protocol)?, 0, u16::from(*protocol)),
        Payload::Arp(operation) => (arp_technique(*operation, headers.link.group)?, 0, 0),
    };
    if headers.link.group && technique as u8 != Technique::Arp as u8 {
        return Err(Counter::GroupTarget);
    }
    Ok(Contact { technique, source_port, target_port })
}

/// Why a contact between these addresses is no probe, if it is none.
#[inline(always)]
#[must_use]
pub fn refuse(technique: Technique, source: &Address, target: &Address) -> Option<Counter> {
    if technique as u8 == Technique::Arp as u8 {
        // Sender = target announces; sender 0.0.0.0 probes for a duplicate (RFC 5227); 169.254/16 is looked for by
        // every machine without DHCP (RFC 3927).
        let link_local = target[12] == 169 && target[13] == 254;
        let own = same(source, target) || is_nobody(source) || is_nobody(target) || link_local;
        return if own { Some(Counter::ArpOwn) } else { None };
    }
    if is_nobody(target) {
        Some(Counter::GroupTarget)
    } else if is_nobody(source) || same(source, target) {
        Some(Counter::SourceUnusable)
    } else {
        None
    }
}

/// TCP by flags. RFC 9293 allows no segment without ACK but SYN and RST, and none with two of SYN, FIN, RST.
#[inline(always)]
fn tcp_technique(tcp: &Tcp) -> Result<Technique, Counter> {
    use tcp_flags::{ACK, FIN, PSH, RST, SYN, URG};
    if tcp.cut {
        return Ok(Technique::Flags);
    }
    let flags = tcp.flags & (FIN | SYN | RST | PSH | ACK | URG);
    if flags & (ACK | SYN | RST | FIN) == ACK {
        return Err(Counter::TcpEstablished);
    }
    let technique = match flags & (SYN | ACK | RST | FIN) {
        SYN if flags & URG == 0 => return Ok(Technique::Syn),
        x if x == SYN | ACK => return Err(Counter::TcpAnswered),
        RST => return Err(Counter::TcpReset),
        x if x == RST | ACK => return Err(Counter::TcpReset),
        x if x == RST | ACK | FIN => return Err(Counter::TcpReset),
        x if x == FIN | ACK => return Err(Counter::TcpEstablished),
        _ => match flags {
            0 => Technique::Null,
            FIN => Technique::Fin,
            x if x == FIN | PSH | URG => Technique::Xmas,
            _ => Technique::Flags,
        },
    };
    // Scanners send bare headers; a broken stack or a middlebox sends data.
    if tcp.payload == 0 { Ok(technique) } else { Err(Counter::TcpEstablished) }
}

#[inline(always)]
fn sctp_technique(sctp: &Sctp) -> Result<Technique, Counter> {
    const INIT: u8 = 1;
    if sctp.chunk == INIT { Ok(Technique::Sctp) } else { Err(Counter::SctpOther) }
}

#[inline(always)]
fn icmp_technique(icmp: &Icmp) -> Result<Technique, Counter> {
    match icmp.kind {
        // Echo, timestamp, information, address mask.
        8 | 13 | 15 | 17 => Ok(Technique::Icmp),
        0 | 14 | 16 | 18 => Err(Counter::IcmpAnswered),
        3 | 4 | 11 | 12 => Err(Counter::IcmpError),
        _ => Err(Counter::IcmpOther),
    }
}

#[inline(always)]
fn icmpv6_technique(icmp: &Icmp) -> Result<Technique, Counter> {
    match icmp.kind {
        128 => Ok(Technique::Icmp),
        129 => Err(Counter::IcmpAnswered),
        1..=4 => Err(Counter::IcmpError),
        130..=137 | 143 => Err(Counter::IcmpNeighbour),
        _ => Err(Counter::IcmpOther),
    }
}

#[inline(always)]
fn protocol_technique(protocol: u8) -> Result<Technique, Counter> {
    // IGMP, IP in IP, DCCP, IPv6, RSVP, GRE, ESP, AH, mobility, EIGRP, OSPF, IPIP, EtherIP, PIM, IPComp, VRRP, L2TP,
    // MPLS in IP, and the other family's ICMP (IANA protocol numbers): traffic by itself.
    match protocol {
        1 | 2 | 4 | 33 | 41 | 46 | 47 | 50 | 51 | 55 | 58 | 88 | 89 | 94 | 97 | 103 | 108 | 112 | 115
        | 137 => Err(Counter::CarrierProtocol),
        _ => Ok(Technique::Proto),
    }
}

/// DHCP and DHCPv6 between their own ports (RFC 2131, RFC 8415).
#[inline(always)]
const fn is_dhcp(udp: &Udp) -> bool {
    let v4 = matches!(udp.source_port, 67 | 68) && matches!(udp.target_port, 67 | 68);
    let v6 = matches!(udp.source_port, 546 | 547) && matches!(udp.target_port, 546 | 547);
    v4 || v6
}

/// True where the first datagram of a flow is too large to be a probe.
#[inline(always)]
#[must_use]
pub const fn is_large_datagram(udp: &Udp) -> bool {
    udp.payload > UDP_PROBE_PAYLOAD_MAX && udp.target_port != QUIC_PORT
}

#[inline(always)]
fn arp_technique(operation: u16, group: bool) -> Result<Technique, Counter> {
    const REQUEST: u16 = 1;
    const REPLY: u16 = 2;
    match operation {
        // A unicast request refreshes a neighbour.
        REQUEST if group => Ok(Technique::Arp),
        REQUEST => Err(Counter::ArpOwn),
        REPLY => Err(Counter::ArpAnswered),
        _ => Err(Counter::Malformed),
    }
}

/// The address as two words, high and low, which compare and mask faster than bytes.
#[inline(always)]
#[must_use]
pub(crate) fn words(address: &Address) -> (u64, u64) {
    let value = u128::from_be_bytes(*address);
    ((value >> 64) as u64, value as u64)
}

#[inline(always)]
fn same(a: &Address, b: &Address) -> bool {
    let ((a, b), (c, d)) = (words(a), words(b));
    (a ^ c) | (b ^ d) == 0
}

/// Unspecified, loopback, multicast, broadcast or reserved: no host sends from there, and none is found there.
#[inline(always)]
fn is_nobody(address: &Address) -> bool {
    let (high, low) = words(address);
    if high == 0 && low >> 32 == 0xffff {
        // 0/8, 127/8, 224/4 and 240/4 (RFC 6890).
        let first = (low >> 24) as u8;
        return first == 0 || first == 127 || first >= 224;
    }
    // ff00::/8, :: and ::1 (RFC 4291).
    high >> 56 == 0xff || (high == 0 && low <= 1)
}
