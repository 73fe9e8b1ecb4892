//! What the operator wants: zones, services, roles, directions and thresholds, validated once.
//!
//! These types carry meaning, not syntax. `config` is the only place that makes them; `kernel` copies zones and
//! services into maps, `engine` judges by the rest.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use scanwatch_common::abi::ServiceTable;

/// Number of a zone in cell keys. Zone 0 is [`INTERNET`].
pub type ZoneId = u8;
/// Number of a service group in cell keys. Service 0 is [`OTHER`].
pub type ServiceId = u8;

/// The zone of every address that no configured zone holds.
pub const INTERNET: ZoneId = 0;
/// The service group of every port that no configured group holds.
pub const OTHER: ServiceId = 0;

/// An address block, IPv4 or IPv6, host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

/// A named set of networks. All configured zones are inside; what is in none of them is the internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Name as configured, unique.
    pub name: String,
    /// Networks of the zone; the longest matching prefix over all zones decides.
    pub networks: Vec<Network>,
}

/// A named group of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name as configured, unique.
    pub name: String,
    /// TCP ports of the group.
    pub tcp: Vec<u16>,
    /// UDP ports of the group.
    pub udp: Vec<u16>,
    /// A way in that intruders try first (smb, remote, database …): stricter thresholds.
    pub sensitive: bool,
}

/// What kind of machine a role describes; decides its defaults only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// Web proxy: `web` towards the internet.
    Proxy,
    /// Mail relay: `mail` and `dns` towards the internet.
    MailRelay,
    /// Asset manager: every service, ICMP and ARP, towards every zone inside.
    AssetManager,
    /// DNS resolver: `dns` everywhere.
    Resolver,
    /// Nothing but what the configuration says.
    Custom,
}

/// A budget: what the named sources may reach without being judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Name as configured, unique.
    pub name: String,
    /// Kind as configured.
    pub kind: RoleKind,
    /// Networks of the sources.
    pub sources: Vec<Network>,
    /// Service groups covered; `None` is every service, and sweeps by ICMP and ARP as well.
    pub services: Option<Vec<ServiceId>>,
    /// Destination zones covered, [`INTERNET`] among them where named.
    pub zones: Vec<ZoneId>,
    /// Most distinct hosts within the longest window; more is judged.
    pub hosts_max: Option<u64>,
    /// End of the role's validity, seconds since the Unix epoch.
    pub expires_s: Option<i64>,
    /// Hours in which the role holds; `None` is always.
    pub schedule: Option<Schedule>,
}

impl Role {
    /// True where the role is in force at `now_s`, seconds since the Unix epoch: not expired, and within its schedule.
    #[must_use]
    pub fn holds(&self, now_s: i64) -> bool {
        self.expires_s.is_none_or(|end_s| now_s < end_s)
            && self.schedule.as_ref().is_none_or(|s| s.holds(now_s))
    }

    /// True where `address` is one of the role's sources.
    #[must_use]
    pub fn has_source(&self, address: IpAddr) -> bool {
        self.sources.iter().any(|network| network.contains(address))
    }
}

/// Weekly hours, UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Days on which it holds, Monday first.
    pub days: [bool; 7],
    /// Minute of the day at which it begins, inclusive.
    pub from_minute: u16,
    /// Minute of the day at which it ends, exclusive; at or before `from_minute` it runs past midnight.
    pub to_minute: u16,
}

impl Schedule {
    /// True where `now_s`, seconds since the Unix epoch, lies in these hours. Hours that run past midnight belong to
    /// the day on which they begin.
    #[must_use]
    pub fn holds(&self, now_s: i64) -> bool {
        // 1 January 1970 was a Thursday, the fourth day of a week that begins on Monday.
        let today = (now_s.div_euclid(86_400) + 3).rem_euclid(7) as usize;
        let yesterday = (today + 6) % 7;
        let minute = (now_s.rem_euclid(86_400) / 60) as u16;
        if self.from_minute < self.to_minute {
            self.days[today] && (self.from_minute..self.to_minute).contains(&minute)
        } else {
            (self.days[today] && minute >= self.from_minute)
                || (self.days[yesterday] && minute < self.to_minute)
        }
    }
}

/// Where a scan comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Inside to inside.
    Lateral,
    /// Inside to the internet.
    Outbound,
    /// The internet to inside.
    Inbound,
    /// The internet to the internet.
    Transit,
}

/// What becomes of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// An incident with records.
    Alert,
    /// Counted, never a record.
    Statistics,
}

/// Treatment by direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directions {
    /// Inside to inside; by default an alert.
    pub lateral: Treatment,
    /// Inside to the internet; by default an alert.
    pub outbound: Treatment,
    /// The internet to inside; by default statistics.
    pub inbound: Treatment,
    /// The internet to the internet; by default statistics.
    pub transit: Treatment,
}

impl Directions {
    /// Treatment of one direction.
    #[must_use]
    pub fn of(&self, direction: Direction) -> Treatment {
        match direction {
            Direction::Lateral => self.lateral,
            Direction::Outbound => self.outbound,
            Direction::Inbound => self.inbound,
            Direction::Transit => self.transit,
        }
    }
}

/// A count at which a rule fires, for each window; `None` switches the rule off in that window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Within one minute.
    pub minute: Option<u32>,
    /// Within ten minutes.
    pub ten_minutes: Option<u32>,
}

/// The three counts that make a block scan, within ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimit {
    /// Distinct (host, port) pairs.
    pub pairs: u32,
    /// Distinct hosts that were each tried on several ports.
    pub hosts: u32,
    /// Distinct ports.
    pub ports: u32,
}

/// Breadth at which a source is a scanner, whatever the outcome of its probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Distinct ports on one host.
    pub vertical: Limit,
    /// Distinct well-known TCP ports on one host.
    pub vertical_known: Limit,
    /// Hosts inside on one sensitive service.
    pub horizontal_lateral_sensitive: Limit,
    /// Hosts inside on one other service.
    pub horizontal_lateral: Limit,
    /// Hosts on the internet on one sensitive service.
    pub horizontal_outbound_sensitive: Limit,
    /// Hosts on the internet on one other service.
    pub horizontal_outbound: Limit,
    /// Hosts on the internet on web or on one unnamed port from 1024, where breadth alone is ordinary.
    pub horizontal_outbound_noisy: Limit,
    /// Hosts asked by ICMP.
    pub icmp: Limit,
    /// Addresses asked for by ARP.
    pub arp: Limit,
    /// (host, port) pairs probed with flags no stack sends.
    pub flags: Limit,
    /// Uncommon IP protocols on one host.
    pub protocols: Limit,
    /// Block scan inside.
    pub block_lateral: BlockLimit,
    /// Block scan of the internet.
    pub block_outbound: BlockLimit,
}

/// How packets are taken from an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP native with multi-buffer, XDP native, XDP generic, TC ingress: the first that works.
    Auto,
    /// XDP in the driver only.
    XdpNative,
    /// XDP after the driver only.
    XdpGeneric,
    /// TC ingress only.
    Tc,
}

/// An interface to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Name of the interface.
    pub name: String,
    /// How to attach.
    pub hook: Hook,
}

/// Sizes of what is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Cells of internal sources in the kernel, per epoch copy.
    pub cells_internal: u32,
    /// Cells of external sources in the kernel, per epoch copy.
    pub cells_external: u32,
    /// Distinct pairs after which an internal source gets cells.
    pub admit_internal: u8,
    /// Distinct pairs after which an external source gets cells.
    pub admit_external: u8,
    /// Leading bits of an internal IPv6 source that tell sources apart.
    pub source_prefix_v6_internal: u8,
    /// Leading bits of an external IPv6 source that tell sources apart.
    pub source_prefix_v6_external: u8,
    /// Sources the agent keeps windows for.
    pub sources: usize,
    /// Open incidents at a time.
    pub incidents: usize,
    /// Time without new breadth after which an incident ends; the rule's window where that is longer.
    pub quiet: Duration,
}

/// The whole validated configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Interfaces to watch; empty means the one that holds the default route.
    pub interfaces: Vec<Interface>,
    /// Zones, numbered from 1 in this order.
    pub zones: Vec<Zone>,
    /// Service groups, numbered from 1 in this order.
    pub services: Vec<Service>,
    /// Roles; the first that covers a cell has it.
    pub roles: Vec<Role>,
    /// Treatment by direction.
    pub directions: Directions,
    /// Breadth at which a source is a scanner.
    pub thresholds: Thresholds,
    /// Sizes.
    pub limits: Limits,
}

impl Policy {
    /// The zone of an address: longest matching prefix, [`INTERNET`] where none matches.
    #[must_use]
    pub fn zone_of(&self, address: IpAddr) -> ZoneId {
        let mut best = (INTERNET, None);
        for (index, zone) in self.zones.iter().enumerate() {
            for network in zone.networks.iter().filter(|n| n.contains(address)) {
                if best.1.is_none_or(|prefix| network.prefix > prefix) {
                    best = (index as ZoneId + 1, Some(network.prefix));
                }
            }
        }
        best.0
    }

    /// Name of a zone, `internet` for zone 0 and for numbers out of range.
    #[must_use]
    pub fn zone_name(&self, zone: ZoneId) -> &str {
        match usize::from(zone).checked_sub(1).and_then(|i| self.zones.get(i)) {
            Some(zone) => &zone.name,
            None => "internet",
        }
    }

    /// The service group with this number; `None` for [`OTHER`].
    #[must_use]
    pub fn service(&self, service: ServiceId) -> Option<&Service> {
        usize::from(service).checked_sub(1).and_then(|i| self.services.get(i))
    }

    /// Service groups by port, as the kernel programs look them up.
    #[must_use]
    pub fn service_table(&self) -> Box<ServiceTable> {
        let mut table = Box::new(ServiceTable::EMPTY);
        for (index, service) in self.services.iter().enumerate() {
            let id = index as ServiceId + 1;
            for port in &service.tcp {
                table.tcp[usize::from(*port)] = id;
            }
            for port in &service.udp {
                table.udp[usize::from(*port)] = id;
            }
        }
        table
    }

    /// Direction between two zones.
    #[must_use]
    pub fn direction(source: ZoneId, target: ZoneId) -> Direction {
        match (source != INTERNET, target != INTERNET) {
            (true, true) => Direction::Lateral,
            (true, false) => Direction::Outbound,
            (false, true) => Direction::Inbound,
            (false, false) => Direction::Transit,
        }
    }
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

    /// Monday 3 January 2028, 00:00 UTC.
    const MONDAY_S: i64 = 1_830_470_400;
    const HOUR_S: i64 = 3_600;

    #[test]
    fn schedule_holds_from_its_first_minute_until_before_its_last() {
        let days = [true, true, true, true, true, false, false];
        let office = Schedule { days, from_minute: 8 * 60, to_minute: 18 * 60 };
        assert!(!office.holds(MONDAY_S + 8 * HOUR_S - 1));
        assert!(office.holds(MONDAY_S + 8 * HOUR_S));
        assert!(office.holds(MONDAY_S + 18 * HOUR_S - 1));
        assert!(!office.holds(MONDAY_S + 18 * HOUR_S));
        assert!(!office.holds(MONDAY_S + 5 * 24 * HOUR_S + 9 * HOUR_S), "Saturday");
        assert!(office.holds(MONDAY_S - 3 * 24 * HOUR_S + 9 * HOUR_S), "the Friday before");
    }

    #[test]
    fn schedule_past_midnight_belongs_to_the_day_it_begins() {
        let days = [false, false, false, false, false, false, true];
        let night = Schedule { days, from_minute: 22 * 60, to_minute: 6 * 60 };
        assert!(night.holds(MONDAY_S - 1));
        assert!(night.holds(MONDAY_S + 6 * HOUR_S - 1));
        assert!(!night.holds(MONDAY_S + 6 * HOUR_S));
        assert!(!night.holds(MONDAY_S + 22 * HOUR_S));
        assert!(!night.holds(MONDAY_S - 24 * HOUR_S + HOUR_S), "Sunday 01:00 would belong to Saturday");
    }

    #[test]
    fn role_holds_until_the_second_it_expires() {
        let mut role = Role {
            name: "relay".into(),
            kind: RoleKind::MailRelay,
            sources: vec![network("10.1.0.25", 32)],
            services: None,
            zones: vec![INTERNET],
            hosts_max: None,
            expires_s: Some(MONDAY_S),
            schedule: None,
        };
        assert!(role.holds(MONDAY_S - 1));
        assert!(!role.holds(MONDAY_S));
        role.expires_s = None;
        assert!(role.holds(i64::MAX));
        assert!(role.has_source(ip("10.1.0.25")));
        assert!(!role.has_source(ip("10.1.0.26")));
    }

    #[test]
    fn direction_depends_on_the_internet_alone() {
        assert_eq!(Policy::direction(1, 2), Direction::Lateral);
        assert_eq!(Policy::direction(1, INTERNET), Direction::Outbound);
        assert_eq!(Policy::direction(INTERNET, 2), Direction::Inbound);
        assert_eq!(Policy::direction(INTERNET, INTERNET), Direction::Transit);
    }
}
