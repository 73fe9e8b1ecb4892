//! Zones as the data plane looks them up: the table that [`scanwatch_common::zones`] walks through.

use std::cmp::min;

use scanwatch_common::abi::{Address, Words, is_mapped, mapped};
use scanwatch_common::zones::{self, Entry, LEAVES, PATH, ZoneNode, ZoneParts, ZonePath};

/// Bits of ::ffff:0:0/96, in which IPv4 addresses lie.
const V4_BITS: u8 = 96;

/// A network and the zone that addresses in it belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZonePrefix {
    /// First address of the network; IPv4 mapped.
    pub network: Address,
    /// Leading bits that are fixed, 0 to 128; for IPv4 96 more than in its own notation.
    pub prefix: u8,
    /// The zone.
    pub zone: u8,
}

impl ZonePrefix {
    /// True where `address` lies in the network.
    #[must_use]
    pub fn holds(&self, address: &Address) -> bool {
        let difference = u128::from_be_bytes(self.network) ^ u128::from_be_bytes(*address);
        difference.leading_zeros() >= u32::from(self.prefix)
    }

    /// True for an IPv4 network.
    fn is_v4(&self) -> bool {
        self.prefix >= V4_BITS && is_mapped(&self.network)
    }

    /// The byte in which the prefix ends, or before which.
    fn byte(&self) -> usize {
        usize::from(self.prefix / 8)
    }

    fn has_ended_before(&self, byte: usize) -> bool {
        usize::from(self.prefix) <= 8 * byte
    }
}

/// How many nodes and paths come before a table's own, in arrays that hold more than one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TablePlace {
    /// Nodes; the number of the table's root.
    pub nodes: u32,
    /// Paths.
    pub paths: u32,
}

/// A table of zones: in a node's place 0 the root for IPv4, in 1 that for IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneTable {
    place: TablePlace,
    nodes: Vec<ZoneNode>,
    paths: Vec<ZonePath>,
}

impl ZoneTable {
    /// Nodes and paths that suffice for a table of so many networks.
    #[must_use]
    pub const fn size_max(networks: u32) -> TablePlace {
        // Two roots; and a node is made only where networks part, or where one ends that has others in it.
        TablePlace { nodes: 2 + networks, paths: 2 * networks }
    }

    /// The table of these networks, to be put behind what its place says. Where they nest the longest prefix decides, of the
    /// same network named twice the first.
    ///
    /// # Panics
    /// Where place and size together are beyond what entries can tell apart ([`zones::NODES_MAX`], [`zones::PATHS_MAX`]).
    #[must_use]
    pub fn new(networks: &[ZonePrefix], place: TablePlace) -> Self {
        let networks = without_idle(networks);
        let (v4, v6): (Vec<_>, Vec<_>) = networks.into_iter().partition(ZonePrefix::is_v4);
        let around_v4 = v6.iter().rev().find(|network| network.holds(&mapped([0; 4])));
        let around_v4 = around_v4.map_or(0, |network| network.zone);
        let mut table = Self { place, nodes: vec![ZoneNode::of(0); 2], paths: Vec::new() };
        table.nodes[0] = table.make_node(usize::from(V4_BITS / 8), &v4, around_v4);
        table.nodes[1] = table.make_node(0, &v6, 0);
        table
    }

    /// Number of the root.
    #[must_use]
    pub const fn root(&self) -> u32 {
        self.place.nodes
    }

    /// The nodes with their numbers.
    pub fn nodes(&self) -> impl Iterator<Item = (u32, &ZoneNode)> {
        (self.place.nodes..).zip(&self.nodes)
    }

    /// The paths with their numbers.
    pub fn paths(&self) -> impl Iterator<Item = (u32, &ZonePath)> {
        (self.place.paths..).zip(&self.paths)
    }

    /// Zone of an address; 0, the internet, where no network holds it.
    #[must_use]
    pub fn zone_of(&self, address: &Address) -> u8 {
        zones::zone_of(self, self.root(), Words::of(address))
    }

    /// The entry for addresses that agree in their first `at` bytes, of which these networks may hold some; `around` is the
    /// zone of those they do not hold. The networks are sorted, so that what holds another comes before it.
    fn make_entry(&mut self, at: usize, networks: &[ZonePrefix], around: u8) -> Entry {
        let ended = networks.iter().take_while(|network| network.has_ended_before(at)).count();
        let around = networks[..ended].last().map_or(around, |network| network.zone);
        let networks = &networks[ended..];
        let [first, .., last] = networks else {
            return match networks {
                [] => Entry::from(around),
                [alone, ..] => self.make_path(alone, alone.prefix, Entry::from(alone.zone), around),
            };
        };
        let alike =
            (u128::from_be_bytes(first.network) ^ u128::from_be_bytes(last.network)).leading_zeros() / 8;
        let shortest = networks.iter().map(ZonePrefix::byte).min().unwrap_or(at);
        let parts_at = min(alike as usize, shortest);
        if parts_at > at {
            let then = self.make_entry(parts_at, networks, around);
            return self.make_path(first, 8 * parts_at as u8, then, around);
        }
        let node = self.make_node(at, networks, around);
        self.nodes.push(node);
        let number = self.place.nodes as usize + self.nodes.len() - 1;
        assert!(number < zones::NODES_MAX as usize, "a table of zones beyond all numbers");
        LEAVES + number as Entry
    }

    /// The node of what is at byte `at`.
    fn make_node(&mut self, at: usize, networks: &[ZonePrefix], around: u8) -> ZoneNode {
        let mut node = ZoneNode::of(Entry::from(around));
        let (ending, longer): (Vec<ZonePrefix>, Vec<ZonePrefix>) =
            networks.iter().partition(|network| usize::from(network.prefix) < 8 * (at + 1));
        for network in ending {
            let from = usize::from(network.network[at]);
            let count = 1 << (8 * (at + 1) - usize::from(network.prefix));
            node.entries[from..from + count].fill(Entry::from(network.zone));
        }
        for group in longer.chunk_by(|a, b| a.network[at] == b.network[at]) {
            let byte = usize::from(group[0].network[at]);
            let around = node.entries[byte] as u8;
            node.entries[byte] = self.make_entry(at + 1, group, around);
        }
        node
    }

    /// A path along the first bits of a network.
    fn make_path(&mut self, along: &ZonePrefix, bits: u8, then: Entry, otherwise: u8) -> Entry {
        let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
        let begins = words(u128::from_be_bytes(along.network) & mask);
        let path = ZonePath { begins, mask: words(mask), then, otherwise, at: bits / 8, reserved: [0; 7] };
        self.paths.push(path);
        let number = self.place.paths as usize + self.paths.len() - 1;
        assert!(number < zones::PATHS_MAX as usize, "a table of zones beyond all numbers");
        PATH + number as Entry
    }
}

impl ZoneParts for ZoneTable {
    fn node(&self, number: u32) -> Option<&ZoneNode> {
        self.nodes.get(number.checked_sub(self.place.nodes)? as usize)
    }

    fn path(&self, number: u32) -> Option<&ZonePath> {
        self.paths.get(number.checked_sub(self.place.paths)? as usize)
    }
}

fn words(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

/// The networks in order, what holds another before it, without those that change nothing: named before, or in the same
/// zone as what is around them.
fn without_idle(networks: &[ZonePrefix]) -> Vec<ZonePrefix> {
    let mut sorted = networks.to_vec();
    sorted.sort_by_key(|network| (network.network, network.prefix));
    sorted.dedup_by_key(|network| (network.network, network.prefix));
    let mut around: Vec<ZonePrefix> = Vec::new();
    sorted.retain(|network| {
        while around.last().is_some_and(|outer| !outer.holds(&network.network)) {
            around.pop();
        }
        let changes = around.last().map_or(0, |outer| outer.zone) != network.zone;
        around.push(*network);
        changes
    });
    sorted
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    /// Longest match by looking at every network.
    fn longest(networks: &[ZonePrefix], address: &Address) -> u8 {
        let holding = networks.iter().rev().filter(|network| network.holds(address));
        // Of equals the last, which is the first that was named.
        holding.max_by_key(|network| network.prefix).map_or(0, |network| network.zone)
    }

    fn cut(address: u128, prefix: u8) -> Address {
        (address & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)).to_be_bytes()
    }

    /// Addresses that differ in few bits, so that networks nest and part everywhere.
    fn an_address() -> impl Strategy<Value = u128> {
        let v4 = u128::from_be_bytes(mapped([10, 0, 0, 0]));
        let near = |base: u128, bits: u32| {
            (0..bits, 0..bits, any::<bool>())
                .prop_map(move |(a, b, both)| base ^ 1 << a ^ if both { 1 << b } else { 0 })
        };
        prop_oneof![
            near(v4, 32),
            near(0x2001_0db8 << 96, 128),
            any::<u128>(),
            any::<u32>().prop_map(move |v4| u128::from(v4) | 0xffff << 32),
        ]
    }

    fn networks() -> impl Strategy<Value = Vec<ZonePrefix>> {
        let network = (an_address(), 0..=128u8, 0..6u8).prop_map(|(address, prefix, zone)| ZonePrefix {
            network: cut(address, prefix),
            prefix,
            zone,
        });
        prop::collection::vec(network, 0..40)
    }

    /// The ends of every network and their neighbours.
    fn edges(networks: &[ZonePrefix]) -> impl Iterator<Item = Address> {
        networks.iter().flat_map(|network| {
            let first = u128::from_be_bytes(network.network);
            let last = first | u128::MAX.checked_shr(u32::from(network.prefix)).unwrap_or(0);
            [first.wrapping_sub(1), first, last, last.wrapping_add(1)].map(u128::to_be_bytes)
        })
    }

    proptest! {
        #[test]
        fn the_table_says_what_the_longest_prefix_says(
            networks in networks(),
            addresses in prop::collection::vec(an_address(), 40),
            (nodes, paths) in (0..5_000u32, 0..5_000u32),
        ) {
            let table = ZoneTable::new(&networks, TablePlace { nodes, paths });
            for address in edges(&networks).chain(addresses.into_iter().map(u128::to_be_bytes)) {
                prop_assert_eq!(table.zone_of(&address), longest(&networks, &address), "{:?}", address);
            }
            let max = ZoneTable::size_max(networks.len() as u32);
            prop_assert!(table.nodes.len() <= max.nodes as usize && table.paths.len() <= max.paths as usize);
        }
    }

    fn network(text: &str, zone: u8) -> ZonePrefix {
        let (address, prefix) = text.split_once('/').unwrap();
        let prefix: u8 = prefix.parse().unwrap();
        match address.parse().unwrap() {
            IpAddr::V4(v4) => ZonePrefix { network: mapped(v4.octets()), prefix: prefix + V4_BITS, zone },
            IpAddr::V6(v6) => ZonePrefix { network: v6.octets(), prefix, zone },
        }
    }

    fn zone_in(networks: &[(&str, u8)], address: &str) -> u8 {
        let networks: Vec<ZonePrefix> = networks.iter().map(|(text, zone)| network(text, *zone)).collect();
        let address = network(&format!("{address}/0"), 0).network;
        ZoneTable::new(&networks, TablePlace::default()).zone_of(&address)
    }

    #[test]
    fn a_table_of_nothing_is_the_internet() {
        for address in ["0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "2001:db8::1", "ffff::"] {
            assert_eq!(zone_in(&[], address), 0, "{address}");
        }
    }

    #[test]
    fn everything_of_one_family_is_nothing_of_the_other() {
        assert_eq!(zone_in(&[("0.0.0.0/0", 3)], "198.51.100.9"), 3);
        assert_eq!(zone_in(&[("0.0.0.0/0", 3)], "2001:db8::1"), 0);
        assert_eq!(zone_in(&[("2000::/3", 3)], "2001:db8::1"), 3);
        assert_eq!(zone_in(&[("2000::/3", 3)], "198.51.100.9"), 0);
    }

    #[test]
    fn a_block_around_the_mapped_addresses_holds_ipv4_where_nothing_longer_does() {
        let networks = [("::/0", 1), ("10.0.0.0/8", 2)];
        assert_eq!(zone_in(&networks, "198.51.100.9"), 1);
        assert_eq!(zone_in(&networks, "10.9.9.9"), 2);
        assert_eq!(zone_in(&networks, "2001:db8::1"), 1);
    }

    #[test]
    fn the_longest_of_nested_networks_decides_down_to_single_addresses() {
        let networks = [
            ("10.0.0.0/8", 1),
            ("10.1.0.0/16", 2),
            ("10.1.2.0/23", 3),
            ("10.1.2.3/32", 4),
            ("2001:db8::/32", 1),
            ("2001:db8:1::/48", 2),
            ("2001:db8:1:2::/64", 3),
            ("2001:db8:1:2::3/128", 4),
        ];
        let cases = [
            ("10.0.0.1", 1),
            ("10.1.0.1", 2),
            ("10.1.3.255", 3),
            ("10.1.2.3", 4),
            ("10.1.2.2", 3),
            ("11.0.0.0", 0),
            ("2001:db8:2::", 1),
            ("2001:db8:1:3::", 2),
            ("2001:db8:1:2::4", 3),
            ("2001:db8:1:2::3", 4),
            ("2001:db9::", 0),
        ];
        for (address, zone) in cases {
            assert_eq!(zone_in(&networks, address), zone, "{address}");
        }
    }

    #[test]
    fn a_network_alone_is_two_steps_whatever_its_length() {
        for text in ["203.0.113.7/32", "2001:db8:1:2::/64", "2001:db8::1/128"] {
            let table = ZoneTable::new(&[network(text, 1)], TablePlace::default());
            assert_eq!((table.nodes.len(), table.paths.len()), (2, 1), "{text}");
        }
    }

    #[test]
    fn as_many_networks_as_a_configuration_may_have_fit_in_the_table_made_for_them() {
        let scattered =
            |n: u32| (u128::from(n.wrapping_mul(0x9e37_79b1)) << 96 | u128::from(n)).to_be_bytes();
        let networks: Vec<ZonePrefix> = (0..4_096)
            .map(|n| ZonePrefix { network: scattered(n), prefix: 128, zone: n as u8 | 1 })
            .collect();
        let table = ZoneTable::new(&networks, TablePlace { nodes: 4_400, paths: 8_800 });
        assert!(networks.iter().all(|network| table.zone_of(&network.network) == network.zone));
    }
}
