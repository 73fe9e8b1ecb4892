//! Memory: what may be locked, and what there is.

use std::fs;
use std::path::Path;

use super::finding::{Area, Check, Finding};
use super::programs::Trial;
use super::text::bytes;
use crate::kernel::{MAPS_BYTES_MAX, Version, memory_lock_max, running_version};
use crate::policy::Policy;

/// First version that charges maps to the memory control group, and not to the limit on locked memory.
const CHARGED_TO_GROUP: Version = Version(5, 11);
/// What a tracked source takes at most, bytes.
const SOURCE_BYTES_MAX: u64 = 4 << 10;
const GROUPS: &str = "/sys/fs/cgroup";

/// What there is to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub version: Option<Version>,
    /// Bytes that may be locked; `None` for any number.
    pub lock_max: Option<u64>,
    /// Bytes that are free, or would be if they were needed.
    pub available: Option<u64>,
    /// The least limit of this process's control groups, bytes.
    pub group_max: Option<u64>,
    /// What the maps take, bytes; the most they take at default sizes, where they could not be made.
    pub maps: u64,
    /// What the agent takes at most for its sources, bytes.
    pub sources: u64,
}

pub(super) fn gather(policy: &Policy, trial: &Trial) -> Facts {
    Facts {
        version: running_version(),
        lock_max: memory_lock_max(),
        available: fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available),
        group_max: group_max(),
        maps: trial.maps_bytes().unwrap_or(MAPS_BYTES_MAX),
        sources: policy.limits.sources as u64 * SOURCE_BYTES_MAX,
    }
}

/// `MemAvailable` of /proc/meminfo, bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The least limit of the control groups that this process is in, of version 2 (cgroups(7)).
fn group_max() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let limits = Path::new(path).ancestors().filter_map(|group| {
        let text = fs::read_to_string(Path::new(GROUPS).join(group).join("memory.max")).ok()?;
        text.trim().parse().ok()
    });
    limits.min()
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    vec![lock(facts), room(facts)]
}

fn lock(facts: &Facts) -> Finding {
    let check = Check::of(Area::Memory, "lock");
    if facts.version.is_none_or(|version| version >= CHARGED_TO_GROUP) {
        return check.ok("the limit on locked memory does not count: maps are charged to the control group");
    }
    match facts.lock_max {
        Some(max) if max < facts.maps => check.problem(
            format!(
                "{} may be locked, and before Linux {CHARGED_TO_GROUP} maps are: they take {}",
                bytes(max),
                bytes(facts.maps)
            ),
            "run `ulimit -l unlimited` before, or set LimitMEMLOCK=infinity in the unit",
        ),
        _ => check.ok("as much memory may be locked as the maps take"),
    }
}

fn room(facts: &Facts) -> Finding {
    let check = Check::of(Area::Memory, "room");
    let (maps, sources) = (bytes(facts.maps), bytes(facts.sources));
    let needs = format!("the maps take {maps}, and all sources that are tracked {sources} at most");
    let by_group = facts.group_max.is_some_and(|max| facts.available.is_none_or(|available| max < available));
    let (room, advice) = if by_group {
        (facts.group_max, "raise MemoryMax of the unit, or memory.max of the control group")
    } else {
        (facts.available, "free memory, or set fewer cells and sources in [limits]")
    };
    let has = |room: u64| {
        let room = bytes(room);
        if by_group { format!("this control group may take {room}") } else { format!("{room} are available") }
    };
    match room {
        None => check.note(format!("how much memory is available does not show; {needs}")),
        Some(room) if room < facts.maps => check.problem(format!("{}, but {needs}", has(room)), advice),
        Some(room) if room < facts.maps + facts.sources => {
            check.warning(format!("{}, but {needs}", has(room)), advice)
        }
        Some(room) => check.ok(format!("{}; {needs}", has(room))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    const FACTS: Facts = Facts {
        version: Some(Version(6, 1)),
        lock_max: Some(64 << 10),
        available: Some(4 << 30),
        group_max: None,
        maps: 90 << 20,
        sources: 256 << 20,
    };

    #[test]
    fn the_limit_on_locked_memory_counts_on_old_kernels_alone() {
        assert_eq!(lock(&FACTS).verdict, Verdict::Ok);
        let old = Facts { version: Some(Version(5, 10)), ..FACTS };
        let finding = lock(&old);
        assert_eq!(finding.verdict, Verdict::Problem);
        assert!(finding.found.starts_with("64 KiB may be locked"), "{}", finding.found);
        assert!(finding.advice.unwrap().contains("LimitMEMLOCK=infinity"));
        assert_eq!(lock(&Facts { lock_max: None, ..old }).verdict, Verdict::Ok);
    }

    #[test]
    fn memory_that_does_not_hold_the_maps_is_a_problem_and_all_sources_a_warning() {
        for (available, expected) in [
            (Some(4 << 30), Verdict::Ok),
            (Some(300 << 20), Verdict::Warning),
            (Some(64 << 20), Verdict::Problem),
            (None, Verdict::Note),
        ] {
            assert_eq!(room(&Facts { available, ..FACTS }).verdict, expected, "{available:?}");
        }
    }

    #[test]
    fn a_limit_of_the_control_group_comes_before_what_the_machine_has() {
        let finding = room(&Facts { group_max: Some(64 << 20), ..FACTS });
        assert_eq!(finding.verdict, Verdict::Problem);
        assert!(finding.found.starts_with("this control group may take 64 MiB"), "{}", finding.found);
        assert!(finding.advice.unwrap().contains("MemoryMax"));
        assert_eq!(room(&Facts { group_max: Some(8 << 30), ..FACTS }).verdict, Verdict::Ok);
    }

    #[test]
    fn the_line_of_the_kernel_is_read() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   22020096 kB\n"), Some(21 << 30));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
    }
}
