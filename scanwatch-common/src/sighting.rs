//! What the first look at a frame found, in plain numbers.
//!
//! The kernel's verifier follows every path through parsing and classifying, and with every constant that a path leaves
//! behind it would walk the rest of the program once more: millions of steps. A sighting is the narrow place between the
//! two looks. It goes through memory ([`crate::observe::Tables::settle`]), and comes out as numbers of which the
//! verifier knows nothing, so the rest is walked once.

use crate::abi::{CellKey, Outcome, Technique};
use crate::classify::{Contact, View};
use crate::counters::Counter;
use crate::observe::Passage;
use crate::parse::{Headers, Icmp, Network, Payload};

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

/// See the module.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Where the network header begins that tells of the contact: in an ICMP error, the quoted one.
    pub network_at: u16,
    /// Where its transport header begins.
    pub payload_at: u16,
    /// VLAN ids, outer and inner.
    pub vlan: [u16; 2],
    /// The source's port.
    pub source_port: u16,
    /// The target's port.
    pub target_port: u16,
    /// Bytes of UDP payload.
    pub udp_payload: u16,
    /// Number of the [`Counter`] of frames like this one.
    pub counter: u16,
    /// Technique and outcome, as in [`CellKey::contact`].
    pub contact: u8,
    /// 1 where it is the target's packet.
    pub reversed: u8,
    /// What stands at `network_at`.
    pub network: u8,
    /// What stands at `payload_at`.
    pub payload: u8,
    /// 1 where the frame leaves for somebody else.
    pub through: u8,
    /// Zero; keeps the layout free of padding.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<Sighting>() == 24);

impl Sighting {
    /// Nothing seen.
    pub(crate) const NOTHING: Self = Self {
        network_at: 0,
        payload_at: 0,
        vlan: [0; 2],
        source_port: 0,
        target_port: 0,
        udp_payload: 0,
        counter: 0,
        contact: 0,
        reversed: 0,
        network: 0,
        payload: 0,
        through: 0,
        reserved: [0; 3],
    };

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
        Self {
            network_at: network_at as u16,
            payload_at: headers.payload_at as u16,
            vlan: headers.link.vlan,
            source_port: contact.source_port,
            target_port: contact.target_port,
            udp_payload,
            counter: contact.counter as u16,
            contact: CellKey::contact_of(contact.technique, contact.outcome),
            reversed: u8::from(matches!(contact.view, View::Target)),
            network,
            payload,
            through: passage.number(),
            reserved: [0; 3],
        }
    }

    /// The technique's number.
    #[inline(always)]
    pub(crate) const fn technique(&self) -> u8 {
        self.contact & 0x0f
    }

    /// True where the contact has this outcome.
    #[inline(always)]
    pub(crate) const fn is(&self, outcome: Outcome) -> bool {
        self.contact >> 4 == outcome as u8
    }

    /// Turns a datagram into the answer that it is.
    #[inline(always)]
    pub(crate) fn answered(&mut self) {
        self.contact = CellKey::contact_of(Technique::Udp, Outcome::Answered);
        self.counter = Counter::UdpAnswered as u16;
    }
}
