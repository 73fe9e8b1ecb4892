//! Waiting until every program that is running now has ended.

use std::thread;
use std::time::Duration;

/// `MEMBARRIER_CMD_GLOBAL` of `linux/membarrier.h`.
const GLOBAL: libc::c_long = 1;

/// What is waited where the kernel does not do the waiting. Programs run for microseconds, but on a virtual machine a
/// processor may be taken away in the middle of one.
const WITHOUT_KERNEL: Duration = Duration::from_millis(50);

/// Blocks until no program runs that had begun before the call: some 20 milliseconds.
///
/// `membarrier(2)` with the global command waits for an RCU grace period, within which every XDP and TC program ends.
/// With one processor it returns at once, as then no program can be under way while this thread runs.
pub(super) fn wait() {
    let (no_flags, no_cpu): (libc::c_long, libc::c_long) = (0, 0);
    // SAFETY: the call takes three numbers and touches no memory of ours.
    let status = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, no_flags, no_cpu) };
    // Kernels that run with nohz_full refuse the global command.
    if status != 0 {
        thread::sleep(WITHOUT_KERNEL);
    }
}
