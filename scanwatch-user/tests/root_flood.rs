//! Floods of forged sources, through the loaded program and the engine: what they fill is bounded and told, and the scanner
//! among them is found. Needs root.

#[path = "../../scanwatch-common/tests/build/mod.rs"]
mod build;
#[allow(dead_code, reason = "any numbers are all that is drawn here")]
#[path = "root_differential/dice.rs"]
mod dice;
mod support;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use build::{ether, ipv4, tcp};
use dice::Dice;
use scanwatch::capture::Packet;
use scanwatch::engine::{Action, Engine, Kind, Record, Snapshot, Statistics, ip_of};
use scanwatch::policy::{Direction, Policy, Treatment};
use scanwatch::replay::{KernelPlane, Timeline};
use scanwatch_common::counters::Counter;
use support::{count, require_root};

/// 3 January 2028, 00:00 UTC.
const START_NS: u64 = 1_830_470_400_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Packets of a flood, a second.
const FLOOD_PER_S: u64 = 1_000_000;
/// Probes of a scanner, a second.
const PROBES_PER_S: u64 = 10;
/// Packets of the flood between two probes.
const FLOOD_PER_PROBE: u64 = FLOOD_PER_S / PROBES_PER_S;
/// Packets that come at one time: telling the program a time is a system call.
const BURST: u64 = 100;

const INSIDER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 66);
const OUTSIDER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
/// What the insider tries, on many hosts, and what the outsider does.
const SMB: u16 = 445;
const TELNET: u16 = 23;

/// 10.0.0.0/8.
const NETWORK_10: u32 = 10 << 24;
/// Probes that go uncounted because two first pairs look alike to the doorkeeper, which tells 32 apart.
const ALIKE: u64 = 1;

/// Where a frame of [`syn`] has its source, its target, and its target's port.
const SOURCE_AT: usize = 26;
const TARGET_AT: usize = 30;
const PORT_AT: usize = 36;

fn syn(source: Ipv4Addr, target: Ipv4Addr, port: u16) -> Vec<u8> {
    ether().carry(ipv4(source, target).carry(tcp(40_000, port)))
}

/// Host `number` of those that are there to be scanned.
fn server(number: u64) -> Ipv4Addr {
    Ipv4Addr::new(10, 2, 0, u8::try_from(number % 254 + 1).expect("below 255"))
}

/// The loaded program and an engine, on packet time.
struct Watch {
    timeline: Timeline<KernelPlane>,
    now_ns: u64,
    /// Packets of the flood so far.
    flooded: u64,
    dice: Dice,
    frame: Vec<u8>,
}

impl Watch {
    /// Under this policy, with scans from outside told, too: nobody is passed over in silence.
    fn under(mut policy: Policy) -> Self {
        require_root();
        policy.directions.inbound = Treatment::Alert;
        policy.directions.transit = Treatment::Alert;
        let plane = KernelPlane::new(&policy).expect("the object is loaded");
        let timeline = Timeline::new(plane, Engine::new(Arc::new(policy)));
        let frame = syn(OUTSIDER, server(0), 0);
        Self { timeline, now_ns: START_NS, flooded: 0, dice: Dice::new(1), frame }
    }

    fn see(&mut self, frame: &[u8]) {
        let packet = Packet { time_ns: self.now_ns, interface: 0, frame, cut: false };
        self.timeline.packet(&packet).expect("the program runs");
    }

    /// One SYN from a forged source to any port of any server.
    fn forged(&mut self, source: u32) {
        let dice = self.dice.any();
        let mut frame = std::mem::take(&mut self.frame);
        frame[SOURCE_AT..SOURCE_AT + 4].copy_from_slice(&source.to_be_bytes());
        frame[TARGET_AT..TARGET_AT + 4].copy_from_slice(&server(dice >> 32).octets());
        frame[PORT_AT..PORT_AT + 2].copy_from_slice(&(dice as u16).to_be_bytes());
        self.see(&frame);
        self.frame = frame;
        self.flooded += 1;
        if self.flooded.is_multiple_of(BURST) {
            self.now_ns += BURST * SECOND_NS / FLOOD_PER_S;
        }
    }

    /// Ends it, and returns what there was.
    fn end(mut self) -> Seen {
        self.timeline.finish().expect("the last epoch ends");
        let records = self.timeline.take_events();
        let counters = self.timeline.counters().expect("the counters are read");
        Seen { records, counters, statistics: self.timeline.statistics(), flooded: self.flooded }
    }
}

/// What came of it.
struct Seen {
    records: Vec<Record>,
    counters: Vec<(Counter, u64)>,
    statistics: Statistics,
    flooded: u64,
}

impl Seen {
    fn counted(&self, counter: Counter) -> u64 {
        count(&self.counters, counter)
    }

    /// The last word on each incident.
    fn ends(&self) -> Vec<&Snapshot> {
        let incidents = self.records.iter().map(|record| record.incident().expect("no flood of incidents"));
        incidents.filter(|event| event.action == Action::Ended).map(|event| &event.snapshot).collect()
    }

    /// The last word on the one incident of this source.
    fn end_of(&self, source: Ipv4Addr) -> &Snapshot {
        let ends: Vec<&Snapshot> =
            self.ends().into_iter().filter(|end| end.scanner.address == IpAddr::V4(source)).collect();
        assert_eq!(ends.len(), 1, "incidents of {source}");
        ends[0]
    }

    /// Fails where anybody else is accused than these.
    fn assert_accused(&self, expected: &[Ipv4Addr]) {
        let accused: HashSet<IpAddr> = self.ends().iter().map(|end| end.scanner.address).collect();
        let expected: HashSet<IpAddr> = expected.iter().copied().map(IpAddr::V4).collect();
        assert_eq!(accused, expected);
        assert_eq!(self.ends().len(), expected.len(), "one incident each");
    }
}

/// Fails unless a sweep over this port of the first so many servers, none of which answered, is told with its evidence;
/// `missed` probes came before their source was worth a cell.
fn assert_swept(end: &Snapshot, (direction, port): (Direction, u16), probes: u64, missed: u64) {
    let line = &end.reason;
    assert_eq!((end.kind, end.direction, end.port), (Kind::Horizontal, direction, Some(port)), "{line}");
    let [hosts, pairs, ports, answered] =
        [end.hosts, end.pairs, end.ports, end.answered].map(|estimate| estimate.rounded());
    assert!((probes - missed..=probes).contains(&hosts), "{probes} hosts: {line}");
    // Two sketches, which may differ by one.
    assert!(pairs.abs_diff(hosts) <= 1, "{pairs} pairs: {line}");
    assert_eq!((ports, answered), (1, 0), "{line}");
    assert_eq!(end.scanner.mac, Some(build::MAC_SOURCE), "{line}");
    let swept: HashSet<IpAddr> = (0..probes).map(|number| server(number).into()).collect();
    assert!(!end.targets.is_empty(), "{line}");
    for target in &end.targets {
        let is_known = swept.contains(&ip_of(&target.address)) && target.port == Some(port);
        assert!(is_known && !target.answered, "{target:?}");
    }
}

/// Numbers that never come twice, in no order, of those that are addresses outside.
fn outside(number: &mut u32) -> u32 {
    loop {
        *number = number.wrapping_add(1);
        let address = Ipv4Addr::from(number.wrapping_mul(2_654_435_761));
        let is_ours = address.is_private() || address.is_link_local() || address == OUTSIDER;
        let is_nobodys = address.octets()[0] == 0 || address.is_loopback() || address.octets()[0] >= 224;
        if !is_ours && !is_nobodys {
            return address.into();
        }
    }
}

#[test]
fn a_million_forged_sources_a_second_hide_no_scanner_and_get_no_cells() {
    const PROBES: u64 = 60;
    let mut watch = Watch::under(Policy::default());
    let mut forged = 0;
    for probe in 0..PROBES {
        watch.see(&syn(INSIDER, server(probe), SMB));
        watch.see(&syn(OUTSIDER, server(probe), TELNET));
        for _ in 0..FLOOD_PER_PROBE {
            watch.forged(outside(&mut forged));
        }
    }
    let seen = watch.end();
    seen.assert_accused(&[INSIDER, OUTSIDER]);
    assert_swept(seen.end_of(INSIDER), (Direction::Lateral, SMB), PROBES, ALIKE);
    // The flood makes the doorkeeper forget who waits there, but not whom it let in. Six forged sources come into a set between
    // two probes, which leaves who waits there in four cases of nine; three times in a row it takes twenty probes on average.
    assert_swept(seen.end_of(OUTSIDER), (Direction::Inbound, TELNET), PROBES, PROBES * 2 / 3);
    assert_eq!(seen.counted(Counter::CellCreated), 2, "one a scanner");
    assert_eq!(seen.counted(Counter::CellRefused) + seen.counted(Counter::RingLost), 0);
    let not_admitted = seen.counted(Counter::NotAdmitted);
    assert!((seen.flooded..=seen.flooded + PROBES).contains(&not_admitted), "{not_admitted}");
    assert_eq!(seen.statistics.sources.tracked, 2, "{:?}", seen.statistics);
}

/// Each forged source shows as many pairs as make it worth a cell.
#[test]
fn sources_outside_that_fill_their_cells_take_none_from_inside_and_what_was_refused_is_told() {
    const PROBES: u64 = 40;
    const CELLS: u32 = 256;
    let mut policy = Policy::default();
    policy.limits.cells_external = CELLS;
    policy.limits.cells_internal = CELLS;
    let knocks = u64::from(policy.limits.admit_external);
    let mut watch = Watch::under(policy);
    let mut forged = 0;
    for probe in 0..PROBES {
        for _ in 0..FLOOD_PER_PROBE / 10 / knocks {
            let source = outside(&mut forged);
            (0..knocks).for_each(|_| watch.forged(source));
        }
        // Their cells are full by now.
        watch.see(&syn(INSIDER, server(probe), SMB));
    }
    let seen = watch.end();
    seen.assert_accused(&[INSIDER]);
    let end = seen.end_of(INSIDER);
    assert_swept(end, (Direction::Lateral, SMB), PROBES, ALIKE);
    assert_eq!(seen.counted(Counter::CellCreated), u64::from(CELLS) + 1, "all outside, and the scanner's");
    let refused = seen.counted(Counter::CellRefused);
    assert!(refused > seen.flooded / knocks / 2, "{refused} of {} packets", seen.flooded);
    let told = [Counter::NotAdmitted, Counter::Novel, Counter::NotNovel].map(|counter| seen.counted(counter));
    assert_eq!(refused + told.iter().sum::<u64>(), seen.flooded + PROBES, "every packet left by one way");
    assert_eq!((end.losses.cells_refused, end.losses.ring_lost), (refused, 0));
    assert!(seen.statistics.sources.tracked <= CELLS as usize + 1, "{:?}", seen.statistics.sources);
}

#[test]
fn forged_sources_inside_are_bounded_and_take_no_cell_from_a_scanner_that_has_one() {
    const PROBES: u64 = 30;
    const CELLS: u32 = 1_024;
    /// Probes before the flood.
    const HEAD_START: u64 = 3;
    let mut policy = Policy::default();
    policy.limits.cells_internal = CELLS;
    let mut watch = Watch::under(policy);
    for probe in 0..PROBES {
        watch.see(&syn(INSIDER, server(probe), SMB));
        let flood = if probe < HEAD_START - 1 { 0 } else { FLOOD_PER_PROBE };
        for _ in 0..flood {
            let source = NETWORK_10 | watch.dice.any() as u32 >> 8;
            watch.forged(source);
        }
    }
    let seen = watch.end();
    seen.assert_accused(&[INSIDER]);
    let end = seen.end_of(INSIDER);
    assert_swept(end, (Direction::Lateral, SMB), PROBES, ALIKE);
    assert_eq!(seen.counted(Counter::CellCreated), u64::from(CELLS));
    let refused = seen.counted(Counter::CellRefused);
    assert!(refused > 1_000, "{refused} cells were refused");
    assert_eq!(end.losses.cells_refused, refused);
    assert!(seen.statistics.sources.tracked <= CELLS as usize, "{:?}", seen.statistics.sources);
}
