//! Scans drawn at random, each such that scanwatch must find it whatever its source did before: what a source has touched
//! once is nothing new for a day.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use fastrand::Rng;

use super::log::Expected;
use crate::lab::Segment;

/// Last parts of the addresses that answer in the servers' and in the office's network.
const SERVERS: &[u8] = &[10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33];
const DESKS: &[u8] = &[10, 20, 25, 30, 53, 77, 99];
/// One port of each group of services that is told apart.
const SERVICES: &[u16] = &[445, 3389, 1433, 161, 502, 873, 389, 5060, 9100, 25, 53, 8080];
/// Ports in no group are each a service of their own.
const UNNAMED: std::ops::Range<u16> = 10_000..19_999;
/// Ports are drawn in blocks of so many, none of which a source tries twice on a host by the same technique.
const BLOCK: u16 = 400;
const BLOCKS: u16 = 150;
/// Blocks of UDP: below those that traceroute uses.
const BLOCKS_UDP: u16 = 75;

/// A scan to be made.
#[derive(Clone, Debug)]
pub struct Order {
    /// The command, its words parted by blanks. `ROUTER` is the router's link-layer address.
    pub line: String,
    /// What is to come of it.
    pub expected: Option<Expected>,
    /// From the scanner's IPv6 address.
    pub v6: bool,
    /// It is slow enough to outlast a restart.
    pub long: bool,
}

/// Draws the scans of one source.
#[derive(Debug)]
pub struct Catalogue {
    rng: Rng,
    segment: Segment,
    /// How long slow scans take, seconds.
    long_s: u16,
    used: HashSet<String>,
}

type Draw = fn(&mut Catalogue) -> Option<Order>;

/// Scans from inside to inside.
const LATERAL: &[Draw] = &[
    Catalogue::syn_ports,
    Catalogue::syn_ports,
    Catalogue::connect_ports,
    Catalogue::syn_ports_v6,
    Catalogue::udp_ports,
    Catalogue::odd_flags,
    Catalogue::ack_ports,
    Catalogue::hping3_ports,
    Catalogue::sweep_by_nmap,
    Catalogue::sweep_by_nmap,
    Catalogue::sweep_by_masscan,
    Catalogue::sweep_by_zmap,
    Catalogue::ping,
    Catalogue::arp,
    Catalogue::block,
];
/// Scans from inside to the internet.
const OUTBOUND: &[Draw] =
    &[Catalogue::ports_outside, Catalogue::sweep_outside, Catalogue::bot, Catalogue::ping_outside];
/// Scans from the internet.
const INBOUND: &[Draw] = &[Catalogue::noise_ports, Catalogue::noise_sweep, Catalogue::noise_ping];
/// Scans that take long.
const LONG: &[Draw] = &[Catalogue::slow_ports, Catalogue::slow_ports, Catalogue::slow_sweep];

impl Catalogue {
    /// The scans of a source on `segment`, drawn by `seed`.
    #[must_use]
    pub fn new(segment: Segment, seed: u64, long_s: u16) -> Self {
        Self { rng: Rng::with_seed(seed), segment, long_s, used: HashSet::new() }
    }

    /// The next scan. Never ends for want of fresh ports on the internet.
    pub fn next(&mut self) -> Order {
        loop {
            let draws = match self.segment {
                Segment::Internet => INBOUND,
                Segment::Office | Segment::Servers => match self.rng.u8(0..10) {
                    0..=1 => LONG,
                    2..=4 => OUTBOUND,
                    _ => LATERAL,
                },
            };
            let draw = draws[self.rng.usize(0..draws.len())];
            if let Some(order) = draw(self) {
                return order;
            }
        }
    }

    /// Seconds until the next scan, at random between these.
    pub fn pause_s(&mut self, least: f64, most: f64) -> f64 {
        least + self.rng.f64() * (most - least)
    }

    /// True the first time.
    fn is_fresh(&mut self, what: String) -> bool {
        self.used.insert(what)
    }

    /// The segment that is scanned, across the router, and the hosts that answer there.
    fn targets(&self) -> (Segment, &'static [u8]) {
        if self.segment == Segment::Servers { (Segment::Office, DESKS) } else { (Segment::Servers, SERVERS) }
    }

    fn host(&mut self) -> (Segment, u8) {
        let (segment, hosts) = self.targets();
        (segment, hosts[self.rng.usize(0..hosts.len())])
    }

    /// First of a block of ports of a host that is fresh by this technique.
    fn ports(&mut self, technique: &str, blocks: u16, host: &str) -> Option<u16> {
        let first = 1 + BLOCK * self.rng.u16(0..blocks);
        self.is_fresh(format!("{technique} {first} {host}")).then_some(first)
    }

    /// A port whose service is fresh.
    fn service(&mut self) -> Option<u16> {
        let port =
            if self.rng.bool() { SERVICES[self.rng.usize(0..SERVICES.len())] } else { self.rng.u16(UNNAMED) };
        self.is_fresh(format!("service {port}")).then_some(port)
    }

    /// A fresh network of the internet in which nobody is.
    fn dark(&mut self) -> Option<String> {
        let third = self.rng.u8(..);
        self.is_fresh(format!("dark {third}")).then(|| format!("198.19.{third}.0/24"))
    }

    /// A scan of many ports of one host, the command but for ports and host.
    fn vertical(&mut self, command: &str, techniques: &[&str], blocks: u16, width: u16) -> Option<Order> {
        let (segment, number) = self.host();
        let host = segment.v4(number).to_string();
        let first = self.ports(techniques[0], blocks, &host)?;
        let line = format!("{command} -p{first}-{} {host}", first + width - 1);
        Some(order(line, "vertical", "internal", techniques))
    }

    fn syn_ports(&mut self) -> Option<Order> {
        self.vertical("nmap -n -Pn -sS --min-rate 300 --max-retries 1", &["syn", "connect"], BLOCKS, 300)
    }

    fn connect_ports(&mut self) -> Option<Order> {
        self.vertical("nmap -n -Pn -sT --max-retries 1", &["syn", "connect"], BLOCKS, 200)
    }

    fn syn_ports_v6(&mut self) -> Option<Order> {
        let (segment, number) = self.host();
        let host = segment.v6(number).to_string();
        let first = self.ports("syn", BLOCKS, &host)?;
        let line = format!("nmap -6 -n -Pn -sS --max-retries 1 -p{first}-{} {host}", first + 199);
        Some(Order { v6: true, ..order(line, "vertical", "internal", &["syn", "connect"]) })
    }

    fn udp_ports(&mut self) -> Option<Order> {
        self.vertical("nmap -n -Pn -sU --max-retries 0 --min-rate 50", &["udp"], BLOCKS_UDP, 100)
    }

    fn odd_flags(&mut self) -> Option<Order> {
        let (option, technique) = [("-sN", "null"), ("-sF", "fin"), ("-sX", "xmas")][self.rng.usize(0..3)];
        self.vertical(&format!("nmap -n -Pn {option} --max-retries 0"), &[technique], BLOCKS, 60)
    }

    /// Ports below 512, which alone tell an ACK scan from clients of a server that hang up, and to which the source has not
    /// opened a conversation: what refuses one is no proof.
    fn ack_ports(&mut self) -> Option<Order> {
        let (segment, number) = self.host();
        let host = segment.v4(number).to_string();
        let opened = ["syn", "slow"].map(|technique| format!("{technique} 1 {host}"));
        let mut opened = opened.iter().map(String::as_str).chain(["block 1 all"]);
        if opened.any(|what| self.used.contains(what)) {
            return None;
        }
        self.is_fresh(format!("refused {host}")).then(|| {
            let line = format!("nmap -n -Pn -sA --max-retries 0 -p1-200 {host}");
            order(line, "vertical", "internal", &["refused"])
        })
    }

    fn hping3_ports(&mut self) -> Option<Order> {
        let (segment, number) = self.host();
        let host = segment.v4(number).to_string();
        let first = self.ports("syn", BLOCKS, &host)?;
        let line = format!("hping3 -q -S -p ++{first} -c 100 -i u10000 {host}");
        Some(order(line, "vertical", "internal", &["syn", "connect"]))
    }

    fn sweep_by_nmap(&mut self) -> Option<Order> {
        let network = self.targets().0.network_v4();
        let port = self.service()?;
        let line = format!("nmap -n -Pn -sS -p{port} --min-rate 200 --max-retries 0 {network}");
        Some(order(line, "horizontal", "internal", &["syn", "connect"]))
    }

    fn sweep_by_masscan(&mut self) -> Option<Order> {
        let network = self.targets().0.network_v4();
        let port = self.service()?;
        let line = format!("masscan -p{port} --rate 500 --wait 1 -e eth0 --router-mac ROUTER {network}");
        Some(order(line, "horizontal", "internal", &["syn", "connect"]))
    }

    fn sweep_by_zmap(&mut self) -> Option<Order> {
        let network = self.targets().0.network_v4();
        let port = self.service()?;
        let way = "-i eth0 -G ROUTER -b /dev/null -o /dev/null";
        let line = format!("zmap -q -v 0 -p {port} -r 200 -c 1 {way} {network}");
        Some(order(line, "horizontal", "internal", &["syn", "connect"]))
    }

    fn ping(&mut self) -> Option<Order> {
        let network = self.targets().0.network_v4();
        self.is_fresh("ping".to_owned()).then(|| {
            order(format!("nmap -n -sn -PE --min-rate 200 {network}"), "horizontal", "internal", &["icmp"])
        })
    }

    fn arp(&mut self) -> Option<Order> {
        let network = self.segment.network_v4();
        self.is_fresh("arp".to_owned())
            .then(|| order(format!("nmap -n -sn -PR {network}"), "horizontal", "internal", &["arp"]))
    }

    fn block(&mut self) -> Option<Order> {
        let (segment, hosts) = self.targets();
        let first = self.ports("block", BLOCKS, "all")?;
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        let [a, b, c, _] = segment.v4(0).octets();
        let (last, hosts) = (first + 49, hosts.join(","));
        let line = format!("nmap -n -Pn -sS --max-retries 1 -p{first}-{last} {a}.{b}.{c}.{hosts}");
        Some(order(line, "block", "internal", &["syn", "connect"]))
    }

    fn ports_outside(&mut self) -> Option<Order> {
        let host = Ipv4Addr::new(198, 18, self.rng.u8(..), self.rng.u8(1..255)).to_string();
        let first = self.ports("syn", BLOCKS, &host)?;
        let line = format!("nmap -n -Pn -sS --max-retries 0 -p{first}-{} {host}", first + 149);
        Some(order(line, "vertical", "outbound", &["syn", "connect"]))
    }

    fn sweep_outside(&mut self) -> Option<Order> {
        let (port, network) = (self.service()?, self.dark()?);
        let line = format!("nmap -n -Pn -sS -p{port} --min-rate 200 --max-retries 0 {network}");
        Some(order(line, "horizontal", "outbound", &["syn", "connect"]))
    }

    /// As a bot does.
    fn bot(&mut self) -> Option<Order> {
        let network = self.dark()?;
        let line = format!("masscan -p23 --rate 500 --wait 1 -e eth0 --router-mac ROUTER {network}");
        Some(order(line, "horizontal", "outbound", &["syn"]))
    }

    fn ping_outside(&mut self) -> Option<Order> {
        let line = format!("nmap -n -sn -PE --min-rate 200 --max-retries 0 {}", self.dark()?);
        Some(order(line, "horizontal", "outbound", &["icmp"]))
    }

    fn slow_ports(&mut self) -> Option<Order> {
        const RATE: u16 = 20;
        let (segment, number) = self.host();
        let host = segment.v4(number).to_string();
        let first = self.ports("slow", 50, &host)?;
        let last = first.saturating_add(RATE * self.long_s - 1);
        let line = format!("nmap -n -Pn -sS --max-rate {RATE} --max-retries 0 -p{first}-{last} {host}");
        Some(Order { long: true, ..order(line, "vertical", "internal", &["syn", "connect"]) })
    }

    fn slow_sweep(&mut self) -> Option<Order> {
        let network = self.targets().0.network_v4();
        let port = self.service()?;
        let rate = (254 / self.long_s).max(5);
        let line = format!("nmap -n -Pn -sS -p{port} --max-rate {rate} --max-retries 0 {network}");
        Some(Order { long: true, ..order(line, "horizontal", "internal", &["syn", "connect"]) })
    }

    fn noise_ports(&mut self) -> Option<Order> {
        self.vertical("nmap -n -Pn -sS --max-retries 1", &["syn"], BLOCKS, 200).map(unheard)
    }

    fn noise_sweep(&mut self) -> Option<Order> {
        self.sweep_by_masscan().map(unheard)
    }

    fn noise_ping(&mut self) -> Option<Order> {
        self.ping().map(unheard)
    }
}

fn order(line: String, kind: &str, direction: &str, techniques: &[&str]) -> Order {
    let techniques = techniques.iter().map(|&technique| technique.to_owned()).collect();
    let expected = Expected { kind: kind.to_owned(), direction: direction.to_owned(), techniques };
    Order { line, expected: Some(expected), v6: false, long: false }
}

/// From the internet: counted, and no alert.
fn unheard(order: Order) -> Order {
    Order { expected: None, ..order }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seed: u64) -> Vec<String> {
        let mut catalogue = Catalogue::new(Segment::Office, seed, 50);
        (0..200).map(|_| catalogue.next().line).collect()
    }

    #[test]
    fn a_seed_gives_the_same_scans_and_another_one_others() {
        assert_eq!(lines(7), lines(7));
        assert_ne!(lines(7), lines(8));
    }

    #[test]
    fn no_source_makes_the_same_scan_twice() {
        let lines = lines(7);
        assert_eq!(lines.iter().collect::<HashSet<_>>().len(), lines.len());
    }

    #[test]
    fn only_scans_from_the_internet_are_expected_to_be_no_alert() {
        for segment in Segment::ALL {
            let mut catalogue = Catalogue::new(segment, 3, 50);
            let is_outside = segment == Segment::Internet;
            assert!((0..100).all(|_| catalogue.next().expected.is_none() == is_outside));
        }
    }
}
