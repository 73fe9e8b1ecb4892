//! What a packet is: a contact, what became of one, or neither.
//!
//! Pure: UDP's direction, which is memory, is the business of [`crate::observe`].

mod address;
mod tcp;

pub use address::refuse;
pub(crate) use tcp::classify as classify_tcp;
pub use tcp::{PRIVILEGED_CLIENT_PORT_MIN, flags as tcp_flags};

use crate::abi::{Outcome, Technique};
use crate::counters::Counter;
use crate::parse::{Headers, Icmp, Payload, Quote, Quoted, Sctp, Udp};

/// Largest first datagram that may be a probe, bytes of payload. Scanners' payloads are small; media and tunnels are not.
pub const UDP_PROBE_PAYLOAD_MAX: u16 = 512;
/// QUIC's first datagrams are padded to 1,200 bytes (RFC 9000, 14.1).
const QUIC_PORT: u16 = 443;

/// Whose packet tells of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The source's own: its addresses are the contact's.
    Source,
    /// The target's: its addresses are the contact's the other way round.
    Target,
}

/// What a frame tells of a contact between a source, who tries, and a target, who is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// How the source tries.
    pub technique: Technique,
    /// What the frame says became of it.
    pub outcome: Outcome,
    /// Whose packet it is.
    pub view: View,
    /// The source's port, 0 where there is none.
    pub source_port: u16,
    /// The target's port, or the protocol number of [`Technique::Proto`], or 0.
    pub target_port: u16,
    /// Counter of frames like this one.
    pub counter: Counter,
}

impl Contact {
    /// An ICMP echo request.
    pub(crate) const ECHO: Self = Self::tried(Technique::Icmp, 0, 0);
    /// An ARP request, or a neighbour solicitation.
    pub(crate) const LOOKED_FOR: Self = Self::tried(Technique::Arp, 0, 0);

    #[inline(always)]
    const fn tried(technique: Technique, source_port: u16, target_port: u16) -> Self {
        Self {
            technique,
            outcome: Outcome::Tried,
            view: View::Source,
            source_port,
            target_port,
            counter: Counter::of_probe(technique),
        }
    }

    #[inline(always)]
    const fn answered(technique: Technique, source_port: u16, target_port: u16, counter: Counter) -> Self {
        Self { technique, outcome: Outcome::Answered, view: View::Target, source_port, target_port, counter }
    }

    /// Refused, by a packet that quotes the source's own.
    #[inline(always)]
    const fn refused(technique: Technique, source_port: u16, target_port: u16) -> Self {
        Self {
            technique,
            outcome: Outcome::Refused,
            view: View::Source,
            source_port,
            target_port,
            counter: Counter::IcmpRefused,
        }
    }
}

/// What a frame is, by all but its addresses.
///
/// It counts if [`refuse`] has nothing against its addresses; a UDP datagram is taken for a first one here.
///
/// # Errors
/// The counter of the reason why the frame tells of no contact.
#[inline(always)]
pub fn classify(headers: &Headers) -> Result<Contact, Counter> {
    let group = headers.link.group;
    let contact = match &headers.payload {
        Payload::Tcp(tcp) => classify_tcp(tcp)?,
        Payload::Udp(udp) => classify_udp(udp)?,
        Payload::Sctp(sctp) => classify_sctp(sctp)?,
        Payload::Icmp(icmp) => classify_icmp(icmp)?,
        Payload::IcmpV6(icmp) => return classify_icmpv6(icmp, group),
        Payload::Unreachable(quote) => classify_quote(quote)?,
        Payload::Other(protocol) => protocol_contact(*protocol, Outcome::Tried)?,
        Payload::Arp(operation) => return classify_arp(*operation, group),
    };
    if group { Err(Counter::GroupTarget) } else { Ok(contact) }
}

#[inline(always)]
pub(crate) fn classify_udp(udp: &Udp) -> Result<Contact, Counter> {
    if is_dhcp(udp) {
        return Err(Counter::Dhcp);
    }
    Ok(Contact::tried(Technique::Udp, udp.source_port, udp.target_port))
}

#[inline(always)]
fn classify_sctp(sctp: &Sctp) -> Result<Contact, Counter> {
    // RFC 9260, 3.2.
    const INIT: u8 = 1;
    const INIT_ACK: u8 = 2;
    const ABORT: u8 = 6;
    let Sctp { source_port, target_port, chunk } = *sctp;
    match chunk {
        INIT => Ok(Contact::tried(Technique::Sctp, source_port, target_port)),
        INIT_ACK => Ok(Contact::answered(Technique::Sctp, target_port, source_port, Counter::SctpAnswered)),
        ABORT => {
            let answer = Contact::answered(Technique::Sctp, target_port, source_port, Counter::SctpRefused);
            Ok(Contact { outcome: Outcome::Refused, ..answer })
        }
        _ => Err(Counter::SctpOther),
    }
}

#[inline(always)]
fn classify_icmp(icmp: &Icmp) -> Result<Contact, Counter> {
    match icmp.kind {
        // Echo, timestamp, information, address mask.
        8 | 13 | 15 | 17 => Ok(Contact::tried(Technique::Icmp, 0, 0)),
        0 | 14 | 16 | 18 => Ok(Contact::answered(Technique::Icmp, 0, 0, Counter::IcmpAnswered)),
        3 | 4 | 11 | 12 => Err(Counter::IcmpError),
        _ => Err(Counter::IcmpOther),
    }
}

#[inline(always)]
fn classify_icmpv6(icmp: &Icmp, group: bool) -> Result<Contact, Counter> {
    match icmp.kind {
        // A solicitation to one host refreshes a neighbour (RFC 4861, 7.3); an advertisement to all announces.
        135 if group => Ok(Contact::tried(Technique::Arp, 0, 0)),
        136 if !group => Ok(Contact::answered(Technique::Arp, 0, 0, Counter::NeighbourAnswered)),
        128 if !group => Ok(Contact::tried(Technique::Icmp, 0, 0)),
        129 if !group => Ok(Contact::answered(Technique::Icmp, 0, 0, Counter::IcmpAnswered)),
        128 | 129 => Err(Counter::GroupTarget),
        1..=4 => Err(Counter::IcmpError),
        130..=137 | 143 => Err(Counter::IcmpNeighbour),
        _ => Err(Counter::IcmpOther),
    }
}

#[inline(always)]
fn classify_quote(quote: &Quote) -> Result<Contact, Counter> {
    match quote.carried {
        Quoted::Tcp(source, target) => Ok(Contact::refused(Technique::Syn, source, target)),
        Quoted::Udp(source, target) => Ok(Contact::refused(Technique::Udp, source, target)),
        Quoted::Sctp(source, target) => Ok(Contact::refused(Technique::Sctp, source, target)),
        Quoted::Echo => Ok(Contact::refused(Technique::Icmp, 0, 0)),
        Quoted::Other(protocol) => {
            protocol_contact(protocol, Outcome::Refused).map_err(|_| Counter::IcmpError)
        }
    }
}

#[inline(always)]
fn protocol_contact(protocol: u8, outcome: Outcome) -> Result<Contact, Counter> {
    // IGMP, IP in IP, DCCP, IPv6, RSVP, GRE, ESP, AH, mobility, EIGRP, OSPF, IPIP, EtherIP, PIM, IPComp, VRRP, L2TP,
    // MPLS in IP, and the other family's ICMP (IANA protocol numbers): traffic by itself.
    match (protocol, outcome) {
        (
            1 | 2 | 4 | 33 | 41 | 46 | 47 | 50 | 51 | 55 | 58 | 88 | 89 | 94 | 97 | 103 | 108 | 112 | 115
            | 137,
            _,
        ) => Err(Counter::CarrierProtocol),
        (_, Outcome::Tried) => Ok(Contact::tried(Technique::Proto, 0, u16::from(protocol))),
        _ => Ok(Contact::refused(Technique::Proto, 0, u16::from(protocol))),
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
pub const fn is_large_datagram(payload: u16, target_port: u16) -> bool {
    payload > UDP_PROBE_PAYLOAD_MAX && target_port != QUIC_PORT
}

#[inline(always)]
fn classify_arp(operation: u16, group: bool) -> Result<Contact, Counter> {
    const REQUEST: u16 = 1;
    const REPLY: u16 = 2;
    match operation {
        // A unicast request refreshes a neighbour; a reply to all announces.
        REQUEST if group => Ok(Contact::tried(Technique::Arp, 0, 0)),
        REQUEST => Err(Counter::ArpOwn),
        REPLY if group => Err(Counter::ArpAnswered),
        REPLY => Ok(Contact::answered(Technique::Arp, 0, 0, Counter::ArpAnswered)),
        _ => Err(Counter::Malformed),
    }
}
