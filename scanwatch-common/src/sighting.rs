//! What the first look at a frame found, in plain numbers.
//!
//! The kernel's verifier follows every path through parsing and classifying, and with every constant that a path leaves
//! behind it would walk the rest of the program once more: millions of steps. A sighting is the narrow place between the
//! two looks. It goes through memory ([`crate::observe::Tables::settle`]), and comes out as numbers of which the
//! verifier knows nothing, so the rest is walked once.

use crate::abi::{CellKey, Novelty, Outcome, Technique, Words};
use crate::classify::{Contact, View};
use crate::counters::Counter;
use crate::observe::Passage;
use crate::parse::{Headers, Icmp, Network, OFFSET_MASK, Payload};

/// IPv4 header at [`Sighting::network_at`].
pub(crate) const V4: u8 = 0;
/// IPv6 header.
pub(crate) const V6: u8 = 1;
/// ARP packet.
pub(crate) const ARP: u8 = 2;

/// Nothing more to be read at [`Sighting::payload_at`].
pub(crate) const PLAIN: u8 = 0;
/// A TCP header.
pub(crate) const TCP: u8 = 1;
/// The first eight bytes of a TCP header.
pub(crate) const TCP_CUT: u8 = 2;
/// UDP: its direction is to be looked up.
pub(crate) const UDP: u8 = 3;
/// UDP in a frame to all, or to a group.
pub(crate) const UDP_TO_ALL: u8 = 6;
/// A neighbour message whose subject is who was tried.
pub(crate) const SOLICITATION: u8 = 4;
/// A neighbour message whose subject is who answers.
pub(crate) const ADVERTISEMENT: u8 = 5;

/// What is known of the packet at hand.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// What was seen of it.
    pub seen: Sighting,
    /// The source's address in full.
    pub source: Words,
    /// The target's address.
    pub target: Words,
    /// What becomes its record, should it tell anything; only then is it filled.
    pub record: Novelty,
}

impl Workspace {
    /// Nothing known.
    pub const EMPTY: Self =
        Self { seen: Sighting::NOTHING, source: Words::ZERO, target: Words::ZERO, record: Novelty::EMPTY };
}

/// See the module. Its numbers are packed into words: a frame that is a contact costs three stores.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Offsets of the network header (16 bits) and of its transport header (16 bits), VLAN ids outer and inner (16 bits each).
    places: u64,
    /// Source port, target port, bytes of UDP payload, number of the [`Counter`] of frames like this one (16 bits each).
    ports: u64,
    /// Technique and outcome as in [`CellKey::contact`], whether it is the target's packet, what stands at the network offset
    /// and at the transport offset, whether the frame leaves for somebody else (8 bits each).
    kind: u64,
}

impl Sighting {
    /// Nothing seen.
    pub(crate) const NOTHING: Self = Self { places: 0, ports: 0, kind: 0 };

    /// What these headers and this contact come to.
    #[inline(always)]
    #[must_use]
    pub fn new(headers: &Headers, contact: &Contact, passage: Passage) -> Self {
        let (payload, udp_payload) = match &headers.payload {
            Payload::Tcp(tcp) => (if tcp.cut { TCP_CUT } else { TCP }, 0),
            Payload::Udp(udp) if headers.link.group => (UDP_TO_ALL, udp.payload),
            Payload::Udp(udp) => (UDP, udp.payload),
            Payload::IcmpV6(Icmp { kind: 135, .. }) => (SOLICITATION, 0),
            Payload::IcmpV6(Icmp { kind: 136, .. }) => (ADVERTISEMENT, 0),
            _ => (PLAIN, 0),
        };
        let (network, network_at) = match &headers.payload {
            Payload::Unreachable(quote) => (if quote.is_v6 { V6 } else { V4 }, quote.network_at),
            _ => match headers.network {
                Network::V4 => (V4, headers.network_at),
                Network::V6 => (V6, headers.network_at),
                Network::Arp => (ARP, headers.network_at),
            },
        };
        let [outer, inner] = headers.link.vlan;
        let technique = CellKey::contact_of(contact.technique, contact.outcome);
        let reversed = u8::from(matches!(contact.view, View::Target));
        Self {
            places: four([network_at as u16, headers.payload_at as u16, outer, inner]),
            ports: four([contact.source_port, contact.target_port, udp_payload, contact.counter as u16]),
            kind: u64::from_le_bytes([technique, reversed, network, payload, passage.number(), 0, 0, 0]),
        }
    }

    /// Where the network header begins that tells of the contact: in an ICMP error, the quoted one. Bounded for the kernel's
    /// verifier: a mask, not a comparison, for the compiler may compare a copy.
    #[inline(always)]
    pub(crate) const fn network_at(&self) -> usize {
        self.places as usize & OFFSET_MASK
    }

    /// Where its transport header begins.
    #[inline(always)]
    pub(crate) const fn payload_at(&self) -> usize {
        (self.places >> 16) as usize & OFFSET_MASK
    }

    /// VLAN ids, outer and inner.
    #[inline(always)]
    pub(crate) const fn vlan(&self) -> [u16; 2] {
        [(self.places >> 32) as u16, (self.places >> 48) as u16]
    }

    /// The source's port.
    #[inline(always)]
    pub(crate) const fn source_port(&self) -> u16 {
        self.ports as u16
    }

    /// The target's port.
    #[inline(always)]
    pub(crate) const fn target_port(&self) -> u16 {
        (self.ports >> 16) as u16
    }

    /// Bytes of UDP payload.
    #[inline(always)]
    pub(crate) const fn udp_payload(&self) -> u16 {
        (self.ports >> 32) as u16
    }

    /// Number of the [`Counter`] of frames like this one.
    #[inline(always)]
    pub(crate) const fn counter(&self) -> u32 {
        (self.ports >> 48) as u32
    }

    /// Technique and outcome, as in [`CellKey::contact`].
    #[inline(always)]
    pub(crate) const fn contact(&self) -> u8 {
        self.kind as u8
    }

    /// The technique's number.
    #[inline(always)]
    pub(crate) const fn technique(&self) -> u8 {
        self.contact() & 0x0f
    }

    /// True where the contact has this outcome.
    #[inline(always)]
    pub(crate) const fn is(&self, outcome: Outcome) -> bool {
        self.contact() >> 4 == outcome as u8
    }

    /// 1 where it is the target's packet.
    #[inline(always)]
    pub(crate) const fn reversed(&self) -> u8 {
        (self.kind >> 8) as u8
    }

    /// What stands at [`Self::network_at`].
    #[inline(always)]
    pub(crate) const fn network(&self) -> u8 {
        (self.kind >> 16) as u8
    }

    /// What stands at [`Self::payload_at`].
    #[inline(always)]
    pub(crate) const fn payload(&self) -> u8 {
        (self.kind >> 24) as u8
    }

    /// 1 where the frame leaves for somebody else.
    #[inline(always)]
    pub(crate) const fn through(&self) -> u8 {
        (self.kind >> 32) as u8
    }

    /// Turns a datagram into the answer that it is.
    #[inline(always)]
    pub(crate) fn answered(&mut self) {
        let contact = CellKey::contact_of(Technique::Udp, Outcome::Answered);
        self.kind = self.kind & !0xff | u64::from(contact);
        self.ports = self.ports & !(0xffff << 48) | (Counter::UdpAnswered as u64) << 48;
    }

    /// Makes a datagram the target's: everything about it is the other way round.
    #[inline(always)]
    pub(crate) fn turn(&mut self) {
        self.kind |= 1 << 8;
        let ends = self.ports as u32;
        self.ports = self.ports >> 32 << 32 | u64::from(ends.rotate_left(16));
    }
}

#[inline(always)]
const fn four([a, b, c, d]: [u16; 4]) -> u64 {
    a as u64 | (b as u64) << 16 | (c as u64) << 32 | (d as u64) << 48
}
