//! A whole life on the kernel that runs this: load, attach, counts, replies, drain, teardown, and what is done where a feature
//! is missing. Needs root.
//!
//! `cargo xtask vm` runs it on other kernels, in machines without a processor's help, where a verifier takes its time: so
//! all tests share one loaded object. Tests that need what not every kernel has end in `_in_a_machine`
//! or hold it in their names, and are left to those machines.

mod agent;
#[path = "../../../scanwatch-common/tests/build/mod.rs"]
mod build;
mod clocks;
mod counts;
mod hooks;
mod load;
#[path = "../support/mod.rs"]
mod support;
mod too_old;
mod vlan;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use scanwatch::kernel::{Kernel, Mode, Options, TCX, Version, running_version};
use scanwatch_common::abi::{CellKey, Outcome};
use scanwatch_common::counters::Counter;
use scanwatch_common::sketch::Sketch;
use support::net::in_namespace;
use support::{admitting, count, eventually};

/// The object, loaded by the first test that needs it.
static SHARED: Mutex<Option<Kernel>> = Mutex::new(None);

/// Runs a test in a namespace of its own, with the object that all share; nothing is counted, and nothing attached. What a
/// failed test had is not used again.
fn with_kernel(test: impl AsyncFnOnce(&mut Kernel) + Send) {
    let shared = || SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    in_namespace(async || {
        let kept = shared().take();
        let mut kernel = kept
            .unwrap_or_else(|| Kernel::load(&admitting(), Options::default()).expect("the object is loaded"));
        for _ in 0..2 {
            drained(&mut kernel);
        }
        test(&mut kernel).await;
        *shared() = Some(kernel);
    });
}

/// The version of the kernel that runs this.
fn version() -> Version {
    running_version().expect("a kernel that tells its version")
}

/// The hooks of TC that this kernel has, the best first.
fn tc_modes() -> &'static [Mode] {
    if version() >= TCX { &[Mode::Tcx, Mode::Clsact] } else { &[Mode::Clsact] }
}

/// Ends the epoch, and takes what was counted in it: distinct pairs by VLAN and outcome.
fn drained(kernel: &mut Kernel) -> BTreeMap<(u16, Outcome), u64> {
    kernel.flip().expect("the copies are flipped");
    let mut merged: BTreeMap<(u16, Outcome), Sketch> = BTreeMap::new();
    let mut take = |key: &CellKey, pairs: &Sketch| {
        let outcome = key.outcome().expect("an outcome");
        merged.entry((key.vlan[0], outcome)).or_default().merge(pairs);
    };
    kernel.drain(|drained| take(&drained.key, &drained.cell.pairs)).expect("the cells are drained");
    merged.iter().map(|(key, sketch)| (*key, sketch.estimate().rounded())).collect()
}

/// How often a counter was counted.
fn counted(kernel: &Kernel, counter: Counter) -> u64 {
    count(&kernel.counters().expect("the counters are read"), counter)
}

/// Waits until a counter stands at this number, and fails where it went beyond.
fn await_count(kernel: &Kernel, counter: Counter, expected: u64) {
    eventually(&format!("{} stands at {expected}", counter.name()), || counted(kernel, counter) >= expected);
    assert_eq!(counted(kernel, counter), expected, "{}", counter.name());
}

/// The program: the one that is named by the environment, or the one that was built with this test.
fn scanwatch() -> PathBuf {
    env::var_os("SCANWATCH_BIN").map_or_else(|| env!("CARGO_BIN_EXE_scanwatch").into(), PathBuf::from)
}

/// What the program says, and how it ends.
fn said(arguments: &[&str]) -> Output {
    Command::new(scanwatch()).args(arguments).output().expect("scanwatch runs")
}
