//! From bytes to headers: one file a protocol, every bound named, every failure a [`Counter`].
//!
//! Two steps, because nearly all traffic needs only the first: [`ethernet`] finds out what a frame is and keeps
//! a handful of numbers; [`describe`] goes back for addresses and evidence, and writes them straight into the record. An
//! address held in registers would not fit the kernel's stack of 512 bytes. Offsets grow by bounded steps, so the
//! kernel's verifier can follow them.

mod arp;
mod describe;
mod ethernet;
mod ipv4;
mod ipv6;
mod pppoe;
mod quote;
mod transport;

pub use describe::{addresses, describe, evidence};
pub use ethernet::VLAN_DEPTH_MAX;
pub use ipv6::EXTENSIONS_MAX;
pub use quote::{Quote, Quoted};
pub use transport::{Icmp, Sctp, Tcp, Udp};

use crate::counters::Counter;
use crate::packet::Packet;

/// Offsets of network headers: behind two tags and a PPPoE session's header.
const LINK_MASK: usize = 0x3f;
/// Offsets of all headers: two tags, 40 bytes of IPv6 and six extension headers of 2,048 bytes.
pub const OFFSET_MASK: usize = 0x3fff;

/// Link-layer facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Sent to a group: broadcast or multicast.
    pub group: bool,
    /// VLAN ids, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
}

/// The network protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4 (RFC 791).
    V4,
    /// IPv6 (RFC 8200).
    V6,
    /// ARP for IPv4 over Ethernet (RFC 826).
    Arp,
}

/// What the network protocol carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// TCP.
    Tcp(Tcp),
    /// UDP or UDP-Lite.
    Udp(Udp),
    /// SCTP.
    Sctp(Sctp),
    /// ICMP.
    Icmp(Icmp),
    /// ICMPv6.
    IcmpV6(Icmp),
    /// ICMP or ICMPv6 destination unreachable, by what it quotes.
    Unreachable(Quote),
    /// Any other IP protocol, by number.
    Other(u8),
    /// ARP, by operation.
    Arp(u16),
}

/// What a frame is, without addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Link layer.
    pub link: Link,
    /// Network protocol.
    pub network: Network,
    /// Where the network header begins.
    pub network_at: usize,
    /// Where the transport header begins.
    pub payload_at: usize,
    /// What is carried.
    pub payload: Payload,
}

/// Parses a frame that begins with an Ethernet header.
///
/// # Errors
/// The counter of the reason why there is nothing to classify.
pub fn ethernet<P: Packet + ?Sized>(packet: &P) -> Result<Headers, Counter> {
    struct Keep;
    impl Reader for Keep {
        type Read = Headers;
        fn read(self, headers: &Headers) -> Result<Headers, Counter> {
            Ok(*headers)
        }
    }
    ethernet_for(packet, Keep)
}

/// What becomes of headers once they are known.
///
/// It becomes part of every arm that knows what is carried. Were the headers put together first and taken apart
/// again, the compiler would let pointers and numbers of different arms share registers, which the kernel's verifier
/// refuses; and what an arm knows need not be asked again. (No closure: the compiler cannot be told to inline one.)
pub trait Reader: Sized {
    /// What is made of them.
    type Read;
    /// Reads the headers; to be inlined.
    ///
    /// # Errors
    /// The counter of the reason why nothing is made of them.
    fn read(self, headers: &Headers) -> Result<Self::Read, Counter>;
}

/// Parses a frame that begins with an Ethernet header, and hands what it found to `reader`.
///
/// # Errors
/// The counter of the reason why there is nothing to classify, or what `reader` says.
#[inline(always)]
pub fn ethernet_for<P: Packet + ?Sized, R: Reader>(packet: &P, reader: R) -> Result<R::Read, Counter> {
    let (link, mut ether_type, mut network_at) = ethernet::parse(packet)?;
    if ether_type == ethernet::PPPOE {
        (ether_type, network_at) = pppoe::parse(packet, network_at)?;
    }
    let network_at = packet.forget::<LINK_MASK>(network_at);
    let found = |network| Found { link, network, network_at, reader };
    match ether_type {
        ethernet::IPV4 => ipv4::parse(packet, found(Network::V4)),
        ethernet::IPV6 => ipv6::parse(packet, found(Network::V6)),
        ethernet::ARP => arp::parse(packet, found(Network::Arp)),
        _ => Err(Counter::NotIp),
    }
}

/// What is known before the payload, and who waits for it.
struct Found<R> {
    link: Link,
    network: Network,
    network_at: usize,
    reader: R,
}

impl<R: Reader> Found<R> {
    #[inline(always)]
    fn carries(self, payload: Payload, payload_at: usize) -> Result<R::Read, Counter> {
        let Self { link, network, network_at, reader } = self;
        reader.read(&Headers { link, network, network_at, payload_at, payload })
    }
}
