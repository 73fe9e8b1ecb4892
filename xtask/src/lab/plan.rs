//! The plan of the lab as plain data: segments, machines, their addresses, what they serve. No I/O.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Number of the router in each segment's networks.
pub const ROUTER_NUMBER: u8 = 1;
/// Number of the machine behind which the whole internet side lies.
pub const INTERNET_NUMBER: u8 = 254;
/// Addresses that all answer on the internet side (RFC 2544 test range, lower half).
pub const INTERNET_LIVE_V4: &str = "198.18.0.0/16";
/// Addresses on the internet side that never answer (RFC 2544 test range, upper half).
pub const INTERNET_DARK_V4: &str = "198.19.0.0/16";
/// IPv6 addresses that all answer on the internet side (RFC 3849 documentation range).
pub const INTERNET_LIVE_V6: &str = "2001:db8:c612::/48";
/// IPv6 addresses on the internet side that never answer.
pub const INTERNET_DARK_V6: &str = "2001:db8:c613::/48";

/// One of the three Ethernet segments the router joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// People's machines, the proxy, the mail relay: 10.1.0.0/24 and fd00:1::/64.
    Office,
    /// The servers: 10.2.0.0/24 and fd00:2::/64.
    Servers,
    /// The link to the provider: 203.0.113.0/24 and 2001:db8:113::/64.
    Internet,
}

impl Segment {
    /// All segments, in the order of the router's interfaces.
    pub const ALL: [Self; 3] = [Self::Office, Self::Servers, Self::Internet];

    /// Name of the router's interface on this segment.
    #[must_use]
    pub const fn interface(self) -> &'static str {
        match self {
            Self::Office => "office",
            Self::Servers => "servers",
            Self::Internet => "internet",
        }
    }

    /// Name of the bridge that is this segment's switch.
    #[must_use]
    pub const fn bridge(self) -> &'static str {
        match self {
            Self::Office => "br-office",
            Self::Servers => "br-servers",
            Self::Internet => "br-internet",
        }
    }

    /// The segment's IPv4 network, a /24, as text.
    #[must_use]
    pub const fn network_v4(self) -> &'static str {
        match self {
            Self::Office => "10.1.0.0/24",
            Self::Servers => "10.2.0.0/24",
            Self::Internet => "203.0.113.0/24",
        }
    }

    /// IPv4 address of machine `number` on this segment.
    #[must_use]
    pub const fn v4(self, number: u8) -> Ipv4Addr {
        match self {
            Self::Office => Ipv4Addr::new(10, 1, 0, number),
            Self::Servers => Ipv4Addr::new(10, 2, 0, number),
            Self::Internet => Ipv4Addr::new(203, 0, 113, number),
        }
    }

    /// IPv6 address of machine `number`: the last group reads like the decimal number (99 is `::99`).
    #[must_use]
    pub const fn v6(self, number: u8) -> Ipv6Addr {
        let host = digits_as_hex(number);
        match self {
            Self::Office => Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, host),
            Self::Servers => Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, host),
            Self::Internet => Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, host),
        }
    }
}

/// 99 becomes 0x99: binary-coded decimal, so that both families' addresses read the same.
const fn digits_as_hex(number: u8) -> u16 {
    let number = number as u16;
    (number / 100) << 8 | (number / 10 % 10) << 4 | (number % 10)
}

/// The readable, locally administered MAC address of the machine with this IPv4 address.
#[must_use]
pub const fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [2, 0, a, b, c, d]
}

/// A MAC address in the form `ip(8)` reads and scanwatch's records hold apart from case: `02:00:0a:01:00:63`.
#[must_use]
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// What answers on a machine's TCP ports (and UDP 53 for the name server).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// nginx on these ports, plain HTTP on all of them.
    Nginx(&'static [u16]),
    /// dnsmasq on 53/udp and 53/tcp, an answer for every name.
    Dnsmasq,
    /// A listener that greets with the banner its port is known for and then reads until the peer goes.
    Banner(&'static [u16]),
}

/// One machine of the lab, the router and the switch left out.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Its name, used in namespace names and progress lines.
    pub name: &'static str,
    /// Where it is plugged in, by its only interface `eth0`.
    pub segment: Segment,
    /// Its numbers on the segment; the first is its primary address and gives the MAC.
    pub numbers: &'static [u8],
    /// What it serves.
    pub servers: &'static [Server],
}

const fn machine(
    name: &'static str,
    segment: Segment,
    numbers: &'static [u8],
    servers: &'static [Server],
) -> Machine {
    Machine { name, segment, numbers, servers }
}

/// Every machine of the lab.
pub const MACHINES: [Machine; 12] = [
    machine("client", Segment::Office, &[10], &[]),
    machine("proxy", Segment::Office, &[20], &[]),
    machine("relay", Segment::Office, &[25], &[Server::Banner(&[25])]),
    machine("assets", Segment::Office, &[30], &[]),
    machine("resolver", Segment::Office, &[53], &[Server::Dnsmasq]),
    machine("camera", Segment::Office, &[77], &[]),
    machine("scanner", Segment::Office, &[99], &[]),
    machine(
        "web",
        Segment::Servers,
        &[10, 11, 12, 13],
        &[Server::Nginx(&[80, 443, 8080]), Server::Banner(&[22])],
    ),
    machine("files", Segment::Servers, &[20, 21, 22, 23], &[Server::Banner(&[22, 139, 445])]),
    machine(
        "infra",
        Segment::Servers,
        &[30, 31, 32, 33],
        &[Server::Dnsmasq, Server::Banner(&[22, 25, 3306])],
    ),
    machine(
        "internet",
        Segment::Internet,
        &[INTERNET_NUMBER],
        &[Server::Nginx(&[80, 443]), Server::Dnsmasq, Server::Banner(&[25])],
    ),
    machine("outside", Segment::Internet, &[66], &[]),
];

/// Further office machines and servers, and strangers, which serve nothing: made where a lab has to hold many scanners.
pub const GUESTS: [Machine; 14] = [
    machine("monitor", Segment::Office, &[60], &[]),
    machine("desk1", Segment::Office, &[101], &[]),
    machine("desk2", Segment::Office, &[102], &[]),
    machine("desk3", Segment::Office, &[103], &[]),
    machine("desk4", Segment::Office, &[104], &[]),
    machine("desk5", Segment::Office, &[105], &[]),
    machine("desk6", Segment::Office, &[106], &[]),
    machine("desk7", Segment::Office, &[107], &[]),
    machine("desk8", Segment::Office, &[108], &[]),
    machine("rack1", Segment::Servers, &[201], &[]),
    machine("rack2", Segment::Servers, &[202], &[]),
    machine("rack3", Segment::Servers, &[203], &[]),
    machine("stranger1", Segment::Internet, &[71], &[]),
    machine("stranger2", Segment::Internet, &[72], &[]),
];

/// The roles of the machines that reach many others for a living, as scanwatch's configuration has them.
pub const ROLES: &str = r#"
[[role]]
name = "egress proxies"
kind = "proxy"
sources = ["10.1.0.20/32", "fd00:1::20/128"]

[[role]]
name = "mail relays"
kind = "mail_relay"
sources = ["10.1.0.25/32", "fd00:1::25/128"]

[[role]]
name = "asset managers"
kind = "asset_manager"
sources = ["10.1.0.30/32", "fd00:1::30/128"]

[[role]]
name = "resolvers"
kind = "resolver"
sources = ["10.1.0.53/32", "fd00:1::53/128"]
"#;

/// The banner a server greets with on `port`; empty where the client speaks first.
#[must_use]
pub const fn banner(port: u16) -> &'static [u8] {
    match port {
        22 => b"SSH-2.0-OpenSSH_9.2\r\n",
        25 => b"220 mail.lab.example ESMTP\r\n",
        3306 => b"\x0a8.0.36\0",
        _ => b"",
    }
}

/// `count` different addresses that answer on the internet side, spread over many /24 networks; at most 65,024.
#[must_use]
pub fn internet_hosts_v4(count: usize) -> Vec<Ipv4Addr> {
    // 40,503 is odd, so the walk meets every 16-bit number once; .0 and .255 are left out for looks only.
    (0..=u16::MAX)
        .map(|step| step.wrapping_mul(40_503).to_be_bytes())
        .filter(|[_, last]| !matches!(last, 0 | 255))
        .map(|[third, last]| Ipv4Addr::new(198, 18, third, last))
        .take(count)
        .collect()
}

/// `count` different IPv6 addresses that answer on the internet side, each in its own /64; at most 65,535.
#[must_use]
pub fn internet_hosts_v6(count: usize) -> Vec<Ipv6Addr> {
    (1..=u16::MAX)
        .map(|step| Ipv6Addr::new(0x2001, 0xdb8, 0xc612, step.wrapping_mul(40_503), 0, 0, 0, 1))
        .take(count)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn both_families_and_the_mac_read_alike() {
        assert_eq!(Segment::Office.v4(99).to_string(), "10.1.0.99");
        assert_eq!(Segment::Office.v6(99).to_string(), "fd00:1::99");
        assert_eq!(Segment::Internet.v6(254).to_string(), "2001:db8:113::254");
        assert_eq!(mac_text(mac_of(Segment::Office.v4(99))), "02:00:0a:01:00:63");
    }

    #[test]
    fn no_two_machines_share_a_name_or_an_address() {
        let mut names = HashSet::from(["router", "switch"]);
        let mut addresses: HashSet<_> =
            Segment::ALL.iter().map(|segment| segment.v4(ROUTER_NUMBER)).collect();
        for machine in MACHINES.iter().chain(&GUESTS) {
            assert!(names.insert(machine.name), "{} twice", machine.name);
            assert!(!machine.numbers.is_empty());
            for &number in machine.numbers {
                assert!(addresses.insert(machine.segment.v4(number)), "{} has a taken address", machine.name);
            }
        }
    }

    #[test]
    fn interface_names_fit_the_kernel_limit() {
        let ports = MACHINES.iter().chain(&GUESTS).map(|machine| machine.name);
        let bridges = Segment::ALL.into_iter().flat_map(|segment| [segment.interface(), segment.bridge()]);
        for name in ports.chain(bridges) {
            assert!(name.len() <= 15, "{name} is longer than IFNAMSIZ allows");
        }
    }

    #[test]
    fn internet_hosts_are_distinct_and_spread_over_networks() {
        let hosts: HashSet<_> = internet_hosts_v4(300).into_iter().collect();
        let networks: HashSet<_> = hosts.iter().map(|host| host.octets()[2]).collect();
        assert_eq!(hosts.len(), 300);
        assert!(networks.len() > 150, "only {} networks", networks.len());
        assert!(hosts.iter().all(|host| host.octets()[..2] == [198, 18]));
        assert_eq!(internet_hosts_v6(300).into_iter().collect::<HashSet<_>>().len(), 300);
        assert_eq!(internet_hosts_v4(65_024).into_iter().collect::<HashSet<_>>().len(), 65_024);
    }
}
