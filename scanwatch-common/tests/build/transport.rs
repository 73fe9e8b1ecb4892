//! TCP, UDP, SCTP, ICMP, ICMPv6 and anything else an IP header can carry.

use super::{Packet, checksum};
use std::net::{IpAddr, Ipv6Addr};

/// What an IP header carries.
#[derive(Clone, Debug)]
pub struct Segment {
    /// IP protocol number.
    pub protocol: u8,
    bytes: Vec<u8>,
    checksum: Checksum,
}

#[derive(Clone, Copy, Debug)]
enum Checksum {
    AsIs,
    /// With the pseudo-header, at this offset.
    Pseudo(usize),
    /// Without, at this offset.
    Plain(usize),
}

impl Segment {
    /// The bytes, checksum filled in.
    pub fn checked(&self, source: IpAddr, target: IpAddr) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let (at, sum) = match self.checksum {
            Checksum::AsIs => return bytes,
            Checksum::Pseudo(at) => (at, checksum::transport(source, target, self.protocol, &bytes)),
            Checksum::Plain(at) => (at, checksum::internet(&bytes)),
        };
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        bytes
    }
}

/// These bytes under this protocol number.
pub fn raw(protocol: u8, bytes: &[u8]) -> Segment {
    Segment { protocol, bytes: bytes.to_vec(), checksum: Checksum::AsIs }
}

/// A TCP header (RFC 9293).
#[derive(Clone, Debug)]
pub struct Tcp {
    ports: [u16; 2],
    sequence: u32,
    acknowledgement: u32,
    flags: u8,
    window: u16,
    options: Vec<u8>,
    words: Option<u8>,
    checksum: Option<u16>,
    payload: Vec<u8>,
}

/// A SYN from one port to another.
pub fn tcp(source_port: u16, target_port: u16) -> Tcp {
    Tcp {
        ports: [source_port, target_port],
        sequence: 0x0102_0304,
        acknowledgement: 0,
        flags: 2,
        window: 64_240,
        options: Vec::new(),
        words: None,
        checksum: None,
        payload: Vec::new(),
    }
}

impl Tcp {
    /// Other flags, as in `scanwatch_common::classify::tcp_flags`.
    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    /// Other sequence and acknowledgement numbers.
    pub fn numbers(mut self, sequence: u32, acknowledgement: u32) -> Self {
        self.sequence = sequence;
        self.acknowledgement = acknowledgement;
        self
    }

    /// Another window.
    pub fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    /// Words of options, all of them no-operations (kind 1).
    pub fn options(mut self, words: usize) -> Self {
        self.options = vec![1; words * 4];
        self
    }

    /// Says this header length, in words of four bytes.
    pub fn words(mut self, words: u8) -> Self {
        self.words = Some(words);
        self
    }

    /// Says this checksum.
    pub fn checksum(mut self, checksum: u16) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// With data.
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }
}

impl From<Tcp> for Segment {
    fn from(tcp: Tcp) -> Self {
        let words = tcp.words.unwrap_or((5 + tcp.options.len() / 4) as u8);
        let mut bytes = ports(tcp.ports);
        bytes.extend(tcp.sequence.to_be_bytes());
        bytes.extend(tcp.acknowledgement.to_be_bytes());
        bytes.extend([words << 4, tcp.flags]);
        bytes.extend(tcp.window.to_be_bytes());
        bytes.extend(tcp.checksum.unwrap_or(0).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(tcp.options);
        bytes.extend(tcp.payload);
        let checksum = if tcp.checksum.is_some() { Checksum::AsIs } else { Checksum::Pseudo(16) };
        Segment { protocol: 6, bytes, checksum }
    }
}

/// A UDP header (RFC 768).
#[derive(Clone, Debug)]
pub struct Udp {
    ports: [u16; 2],
    length: Option<u16>,
    checksum: Option<u16>,
    payload: Vec<u8>,
    protocol: u8,
}

/// An empty datagram from one port to another.
pub fn udp(source_port: u16, target_port: u16) -> Udp {
    Udp { ports: [source_port, target_port], length: None, checksum: None, payload: Vec::new(), protocol: 17 }
}

impl Udp {
    /// With so many bytes of data.
    pub fn payload(mut self, length: usize) -> Self {
        self.payload = vec![0x61; length];
        self
    }

    /// Says this length; for UDP-Lite the checksum's coverage.
    pub fn length(mut self, length: u16) -> Self {
        self.length = Some(length);
        self
    }

    /// Says this checksum; 0 means none.
    pub fn checksum(mut self, checksum: u16) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// As UDP-Lite (RFC 3828).
    pub fn lite(mut self) -> Self {
        self.protocol = 136;
        self
    }
}

impl From<Udp> for Segment {
    fn from(udp: Udp) -> Self {
        let mut bytes = ports(udp.ports);
        bytes.extend(udp.length.unwrap_or((8 + udp.payload.len()) as u16).to_be_bytes());
        bytes.extend(udp.checksum.unwrap_or(0).to_be_bytes());
        bytes.extend(udp.payload);
        let checksum = if udp.checksum.is_some() { Checksum::AsIs } else { Checksum::Pseudo(6) };
        Segment { protocol: udp.protocol, bytes, checksum }
    }
}

/// An SCTP common header and one chunk (RFC 9260).
#[derive(Clone, Debug)]
pub struct Sctp {
    ports: [u16; 2],
    chunk: u8,
}

/// An INIT from one port to another.
pub fn sctp(source_port: u16, target_port: u16) -> Sctp {
    Sctp { ports: [source_port, target_port], chunk: 1 }
}

impl Sctp {
    /// Another type of chunk.
    pub fn chunk(mut self, chunk: u8) -> Self {
        self.chunk = chunk;
        self
    }
}

impl From<Sctp> for Segment {
    fn from(sctp: Sctp) -> Self {
        let mut bytes = ports(sctp.ports);
        // Tag 0 and an INIT's 16 bytes; the CRC-32c stays 0, as nothing here reads it.
        bytes.extend([0; 8]);
        bytes.extend([sctp.chunk, 0, 0, 20]);
        bytes.extend([0; 16]);
        Segment { protocol: 132, bytes, checksum: Checksum::AsIs }
    }
}

/// An ICMP or ICMPv6 message.
#[derive(Clone, Debug)]
pub struct Icmp {
    protocol: u8,
    kind: u8,
    code: u8,
    body: Vec<u8>,
}

/// An ICMP message (RFC 792) of this type, code 0.
pub fn icmp(kind: u8) -> Icmp {
    Icmp { protocol: 1, kind, code: 0, body: vec![0; 4] }
}

/// An ICMPv6 message (RFC 4443) of this type, code 0.
pub fn icmpv6(kind: u8) -> Icmp {
    Icmp { protocol: 58, kind, code: 0, body: vec![0; 4] }
}

impl Icmp {
    /// Another code.
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Everything behind the checksum.
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }
}

impl Icmp {
    /// Quotes a packet, or the beginning of it, as an error does (RFC 792; RFC 4443, 3.1).
    pub fn quote(self, packet: &Packet, length_max: usize) -> Self {
        let quoted = &packet.bytes[..packet.bytes.len().min(length_max)];
        self.body(&[&[0; 4], quoted].concat())
    }

    /// Is about this address, as a neighbour solicitation or advertisement (RFC 4861, 4.3 and 4.4).
    pub fn about(self, subject: impl Into<Ipv6Addr>) -> Self {
        self.body(&[&[0; 4], &subject.into().octets()[..]].concat())
    }
}

impl From<Icmp> for Segment {
    fn from(icmp: Icmp) -> Self {
        let mut bytes = vec![icmp.kind, icmp.code, 0, 0];
        bytes.extend(icmp.body);
        let checksum = if icmp.protocol == 58 { Checksum::Pseudo(2) } else { Checksum::Plain(2) };
        Segment { protocol: icmp.protocol, bytes, checksum }
    }
}

fn ports([source, target]: [u16; 2]) -> Vec<u8> {
    [source.to_be_bytes(), target.to_be_bytes()].concat()
}
