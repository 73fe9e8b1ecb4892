//! Packets over a veth pair: made by XDP live frames at one end, observed and ended by XDP in the driver at the other.
//! Beside it, the same with a program that ends them at once. One processor sends and receives, so that nothing is lost
//! between the two.

use std::time::Instant;

use nix::net::if_::if_nametoindex;
use scanwatch::kernel::{Kernel, KernelError, Options};
use scanwatch::policy::Policy;
use serde::Serialize;

use crate::measure::{Effort, check, median, rounded, words};
use crate::rows::Row;
use crate::support::net::{Veth, in_namespace};

/// The program that sends.
pub const SEND: &str = "bench_send";

/// A row as it is printed.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    what: &'static str,
    packets_per_s: f64,
    empty_packets_per_s: f64,
    ratio: f64,
}

/// Measures one row in a network namespace of its own; one JSON object on one line.
pub fn measure(name: &'static str, row: &Row, object: &[u8], effort: Effort) -> Result<String, String> {
    let mut measured = Err("the namespace ended early".to_owned());
    in_namespace(async || measured = run(name, row, object, effort));
    measured
}

fn run(name: &'static str, row: &Row, object: &[u8], effort: Effort) -> Result<String, String> {
    let mut empty = Road::new("empty", "bench_sink", row, object)?;
    let mut observed = Road::new("observed", "bench_observing_sink", row, object)?;
    let said = |error: KernelError| error.to_string();
    // Sources are known and sketches full, as in the row without a veth.
    observed.send(row, row.warm_up.min(4 * effort.packets))?;
    let counted_before = observed.kernel.counters().map_err(said)?;
    let (mut without, mut with, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let (a, b) = (empty.send(row, effort.packets)?, observed.send(row, effort.packets)?);
        without.push(a);
        with.push(b);
        ratios.push(b / a);
    }
    let counted = observed.kernel.counters().map_err(said)?;
    check(row, &counted_before, &counted, effort.rounds as u64 * u64::from(effort.packets))?;
    let line = Line {
        name,
        what: row.what,
        packets_per_s: median(&mut with).round(),
        empty_packets_per_s: median(&mut without).round(),
        ratio: rounded(median(&mut ratios)),
    };
    Ok(serde_json::to_string(&line).expect("numbers and words"))
}

/// A veth pair with a program at one end, and an object that sends from the other.
struct Road {
    _veth: Veth,
    kernel: Kernel,
}

impl Road {
    fn new(name: &str, sink: &str, row: &Row, object: &[u8]) -> Result<Self, String> {
        let veth = Veth::new(name);
        let mut kernel = sender(&veth, row, object)?;
        kernel.attach_program(sink, &veth.name, veth.index).map_err(|error| error.to_string())?;
        Ok(Self { _veth: veth, kernel })
    }

    /// Sends so many packets and returns how many a second arrived.
    fn send(&mut self, row: &Row, packets: u32) -> Result<f64, String> {
        let begun = Instant::now();
        self.kernel.repeat_live(SEND, &row.frame, packets).map_err(|error| error.to_string())?;
        Ok(f64::from(packets) / begun.elapsed().as_secs_f64())
    }
}

/// An object that sends a row's packets into the watched end of a veth pair.
pub fn sender(veth: &Veth, row: &Row, object: &[u8]) -> Result<Kernel, String> {
    let peer = format!("{}-peer", veth.name);
    let index = if_nametoindex(peer.as_str()).map_err(|error| format!("{peer}: {error}"))?;
    let (words, out) = (words(&row.plan), [index]);
    let constants: &[(&str, &[u32])] = &[("PLAN", &words), ("OUT_INTERFACE", &out)];
    Kernel::load_object(object, constants, &Policy::default(), Options::default())
        .map_err(|error| error.to_string())
}
