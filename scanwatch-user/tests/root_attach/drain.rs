//! Cells are drained exactly once, and a flip while packets flow loses none.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use scanwatch::host_tables::HostTables;
use scanwatch::kernel::{DrainedCell, Kernel, Mode};
use scanwatch::policy::Policy;
use scanwatch_common::abi::{Cell, CellKey, Outcome, Settings, Side, Technique};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};
use scanwatch_common::ports::{PortKey, Ports};
use scanwatch_common::sketch::{PortSketch, Sketch};

use crate::build::{ether, ipv4, tcp};
use crate::support::net::{Veth, in_namespace, inside};
use crate::support::{LOOPBACK, admitting, host_tables, policy, require_root};
use crate::{await_count, counted, load, syn};

/// Far more than are mapped at once.
const CELLS: u32 = 20_000;

/// A copy of what was drained.
struct Drained {
    side: Side,
    key: CellKey,
    cell: Cell,
}

fn drained(kernel: &mut Kernel) -> Vec<Drained> {
    let mut cells = Vec::new();
    let take = |DrainedCell { side, key, cell }: DrainedCell| cells.push(Drained { side, key, cell: *cell });
    kernel.drain(take).expect("the cells are drained");
    cells
}

#[test]
fn twenty_thousand_cells_are_all_drained_and_each_once() {
    require_root();
    let mut policy = admitting();
    policy.limits.cells_internal = 2 * CELLS;
    let mut kernel = load(&policy);
    for round in 0..2 {
        for source in 0..CELLS {
            kernel.run(&syn(inside(source), 22)).expect("the program runs");
        }
        assert!(drained(&mut kernel).is_empty(), "cells that are written to are not drained");
        kernel.flip().expect("the copies are flipped");
        let cells = drained(&mut kernel);
        assert_eq!(cells.len(), CELLS as usize, "round {round}");
        let sources: HashSet<[u8; 16]> = cells.iter().map(|cell| cell.key.source).collect();
        let expected: HashSet<[u8; 16]> =
            (0..CELLS).map(|source| inside(source).to_ipv6_mapped().octets()).collect();
        assert!(sources == expected, "round {round}: {} sources of {CELLS}", sources.len());
        for cell in &cells {
            assert_eq!((cell.side, cell.key.technique()), (Side::Internal, Some(Technique::Syn)));
            assert_eq!(cell.key.outcome(), Some(Outcome::Tried));
            assert_eq!(cell.cell.facts.novelties, 1);
            assert_eq!(cell.cell.pairs.estimate().rounded(), 1);
        }
        assert!(drained(&mut kernel).is_empty(), "nothing is drained twice");
    }
}

fn drained_ports(kernel: &mut Kernel) -> Vec<(PortKey, PortSketch)> {
    let mut ports = Vec::new();
    kernel.drain_ports(|key, sketch| ports.push((key, *sketch))).expect("the port table is drained");
    ports
}

#[test]
fn every_port_is_drained_once_and_its_copy_is_empty_then() {
    require_root();
    let mut kernel = load(&policy());
    let all = || (0..=u16::MAX).step_by(7).chain([u16::MAX]);
    for round in 0..3 {
        for port in all() {
            kernel.run(&syn([198, 51, 100, 9], port)).expect("the program runs");
        }
        assert!(drained_ports(&mut kernel).is_empty(), "ports that are written to are not drained");
        kernel.flip().expect("the copies are flipped");
        let ports = drained_ports(&mut kernel);
        let numbers: Vec<PortKey> = ports.iter().map(|(key, _)| *key).collect();
        let expected: Vec<PortKey> = all().map(|port| PortKey { transport: Ports::Tcp, port }).collect();
        assert!(numbers == expected, "round {round}: {} ports", numbers.len());
        assert!(ports.iter().all(|(_, sketch)| sketch.sources().rounded() == 1), "round {round}");
        assert!(drained_ports(&mut kernel).is_empty(), "nothing is drained twice");
    }
}

#[test]
fn all_maps_together_take_less_than_96_mib() {
    require_root();
    let before = map_bytes();
    let kernel = load(&Policy::default());
    let ours: u64 =
        map_bytes().iter().filter(|(id, _)| !before.contains_key(id)).map(|(_, bytes)| bytes).sum();
    println!("{:.1} MiB", ours as f64 / f64::from(1 << 20));
    assert!(ours > 16 << 20, "{ours} bytes: not all maps were found");
    assert!(ours < 96 << 20, "{ours} bytes");
    drop(kernel);
}

/// Bytes of each map that this process has open, by the kernel's number for it.
fn map_bytes() -> HashMap<u64, u64> {
    let mut maps = HashMap::new();
    for entry in fs::read_dir("/proc/self/fdinfo").expect("this process").flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let number = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().parse().ok()
        };
        if let (Some(id), Some(bytes)) = (number("map_id"), number("memlock")) {
            maps.insert(id, bytes);
        }
    }
    maps
}

#[test]
fn a_map_that_is_full_keeps_the_cells_it_has_and_the_counters_tell_how_many_it_refused() {
    require_root();
    let mut policy = admitting();
    policy.limits.cells_internal = 1_024;
    let mut kernel = load(&policy);
    for source in 0..CELLS {
        kernel.run(&syn(inside(source), 22)).expect("the program runs");
    }
    kernel.flip().expect("the copies are flipped");
    let kept = drained(&mut kernel);
    let sources: HashSet<[u8; 16]> = kept.iter().map(|cell| cell.key.source).collect();
    let first: HashSet<[u8; 16]> =
        (0..1_024).map(|source| inside(source).to_ipv6_mapped().octets()).collect();
    assert!(sources == first, "{} sources of the first 1,024", sources.intersection(&first).count());
    assert_eq!(counted(&kernel, Counter::CellCreated), 1_024);
    assert_eq!(counted(&kernel, Counter::CellRefused), u64::from(CELLS - 1_024));
    // The other copy is empty, and has room for as many.
    kernel.run(&syn(inside(CELLS), 22)).expect("the program runs");
    kernel.flip().expect("the copies are flipped");
    assert_eq!(drained(&mut kernel).len(), 1);
}

#[test]
fn a_flip_while_packets_flow_loses_no_pair() {
    for mode in [Mode::XdpNativeFrags, Mode::Tcx] {
        in_namespace(async || pairs_survive_flips(mode));
    }
}

#[test]
fn a_flip_while_packets_flow_loses_no_source_of_a_port() {
    for mode in [Mode::XdpNativeFrags, Mode::Tcx] {
        in_namespace(async || sources_survive_flips(mode));
    }
}

/// One source, many pairs: every novelty changes the one cell that is flipped away under it all the time.
fn pairs_survive_flips(mode: Mode) {
    const HOSTS: u32 = 200;
    const PORTS: u16 = 100;
    let frames: Vec<Vec<u8>> =
        (0..HOSTS).flat_map(|host| (1..=PORTS).map(move |port| probe(inside(host), 10_000 + port))).collect();
    let policy = admitting();
    let mut kernel = load(&policy);
    let mut cells: Vec<Drained> = Vec::new();
    flip_while_sending(&mut kernel, mode, &frames, |kernel| cells.extend(drained(kernel)));

    let expected = host_after(&policy, &frames).end_epoch();
    for (_, key, cell) in &expected {
        let [pairs, hosts, ports] = union(&cells, key);
        assert!(
            pairs == cell.pairs && hosts == cell.hosts && ports == cell.ports,
            "{mode}: {key:?} lost something"
        );
    }
    let keys: HashSet<CellKey> = cells.iter().map(|cell| cell.key).collect();
    assert_eq!(keys.len(), expected.len(), "{mode}: keys");
    // Novelties are counted an epoch anew, and each of them once.
    let novelties: u64 = cells.iter().map(|cell| u64::from(cell.cell.facts.novelties)).sum();
    assert_eq!(novelties, counted(&kernel, Counter::Novel), "{mode}: novelties");
}

/// Many sources on a few ports: every novelty changes a sketch that is flipped away under it all the time.
fn sources_survive_flips(mode: Mode) {
    let frames: Vec<Vec<u8>> = (0..20_000_u32)
        .map(|n| {
            let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + n);
            ether().carry(ipv4(source, inside(n % 50)).carry(tcp(40_000, 8_000 + (n % 5) as u16)))
        })
        .collect();
    let policy = policy();
    let mut kernel = load(&policy);
    let mut ports: BTreeMap<PortKey, PortSketch> = BTreeMap::new();
    flip_while_sending(&mut kernel, mode, &frames, |kernel| {
        for (key, sketch) in drained_ports(kernel) {
            ports.entry(key).or_default().merge(&sketch);
        }
    });
    let expected: BTreeMap<PortKey, PortSketch> =
        host_after(&policy, &frames).take_ports().into_iter().collect();
    assert_eq!(ports, expected, "{mode}");
}

/// Flips while frames are sent, at least, and the longest wait for one.
const FLIPS_MIN: usize = 8;
const FLIP_LIMIT: Duration = Duration::from_secs(5);

/// Sends frames, and flips the copies and drains the idle one all the while, and twice at the end.
fn flip_while_sending(
    kernel: &mut Kernel,
    mode: Mode,
    frames: &[Vec<u8>],
    mut drain: impl FnMut(&mut Kernel),
) {
    let veth = Veth::new("watched");
    kernel.attach_by(&veth.name, veth.index, mode).expect("attached");
    let mut sender = veth.into_sender();
    let flips = AtomicU32::new(0);
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            // In parts, so that a busy machine, too, flips several times before all is sent.
            for (part, frames) in (0..).zip(frames.chunks(frames.len() / FLIPS_MIN)) {
                sender.send(frames);
                let begun = Instant::now();
                while flips.load(Ordering::Acquire) <= part && begun.elapsed() < FLIP_LIMIT {
                    thread::sleep(Duration::from_micros(100));
                }
            }
        });
        while !sending.is_finished() {
            kernel.flip().expect("the copies are flipped");
            drain(kernel);
            flips.fetch_add(1, Ordering::Release);
            thread::sleep(Duration::from_millis(1));
        }
    });
    let flips = flips.into_inner() as usize;
    await_count(kernel, Counter::ProbeSyn, frames.len() as u64);
    for _ in 0..2 {
        kernel.flip().expect("the copies are flipped");
        drain(kernel);
    }
    println!("{mode}: {} frames, {flips} flips", frames.len());
    assert!(flips >= FLIPS_MIN, "only {flips} flips while packets flowed");
}

fn host_after(policy: &Policy, frames: &[Vec<u8>]) -> HostTables {
    let mut host = host_tables(policy, Settings::DEFAULT.hasher);
    for frame in frames {
        observe(&frame[..], LOOPBACK, Passage::IN, &mut host);
    }
    host
}

fn probe(target: Ipv4Addr, port: u16) -> Vec<u8> {
    ether().carry(ipv4([10, 0, 0, 5], target).carry(tcp(40_000, port)))
}

/// The sketches of pairs, hosts and ports of one key over all epochs.
fn union(cells: &[Drained], key: &CellKey) -> [Sketch; 3] {
    let mut merged = [Sketch::EMPTY; 3];
    for cell in cells.iter().filter(|cell| cell.key == *key) {
        let sketches = [&cell.cell.pairs, &cell.cell.hosts, &cell.cell.ports];
        merged.iter_mut().zip(sketches).for_each(|(sum, sketch)| sum.merge(sketch));
    }
    merged
}
