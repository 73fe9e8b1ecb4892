//! What the kernel says of itself and of this process.

use std::fmt;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use super::attach::running;

/// A version of the kernel, as major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u8, pub u8);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Version of the running kernel, where it tells.
#[must_use]
pub fn running_version() -> Option<Version> {
    let text = running()?.to_string();
    let mut numbers = text.split('.').map(str::parse);
    Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Whether something keeps the machine's clock right (adjtimex(2)); `None` where the kernel does not say.
#[must_use]
pub fn is_clock_synchronized() -> Option<bool> {
    // SAFETY: a timex of nothing but zeros is valid: it has numbers only.
    let mut clock: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `clock` is a timex to be written to. Its modes are 0, so nothing is changed.
    let state = unsafe { libc::adjtimex(&raw mut clock) };
    (state >= 0).then_some(clock.status & libc::STA_UNSYNC == 0)
}

/// Bytes that this process may lock in memory (`RLIMIT_MEMLOCK`); `None` for any number of them.
#[must_use]
pub fn memory_lock_max() -> Option<u64> {
    // What cannot be asked for limits nobody.
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK).ok()?;
    (soft != RLIM_INFINITY).then_some(soft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::KERNEL_MIN;

    #[test]
    fn versions_are_compared_by_numbers() {
        assert!(Version(6, 12) > Version(6, 6) && Version(7, 0) > Version(6, 18));
        assert_eq!(Version(6, 1).to_string(), "6.1");
    }

    #[test]
    fn the_kernel_that_runs_the_tests_is_one_that_is_supported() {
        let (major, minor) = KERNEL_MIN;
        assert!(running_version().unwrap() >= Version(major, minor));
    }

    #[test]
    fn the_clock_can_be_asked_by_anybody() {
        assert!(is_clock_synchronized().is_some());
    }
}
