//! IPv4 (RFC 791).

use super::{Packet, Segment, checksum};
use std::net::Ipv4Addr;
use std::ops::Range;

/// An IPv4 header.
#[derive(Clone, Debug)]
pub struct Ipv4 {
    source: Ipv4Addr,
    target: Ipv4Addr,
    ttl: u8,
    id: u16,
    fragment: u16,
    piece: Option<Range<usize>>,
    options: Vec<u8>,
    version: u8,
    words: Option<u8>,
    length: Option<u16>,
    protocol: Option<u8>,
    checksum: Option<u16>,
}

/// A header without options, TTL 64, identification 0x1234.
pub fn ipv4(source: impl Into<Ipv4Addr>, target: impl Into<Ipv4Addr>) -> Ipv4 {
    Ipv4 {
        source: source.into(),
        target: target.into(),
        ttl: 64,
        id: 0x1234,
        fragment: 0,
        piece: None,
        options: Vec::new(),
        version: 4,
        words: None,
        length: None,
        protocol: None,
        checksum: None,
    }
}

impl Ipv4 {
    /// Another time to live.
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Another identification.
    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    /// Words of options, all of them no-operations (type 1).
    pub fn options(mut self, words: usize) -> Self {
        self.options = vec![1; words * 4];
        self
    }

    /// With the "don't fragment" bit.
    pub fn whole(mut self) -> Self {
        self.fragment |= 0x4000;
        self
    }

    /// Carries only this part of the payload, as a fragment; the offset counts in units of eight bytes.
    pub fn piece(mut self, piece: Range<usize>) -> Self {
        self.piece = Some(piece);
        self
    }

    /// Says this version.
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// Says this header length, in words of four bytes.
    pub fn words(mut self, words: u8) -> Self {
        self.words = Some(words);
        self
    }

    /// Says this total length.
    pub fn length(mut self, length: u16) -> Self {
        self.length = Some(length);
        self
    }

    /// Says this protocol, whatever is carried.
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Says this header checksum.
    pub fn checksum(mut self, checksum: u16) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// The packet.
    pub fn carry(&self, segment: impl Into<Segment>) -> Packet {
        let segment = segment.into();
        let whole = segment.checked(self.source.into(), self.target.into());
        let (fragment, payload) = match &self.piece {
            None => (self.fragment, &whole[..]),
            Some(piece) => {
                let more = if piece.end < whole.len() { 0x2000 } else { 0 };
                ((piece.start / 8) as u16 | more, &whole[piece.clone()])
            }
        };
        let words = 5 + self.options.len() / 4;
        let mut header = vec![self.version << 4 | self.words.unwrap_or(words as u8) & 15, 0];
        header.extend(self.length.unwrap_or((words * 4 + payload.len()) as u16).to_be_bytes());
        header.extend(self.id.to_be_bytes());
        header.extend(fragment.to_be_bytes());
        header.extend([self.ttl, self.protocol.unwrap_or(segment.protocol), 0, 0]);
        header.extend(self.source.octets());
        header.extend(self.target.octets());
        header.extend(&self.options);
        let sum = self.checksum.unwrap_or_else(|| checksum::internet(&header));
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        header.extend(payload);
        Packet { ether_type: 0x0800, bytes: header }
    }
}
