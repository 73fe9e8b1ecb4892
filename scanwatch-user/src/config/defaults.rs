//! What holds where the configuration says nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::services::default_services;
use crate::policy::{
    BlockLimit, Directions, DistributedLimit, Limit, Limits, Network, Policy, Rights, Sight, SurgeLimit,
    Thresholds, Treatment, WaysInLimit, Zone,
};

/// Name, TCP ports and UDP ports of each default service group. A port is in one group per transport: udp/27017 is a
/// game server, tcp/27017 a database.
pub(super) const GROUPS: &[(&str, &[u16], &[u16])] = &[
    ("web", &[80, 81, 443, 591, 3128, 8000, 8080, 8443, 8888], &[443]),
    ("mail", &[25, 110, 143, 465, 587, 993, 995], &[]),
    ("dns", &[53, 853, 5353, 5355], &[53, 5353, 5355]),
    ("smb", &[135, 137, 138, 139, 445, 593], &[]),
    ("netbios", &[], &[137, 138]),
    ("remote", &[22, 23, 512, 513, 514, 2222, 2323, 3389, 5900, 5901, 5985, 5986], &[]),
    ("file", &[20, 21, 69, 111, 548, 873, 2049], &[69, 111, 2049]),
    (
        "database",
        &[1433, 1434, 1521, 3306, 5432, 5984, 6379, 9042, 9200, 11211, 27017, 50000],
        &[1434, 11211],
    ),
    ("directory", &[88, 389, 464, 636, 3268, 3269], &[88, 389, 464]),
    (
        "management",
        &[161, 162, 623, 1900, 2375, 2376, 4786, 5431, 5555, 6443, 7547, 8291, 10250, 37215, 49152, 52869],
        &[161, 162, 623, 1900],
    ),
    ("voice", &[5060, 5061], &[3478, 5060, 5061]),
    ("time", &[123], &[123]),
    ("print", &[515, 631, 9100], &[]),
    // Programs that try every peer they ever heard of.
    (
        "peer",
        &[6881, 6882, 6883, 6884, 6885, 6886, 6887, 6888, 6889, 7680, 17500, 22000, 27036, 57621],
        &[6881, 6882, 6883, 6884, 6885, 6886, 6887, 6888, 6889],
    ),
    ("vpn", &[], &[500, 1194, 1701, 4500, 51820]),
    ("ics", &[102, 502, 20000, 44818, 47808], &[47808]),
    ("radius", &[], &[1812, 1813]),
];

/// The default groups an intruder tries first.
pub(super) const SENSITIVE: &[&str] = &["smb", "netbios", "remote", "file", "database", "management", "ics"];

/// Scans that begin inside are alerts; what comes from the internet is background noise.
pub(super) const DIRECTIONS: Directions = Directions {
    lateral: Treatment::Alert,
    outbound: Treatment::Alert,
    inbound: Treatment::Statistics,
    transit: Treatment::Statistics,
};

/// A limit in the four windows; 0 is off.
const fn limit(minute: u32, ten_minutes: u32, hour: u32, day: u32) -> Limit {
    const fn count(count: u32) -> Option<u32> {
        if count == 0 { None } else { Some(count) }
    }
    Limit { minute: count(minute), ten_minutes: count(ten_minutes), hour: count(hour), day: count(day) }
}

/// A botnet like Mirai tries each address once in ten minutes, so a network of five sees 30 sources an hour (SANS Internet
/// Storm Center, *The Mirai botnet: a look back and ahead at what's next*). Forged floods last minutes, seldom hours. In a
/// day of learning each hour was seen once.
pub(super) const SURGE: SurgeLimit = SurgeLimit {
    sources: 30,
    growth: 5,
    slots: 3,
    slot: Duration::from_hours(1),
    learning: Duration::from_hours(24),
};

/// The numbers that held on captures and on simulated networks.
pub(super) const THRESHOLDS: Thresholds = Thresholds {
    vertical: limit(10, 15, 20, 40),
    vertical_known: limit(0, 0, 12, 15),
    vertical_any: limit(0, 20, 0, 0),
    vertical_blind: limit(0, 50, 0, 0),
    vertical_ways_in: WaysInLimit { tried: 5, failed: 3 },
    horizontal_lateral_sensitive: limit(10, 15, 20, 30),
    horizontal_lateral: limit(15, 30, 45, 60),
    horizontal_outbound_sensitive: limit(10, 20, 40, 80),
    horizontal_outbound: limit(30, 100, 300, 1_000),
    horizontal_outbound_noisy: limit(100, 300, 900, 3_000),
    horizontal_network: limit(15, 25, 40, 0),
    horizontal_blind: limit(0, 100, 0, 0),
    fan_out_sensitive: limit(0, 50, 100, 150),
    fan_out: limit(0, 250, 500, 1_000),
    fan_out_icmp: limit(0, 100, 200, 0),
    fan_out_mail: limit(180, 0, 0, 0),
    icmp_lateral: limit(15, 30, 60, 120),
    icmp_outbound: limit(30, 60, 120, 0),
    arp: limit(20, 40, 80, 0),
    flags: limit(0, 3, 0, 5),
    refused_ports: limit(0, 10, 0, 0),
    refused_hosts: limit(0, 15, 0, 0),
    protocols: limit(0, 5, 0, 0),
    block_lateral: BlockLimit { pairs: 60, hosts: 5, ports: 5 },
    block_outbound: BlockLimit { pairs: 100, hosts: 10, ports: 10 },
    distributed: DistributedLimit { sources: 20, ports: 15 },
    surge: Some(SURGE),
    silence: Duration::from_secs(3),
    hold: Duration::from_mins(2),
    learning: Duration::from_hours(1),
    visibility: Sight::Auto,
};

/// Sizes for a site of some ten thousand hosts.
pub(super) const LIMITS: Limits = Limits {
    cells_internal: 16_384,
    cells_external: 8_192,
    admit_internal: 2,
    admit_external: 4,
    source_prefix_v6_internal: 128,
    source_prefix_v6_external: 64,
    sources: 65_536,
    incidents: 4_096,
    incidents_per_minute: 100,
    quiet: Duration::from_mins(1),
};

/// Zone `internal`: private and link-local networks (RFC 1918, RFC 3927, RFC 4193, RFC 4291).
pub(super) fn zone() -> Zone {
    let v4 = |a, b, prefix| Network { address: IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), prefix };
    let v6 = |a, prefix| Network { address: IpAddr::V6(Ipv6Addr::new(a, 0, 0, 0, 0, 0, 0, 0)), prefix };
    let networks = vec![
        v4(10, 0, 8),
        v4(172, 16, 12),
        v4(192, 168, 16),
        v4(169, 254, 16),
        v6(0xfc00, 7),
        v6(0xfe80, 10),
    ];
    Zone { name: "internal".to_owned(), networks }
}

impl Default for Directions {
    fn default() -> Self {
        DIRECTIONS
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        THRESHOLDS
    }
}

impl Default for Limits {
    fn default() -> Self {
        LIMITS
    }
}

impl Default for Policy {
    /// What an empty configuration means.
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            zones: vec![zone()],
            services: default_services(),
            roles: Vec::new(),
            directions: DIRECTIONS,
            thresholds: THRESHOLDS,
            limits: LIMITS,
            sinks: Vec::new(),
            state_directory: None,
            listen: None,
            rights: Rights::default(),
        }
    }
}
