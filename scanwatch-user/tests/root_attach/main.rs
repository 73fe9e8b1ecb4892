//! Attaching to interfaces, and what real packets on them leave behind. Needs root.
//!
//! Each test has a network namespace of its own, which ends with it.

#[path = "../../../scanwatch-common/tests/build/mod.rs"]
mod build;
mod busy;
mod drain;
mod inside;
mod ladder;
mod leftover;
#[path = "../support/mod.rs"]
mod support;
mod traffic;
mod way_out;
mod zones;

use std::net::Ipv4Addr;

use build::{ether, ipv4, tcp};
use scanwatch::kernel::{Kernel, Options};
use scanwatch::policy::Policy;
use scanwatch_common::counters::Counter;
use support::{count, eventually, policy};

/// A loaded object, attached to nothing.
fn kernel() -> Kernel {
    load(&policy())
}

fn load(policy: &Policy) -> Kernel {
    Kernel::load(policy, Options::default()).expect("the object is loaded")
}

/// A TCP SYN to a server.
fn syn(source: impl Into<Ipv4Addr>, port: u16) -> Vec<u8> {
    ether().carry(ipv4(source, [10, 0, 1, 7]).carry(tcp(40_000, port)))
}

/// How often a counter was counted.
fn counted(kernel: &Kernel, counter: Counter) -> u64 {
    count(&kernel.counters().expect("the counters are read"), counter)
}

/// Waits until a counter stands at this number, and fails where it went beyond.
fn await_count(kernel: &Kernel, counter: Counter, expected: u64) {
    let what = format!("{} stands at {expected}", counter.name());
    eventually(&what, || counted(kernel, counter) >= expected);
    assert_eq!(counted(kernel, counter), expected, "{}", counter.name());
}
