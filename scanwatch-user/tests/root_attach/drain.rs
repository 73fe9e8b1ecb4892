//! Cells are drained exactly once, and a flip while packets flow loses none.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use scanwatch::kernel::{DrainedCell, Kernel, Mode};
use scanwatch_common::abi::{CellKey, Outcome, Side, Technique};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};
use scanwatch_common::sketch::Sketch;

use crate::build::{ether, ipv4, tcp};
use crate::support::net::{Veth, in_namespace, inside};
use crate::support::{LOOPBACK, admitting, host_tables, require_root};
use crate::{await_count, counted, load, syn};

/// Far more than one batch takes.
const CELLS: u32 = 20_000;

fn drained(kernel: &mut Kernel) -> Vec<DrainedCell> {
    let mut cells = Vec::new();
    kernel.drain(|cell| cells.push(cell)).expect("the cells are drained");
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

#[test]
fn a_map_that_is_too_small_gives_up_old_cells_and_the_counters_tell_how_many() {
    require_root();
    let mut policy = admitting();
    policy.limits.cells_internal = 1_024;
    let mut kernel = load(&policy);
    for source in 0..CELLS {
        kernel.run(&syn(inside(source), 22)).expect("the program runs");
    }
    kernel.flip().expect("the copies are flipped");
    let kept = drained(&mut kernel);
    println!("{} of 1024 cells kept", kept.len());
    assert!((512..=1_024).contains(&kept.len()), "{} cells", kept.len());
    let newest = inside(CELLS - 1).to_ipv6_mapped().octets();
    assert!(kept.iter().any(|cell| cell.key.source == newest), "the newest source is kept");
    assert_eq!(counted(&kernel, Counter::CellCreated), u64::from(CELLS), "created less drained is given up");
    assert_eq!(counted(&kernel, Counter::CellRefused), 0);
}

#[test]
fn a_flip_while_packets_flow_loses_no_pair() {
    for mode in [Mode::XdpNativeFrags, Mode::Tcx] {
        in_namespace(async || pairs_survive_flips(mode));
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
    let veth = Veth::new("watched");
    kernel.attach_by(&veth.name, veth.index, mode).expect("attached");
    let mut sender = veth.into_sender();
    let done = AtomicBool::new(false);
    let mut cells: Vec<DrainedCell> = Vec::new();
    let mut flips = 0;
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            sender.send(&frames);
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) && !sending.is_finished() {
            kernel.flip().expect("the copies are flipped");
            cells.extend(drained(&mut kernel));
            flips += 1;
            thread::sleep(Duration::from_millis(1));
        }
    });
    await_count(&kernel, Counter::ProbeSyn, frames.len() as u64);
    for _ in 0..2 {
        kernel.flip().expect("the copies are flipped");
        cells.extend(drained(&mut kernel));
    }
    println!("{mode}: {} frames, {flips} flips, {} cells", frames.len(), cells.len());
    assert!(flips >= 3, "only {flips} flips while packets flowed");

    let mut host = host_tables(&policy, None);
    for frame in &frames {
        observe(&frame[..], LOOPBACK, Passage::IN, &mut host);
    }
    let expected = host.end_epoch();
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

fn probe(target: Ipv4Addr, port: u16) -> Vec<u8> {
    ether().carry(ipv4([10, 0, 0, 5], target).carry(tcp(40_000, port)))
}

/// The sketches of pairs, hosts and ports of one key over all epochs.
fn union(cells: &[DrainedCell], key: &CellKey) -> [Sketch; 3] {
    let mut merged = [Sketch::EMPTY; 3];
    for cell in cells.iter().filter(|cell| cell.key == *key) {
        let sketches = [&cell.cell.pairs, &cell.cell.hosts, &cell.cell.ports];
        merged.iter_mut().zip(sketches).for_each(|(sum, sketch)| sum.merge(sketch));
    }
    merged
}
