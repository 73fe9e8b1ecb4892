//! What tracked sources take, by what the kernel says that the process has: in a child of its own, which does nothing else.

use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use super::Effort;
use super::office::Office;
use super::row::Row;

pub const NAMES: &[&str] = &["memory_65536_sources", "memory_per_source"];
/// The argument by which this program is the child.
pub const CHILD: &str = "--memory-of";

const TARGET_MIB: f64 = 256.0;
/// Minutes of an office's day that a source remembers.
const MINUTES: u32 = 10;

/// Runs the child.
pub fn measure(effort: Effort) -> Result<Vec<Row>, String> {
    let this = env::current_exe().map_err(|error| format!("where this program lies is unknown: {error}"))?;
    let output = Command::new(this).args([CHILD, &effort.sources.to_string()]).output();
    let output = output.map_err(|error| format!("this program cannot run itself: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [before, after, own] = numbers[..] else {
        return Err(format!("the child said `{text}`: {}", String::from_utf8_lossy(&output.stderr)));
    };
    let sources = f64::from(effort.sources);
    let what = format!(
        "resident memory of a process that tracks {sources} sources of an office, {MINUTES} minutes each; beside it, without any"
    );
    let each = format!("the same for each; beside it, by the engine's own count, {} bytes", own.round());
    Ok(vec![
        Row::new(NAMES[0], mib(after), "MiB", what).at_most(TARGET_MIB).against(mib(before)),
        Row::new(NAMES[1], (after - before) / sources, "bytes", each).against(own),
    ])
}

/// The child: prints its resident bytes before and after, and the bytes that the engine counts for each source.
pub fn child(sources: &str) -> ExitCode {
    let Ok(sources) = sources.parse::<u32>() else {
        eprintln!("{CHILD} takes a number of sources, not `{sources}`");
        return ExitCode::FAILURE;
    };
    let mut office = Office::new();
    let before = resident_bytes();
    // Half a minute of work and rest in turns: judged once a second, as sources are in an office.
    for minute in 0..MINUTES {
        for second in 0..60 {
            for source in (second..sources).step_by(60) {
                office.minute(source, minute);
            }
            office.wait_ms(1_000);
            office.engine.judge(office.now());
        }
    }
    let tracked = office.engine.statistics().sources.tracked;
    if tracked != sources as usize {
        eprintln!("{tracked} sources are tracked, not {sources}");
        return ExitCode::FAILURE;
    }
    println!("{before} {} {}", resident_bytes(), office.engine.bytes() as f64 / f64::from(sources));
    ExitCode::SUCCESS
}

/// Resident memory of this process.
fn resident_bytes() -> u64 {
    resident_bytes_of("self").unwrap_or_default()
}

/// Resident memory of a process (`proc_pid_statm(5)`).
pub fn resident_bytes_of(process: &str) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * page.unsigned_abs())
}

/// Mebibytes.
pub fn mib(bytes: f64) -> f64 {
    bytes / 1_048_576.0
}
