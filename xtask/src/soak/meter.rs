//! What a process holds: memory and descriptors, and whether it grew.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::unistd::Pid;

/// What memory may grow by, kB, between the end of warm-up and the end of the last quiet phase: what was tried is
/// remembered for a day, and a soak tries more in minutes than an office does in a day.
pub const MARGIN_KB: u64 = 8 << 10;
/// Looks at the descriptors, of which a file that is being written is one more for a moment.
const LOOKS: usize = 10;
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// What a process holds at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Resident memory, kB.
    pub rss_kb: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Reading {
    /// Reads it: of descriptors the fewest in a second.
    pub fn of(pid: Pid) -> Result<Self> {
        let mut descriptors = usize::MAX;
        for _ in 0..LOOKS {
            let folder = format!("/proc/{pid}/fd");
            descriptors = descriptors
                .min(fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))?.count());
            thread::sleep(LOOK_PAUSE);
        }
        Ok(Self { rss_kb: resident_kb(pid)?, descriptors })
    }
}

/// Resident memory of a process, kB.
pub fn resident_kb(pid: Pid) -> Result<u64> {
    let file = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.trim().strip_suffix(" kB")).context("the kernel tells no VmRSS")?;
    Ok(kb.parse()?)
}

/// Programs, maps and links that a process holds, such as `map_id: 7` (proc_pid_fdinfo(5)).
pub fn holdings(pid: Pid) -> Result<BTreeSet<String>> {
    let folder = format!("/proc/{pid}/fdinfo");
    let mut held = BTreeSet::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let Ok(info) = fs::read_to_string(entry?.path()) else { continue };
        for key in ["prog_id", "map_id", "link_id"] {
            let found = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            held.extend(found.map(|id| format!("{key}: {}", id.trim())));
        }
    }
    Ok(held)
}

/// What grew beyond what is allowed, a sentence each.
#[must_use]
pub fn growth(warm: Reading, end: Reading) -> Vec<String> {
    let mut wrong = Vec::new();
    if end.rss_kb > warm.rss_kb + MARGIN_KB {
        wrong.push(format!(
            "growth: {} kB of memory after warm-up, {} kB after the last quiet phase, which is more than {MARGIN_KB} kB more",
            warm.rss_kb, end.rss_kb
        ));
    }
    if end.descriptors != warm.descriptors {
        wrong.push(format!(
            "growth: {} descriptors after warm-up, {} after the last quiet phase",
            warm.descriptors, end.descriptors
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM: Reading = Reading { rss_kb: 20_000, descriptors: 40 };

    #[test]
    fn growth_of_memory_and_of_descriptors_is_named() {
        assert!(growth(WARM, Reading { rss_kb: 20_000 + MARGIN_KB, ..WARM }).is_empty());
        let memory = growth(WARM, Reading { rss_kb: 20_001 + MARGIN_KB, ..WARM });
        assert!(memory.len() == 1 && memory[0].starts_with("growth: 20000 kB of memory"), "{memory:?}");
        for descriptors in [39, 41] {
            let found = growth(WARM, Reading { descriptors, ..WARM });
            assert!(found.len() == 1 && found[0].starts_with("growth: 40 descriptors"), "{found:?}");
        }
    }

    #[test]
    fn a_process_is_read() {
        let own = Reading::of(Pid::this()).unwrap();
        assert!(own.rss_kb > 100 && own.descriptors >= 3, "{own:?}");
    }
}
