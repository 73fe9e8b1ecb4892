//! Address blocks.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::{ZoneId, ZonePrefix};

/// An address block, IPv4 or IPv6, host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Network {
    /// First address of the block.
    pub address: IpAddr,
    /// Leading bits that are fixed: at most 32 or 128 by family.
    pub prefix: u8,
}

impl Network {
    /// True where `address` lies in this block; IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(n), IpAddr::V4(a)) => {
                mask_v4(u32::from(n), self.prefix) == mask_v4(u32::from(a), self.prefix)
            }
            (IpAddr::V6(n), IpAddr::V6(a)) => mask_v6(n, self.prefix) == mask_v6(a, self.prefix),
            _ => false,
        }
    }

    /// The block as 16 bytes and a prefix length in IPv6 space, IPv4 mapped (RFC 4291, 2.5.5.2).
    #[must_use]
    pub fn mapped(&self) -> ([u8; 16], u8) {
        match self.address {
            IpAddr::V4(a) => (a.to_ipv6_mapped().octets(), self.prefix + 96),
            IpAddr::V6(a) => (a.octets(), self.prefix),
        }
    }

    /// The block as part of a zone.
    #[must_use]
    pub fn in_zone(&self, zone: ZoneId) -> ZonePrefix {
        let (network, prefix) = self.mapped();
        ZonePrefix { network, prefix, zone }
    }
}

impl fmt::Display for Network {
    /// As people write it: `10.1.0.0/16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn mask_v4(address: u32, prefix: u8) -> u32 {
    address & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask_v6(address: Ipv6Addr, prefix: u8) -> u128 {
    u128::from(address) & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str, prefix: u8) -> Network {
        Network { address: address.parse().unwrap(), prefix }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn network_holds_its_first_and_last_address_and_neither_neighbour() {
        let cases = [
            (network("10.1.0.0", 16), "10.1.0.0", "10.1.255.255", Some("10.0.255.255"), Some("10.2.0.0")),
            (network("192.0.2.7", 32), "192.0.2.7", "192.0.2.7", Some("192.0.2.6"), Some("192.0.2.8")),
            (network("0.0.0.0", 0), "0.0.0.0", "255.255.255.255", Some("::1"), None),
            (network("fd00::", 8), "fd00::", "fdff:ffff::1", Some("fc00::1"), Some("fe00::")),
            (network("::", 0), "::", "ffff::", Some("10.0.0.1"), None),
            (
                network("2001:db8::1", 128),
                "2001:db8::1",
                "2001:db8::1",
                Some("2001:db8::"),
                Some("2001:db8::2"),
            ),
        ];
        for (network, first, last, before, after) in cases {
            assert!(network.contains(ip(first)), "{network} {first}");
            assert!(network.contains(ip(last)), "{network} {last}");
            for outside in [before, after].into_iter().flatten() {
                assert!(!network.contains(ip(outside)), "{network} {outside}");
            }
        }
    }

    #[test]
    fn mapped_addresses_count_as_ipv4() {
        assert!(network("10.0.0.0", 8).contains(ip("::ffff:10.9.9.9")));
        assert!(!network("::", 0).contains(ip("::ffff:10.9.9.9")));
        let (bytes, prefix) = network("10.0.0.0", 8).mapped();
        assert_eq!((bytes[9], bytes[10], bytes[11], bytes[12], prefix), (0, 0xff, 0xff, 10, 104));
    }
}
