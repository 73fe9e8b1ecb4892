//! One probe as the engine sees it: what a novelty record or a remembered pair says.

use std::net::{IpAddr, Ipv6Addr};

use scanwatch_common::abi::{Address, Technique};
use scanwatch_common::sketch::Hasher;

use super::role::RoleId;
use super::scan::{Lane, Techniques};
use super::time::Timestamp;
use super::tool::Tool;
use crate::policy::{Direction, ServiceId, ZoneId};

/// The three hashes under which the kernel counts a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Hash of target and port.
    pub pair: u64,
    /// Hash of the target.
    pub host: u64,
    /// Hash of the port.
    pub port: u64,
}

impl Element {
    /// The hashes of a target and a port.
    #[must_use]
    pub fn of(hasher: &Hasher, target: &Address, port: u16) -> Self {
        let endpoint = hasher.endpoint(target);
        Self { pair: endpoint.pair(hasher, port), host: endpoint.host(), port: hasher.port(port) }
    }
}

/// A probe.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Time it was seen.
    pub at: Timestamp,
    /// Technique.
    pub technique: Technique,
    /// Target.
    pub target: Address,
    /// Destination port, protocol number of [`Technique::Proto`], or 0.
    pub port: u16,
    /// Zone of the target.
    pub zone: ZoneId,
    /// Direction.
    pub direction: Direction,
    /// Service group of the port.
    pub service: ServiceId,
    /// IP length, bytes.
    pub length: u16,
    /// The tool whose mark it bears.
    pub tool: Tool,
    /// The role that covers it.
    pub role: Option<RoleId>,
    /// Its hashes.
    pub element: Element,
}

impl Probe {
    /// Its lane.
    #[must_use]
    pub fn lane(&self) -> Lane {
        Lane::of(self.technique, self.service, self.port)
    }

    /// True where it names a port, or a protocol.
    #[must_use]
    pub const fn has_port(&self) -> bool {
        !Techniques::PORTLESS.has(self.technique)
    }
}

/// An address as people write it.
#[must_use]
pub fn ip_of(address: &Address) -> IpAddr {
    Ipv6Addr::from(*address).to_canonical()
}

/// True where two addresses are in one IPv4 /24 or IPv6 /64: neighbours, whatever the zones say of public networks.
#[must_use]
pub fn same_network(a: &Address, b: &Address) -> bool {
    network_of(a) == network_of(b)
}

/// The IPv4 /24 or IPv6 /64 of an address.
#[must_use]
pub fn network_of(address: &Address) -> u128 {
    let bits = u128::from_be_bytes(*address);
    if bits >> 32 == 0xffff { bits >> 8 << 8 } else { bits >> 64 << 64 }
}
