//! Zones in the kernel: those that are configured, and networks that are inside because interfaces are in them.
//!
//! A host's own addresses are inside whatever they are: its scans leave its network, they do not pass through it. And on
//! a link whose IPv4 addresses are all inside, the IPv6 networks are inside, too: a LAN's global IPv6 prefix is in nobody's
//! configuration, and may change every day.
//!
//! The own addresses of a host that forwards are known to the programs, too: it may stand there for others.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv6Addr};

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Map, MapData, MapError};
use scanwatch_common::abi::Address;

use super::error::KernelError;
use super::links;
use super::object::Kernel;
use crate::policy::{Network, Policy, Zone, ZoneId};

/// The zone of what is learned: the first that is configured.
const LEARNED: ZoneId = 1;

/// The kernel's table of zones.
pub(super) struct Zones {
    table: LpmTrie<MapData, [u8; 16], u8>,
    translating: aya::maps::HashMap<MapData, [u8; 16], u8>,
    configured: Vec<Zone>,
    /// By the index of the interface.
    learned: HashMap<u32, Learned>,
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
    /// Fills the table with what is configured.
    pub(super) fn fill(zones: Map, translating: Map, policy: &Policy) -> Result<Self, KernelError> {
        let mut table = LpmTrie::try_from(zones)?;
        let translating = translating.try_into()?;
        for (zone, number) in policy.zones.iter().zip(1..) {
            for network in &zone.networks {
                table.insert(&key(network), number, 0)?;
            }
        }
        Ok(Self { table, translating, configured: policy.zones.clone(), learned: HashMap::new() })
    }

    /// Makes this what an interface teaches; what it taught before and none teaches now is taken out.
    fn learn(&mut self, index: u32, learned: Learned) -> Result<(), MapError> {
        let before = self.learned.insert(index, learned).unwrap_or_default();
        let now = &self.learned;
        for network in &now[&index].inside {
            self.table.insert(&key(network), LEARNED, 0)?;
        }
        for address in &now[&index].forwarding {
            self.translating.insert(address, 1, 0)?;
        }
        for network in before.inside {
            if !now.values().any(|learned| learned.inside.contains(&network)) {
                self.table.remove(&key(&network))?;
            }
        }
        for address in before.forwarding {
            if !now.values().any(|learned| learned.forwarding.contains(&address)) {
                self.translating.remove(&address)?;
            }
        }
        Ok(())
    }
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
        let own = |(address, _): &(IpAddr, u8)| match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let forwarding = if forwards { addresses.iter().map(own).collect() } else { Vec::new() };
        let learned = Learned { inside, forwarding };
        self.zones.learn(index, learned.clone())?;
        Ok(learned)
    }

    /// Forgets what an interface taught.
    pub(super) fn unlearn(&mut self, index: u32) {
        // Taking out of a table what was put in does not fail; were it to, one address would stay inside.
        if let Err(error) = self.zones.learn(index, Learned::default()) {
            tracing::warn!("networks of interface {index} still count as inside: {error}");
        }
        self.zones.learned.remove(&index);
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
fn inside(addresses: &[(IpAddr, u8)], zones: &[Zone]) -> Vec<Network> {
    let is_configured = |address: IpAddr| {
        zones.iter().any(|zone| zone.networks.iter().any(|network| network.contains(address)))
    };
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

fn key(network: &Network) -> Key<[u8; 16]> {
    let (address, prefix) = network.mapped();
    Key::new(u32::from(prefix), address)
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
        let zones = [Zone { name: "internal".to_owned(), networks: configured }];
        let addresses: Vec<(IpAddr, u8)> =
            networks(texts).iter().map(|network| (network.address, network.prefix)).collect();
        inside(&addresses, &zones).iter().map(ToString::to_string).collect()
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
