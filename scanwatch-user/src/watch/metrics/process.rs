//! What the process takes, under the names that every Prometheus client gives these numbers; read from proc(5).

use std::fs;

use super::Family;
use crate::engine::Timestamp;

/// Ticks a second in which the kernel tells processor time: `USER_HZ`, the same on every Linux machine.
const TICKS_PER_S: f64 = 100.0;

/// The families; what cannot be read has no sample. The process began as the agent did.
pub fn families(began: Timestamp) -> Vec<Family> {
    let real = |family: Family, value: Option<f64>| {
        let mut family = family;
        if let Some(value) = value {
            family.add_real(&[], value);
        }
        family
    };
    vec![
        real(
            Family::counter("process_cpu_seconds_total", "Processor time spent, in user and system mode."),
            cpu_s(),
        ),
        real(Family::gauge("process_resident_memory_bytes", "Resident memory."), status_bytes("VmRSS:")),
        real(Family::gauge("process_virtual_memory_bytes", "Virtual memory."), status_bytes("VmSize:")),
        real(Family::gauge("process_open_fds", "Open file descriptors."), open_fds()),
        real(Family::gauge("process_max_fds", "Most file descriptors."), max_fds()),
        real(
            Family::gauge("process_start_time_seconds", "Start of the process, since the Unix epoch."),
            Some(began.as_ns() as f64 / 1e9),
        ),
    ]
}

/// A field of `/proc/self/stat` by its number in proc(5); the name, which may hold anything, is field 2.
fn stat(number: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_s() -> Option<f64> {
    Some((stat(14)? + stat(15)?) / TICKS_PER_S)
}

/// A size of `/proc/self/status`.
fn status_bytes(name: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

fn open_fds() -> Option<f64> {
    // The one by which they are counted is among them.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(count as f64)
}

fn max_fds() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_known_by_every_number() {
        for family in families(Timestamp::from_ns(1)) {
            assert!(!family.is_empty(), "{}", family.name());
        }
        assert!(status_bytes("VmRSS:").unwrap() > 1_000_000.0);
        assert!(open_fds().unwrap() >= 3.0);
    }
}
