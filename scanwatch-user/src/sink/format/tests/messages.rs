//! The messages that every form is shown with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use scanwatch_common::abi::{Address, Technique, mapped};
use scanwatch_common::sketch::Estimate;

use crate::engine::tests::incident_id;
use crate::engine::{
    Action, FloodEvent, IncidentEvent, IncidentId, Kind, Length, Losses, Record, RoleNote, RoleVerdict,
    Scanner, Severity, Snapshot, SurgeNote, Target, Techniques, Timestamp, Visibility,
};
use crate::policy::Direction;
use crate::sink::{Dropped, Message, Observer};

/// Names that hold everything a form has to take care of.
pub const NASTY: &str = "a|b=c\\d\ne\u{1b}[2J\u{202e}f^g\th \u{2028}\"é→漢";

/// A message that is owned.
#[derive(Clone, Debug)]
pub enum What {
    Incident(Box<IncidentEvent>),
    Flood(Box<FloodEvent>),
    Dropped(Dropped),
}

/// A message with what it shows.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub what: What,
}

impl Sample {
    pub fn message(&self) -> Message<'_> {
        match &self.what {
            What::Incident(event) => Message::Incident(event),
            What::Flood(event) => Message::Flood(event),
            What::Dropped(dropped) => Message::Dropped(dropped),
        }
    }
}

pub fn observer() -> Observer {
    Observer { hostname: "gw1.example".to_owned(), version: "1.2.3".to_owned() }
}

/// Every message that there is to show.
pub fn all() -> Vec<Sample> {
    let incident = |name, action, snapshot| {
        let what = What::Incident(Box::new(IncidentEvent { action, snapshot }));
        Sample { name, what }
    };
    vec![
        incident("vertical over IPv4", Action::Detected, vertical()),
        incident("the same, updated", Action::Updated, Snapshot { sequence: 2, ..vertical() }),
        incident("the same, ended", Action::Ended, Snapshot { sequence: 3, ..vertical() }),
        incident("vertical over IPv6, by decoys", Action::Detected, vertical_v6()),
        incident("horizontal over IPv6", Action::Detected, horizontal()),
        incident("ARP sweep", Action::Detected, arp()),
        incident("block with many targets", Action::Updated, block()),
        incident("names that hold everything", Action::Ended, named(NASTY)),
        incident("distributed", Action::Detected, distributed()),
        incident("surge", Action::Detected, surge()),
        Sample { name: "flood", what: What::Flood(Box::new(flood())) },
        Sample { name: "dropped", what: What::Dropped(dropped("siem")) },
    ]
}

/// The messages that are records: what the engine says.
pub fn records() -> Vec<Record> {
    let record = |sample: Sample| match sample.what {
        What::Incident(event) => Some(Record::Incident(event)),
        What::Flood(event) => Some(Record::Flood(event)),
        What::Dropped(_) => None,
    };
    all().into_iter().filter_map(record).collect()
}

fn exact(count: u32) -> Estimate {
    Estimate { count: f64::from(count), relative_error: 0.0 }
}

fn estimated(count: u32) -> Estimate {
    Estimate { count: f64::from(count), relative_error: 0.0156 }
}

/// 3 January 2028, 00:00:05 UTC, and some milliseconds later.
fn at(ms: u64) -> Timestamp {
    Timestamp::from_ns((1_830_470_405_000 + ms) * 1_000_000)
}

fn address(text: &str) -> Address {
    match text.parse().unwrap() {
        IpAddr::V4(address) => mapped(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}

fn target(text: &str, port: Option<u16>, answered: bool) -> Target {
    Target { address: address(text), port, answered }
}

fn id(source: &str, direction: Direction, kind: Kind) -> IncidentId {
    incident_id(address(source), direction, kind, at(0))
}

fn vertical() -> Snapshot {
    Snapshot {
        at: at(2_000),
        incident: id("10.1.0.99", Direction::Lateral, Kind::Vertical),
        sequence: 1,
        kind: Kind::Vertical,
        rule: "vertical",
        window: Duration::from_mins(1),
        direction: Direction::Lateral,
        scanner: Scanner {
            address: "10.1.0.99".parse().unwrap(),
            mac: Some([2, 0, 0, 0, 0, 0x99]),
            vlan: [200, 30],
            zone: "office".to_owned(),
            ttl: Some(64),
            interface: Some("eth0".to_owned()),
        },
        techniques: Techniques::of(&[Technique::Syn]),
        hosts: exact(1),
        ports: estimated(20),
        pairs: estimated(20),
        answered: exact(2),
        refused: exact(15),
        connects: false,
        tool: Some("nmap"),
        services: vec!["file".to_owned(), "other".to_owned()],
        zones: vec!["servers".to_owned()],
        targets: vec![
            target("10.2.0.10", Some(22), true),
            target("10.2.0.10", Some(445), true),
            target("10.2.0.10", Some(23), false),
        ],
        host: Some("10.2.0.10".parse().unwrap()),
        port: None,
        first: at(0),
        last: at(1_900),
        grew: at(1_900),
        rate: Some(10.526_315),
        length: Some(Length { mean: 44.0, deviation: 0.0 }),
        visibility: Visibility::Symmetric,
        escalated: false,
        source_confirmed: true,
        others: Vec::new(),
        others_count: 0,
        surge: None,
        role: None,
        severity: Severity::High,
        risk: 65,
        losses: Losses::default(),
        reason: "10.1.0.99 tried about 20 ports on 10.2.0.10 (office → servers) in 1 s: a vertical scan."
            .to_owned(),
    }
}

fn vertical_v6() -> Snapshot {
    let host = "fd00:2::10";
    Snapshot {
        incident: id("fd00:1::99", Direction::Lateral, Kind::Vertical),
        scanner: Scanner { address: "fd00:1::99".parse().unwrap(), vlan: [200, 0], ..vertical().scanner },
        targets: vec![target(host, Some(22), true), target(host, Some(23), false)],
        host: Some(host.parse().unwrap()),
        others: ["fd00:1::98", "fd00:1::97"].map(|text| text.parse().unwrap()).to_vec(),
        others_count: 2,
        reason: format!(
            "fd00:1::99 tried about 20 ports on {host} (office → servers) in 1 s: a vertical scan."
        ),
        ..vertical()
    }
}

fn horizontal() -> Snapshot {
    let hosts = (1..=30).map(|host| target(&format!("2001:db8::{host:x}"), Some(445), false));
    Snapshot {
        incident: id("fd00:1::8", Direction::Outbound, Kind::Horizontal),
        kind: Kind::Horizontal,
        rule: "horizontal_outbound_sensitive",
        direction: Direction::Outbound,
        scanner: Scanner {
            address: "fd00:1::8".parse().unwrap(),
            vlan: [0, 0],
            interface: None,
            ..vertical().scanner
        },
        hosts: exact(30),
        ports: exact(1),
        pairs: exact(30),
        answered: exact(0),
        refused: exact(0),
        tool: None,
        services: vec!["smb".to_owned()],
        zones: vec!["internet".to_owned()],
        targets: hosts.take(4).collect(),
        host: None,
        port: Some(445),
        visibility: Visibility::OneWay,
        source_confirmed: false,
        others: vec!["fd00:1::9".parse().unwrap()],
        others_count: 1,
        role: Some(RoleNote { name: "egress proxies".to_owned(), verdict: RoleVerdict::Outside }),
        severity: Severity::Critical,
        risk: 90,
        losses: Losses { ring_lost: 7, cells_refused: 1 },
        reason: "fd00:1::8 tried smb on 30 hosts (office → internet) in 2 s: a horizontal scan of the internet from \
                 inside the network, outside its role `egress proxies`, source unconfirmed."
            .to_owned(),
        ..vertical()
    }
}

fn arp() -> Snapshot {
    Snapshot {
        incident: id("10.1.0.7", Direction::Lateral, Kind::Horizontal),
        kind: Kind::Horizontal,
        rule: "arp",
        scanner: Scanner {
            address: "10.1.0.7".parse().unwrap(),
            ttl: None,
            vlan: [7, 0],
            ..vertical().scanner
        },
        techniques: Techniques::of(&[Technique::Arp]),
        hosts: estimated(80),
        ports: exact(0),
        pairs: estimated(80),
        refused: exact(0),
        tool: None,
        services: Vec::new(),
        zones: vec!["office".to_owned()],
        targets: vec![target("10.1.0.200", None, true), target("10.1.0.201", None, false)],
        host: None,
        length: None,
        rate: None,
        severity: Severity::Medium,
        risk: 25,
        reason: "10.1.0.7 asked for about 80 hosts (office → office) in 1 s: a horizontal scan.".to_owned(),
        ..vertical()
    }
}

fn block() -> Snapshot {
    let targets =
        (1..=16).map(|host| target(&format!("10.2.{}.{host}", host % 3), Some(1_000 + host), host < 3));
    Snapshot {
        incident: id("10.1.0.66", Direction::Lateral, Kind::Block),
        sequence: 2,
        kind: Kind::Block,
        rule: "block_lateral",
        scanner: Scanner { address: "10.1.0.66".parse().unwrap(), ..vertical().scanner },
        techniques: Techniques::of(&[Technique::Syn, Technique::Udp]),
        hosts: estimated(254),
        ports: estimated(1_000),
        pairs: estimated(254_000),
        connects: true,
        tool: Some("masscan"),
        targets: targets.collect(),
        host: None,
        severity: Severity::Critical,
        risk: 85,
        reason:
            "10.1.0.66 tried about 1000 ports on about 254 hosts (office → servers) in 1 s: a block scan."
                .to_owned(),
        ..vertical()
    }
}

/// A scan in which everything that has a name is called `name`.
pub fn named(name: &str) -> Snapshot {
    Snapshot {
        sequence: 4,
        scanner: Scanner { zone: name.to_owned(), interface: Some(name.to_owned()), ..vertical().scanner },
        services: vec![name.to_owned()],
        zones: vec![name.to_owned()],
        role: Some(RoleNote { name: name.to_owned(), verdict: RoleVerdict::OverBudget }),
        reason: format!("10.1.0.99 tried about 20 ports on 10.2.0.10 ({name} → {name}): a vertical scan."),
        ..vertical()
    }
}

fn distributed() -> Snapshot {
    Snapshot {
        incident: id("10.2.0.10", Direction::Inbound, Kind::Distributed),
        kind: Kind::Distributed,
        rule: "distributed",
        direction: Direction::Inbound,
        zones: vec!["servers".to_owned()],
        tool: None,
        others: ["198.51.100.1", "198.51.100.2", "203.0.113.9"].map(|text| text.parse().unwrap()).to_vec(),
        others_count: 40,
        escalated: true,
        source_confirmed: false,
        reason: "40 sources tried about 20 ports on 10.2.0.10 (servers) in 1 s: a distributed scan, sources \
                 unconfirmed."
            .to_owned(),
        ..vertical()
    }
}

fn surge() -> Snapshot {
    Snapshot {
        incident: id("::", Direction::Inbound, Kind::Surge),
        kind: Kind::Surge,
        rule: "surge",
        window: Duration::from_hours(1),
        direction: Direction::Inbound,
        scanner: Scanner {
            address: "0.0.0.0".parse().unwrap(),
            mac: None,
            vlan: [0, 0],
            zone: "internet".to_owned(),
            ttl: None,
            interface: None,
        },
        hosts: estimated(50),
        ports: exact(1),
        pairs: estimated(240),
        answered: exact(0),
        refused: exact(0),
        tool: None,
        services: vec!["management".to_owned()],
        zones: vec!["servers".to_owned()],
        targets: vec![target("10.2.0.3", Some(8291), false)],
        host: None,
        port: Some(8291),
        length: None,
        others: ["198.51.100.1", "2001:db8::5"].map(|text| text.parse().unwrap()).to_vec(),
        others_count: 240,
        surge: Some(SurgeNote {
            sources: estimated(240),
            least: 100.0,
            usual: 3.0,
            slot: Duration::from_hours(1),
        }),
        source_confirmed: false,
        severity: Severity::Low,
        risk: 15,
        reason: "About 240 sources tried tcp/8291 (management) on about 50 hosts: scans of this port surge, sources \
                 unconfirmed."
            .to_owned(),
        ..vertical()
    }
}

fn flood() -> FloodEvent {
    FloodEvent {
        action: Action::Updated,
        at: at(60_000),
        id: id("::", Direction::Lateral, Kind::Block),
        sequence: 2,
        scans: 120,
        sources: estimated(96),
        sample: ["10.1.7.2", "fd00:1::7"].map(|text| text.parse().unwrap()).to_vec(),
        kinds: BTreeMap::from([("horizontal", 100), ("vertical", 20)]),
        directions: BTreeMap::from([(Direction::Lateral, 110), (Direction::Outbound, 10)]),
        services: vec![("smb".to_owned(), 90), ("web".to_owned(), 10)],
        first: at(0),
        last: at(59_000),
        severity: Severity::Critical,
        losses: Losses { ring_lost: 12, cells_refused: 0 },
        reason: "The flood of scans goes on; without a record of their own so far: 120.".to_owned(),
    }
}

/// What a sink of this name says of records it dropped.
pub fn dropped(sink: &str) -> Dropped {
    Dropped {
        id: "7c0f7b5e0c8d4f6b9a3e2d1c0b9a8f7e".to_owned(),
        at: at(120_000),
        sink: sink.to_owned(),
        records: 311,
        first: at(3_000),
        last: at(90_000),
        reason: format!("The spool of sink `{sink}` was full: 311 records were dropped."),
    }
}
