//! From bytes to headers: one file a protocol, every bound named, every failure a [`Counter`].
//!
//! Only what classification and evidence need is read. Offsets grow by bounded steps, so the kernel's verifier can
//! follow them.

mod arp;
mod ethernet;
mod ipv4;
mod ipv6;
mod transport;

pub use arp::Arp;
pub use ethernet::VLAN_DEPTH_MAX;
pub use ipv6::EXTENSIONS_MAX;
pub use transport::{Icmp, Sctp, Tcp, Transport, Udp};

use crate::abi::Address;
use crate::counters::Counter;
use crate::packet::Packet;

/// Link-layer facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Source address.
    pub mac: [u8; 6],
    /// Sent to a group: broadcast or multicast.
    pub group: bool,
    /// VLAN ids, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
}

/// An IP datagram up to its transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Source.
    pub source: Address,
    /// Destination.
    pub target: Address,
    /// Length on the IP layer, bytes, headers included.
    pub length: u16,
    /// IPv4 identification, 0 for IPv6.
    pub ip_id: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    /// What it carries.
    pub transport: Transport,
}

/// What follows the link layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4 or IPv6.
    Ip(Datagram),
    /// ARP for IPv4 over Ethernet.
    Arp(Arp),
}

/// A parsed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Link layer.
    pub link: Link,
    /// The rest.
    pub network: Network,
}

/// Parses a frame that begins with an Ethernet header.
///
/// # Errors
/// The counter of the reason why there is nothing to classify.
#[inline(always)]
pub fn ethernet<P: Packet + ?Sized>(packet: &P) -> Result<Headers, Counter> {
    let (link, ether_type, offset) = ethernet::parse(packet)?;
    let network = match ether_type {
        ethernet::IPV4 => Network::Ip(ipv4::parse(packet, offset)?),
        ethernet::IPV6 => Network::Ip(ipv6::parse(packet, offset)?),
        ethernet::ARP => Network::Arp(arp::parse(packet, offset)?),
        _ => return Err(Counter::NotIp),
    };
    Ok(Headers { link, network })
}
