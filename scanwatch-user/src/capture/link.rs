//! Link types, and Ethernet headers for packets that had none.
//!
//! Numbers and layouts are those of the registry at tcpdump.org/linktypes.html. A packet of another link type than
//! Ethernet is given the Ethernet header that says what its own header says, and no more:
//!
//! - destination: broadcast or the group bit alone (01:00:00:00:00:00) where the link tells; otherwise zero;
//! - source: the link's, where it tells one of six bytes; otherwise zero, which stands for an unknown machine;
//! - EtherType: of what follows, or [`RESERVED`] where that has none.
//!
//! A packet that ends within its link's header becomes an empty frame.

/// What can be read, for errors.
pub(super) const KNOWN: &str =
    "Ethernet (1), raw IP (101, 228, 229), Linux cooked (113, 276), loopback (0, 108) and PPP (9)";

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// The EtherType that stands for nothing (RFC 1701): the data plane counts such frames as not IP.
const RESERVED: u16 = 0xffff;

const BROADCAST: [u8; 6] = [0xff; 6];
const GROUP: [u8; 6] = [1, 0, 0, 0, 0, 0];
const UNKNOWN: [u8; 6] = [0; 6];

/// A link type whose packets can be read.
#[derive(Clone, Copy)]
pub(super) enum Link {
    /// Ethernet.
    Ethernet,
    /// Another one; the function reads its header, and is `None` where the packet ends within it.
    Other(fn(&[u8]) -> Option<Header>),
}

/// What a link's header says.
pub(super) struct Header {
    destination: [u8; 6],
    source: [u8; 6],
    ether_type: u16,
    /// Where the payload begins.
    payload_at: usize,
    /// Index of the interface on the machine that captured, where the header tells.
    interface: Option<u32>,
}

impl Header {
    /// A header that names no machine.
    const fn of(ether_type: u16, payload_at: usize) -> Self {
        Self { destination: UNKNOWN, source: UNKNOWN, ether_type, payload_at, interface: None }
    }
}

impl Link {
    /// The link type of this number; `None` where its packets cannot be read.
    pub fn of(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            0 | 108 => Self::Other(loopback),
            // 12 and 14 are what BSD systems call raw IP in memory; some wrote it to files.
            12 | 14 | 101 => Self::Other(ip),
            228 => Self::Other(|_| Some(Header::of(IPV4, 0))),
            229 => Self::Other(|_| Some(Header::of(IPV6, 0))),
            113 => Self::Other(cooked_v1),
            276 => Self::Other(cooked_v2),
            9 => Self::Other(ppp),
            _ => return None,
        })
    }

    /// The packet as an Ethernet frame, in `buffer` where it is none by itself; and the interface's index where the
    /// link's header tells it.
    pub fn to_ethernet<'a>(self, packet: &'a [u8], buffer: &'a mut Vec<u8>) -> (&'a [u8], Option<u32>) {
        let Self::Other(read) = self else { return (packet, None) };
        buffer.clear();
        let header = read(packet);
        if let Some(header) = &header {
            buffer.extend_from_slice(&header.destination);
            buffer.extend_from_slice(&header.source);
            buffer.extend_from_slice(&header.ether_type.to_be_bytes());
            buffer.extend_from_slice(&packet[header.payload_at..]);
        }
        (buffer, header.and_then(|header| header.interface))
    }
}

/// An address family in four bytes, in the order of the machine that captured.
fn loopback(packet: &[u8]) -> Option<Header> {
    packet.first_chunk().map(|family| Header::of(of_family(*family), 4))
}

/// IP without any header before it, of either version.
fn ip(packet: &[u8]) -> Option<Header> {
    let ether_type = match packet.first()? >> 4 {
        4 => IPV4,
        6 => IPV6,
        _ => RESERVED,
    };
    Some(Header::of(ether_type, 0))
}

/// The EtherType of an address family: 2 is IPv4 everywhere, IPv6 has a number on each system.
fn of_family(bytes: [u8; 4]) -> u16 {
    let little = u32::from_le_bytes(bytes);
    // Families are small: whichever order makes the number small is the one that was written.
    let family = if little > 0xffff { little.swap_bytes() } else { little };
    match family {
        2 => IPV4,
        // Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS.
        10 | 23 | 24 | 28 | 30 => IPV6,
        _ => RESERVED,
    }
}

/// Linux cooked capture, as of `tcpdump -i any`.
fn cooked_v1(packet: &[u8]) -> Option<Header> {
    let [_, packet_type, h0, h1, _, length, address @ .., p0, p1] = *packet.first_chunk::<16>()?;
    let ether_type = of_cooked(u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]));
    Some(Header { ether_type, payload_at: 16, ..cooked(packet_type, length, address) })
}

/// The same with an interface's index.
fn cooked_v2(packet: &[u8]) -> Option<Header> {
    let [p0, p1, _, _, i0, i1, i2, i3, h0, h1, packet_type, length, address @ ..] =
        *packet.first_chunk::<20>()?;
    let ether_type = of_cooked(u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]));
    let interface = Some(u32::from_be_bytes([i0, i1, i2, i3]));
    Some(Header { ether_type, payload_at: 20, interface, ..cooked(packet_type, length, address) })
}

/// The protocol is an EtherType, except on hardware that has numbers of its own: frame relay, radio, netlink.
fn of_cooked(hardware: u16, protocol: u16) -> u16 {
    match hardware {
        770 | 801..=803 | 824 => RESERVED,
        _ => protocol,
    }
}

/// Whom a cooked packet was sent by, and whether to a group.
fn cooked(packet_type: u8, length: u8, address: [u8; 8]) -> Header {
    let destination = match packet_type {
        1 => BROADCAST,
        2 => GROUP,
        _ => UNKNOWN,
    };
    let [mac @ .., _, _] = address;
    let source = if length == 6 { mac } else { UNKNOWN };
    Header { destination, source, ..Header::of(RESERVED, 0) }
}

/// PPP, with or without the two bytes of its HDLC-like framing (RFC 1661, RFC 1662).
fn ppp(packet: &[u8]) -> Option<Header> {
    let framing = if packet.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    let first = *packet.get(framing)?;
    // An odd first byte is a protocol number that was compressed to one byte (RFC 1661, 2 and 6.5).
    let (protocol, length) = if first & 1 == 1 {
        (u16::from(first), 1)
    } else {
        (u16::from_be_bytes([first, *packet.get(framing + 1)?]), 2)
    };
    let ether_type = match protocol {
        0x0021 => IPV4,
        0x0057 => IPV6,
        _ => RESERVED,
    };
    Some(Header::of(ether_type, framing + length))
}
