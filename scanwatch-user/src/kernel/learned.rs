//! Zones in the kernel: those that are configured, and networks that are inside because interfaces are in them.
//!
//! A host's own addresses are inside whatever they are: its scans leave its network, they do not pass through it. And on
//! a link whose IPv4 addresses are all inside, the IPv6 networks are inside, too: a LAN's global IPv6 prefix is in nobody's
//! configuration, and may change every day.
//!
//! The own addresses of a host that forwards are known to the programs, too: it may stand there for others.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::{IpAddr, Ipv6Addr};

use aya::Ebpf;
use aya::maps::{Map, MapData};
use scanwatch_common::abi::Address;

use super::error::KernelError;
use super::links;
use super::object::{Kernel, second};
use super::zones::{Room, ZoneMaps};
use crate::policy::{Network, Policy, ZoneId, ZonePrefix};

/// The zone of what is learned: the first that is configured.
const LEARNED: ZoneId = 1;

/// What the kernel is told of addresses.
pub(super) struct Zones {
    maps: ZoneMaps,
    translating: aya::maps::HashMap<MapData, [u8; 16], u8>,
    configured: Vec<ZonePrefix>,
    /// By the index of the interface.
    pub(super) learned: HashMap<u32, Learned>,
}

/// What the addresses of an interface teach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Networks that are inside, all of them in the first configured zone.
    pub inside: Vec<Network>,
    /// Addresses at which this host, since it forwards, may stand for others.
    pub forwarding: Vec<Address>,
}

impl Zones {
    /// Tells what is configured.
    pub(super) fn fill(ebpf: &Ebpf, room: Room, policy: &Policy) -> Result<Self, KernelError> {
        let translating = Map::HashMap(second(ebpf, "TRANSLATING")?).try_into()?;
        let configured = policy.zone_prefixes();
        let maps = ZoneMaps::fill(ebpf, room, &configured)?;
        Ok(Self { maps, translating, configured, learned: HashMap::new() })
    }

    /// Makes this what an interface teaches; what it taught before and none teaches now is forgotten. Returns the root of
    /// the table of zones where there is another one now, and leaves everything as it was where that has no room.
    fn learn(&mut self, index: u32, learned: Learned) -> Result<Option<u32>, KernelError> {
        let mut now = self.learned.clone();
        now.insert(index, learned);
        let (known, networks) = (inside_by(&self.learned), inside_by(&now));
        let root = if networks == known {
            None
        } else {
            let root = self.maps.prepare(&with_learned(&self.configured, &networks))?;
            self.maps.prepared();
            Some(root)
        };
        let before = std::mem::replace(&mut self.learned, now).remove(&index).unwrap_or_default();
        for address in &self.learned[&index].forwarding {
            self.translating.insert(address, 1, 0)?;
        }
        for address in before.forwarding {
            if !self.learned.values().any(|learned| learned.forwarding.contains(&address)) {
                self.translating.remove(&address)?;
            }
        }
        Ok(root)
    }
}

impl Zones {
    /// Writes the table of these networks where nobody looks, and returns its root; see [`ZoneMaps::prepare`].
    pub(super) fn prepare(
        &mut self,
        configured: &[ZonePrefix],
        learned: &BTreeSet<Network>,
    ) -> Result<u32, KernelError> {
        self.maps.prepare(&with_learned(configured, learned))
    }

    /// Notes that programs were told of what was prepared.
    pub(super) fn prepared(&mut self, configured: Vec<ZonePrefix>, learned: HashMap<u32, Learned>) {
        self.maps.prepared();
        self.configured = configured;
        self.learned = learned;
    }
}

fn with_learned(configured: &[ZonePrefix], learned: &BTreeSet<Network>) -> Vec<ZonePrefix> {
    let learned = learned.iter().map(|network| network.in_zone(LEARNED));
    configured.iter().copied().chain(learned).collect()
}

/// Every network that some interface makes inside.
pub(super) fn inside_by(learned: &HashMap<u32, Learned>) -> BTreeSet<Network> {
    learned.values().flat_map(|learned| learned.inside.iter().copied()).collect()
}

impl Kernel {
    /// Reads an interface's addresses, and makes inside: these addresses themselves; where there is IPv4 on the interface
    /// and all of it is in configured zones, also the networks of its IPv6 addresses. What a configured zone holds is left to
    /// it. To be called again when addresses change; what was learned before and is so no longer is forgotten.
    ///
    /// Returns what is learned now.
    pub async fn learn(&mut self, index: u32) -> Result<Learned, KernelError> {
        let addresses = links::addresses(index).await?;
        self.learn_from(index, &addresses, forwards())
    }

    /// The same from addresses with their prefix lengths, of an interface of a host that forwards or does not.
    pub fn learn_from(
        &mut self,
        index: u32,
        addresses: &[(IpAddr, u8)],
        forwards: bool,
    ) -> Result<Learned, KernelError> {
        let inside = inside(addresses, &self.zones.configured);
        let own = addresses.iter().map(|(address, _)| octets(*address));
        let forwarding = if forwards { own.collect() } else { Vec::new() };
        let learned = Learned { inside, forwarding };
        self.teach(index, learned.clone())?;
        Ok(learned)
    }

    /// Forgets what an interface taught.
    pub(super) fn unlearn(&mut self, index: u32) {
        // For fewer networks there is room; were it to fail, one address would stay inside.
        match self.teach(index, Learned::default()) {
            Ok(()) => {
                self.zones.learned.remove(&index);
            }
            Err(error) => tracing::warn!("networks of interface {index} still count as inside: {error}"),
        }
    }

    fn teach(&mut self, index: u32, learned: Learned) -> Result<(), KernelError> {
        if let Some(root) = self.zones.learn(index, learned)? {
            self.state.zones = root;
            self.tell()?;
        }
        Ok(())
    }
}

/// True where this host forwards between any of its interfaces.
fn forwards() -> bool {
    let is_on = |family: &str| {
        let interfaces = fs::read_dir(format!("/proc/sys/net/{family}/conf")).into_iter().flatten().flatten();
        interfaces
            .map(|interface| fs::read_to_string(interface.path().join("forwarding")))
            .any(|setting| setting.is_ok_and(|setting| setting.trim() == "1"))
    };
    is_on("ipv4") || is_on("ipv6")
}

/// Networks that addresses with their prefix lengths make inside.
pub(super) fn inside(addresses: &[(IpAddr, u8)], configured: &[ZonePrefix]) -> Vec<Network> {
    let is_configured = |address: IpAddr| configured.iter().any(|network| network.holds(&octets(address)));
    let mut v4 = addresses.iter().filter(|(address, _)| address.is_ipv4()).peekable();
    let is_inside = v4.peek().is_some() && v4.all(|(address, _)| is_configured(*address));
    let mut networks: Vec<Network> = Vec::new();
    for (address, prefix) in addresses {
        if is_configured(*address) || address.is_loopback() {
            continue;
        }
        networks.push(match address {
            IpAddr::V6(v6) if is_inside && (1..128).contains(prefix) => {
                let network = u128::from(*v6) & (u128::MAX << (128 - prefix));
                Network { address: Ipv6Addr::from(network).into(), prefix: *prefix }
            }
            IpAddr::V6(_) => Network { address: *address, prefix: 128 },
            IpAddr::V4(_) => Network { address: *address, prefix: 32 },
        });
    }
    networks.sort_unstable();
    networks.dedup();
    networks
}

/// An address as the programs know it, IPv4 mapped.
fn octets(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        let parse = |text: &&str| {
            let (address, prefix) = text.split_once('/').unwrap();
            Network { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
        };
        texts.iter().map(parse).collect()
    }

    fn of(texts: &[&str]) -> Vec<String> {
        let configured = networks(&["10.0.0.0/8", "192.168.0.0/16", "fc00::/7", "fe80::/10"]);
        let configured: Vec<ZonePrefix> = configured.iter().map(|network| network.in_zone(1)).collect();
        let addresses: Vec<(IpAddr, u8)> =
            networks(texts).iter().map(|network| (network.address, network.prefix)).collect();
        inside(&addresses, &configured).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_zone_holds_is_left_to_it() {
        assert!(of(&["10.1.2.3/24", "fd00:1::7/64", "fe80::1/64"]).is_empty());
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn a_public_address_is_inside_alone() {
        assert_eq!(of(&["203.0.113.7/24", "2001:db8::7/64"]), ["203.0.113.7/32", "2001:db8::7/128"]);
    }

    #[test]
    fn the_global_ipv6_network_of_a_lan_is_inside() {
        let lan = ["192.168.1.5/24", "2001:db8:1:2:aa:bb:cc:dd/64", "2001:db8:1:2::9/64", "fe80::1/64"];
        assert_eq!(of(&lan), ["2001:db8:1:2::/64"]);
    }

    #[test]
    fn one_public_ipv4_address_on_the_link_makes_it_no_lan() {
        let both = ["192.168.1.5/24", "203.0.113.7/29", "2001:db8:1:2::9/64"];
        assert_eq!(of(&both), ["203.0.113.7/32", "2001:db8:1:2::9/128"]);
    }

    #[test]
    fn a_link_without_ipv4_is_not_known_to_be_a_lan() {
        assert_eq!(of(&["2001:db8:1:2::9/64"]), ["2001:db8:1:2::9/128"]);
    }

    #[test]
    fn loopback_is_nobodys_network() {
        assert!(of(&["127.0.0.1/8", "::1/128"]).is_empty());
    }

    #[test]
    fn a_prefix_of_nothing_is_not_believed() {
        assert_eq!(of(&["192.168.1.5/24", "2001:db8::9/0"]), ["2001:db8::9/128"]);
    }
}
