//! Traffic with times, and the captures it makes.

#![allow(dead_code, reason = "each test crate that includes this module uses its own part of it")]

#[path = "../../../scanwatch-common/tests/build/mod.rs"]
pub mod build;
#[path = "../../src/capture/tests/writer.rs"]
pub mod writer;

use std::net::Ipv4Addr;

use build::{Segment, ether, ipv4, tcp, udp};
use writer::{NANOSECONDS, Order, Pcap};

pub const SECOND_NS: u64 = 1_000_000_000;
/// 3 January 2028, 00:00 UTC.
pub const START_NS: u64 = 1_830_470_400 * SECOND_NS;
/// Ethernet.
const ETHERNET: u32 = 1;

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;
const ACK: u8 = 0x10;

/// Frames in the order in which they were captured.
#[derive(Clone, Default)]
pub struct Traffic {
    /// Time, nanoseconds since the Unix epoch, and frame.
    pub frames: Vec<(u64, Vec<u8>)>,
    /// Time of the next frame.
    pub now_ns: u64,
}

impl Traffic {
    /// Nothing yet, at [`START_NS`].
    pub fn new() -> Self {
        Self::at(START_NS)
    }

    /// Nothing yet, at this time.
    pub fn at(now_ns: u64) -> Self {
        Self { frames: Vec::new(), now_ns }
    }

    pub fn frame(&mut self, frame: Vec<u8>) {
        self.frames.push((self.now_ns, frame));
    }

    pub fn wait(&mut self, seconds: f64) {
        #[allow(clippy::cast_sign_loss)]
        let ns = (seconds * SECOND_NS as f64) as u64;
        self.now_ns += ns;
    }

    pub fn segment(&mut self, source: &str, target: &str, segment: impl Into<Segment>) {
        let (source, target): (Ipv4Addr, Ipv4Addr) = (source.parse().unwrap(), target.parse().unwrap());
        self.frame(ether().carry(ipv4(source, target).carry(segment)));
    }

    /// A connection that is refused at once.
    pub fn refused(&mut self, source: &str, target: &str, port: u16) {
        let from = 40_000 + (self.frames.len() % 20_000) as u16;
        self.segment(source, target, tcp(from, port).flags(SYN).numbers(7, 0));
        self.now_ns += 1_000;
        self.segment(target, source, tcp(port, from).flags(RST_ACK).numbers(0, 8));
    }

    /// Refused connections to so many ports of a host from 1 on.
    pub fn scan_ports(&mut self, source: &str, target: &str, ports: u16, per_s: f64) {
        for port in 1..=ports {
            self.refused(source, target, port);
            self.wait(1.0 / per_s);
        }
    }

    /// Refused connections to one port of so many hosts of `net`, at most 254.
    pub fn sweep(&mut self, source: &str, net: &str, hosts: u8, port: u16, per_s: f64) {
        for host in 1..=hosts {
            self.refused(source, &format!("{net}.{host}"), port);
            self.wait(1.0 / per_s);
        }
    }

    /// One packet of a long conversation, which tells nothing.
    pub fn idle(&mut self) {
        self.segment("10.1.0.9", "10.2.0.9", tcp(50_000, 443).flags(ACK).payload(b"on and on"));
    }

    /// A question over UDP.
    pub fn question(&mut self, source: &str, target: &str) {
        self.segment(source, target, udp(50_000, 53).payload(40));
    }

    /// A SYN that nobody answers.
    pub fn knock(&mut self, source: &str, target: &str, port: u16) {
        let from = 40_000 + (self.frames.len() % 20_000) as u16;
        self.segment(source, target, tcp(from, port).flags(SYN).numbers(7, 0));
    }

    /// A connection that is accepted.
    pub fn welcomed(&mut self, source: &str, target: &str, port: u16) {
        let from = 40_000 + (self.frames.len() % 20_000) as u16;
        self.segment(source, target, tcp(from, port).flags(SYN).numbers(7, 0));
        self.now_ns += 1_000;
        self.segment(target, source, tcp(port, from).flags(SYN_ACK).numbers(7, 8));
    }

    /// So many minutes of what the internet sends: strangers who knock at some port of some host once, and guests of a
    /// web server; and, where a port is named, so many more strangers a minute there. No stranger comes twice.
    pub fn background(&mut self, minutes: u32, rising: Option<(u16, u32)>) {
        for _ in 0..minutes {
            let dice = (self.frames.len() as u32).wrapping_mul(2_654_435_761);
            let host = |n: u32| format!("10.2.0.{}", n % 200 + 1);
            let port = if dice & 0x300 == 0 { 23 } else { (dice >> 8) as u16 };
            let stranger = self.stranger();
            self.knock(&stranger, &host(dice >> 24), port);
            for _ in 0..3 {
                let guest = self.stranger();
                self.welcomed(&guest, "10.2.0.1", 443);
            }
            let (port, more) = rising.unwrap_or_default();
            for number in 0..more {
                let stranger = self.stranger();
                self.knock(&stranger, &host(dice.wrapping_add(number * 37)), port);
            }
            self.now_ns = (self.now_ns / SECOND_NS + 60) * SECOND_NS;
        }
    }

    fn stranger(&self) -> String {
        Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + self.frames.len() as u32).to_string()
    }

    /// The capture, with nanoseconds.
    pub fn pcap(&self) -> Vec<u8> {
        let empty = Pcap::new(Order::Little, NANOSECONDS, ETHERNET);
        let written = self.frames.iter().fold(empty, |pcap, (time_ns, frame)| {
            let (seconds, fraction) = (time_ns / SECOND_NS, time_ns % SECOND_NS);
            pcap.record(seconds as u32, fraction as u32, frame, frame.len() as u32)
        });
        written.bytes
    }
}
