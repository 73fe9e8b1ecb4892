//! Simulated machines: scanners of every kind, and those that are not. Who of them is accused, and how soon.

mod net;
mod networks;
mod others;
mod quiet;
mod scans;

use super::lab::Lab;
use crate::engine::Action;
use crate::policy::{Policy, Treatment};
use net::Net;

/// The scanner, or the actor that is none.
const ACTOR: &str = "10.1.0.99";

/// What became of an actor.
struct Outcome {
    /// Source, rule and seconds from the first packet, of each detection.
    found: Vec<(String, &'static str, f64)>,
}

/// Plays an actor. `warm` is beyond the hour of learning.
fn play(net: Net, warm: bool) -> Outcome {
    let mut policy = Policy::default();
    policy.directions.inbound = Treatment::Alert;
    policy.directions.transit = Treatment::Alert;
    if warm {
        policy.thresholds.learning = std::time::Duration::ZERO;
    }
    let mut lab = Lab::new(policy);
    let frames = net.frames();
    let begins = frames[0].0;
    if frames.last().is_some_and(|last| last.0 - begins > 7_200.0) {
        lab.turns_a_second(1);
    }
    let started = lab.now_s();
    for (at, frame) in frames {
        let pause = started + at - begins - lab.now_s();
        if pause > 0.0 {
            lab.wait(pause);
        }
        lab.frame(&frame);
    }
    lab.wait(700.0);
    let since = |snapshot: &crate::engine::Snapshot| {
        snapshot.at.as_ns() as f64 / 1e9 - super::lab::START_S as f64 - started
    };
    let found = lab.snapshots(Action::Detected);
    let found = found.into_iter().map(|s| (s.scanner.address.to_string(), s.rule, since(s)));
    Outcome { found: found.collect() }
}

/// The actor, and nobody else, is accused within so many seconds.
fn accused(name: &str, net: Net, warm: bool, within_s: f64) {
    let source = net.scanner.clone();
    let found = play(net, warm).found;
    let first = found.iter().find(|(who, ..)| *who == source);
    let Some((_, rule, after_s)) = first else { panic!("{name}: missed; found {found:?}") };
    assert!(*after_s <= within_s, "{name}: {rule} after {after_s:.0} s, not within {within_s:.0} s");
    assert!(found.iter().all(|(who, ..)| *who == source), "{name}: others are accused: {found:?}");
}

/// Nobody is accused.
fn silent(name: &str, net: Net) {
    let found = play(net, false).found;
    assert!(found.is_empty(), "{name}: {found:?}");
}

/// Nobody is accused, beyond the hour of learning.
fn silent_when_warm(name: &str, net: Net) {
    let found = play(net, true).found;
    assert!(found.is_empty(), "{name}: {found:?}");
}
