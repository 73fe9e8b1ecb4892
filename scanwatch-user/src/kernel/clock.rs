//! The machine's clocks.

use std::fs;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the clocks say at one moment, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Since the Unix epoch, 0 where the clock is set before it. Somebody may set it at any time.
    pub wall_ns: u64,
    /// Since the start of the machine, sleep included. Never set.
    pub boot_ns: u64,
    /// The clock of `bpf_ktime_get_ns`: since the start of the machine, without sleep. Never set.
    pub kernel_ns: u64,
}

impl Clocks {
    /// Reads them.
    #[must_use]
    pub fn read() -> Self {
        Self { wall_ns: wall_ns(), boot_ns: clock_ns(libc::CLOCK_BOOTTIME), kernel_ns: monotonic_ns() }
    }
}

/// Nanoseconds since the Unix epoch; 0 for a clock set before it.
#[must_use]
pub fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The clock of `bpf_ktime_get_ns`, which knows no time namespaces (time_namespaces(7)).
pub(super) fn monotonic_ns() -> u64 {
    static OFFSET_NS: OnceLock<i64> = OnceLock::new();
    let offset_ns = *OFFSET_NS.get_or_init(|| {
        // Without the file there are no time namespaces.
        fs::read_to_string("/proc/self/timens_offsets").map_or(0, |text| offset_ns(&text))
    });
    clock_ns(libc::CLOCK_MONOTONIC).saturating_add_signed(offset_ns.saturating_neg())
}

/// By how much this time namespace's monotonic clock is ahead of the machine's.
fn offset_ns(offsets: &str) -> i64 {
    let line = offsets.lines().find_map(|line| line.strip_prefix("monotonic"));
    let mut numbers = line.into_iter().flat_map(str::split_whitespace).map_while(|word| word.parse().ok());
    let (seconds, ns): (i64, i64) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(ns)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; the clocks that are asked for exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_namespace_is_known_by_its_offset() {
        assert_eq!(offset_ns("monotonic           0         0\nboottime            0         0\n"), 0);
        assert_eq!(offset_ns("monotonic      -86400 500000000\nboottime  7 0\n"), -86_399_500_000_000);
        assert_eq!(offset_ns("boottime 7 0\n"), 0);
        assert_eq!(offset_ns(""), 0);
    }

    #[test]
    fn clocks_go_on_and_sleep_is_no_negative_time() {
        let (before, after) = (Clocks::read(), Clocks::read());
        assert!(before.boot_ns <= after.boot_ns && before.kernel_ns <= after.kernel_ns);
    }
}
