//! The kernel's monotonic clock as wall-clock time.

use std::time::{SystemTime, UNIX_EPOCH};

/// The difference between the two clocks, taken anew each epoch: the wall clock may be stepped.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    offset_ns: i128,
}

impl WallClock {
    /// Compares the clocks now.
    #[must_use]
    pub fn now() -> Self {
        Self { offset_ns: i128::from(Self::wall_ns()) - i128::from(monotonic_ns()) }
    }

    /// Nanoseconds since the Unix epoch; 0 for a clock set before it.
    #[must_use]
    pub fn wall_ns() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// A kernel time stamp as nanoseconds since the Unix epoch.
    #[must_use]
    pub fn of(&self, kernel_ns: u64) -> u64 {
        u64::try_from((i128::from(kernel_ns) + self.offset_ns).max(0)).unwrap_or(u64::MAX)
    }
}

/// The clock of `bpf_ktime_get_ns`.
pub(super) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; CLOCK_MONOTONIC exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
