//! Measuring a row beside the empty program, and making sure that it measures what it says.

use nix::time::{ClockId, clock_gettime};
use scanwatch::kernel::{Kernel, KernelError, Options};
use scanwatch::policy::Policy;
use scanwatch_common::counters::Counter;
use serde::Serialize;

use crate::plan::Plan;
use crate::rows::Row;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Times that empty program, rewriting and row are measured, one after the other.
    pub rounds: usize,
    /// Packets each time.
    pub packets: u32,
    /// Packets before all rounds, as part of those of [`Row::warm_up`].
    warm_up_divisor: u32,
}

impl Effort {
    /// For figures.
    pub const FULL: Self = Self { rounds: 9, packets: 500_000, warm_up_divisor: 1 };
    /// To see that everything works.
    pub const QUICK: Self = Self { rounds: 3, packets: 50_000, warm_up_divisor: 8 };
}

/// What a packet costs.
pub struct Figures {
    /// What the empty program costs, nanoseconds.
    empty_ns: f64,
    /// What the row costs more, nanoseconds; without what changing the frame costs.
    over_empty_ns: f64,
}

/// A row as it is printed.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    what: &'static str,
    ns_per_packet: f64,
    empty_ns: f64,
    over_empty_ns: f64,
    mpps_per_core: f64,
    target_ns: Option<f64>,
}

impl Figures {
    /// One JSON object on one line.
    pub fn json(&self, row: &Row) -> String {
        let ns_per_packet = self.empty_ns + self.over_empty_ns;
        let line = Line {
            name: row.name,
            what: row.what,
            ns_per_packet: rounded(ns_per_packet),
            empty_ns: rounded(self.empty_ns),
            over_empty_ns: rounded(self.over_empty_ns),
            mpps_per_core: rounded(1e3 / ns_per_packet),
            target_ns: row.target_ns,
        };
        serde_json::to_string(&line).expect("numbers and words")
    }
}

/// To hundredths: the machine's noise is larger.
pub fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Measures one row, in an object loaded for it alone.
pub fn measure(row: &Row, object: &[u8], effort: Effort) -> Result<Figures, String> {
    let said = |error: KernelError| error.to_string();
    let mut policy = Policy::default();
    if let Some(cells) = row.cells_external {
        policy.limits.cells_external = cells;
    }
    let words = words(&row.plan);
    let constants: &[(&str, &[u32])] = &[("PLAN", &words)];
    let mut kernel = Kernel::load_object(object, constants, &policy, Options::default()).map_err(said)?;
    for frame in &row.before {
        kernel.run(frame).map_err(said)?;
    }
    let (program, baseline) = match row.plan {
        Plan::NOTHING => ("scanwatch_xdp", "bench_empty"),
        _ => ("bench_observe", "bench_rewrite"),
    };
    time(&mut kernel, program, &row.frame, (row.warm_up / effort.warm_up_divisor).max(effort.packets))?;
    let counted_before = kernel.counters().map_err(said)?;
    let (mut empty, mut over) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        empty.push(time(&mut kernel, "bench_empty", &row.frame, effort.packets)?);
        let without = time(&mut kernel, baseline, &row.frame, effort.packets)?;
        over.push(time(&mut kernel, program, &row.frame, effort.packets)? - without);
    }
    let counted = kernel.counters().map_err(said)?;
    check(row, &counted_before, &counted, effort.rounds as u64 * u64::from(effort.packets))?;
    Ok(Figures { empty_ns: median(&mut empty), over_empty_ns: median(&mut over) })
}

/// Nanoseconds a run, of the time that the processor had for this thread.
fn time(kernel: &mut Kernel, program: &str, frame: &[u8], times: u32) -> Result<f64, String> {
    let begun = processor_ns()?;
    kernel.repeat(program, frame, times).map_err(|error| error.to_string())?;
    Ok((processor_ns()? - begun) / f64::from(times))
}

fn processor_ns() -> Result<f64, String> {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_err(|error| format!("this thread's time is unknown: {error}"))?;
    Ok(now.tv_sec() as f64 * 1e9 + now.tv_nsec() as f64)
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Part of the packets that must leave by the ways the row names.
const SHARE_MIN: f64 = 0.9;

/// Fails where the packets did not go where the row says.
pub fn check(
    row: &Row,
    before: &[(Counter, u64)],
    after: &[(Counter, u64)],
    packets: u64,
) -> Result<(), String> {
    let rose: Vec<(Counter, u64)> =
        before.iter().zip(after).map(|((counter, a), (_, b))| (*counter, b - a)).collect();
    let out: u64 = rose.iter().filter(|(counter, _)| row.ways_out.contains(counter)).map(|(_, n)| n).sum();
    let names = |counters: &[Counter]| counters.iter().map(|c| c.name()).collect::<Vec<_>>().join(" or ");
    let all: Vec<String> =
        rose.iter().filter(|(_, n)| *n > 0).map(|(counter, n)| format!("{} {n}", counter.name())).collect();
    if (out as f64) < SHARE_MIN * packets as f64 {
        return Err(format!(
            "{out} of {packets} packets left by {}, so this row measures something else: {}",
            names(row.ways_out),
            all.join(", ")
        ));
    }
    Ok(())
}

/// The plan as the object's constant.
pub fn words(plan: &Plan) -> Vec<u32> {
    plan.fields.iter().flat_map(|field| [field.at, field.mask, field.base, field.shift]).collect()
}
