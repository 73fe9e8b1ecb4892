//! What the agent costs: `cargo bench -p scanwatch --bench agent`, or, with everything else, `cargo xtask bench`.
//!
//! Prints one JSON object a row on standard output, all else on standard error. Arguments are parts of rows' names;
//! `--quick` measures little, to see that everything works. Rows that run the agent itself need root; they run
//! `$SCANWATCH_BIN`, or where that is not set the program that cargo built for this benchmark.

#[path = "../../../scanwatch-common/tests/build/mod.rs"]
mod build;
mod drain;
mod idle;
mod latency;
mod memory;
mod merge;
mod office;
mod row;
mod scale;
#[path = "../../tests/support/mod.rs"]
mod support;
mod verdicts;

use std::env;
use std::process::ExitCode;

use nix::unistd::geteuid;
use row::Row;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    /// Sources of the rows that say how many.
    sources: u32,
    /// Runs of which the median counts.
    runs: usize,
    /// Seconds for which the idle agent is watched.
    idle_s: u64,
    /// Scans whose detection is timed.
    scans: u16,
}

const FULL: Effort = Effort { sources: 65_536, runs: 7, idle_s: 20, scans: 60 };
const QUICK: Effort = Effort { sources: 4_096, runs: 3, idle_s: 3, scans: 8 };

/// Rows that are measured together: their names, and how.
type Group = (&'static [&'static str], fn(Effort) -> Result<Vec<Row>, String>);

/// All groups; those from [`NEEDS_ROOT`] on load the programs, or run the agent.
const GROUPS: [Group; 9] = [
    (merge::NAMES, merge::measure),
    (scale::ZONES, scale::zones),
    (verdicts::OFFICE, verdicts::office),
    (verdicts::SUSPECTS, verdicts::suspects),
    (memory::NAMES, memory::measure),
    (scale::MAPS, scale::maps),
    (drain::NAMES, drain::measure),
    (idle::NAMES, idle::measure),
    (latency::NAMES, latency::measure),
];
const NEEDS_ROOT: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, sources] = &arguments[..]
        && flag == memory::CHILD
    {
        return memory::child(sources);
    }
    let effort = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { FULL };
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let mut failed = false;
    for (number, (names, measure)) in GROUPS.into_iter().enumerate() {
        if !names.iter().copied().any(is_wanted) {
            continue;
        }
        eprintln!("  {}", names.join(", "));
        let measured = if number >= NEEDS_ROOT && !geteuid().is_root() {
            Err("this loads the kernel programs and needs root: run it with sudo".to_owned())
        } else {
            measure(effort)
        };
        match measured {
            Ok(rows) => rows.iter().filter(|row| is_wanted(row.name)).for_each(Row::print),
            Err(message) => {
                eprintln!("agent: {}: {message}", names.join(", "));
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
