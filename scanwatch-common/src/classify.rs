//! What a packet is: a probe, an answer, or neither.
//!
//! Pure: UDP, whose direction is memory, is handed on as [`Class::Datagram`].

use crate::abi::{Address, Technique};
use crate::counters::Counter;
use crate::parse::{Arp, Datagram, Headers, Icmp, Network, Sctp, Tcp, Transport, Udp};

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

/// A first contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How.
    pub technique: Technique,
    /// Who.
    pub source: Address,
    /// Whom.
    pub target: Address,
    /// Source port, 0 where there is none.
    pub source_port: u16,
    /// Destination port, or the protocol number of [`Technique::Proto`], or 0.
    pub target_port: u16,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A first contact by itself.
    Probe(Probe),
    /// A UDP datagram, a first contact if its flow is new.
    Datagram(Probe, Udp),
    /// Nothing to count in a cell; the counter says why.
    Skip(Counter),
}

/// Classifies a parsed packet.
#[inline(always)]
#[must_use]
pub fn classify(headers: &Headers) -> Class {
    match &headers.network {
        Network::Arp(arp) => classify_arp(arp, headers.link.group),
        Network::Ip(datagram) => classify_ip(datagram, headers.link.group),
    }
}

#[inline(always)]
fn classify_ip(d: &Datagram, link_group: bool) -> Class {
    let (technique, source_port, target_port) = match &d.transport {
        Transport::Tcp(tcp) => match tcp_technique(tcp) {
            Ok(technique) => (technique, tcp.source_port, tcp.target_port),
            Err(reason) => return Class::Skip(reason),
        },
        Transport::Udp(udp) => (Technique::Udp, udp.source_port, udp.target_port),
        Transport::Sctp(sctp) => match sctp_technique(sctp) {
            Ok(technique) => (technique, sctp.source_port, sctp.target_port),
            Err(reason) => return Class::Skip(reason),
        },
        Transport::Icmp(icmp) => match icmp_technique(icmp) {
            Ok(technique) => (technique, 0, 0),
            Err(reason) => return Class::Skip(reason),
        },
        Transport::IcmpV6(icmp) => match icmpv6_technique(icmp) {
            Ok(technique) => (technique, 0, 0),
            Err(reason) => return Class::Skip(reason),
        },
        Transport::Other(protocol) if is_carrier(*protocol) => return Class::Skip(Counter::CarrierProtocol),
        Transport::Other(protocol) => (Technique::Proto, 0, u16::from(*protocol)),
    };
    // After the cheap tests on flags and types: established traffic never comes here.
    if link_group || is_group(&d.target) {
        return Class::Skip(Counter::GroupTarget);
    }
    if is_nobody(&d.source) || d.source == d.target {
        return Class::Skip(Counter::SourceUnusable);
    }
    let probe = Probe { technique, source: d.source, target: d.target, source_port, target_port };
    match &d.transport {
        Transport::Udp(udp) => datagram(probe, *udp),
        _ => Class::Probe(probe),
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

/// IP in IP, IGMP, EGP, IGP, DCCP, IPv6, RSVP, GRE, ESP, AH, mobility, ICMP of the other family, EIGRP, OSPF, PIM,
/// VRRP, L2TP, MPLS in IP … (IANA protocol numbers): traffic by itself.
#[inline(always)]
const fn is_carrier(protocol: u8) -> bool {
    matches!(
        protocol,
        1 | 2 | 4 | 33 | 41 | 46 | 47 | 50 | 51 | 55 | 58 | 88 | 89 | 94 | 97 | 103 | 108 | 112 | 115 | 137
    )
}

#[inline(always)]
fn datagram(probe: Probe, udp: Udp) -> Class {
    const fn dhcp(port: u16) -> bool {
        matches!(port, 67 | 68)
    }
    const fn dhcpv6(port: u16) -> bool {
        matches!(port, 546 | 547)
    }
    if dhcp(udp.source_port) && dhcp(udp.target_port) || dhcpv6(udp.source_port) && dhcpv6(udp.target_port) {
        return Class::Skip(Counter::Dhcp);
    }
    Class::Datagram(probe, udp)
}

/// True where the first datagram of a flow is too large to be a probe.
#[inline(always)]
#[must_use]
pub const fn is_large_datagram(udp: &Udp) -> bool {
    udp.payload > UDP_PROBE_PAYLOAD_MAX && udp.target_port != QUIC_PORT
}

#[inline(always)]
fn classify_arp(arp: &Arp, link_group: bool) -> Class {
    const REQUEST: u16 = 1;
    const REPLY: u16 = 2;
    match arp.operation {
        REQUEST => {}
        REPLY => return Class::Skip(Counter::ArpAnswered),
        _ => return Class::Skip(Counter::Malformed),
    }
    // Unicast requests refresh a neighbour; sender = target announces; sender 0.0.0.0 probes for a duplicate;
    // 169.254/16 is looked for by every machine without DHCP (RFC 3927).
    let link_local = arp.target[12] == 169 && arp.target[13] == 254;
    if !link_group || arp.sender == arp.target || is_nobody(&arp.sender) || is_group(&arp.target) || link_local {
        return Class::Skip(Counter::ArpOwn);
    }
    Class::Probe(Probe {
        technique: Technique::Arp,
        source: arp.sender,
        target: arp.target,
        source_port: 0,
        target_port: 0,
    })
}

#[inline(always)]
fn is_v4(address: &Address) -> bool {
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = *address;
    (a | b | c | d | e | f | g | h | i | j) == 0 && k & l == 0xff
}

/// Unspecified, broadcast, multicast, reserved or loopback: no host to be found there.
#[inline(always)]
fn is_group(address: &Address) -> bool {
    if is_v4(address) {
        let first = address[12];
        // 0/8, 127/8, 224/4 and 240/4 (RFC 6890).
        return first == 0 || first == 127 || first >= 224;
    }
    address[0] == 0xff || is_unspecified_or_loopback_v6(address)
}

/// An address nobody sends from, so nobody can be accused by it.
#[inline(always)]
fn is_nobody(address: &Address) -> bool {
    is_group(address)
}

#[inline(always)]
fn is_unspecified_or_loopback_v6(address: &Address) -> bool {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *address;
    (a | b | c | d | e | f | g | h | i | j | k | l | m | n | o) == 0 && p <= 1
}
