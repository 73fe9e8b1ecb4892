//! IPv6 and its extension headers (RFC 8200).

use super::{Packet, Segment};
use std::net::Ipv6Addr;
use std::ops::Range;

/// An extension header; its first byte, the next header, is filled in where it is carried.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Its own protocol number.
    pub number: u8,
    /// The header.
    pub bytes: Vec<u8>,
}

impl Extension {
    /// Hop-by-hop options: `units` times eight bytes besides the first eight.
    pub fn hop_by_hop(units: u8) -> Self {
        Self::sized(0, units)
    }

    /// Routing.
    pub fn routing(units: u8) -> Self {
        Self::sized(43, units)
    }

    /// Destination options.
    pub fn destination(units: u8) -> Self {
        Self::sized(60, units)
    }

    /// Mobility (RFC 6275).
    pub fn mobility(units: u8) -> Self {
        Self::sized(135, units)
    }

    /// Host Identity Protocol (RFC 7401).
    pub fn hip(units: u8) -> Self {
        Self::sized(139, units)
    }

    /// Shim6 (RFC 5533).
    pub fn shim6(units: u8) -> Self {
        Self::sized(140, units)
    }

    /// Authentication (RFC 4302), whose length counts words of four bytes, minus two.
    pub fn authentication(words: u8) -> Self {
        let mut bytes = vec![0; (usize::from(words) + 2) * 4];
        bytes[1] = words;
        Self { number: 51, bytes }
    }

    /// Fragment: offset in bytes, and whether more follow.
    pub fn fragment(offset: u16, more: bool) -> Self {
        let field = (offset & 0xfff8) | u16::from(more);
        let mut bytes = vec![0, 0];
        bytes.extend(field.to_be_bytes());
        bytes.extend([0xde, 0xad, 0xbe, 0xef]);
        Self { number: 44, bytes }
    }

    /// Hop-by-hop options with the jumbo payload option (RFC 2675).
    pub fn jumbo(length: u32) -> Self {
        let mut bytes = vec![0, 0, 0xc2, 4];
        bytes.extend(length.to_be_bytes());
        Self { number: 0, bytes }
    }

    fn sized(number: u8, units: u8) -> Self {
        let mut bytes = vec![0; (usize::from(units) + 1) * 8];
        bytes[1] = units;
        Self { number, bytes }
    }
}

/// An IPv6 header.
#[derive(Clone, Debug)]
pub struct Ipv6 {
    source: Ipv6Addr,
    target: Ipv6Addr,
    hop_limit: u8,
    extensions: Vec<Extension>,
    piece: Option<Range<usize>>,
    version: u8,
    length: Option<u16>,
    last_next: Option<u8>,
}

/// A header without extensions, hop limit 64.
pub fn ipv6(source: impl Into<Ipv6Addr>, target: impl Into<Ipv6Addr>) -> Ipv6 {
    Ipv6 {
        source: source.into(),
        target: target.into(),
        hop_limit: 64,
        extensions: Vec::new(),
        piece: None,
        version: 6,
        length: None,
        last_next: None,
    }
}

impl Ipv6 {
    /// Another hop limit.
    pub fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    /// One more extension header, behind those before it.
    pub fn extension(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Carries only this part of the payload; goes with [`Extension::fragment`].
    pub fn piece(mut self, piece: Range<usize>) -> Self {
        self.piece = Some(piece);
        self
    }

    /// Says this version.
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// Says this payload length.
    pub fn length(mut self, length: u16) -> Self {
        self.length = Some(length);
        self
    }

    /// Says that this follows the last extension header, whatever is carried; 59 is nothing.
    pub fn next(mut self, number: u8) -> Self {
        self.last_next = Some(number);
        self
    }

    /// The packet.
    pub fn carry(&self, segment: impl Into<Segment>) -> Packet {
        let segment = segment.into();
        let whole = segment.checked(self.source.into(), self.target.into());
        let payload = self.piece.clone().map_or(&whole[..], |piece| &whole[piece]);
        let mut next = self.last_next.unwrap_or(segment.protocol);
        let mut chain: Vec<u8> = Vec::new();
        for extension in self.extensions.iter().rev() {
            let mut bytes = extension.bytes.clone();
            bytes[0] = next;
            next = extension.number;
            bytes.append(&mut chain);
            chain = bytes;
        }
        let length = self.length.unwrap_or((chain.len() + payload.len()) as u16);
        let mut bytes = vec![self.version << 4, 0, 0, 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend([next, self.hop_limit]);
        bytes.extend(self.source.octets());
        bytes.extend(self.target.octets());
        bytes.append(&mut chain);
        bytes.extend(payload);
        Packet { ether_type: 0x86dd, bytes }
    }
}
