//! Packets built layer by layer, for tests.
//!
//! A transport header goes into an IP header, and that into a frame: `ether().tag(10).carry(ipv4(A, B).carry(tcp(1024, 80)))`.
//! Lengths, types and checksums are right unless a test sets them otherwise.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test crate that includes this module uses its own part of it"
)]

mod arp;
mod checksum;
mod ether;
mod ipv4;
mod ipv6;
mod transport;

pub use arp::{Arp, arp_reply, arp_request};
pub use ether::{BROADCAST, Ether, MAC_SOURCE, MAC_TARGET, ether, pppoe, session};
pub use ipv4::{Ipv4, ipv4};
pub use ipv6::{Extension, Ipv6, ipv6};
pub use transport::{Icmp, Sctp, Segment, Tcp, Udp, icmp, icmpv6, raw, sctp, tcp, udp};

use scanwatch_common::abi::Address;
use std::net::IpAddr;

/// What a frame carries.
#[derive(Clone, Debug)]
pub struct Packet {
    /// EtherType.
    pub ether_type: u16,
    /// The packet.
    pub bytes: Vec<u8>,
}

/// An address as scanwatch keeps it, from its usual notation.
///
/// # Panics
/// Where `text` is no address.
pub fn address(text: &str) -> Address {
    match text.parse() {
        Ok(IpAddr::V4(v4)) => v4.to_ipv6_mapped().octets(),
        Ok(IpAddr::V6(v6)) => v6.octets(),
        Err(error) => panic!("`{text}`: {error}"),
    }
}
