//! A network in which packets are sent and time passes.

use std::net::IpAddr;
use std::sync::Arc;

use scanwatch_common::abi::EPOCH_S;
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};

use super::build::{self, Ether, Segment, ether, icmp, icmpv6, ipv4, ipv6, sctp, tcp, udp};
use crate::engine::{
    Action, Engine, EngineState, Extent, FloodEvent, IncidentEvent, Losses, Record, Snapshot, Statistics,
    Timestamp,
};
use crate::host_tables::{Capacity, HostTables};
use crate::policy::{Network, Policy, ServiceId, Zone};

/// Monday 3 January 2028, 00:00 UTC.
pub const START_S: u64 = 1_830_470_400;
const SECOND_NS: u64 = 1_000_000_000;
/// How often the agent judges at the latest.
const TURN_NS: u64 = SECOND_NS / 10;
/// The interface all packets come in by.
const INTERFACE: u32 = 2;

pub fn network(text: &str) -> Network {
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().unwrap();
    let longest = if address.is_ipv4() { 32 } else { 128 };
    Network { address, prefix: prefix.parse().unwrap_or(longest) }
}

fn zone(name: &str, networks: [&str; 2]) -> Zone {
    Zone { name: name.to_owned(), networks: networks.map(network).to_vec() }
}

/// The default policy over an office and a server segment.
pub fn policy() -> Policy {
    let zones =
        vec![zone("office", ["10.1.0.0/16", "fd00:1::/48"]), zone("servers", ["10.2.0.0/16", "fd00:2::/48"])];
    Policy { zones, ..Policy::default() }
}

pub fn service(policy: &Policy, name: &str) -> ServiceId {
    policy.services.iter().position(|service| service.name == name).unwrap() as ServiceId + 1
}

/// Kernel tables, engine and clock.
pub struct Lab {
    pub engine: Engine,
    pub events: Vec<IncidentEvent>,
    pub floods: Vec<FloodEvent>,
    /// The ring is full: no record reaches the engine.
    pub ring_is_full: bool,
    /// Every contact is answered.
    pub is_answering: bool,
    /// What frames are put into.
    pub ether: Ether,
    /// Frames that were seen.
    pub frames: u64,
    tables: HostTables,
    now_ns: u64,
    turn_ns: u64,
    source_port: u16,
}

impl Lab {
    pub fn new(policy: Policy) -> Self {
        let tables = tables(&policy);
        let mut engine = Engine::new(Arc::new(policy));
        engine.set_interface(INTERFACE, "office0");
        Self {
            engine,
            events: Vec::new(),
            floods: Vec::new(),
            ring_is_full: false,
            is_answering: false,
            ether: ether(),
            frames: 0,
            tables,
            now_ns: START_S * SECOND_NS,
            turn_ns: TURN_NS,
            source_port: 40_000,
        }
    }

    /// Where everybody answers.
    pub fn answering(policy: Policy) -> Self {
        Self { is_answering: true, ..Self::new(policy) }
    }

    /// Where every pair counts from the first, so that limits are met exactly.
    pub fn exact(mut policy: Policy) -> Self {
        policy.limits.admit_internal = 1;
        policy.limits.admit_external = 1;
        Self::new(policy)
    }

    /// Judges less often, so that days pass quickly.
    pub fn turns_a_second(&mut self, turns: u64) {
        self.turn_ns = SECOND_NS / turns;
    }

    /// Seconds since the start.
    pub fn now_s(&self) -> f64 {
        (self.now_ns - START_S * SECOND_NS) as f64 / SECOND_NS as f64
    }

    /// Lets time pass: turns ten times a second, an epoch's end every ten.
    pub fn wait(&mut self, seconds: f64) {
        #[allow(clippy::cast_sign_loss)]
        let end_ns = self.now_ns + (seconds * SECOND_NS as f64) as u64;
        loop {
            let turn_ns = (self.now_ns / self.turn_ns + 1) * self.turn_ns;
            if turn_ns > end_ns {
                self.now_ns = end_ns;
                return;
            }
            self.now_ns = turn_ns;
            let ends = |period_ns| turn_ns.is_multiple_of(period_ns);
            if ends(u64::from(EPOCH_S) * SECOND_NS) {
                self.end_epoch();
            }
            if self.engine.is_dirty() || ends(SECOND_NS) {
                let records = self.engine.judge(Timestamp::from_ns(turn_ns));
                self.take(records);
            }
        }
    }

    /// Sets the clock forward or, below zero, back.
    pub fn set_clock(&mut self, by_s: f64) {
        #[allow(clippy::cast_sign_loss)]
        let ns = (by_s.abs() * SECOND_NS as f64) as u64;
        self.now_ns = if by_s < 0.0 { self.now_ns - ns } else { self.now_ns + ns };
    }

    fn end_epoch(&mut self) {
        for (side, key, cell) in self.tables.end_epoch() {
            let at = |ns| Timestamp::from_ns(ns);
            self.engine.cell(side, &key, &cell, at(cell.facts.first_ns), at(cell.facts.last_ns()));
        }
        let epoch_ns = u64::from(EPOCH_S) * SECOND_NS;
        let began = Timestamp::from_ns(self.now_ns.saturating_sub(epoch_ns));
        for (key, sketch) in self.tables.take_ports() {
            self.engine.port(key, &sketch, began);
        }
        let ring_lost = self.tables.counter(Counter::RingLost);
        self.engine.losses(Losses { ring_lost, cells_refused: self.tables.counter(Counter::CellRefused) });
    }

    /// Ends an epoch before its time, and judges.
    pub fn settle(&mut self) {
        self.end_epoch();
        let records = self.engine.judge(Timestamp::from_ns(self.now_ns));
        self.take(records);
    }

    /// The engine ends without ending its incidents, and after so many seconds, in which nobody looks, another one takes up
    /// what it knew, as it is written, under this policy.
    pub fn restart(&mut self, policy: &Policy, away_s: f64) {
        self.settle();
        let states = [Extent::Everything, Extent::Open].map(|extent| {
            let state = self.engine.state(extent);
            (state.at(), serde_json::to_string(&state).unwrap())
        });
        self.set_clock(away_s);
        self.engine = Engine::new(Arc::new(policy.clone()));
        self.engine.set_interface(INTERFACE + 7, "other0");
        self.engine.set_interface(INTERFACE, "office0");
        for (at, text) in states {
            let state: EngineState = serde_json::from_str(&text).unwrap();
            assert!(self.engine.can_take_up(&state), "hashed alike");
            self.engine.restore(state.as_of(at), Timestamp::from_ns(self.now_ns));
        }
    }

    /// Another engine takes up what is written, as if it were of now.
    pub fn take_up(&mut self, written: &str) {
        let (state, now): (EngineState, _) =
            (serde_json::from_str(written).unwrap(), Timestamp::from_ns(self.now_ns));
        self.engine = Engine::new(Arc::new(policy()));
        self.engine.set_interface(INTERFACE, "office0");
        assert!(self.engine.can_take_up(&state), "hashed alike");
        self.engine.restore(state.as_of(now), now);
    }

    /// The agent goes on by another policy, and the kernel's tables with it.
    pub fn reload(&mut self, policy: &Policy) {
        self.settle();
        self.engine.set_policy(Arc::new(policy.clone()));
        self.reload_tables(policy);
    }

    /// The kernel's tables are new and empty, as when programs are loaded again.
    pub fn reload_tables(&mut self, policy: &Policy) {
        self.tables = tables(policy);
    }

    /// The end of the agent: a last drain, and the end of every incident.
    pub fn finish(&mut self) {
        self.end_epoch();
        let records = self.engine.finish(Timestamp::from_ns(self.now_ns));
        self.take(records);
    }

    fn take(&mut self, records: Vec<Record>) {
        for record in records {
            match record {
                Record::Incident(event) => self.events.push(*event),
                Record::Flood(event) => self.floods.push(*event),
            }
        }
    }

    pub fn frame(&mut self, frame: &[u8]) {
        self.frames += 1;
        self.tables.control.clock_ns = self.now_ns;
        observe(frame, INTERFACE, Passage::IN, &mut self.tables);
        while let Some(novelty) = self.tables.next_novelty() {
            if !self.ring_is_full {
                let at = Timestamp::from_ns(novelty.time_ns);
                self.engine.novelty(Timestamp::from_ns(self.now_ns), &novelty, at);
            }
        }
    }

    pub fn segment(&mut self, source: &str, target: &str, segment: impl Into<Segment>) {
        let packet = match (source.parse().unwrap(), target.parse().unwrap()) {
            (IpAddr::V4(source), IpAddr::V4(target)) => ipv4(source, target).carry(segment),
            (IpAddr::V6(source), IpAddr::V6(target)) => ipv6(source, target).carry(segment),
            (source, target) => panic!("{source} and {target} are of two families"),
        };
        let frame = self.ether.carry(packet);
        self.frame(&frame);
    }

    fn next_source_port(&mut self) -> u16 {
        self.source_port = if self.source_port < 60_000 { self.source_port + 1 } else { 40_000 };
        self.source_port
    }

    pub fn syn(&mut self, source: &str, target: &str, port: u16) {
        let from = self.next_source_port();
        self.segment(source, target, tcp(from, port));
        if self.is_answering {
            self.segment(target, source, tcp(port, from).flags(0x12).numbers(7, 8));
        }
    }

    pub fn udp(&mut self, source: &str, target: &str, port: u16) {
        let from = self.next_source_port();
        self.segment(source, target, udp(from, port).payload(40));
        if self.is_answering {
            self.segment(target, source, udp(port, from).payload(40));
        }
    }

    pub fn sctp(&mut self, source: &str, target: &str, port: u16) {
        let from = self.next_source_port();
        self.segment(source, target, sctp(from, port));
    }

    pub fn flags(&mut self, source: &str, target: &str, port: u16, flags: u8) {
        let from = self.next_source_port();
        self.segment(source, target, tcp(from, port).flags(flags));
    }

    pub fn ping(&mut self, source: &str, target: &str) {
        let message = if source.contains(':') { icmpv6(128) } else { icmp(8) };
        self.segment(source, target, message);
    }

    pub fn protocol(&mut self, source: &str, target: &str, protocol: u8) {
        self.segment(source, target, build::raw(protocol, &[0; 20]));
    }

    pub fn arp(&mut self, source: &str, target: &str) {
        let (source, target): (std::net::Ipv4Addr, std::net::Ipv4Addr) =
            (source.parse().unwrap(), target.parse().unwrap());
        let frame = self.ether.clone().to(build::BROADCAST).carry(build::arp_request(source, target));
        self.frame(&frame);
    }

    /// SYNs to ports of a host, so many a second.
    pub fn scan_ports(
        &mut self,
        source: &str,
        target: &str,
        ports: impl IntoIterator<Item = u16>,
        per_s: f64,
    ) {
        for port in ports {
            self.syn(source, target, port);
            self.wait(1.0 / per_s);
        }
    }

    /// SYNs to a port of hosts `net`.1, `net`.2 …, so many a second.
    pub fn sweep(
        &mut self,
        source: &str,
        net: &str,
        hosts: std::ops::RangeInclusive<u16>,
        port: u16,
        per_s: f64,
    ) {
        for host in hosts {
            self.syn(source, &host_in(net, host), port);
            self.wait(1.0 / per_s);
        }
    }

    /// Every counter of the data plane.
    pub fn counters(&self) -> impl Iterator<Item = (Counter, u64)> {
        Counter::ALL.iter().map(|counter| (*counter, self.tables.counter(*counter)))
    }

    pub fn statistics(&self) -> Statistics {
        self.engine.statistics()
    }

    /// Records of an action.
    pub fn snapshots(&self, action: Action) -> Vec<&Snapshot> {
        self.events.iter().filter(|event| event.action == action).map(|event| &event.snapshot).collect()
    }

    /// Kind, rule and source of each incident in the order of detection.
    pub fn detected(&self) -> Vec<(&'static str, &'static str, String)> {
        let detected = self.snapshots(Action::Detected).into_iter();
        detected.map(|s| (s.kind.name(), s.rule, s.scanner.address.to_string())).collect()
    }

    /// The only incident's detection.
    pub fn the_detection(&self) -> &Snapshot {
        let detected = self.snapshots(Action::Detected);
        assert_eq!(detected.len(), 1, "incidents: {:?}", self.detected());
        detected[0]
    }

    /// The only incident's end.
    pub fn the_end(&self) -> &Snapshot {
        let ended = self.snapshots(Action::Ended);
        assert_eq!(ended.len(), 1, "ends: {ended:?}");
        ended[0]
    }

    pub fn assert_silent(&self, what: &str) {
        assert!(self.events.is_empty() && self.floods.is_empty(), "{what}: {:?}", self.detected());
    }
}

fn tables(policy: &Policy) -> HostTables {
    HostTables::new(policy.settings(), &policy.zone_prefixes(), policy.service_table(), Capacity::DEFAULT)
}

/// Host number `host` of a network such as `10.2.0` or `fd00:2:`, over 254 in the next one.
pub fn host_in(net: &str, host: u16) -> String {
    if net.contains(':') {
        return format!("{net}:{host:x}");
    }
    let (head, third) = net.rsplit_once('.').unwrap();
    let third: u16 = third.parse().unwrap();
    format!("{head}.{}.{}", third + (host - 1) / 254, (host - 1) % 254 + 1)
}
