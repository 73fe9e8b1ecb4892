//! Packets in the order in which they are thought of, and then in that of time.

use std::collections::HashMap;
use std::net::IpAddr;

use super::super::build::{self, Packet, Segment, arp_reply, arp_request, ether, icmp, ipv4, ipv6, tcp, udp};

/// Time from a packet to its answer, seconds.
const RTT_S: f64 = 0.02;

/// What comes of a contact.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Open,
    Refused,
    Dropped,
    Unreachable,
}

use Fate::{Dropped, Open, Refused, Unreachable};

/// How a conversation ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Fin,
    /// The client drops it, and refuses what still comes.
    ClientReset,
    ServerReset,
}

pub struct Net {
    frames: Vec<(f64, Vec<u8>)>,
    /// Link-layer addresses that are not an address's own.
    pub macs: HashMap<String, [u8; 6]>,
    /// Who is accused, if anybody is.
    pub scanner: String,
    state: u64,
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Self {
            frames: Vec::new(),
            macs: HashMap::new(),
            scanner: super::ACTOR.to_owned(),
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// The frames in order of time.
    pub fn frames(mut self) -> Vec<(f64, Vec<u8>)> {
        self.frames.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.frames
    }

    /// Leaves out what these addresses did not send.
    pub fn only_from(mut self, sources: &[&str]) -> Self {
        let wanted: Vec<[u8; 6]> = sources.iter().map(|source| self.mac(source)).collect();
        self.frames.retain(|(_, frame)| wanted.iter().any(|mac| frame[6..12] == mac[..]));
        self
    }

    /// The next random number (xorshift64*; Vigna, 2016).
    pub fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.random() >> 16) % n
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn unit(&mut self) -> f64 {
        self.below(1 << 32) as f64 / (1u64 << 32) as f64
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            let other = self.below(at as u64 + 1) as usize;
            list.swap(at, other);
        }
    }

    /// Distinct addresses of the internet.
    pub fn internet(&mut self, n: usize) -> Vec<String> {
        (0..n)
            .map(|_| {
                let octets = [20 + self.below(80), self.below(256), self.below(256), 1 + self.below(254)];
                octets.map(|octet| octet.to_string()).join(".")
            })
            .collect()
    }

    /// The ports nmap tries, the popular ones first.
    pub fn nmap_ports(&mut self) -> Vec<u16> {
        let mut ports = vec![
            80, 23, 443, 21, 22, 25, 3389, 110, 445, 139, 143, 53, 135, 3306, 8080, 1723, 111, 995, 993,
            5900, 1025, 587, 8888, 199, 1720,
        ];
        let mut rest: Vec<u16> = (1..1_024).filter(|port| !ports.contains(port)).collect();
        self.shuffle(&mut rest);
        rest.truncate(190);
        while rest.len() < 975 {
            let port = 1_024 + self.below(64_000) as u16;
            if !rest.contains(&port) && !ports.contains(&port) {
                rest.push(port);
            }
        }
        self.shuffle(&mut rest);
        ports.extend(rest);
        ports
    }

    fn mac(&self, address: &str) -> [u8; 6] {
        self.macs.get(address).copied().unwrap_or_else(|| {
            let hash = build::address(address)
                .iter()
                .fold(7u64, |hash, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte));
            let bytes = hash.to_be_bytes();
            [2, bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]
        })
    }

    fn packet(source: &str, target: &str, segment: impl Into<Segment>, ttl: u8) -> Packet {
        match (source.parse().unwrap(), target.parse().unwrap()) {
            (IpAddr::V4(source), IpAddr::V4(target)) => ipv4(source, target).ttl(ttl).carry(segment),
            (IpAddr::V6(source), IpAddr::V6(target)) => ipv6(source, target).hop_limit(ttl).carry(segment),
            (source, target) => panic!("{source} and {target} are of two families"),
        }
    }

    pub fn send(&mut self, at: f64, source: &str, target: &str, segment: impl Into<Segment>) {
        let packet = Self::packet(source, target, segment, 64);
        let frame = ether().from(self.mac(source)).carry(packet);
        self.frames.push((at, frame));
    }

    fn port(&mut self) -> u16 {
        32_768 + self.below(28_000) as u16
    }

    pub fn tcp(&mut self, at: f64, source: &str, target: &str, port: u16, fate: Fate) {
        self.tcp_as(at, source, target, port, fate, 2, End::Fin);
    }

    /// Without retries.
    pub fn syn(&mut self, at: f64, source: &str, target: &str, port: u16, fate: Fate) {
        self.tcp_as(at, source, target, port, fate, 0, End::Fin);
    }

    #[allow(clippy::too_many_arguments)]
    pub fn tcp_as(
        &mut self,
        at: f64,
        source: &str,
        target: &str,
        port: u16,
        fate: Fate,
        retries: u32,
        end: End,
    ) {
        let from = self.port();
        let (seq, theirs) = (self.random() as u32 | 1, self.random() as u32 | 1);
        let syn = || tcp(from, port).options(5).numbers(seq, 0);
        self.send(at, source, target, syn());
        match fate {
            Open => self.conversation(at, (source, from, seq), (target, port, theirs), end),
            Refused => {
                self.send(at + RTT_S, target, source, tcp(port, from).flags(0x14).numbers(0, seq + 1));
            }
            Dropped | Unreachable => {
                if fate == Unreachable {
                    let quoted = Self::packet(source, target, syn(), 64);
                    self.send(at + RTT_S, "10.0.0.1", source, icmp(3).code(1).quote(&quoted, 28));
                }
                let mut later = 1.0;
                for _ in 0..retries {
                    self.send(at + later, source, target, syn());
                    later = later * 2.0 + 1.0;
                }
            }
        }
    }

    fn conversation(&mut self, at: f64, client: (&str, u16, u32), server: (&str, u16, u32), end: End) {
        let ((source, from, seq), (target, port, theirs)) = (client, server);
        let (seq, theirs) = (seq.wrapping_add(1), theirs.wrapping_add(1));
        let ours = |flags| tcp(from, port).flags(flags).numbers(seq, theirs);
        let their = |flags| tcp(port, from).flags(flags).numbers(theirs, seq);
        self.send(at + RTT_S, target, source, tcp(port, from).flags(0x12).numbers(theirs - 1, seq));
        self.send(at + RTT_S * 1.1, source, target, ours(0x10).options(3));
        self.send(at + RTT_S * 1.2, source, target, ours(0x18).payload(&[0; 200]));
        self.send(at + RTT_S * 2.2, target, source, their(0x18).payload(&[0; 900]));
        match end {
            End::Fin => {
                self.send(at + RTT_S * 3.0, source, target, ours(0x11));
                self.send(at + RTT_S * 4.0, target, source, their(0x11));
            }
            End::ClientReset => self.send(at + RTT_S * 3.0, source, target, ours(4)),
            End::ServerReset => self.send(at + 60.0, target, source, their(4)),
        }
    }

    /// A bare segment, and perhaps the RST or RST|ACK that answers it.
    pub fn raw(
        &mut self,
        at: f64,
        (source, from): (&str, u16),
        (target, port): (&str, u16),
        flags: u8,
        reply: Option<u8>,
    ) {
        let (seq, ack) =
            (self.random() as u32 | 1, if flags & 0x10 == 0 { 0 } else { self.random() as u32 | 1 });
        self.send(at, source, target, tcp(from, port).flags(flags).numbers(seq, ack));
        match reply {
            Some(4) => self.send(at + RTT_S, target, source, tcp(port, from).flags(4).numbers(ack, 0)),
            Some(flags) => {
                self.send(at + RTT_S, target, source, tcp(port, from).flags(flags).numbers(0, seq));
            }
            None => {}
        }
    }

    pub fn udp(&mut self, at: f64, source: &str, target: &str, port: u16, fate: Fate) {
        let from = self.port();
        self.udp_from(at, (source, from), (target, port), fate, 40);
    }

    pub fn udp_from(
        &mut self,
        at: f64,
        (source, from): (&str, u16),
        (target, port): (&str, u16),
        fate: Fate,
        length: usize,
    ) {
        self.send(at, source, target, udp(from, port).payload(length));
        match fate {
            Open => self.send(at + RTT_S, target, source, udp(port, from).payload(length)),
            Refused => {
                let quoted = Self::packet(source, target, udp(from, port).payload(length), 64);
                self.send(at + RTT_S, target, source, icmp(3).code(3).quote(&quoted, 28));
            }
            Dropped | Unreachable => {}
        }
    }

    pub fn ping(&mut self, at: f64, source: &str, target: &str, is_answered: bool) {
        self.send(at, source, target, icmp(8));
        if is_answered {
            self.send(at + RTT_S, target, source, icmp(0));
        }
    }

    /// ARP requests, three where nobody answers, and the answer where there is one and it is seen.
    pub fn arp(&mut self, at: f64, source: &str, target: &str, is_answered: bool, is_seen: bool) {
        let addresses = |a: &str| a.parse::<std::net::Ipv4Addr>().unwrap();
        let (mac, theirs) = (self.mac(source), self.mac(target));
        for retry in 0..if is_answered { 1 } else { 3 } {
            let request = ether().from(mac).to(build::BROADCAST);
            let frame = request.carry(arp_request(addresses(source), addresses(target)));
            self.frames.push((at + f64::from(retry), frame));
        }
        if is_answered && is_seen {
            let reply = ether().from(theirs).to(mac).carry(arp_reply(addresses(target), addresses(source)));
            self.frames.push((at + 0.001, reply));
        }
    }

    /// A packet of a conversation that a router forwards.
    pub fn forwarded(&mut self, at: f64, source: &str, target: &str, segment: impl Into<Segment>) {
        let packet = Self::packet(source, target, segment, 57);
        let frame = ether().from(self.mac(source)).carry(packet);
        self.frames.push((at, frame));
    }
}

/// Hosts `base`1 to `base`n.
pub fn lan(base: &str, n: u16) -> Vec<String> {
    (1..=n).map(|host| format!("{base}{host}")).collect()
}

/// Hosts of 10.2.0.0/16, 250 to a network.
pub fn servers(n: u16) -> Vec<String> {
    (0..n).map(|host| format!("10.2.{}.{}", host / 250, host % 250 + 1)).collect()
}
