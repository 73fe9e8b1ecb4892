//! What the running agent takes where nothing happens: on the loopback interface of a namespace of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Effort;
use super::memory::{mib, resident_bytes_of};
use super::row::Row;
use super::support::net::{in_namespace, ip};

pub const NAMES: &[&str] = &["idle_cpu", "idle_memory"];

const CPU_TARGET: f64 = 1.0;
const MEMORY_TARGET_MIB: f64 = 32.0;

/// Watches the agent for some seconds.
pub fn measure(effort: Effort) -> Result<Vec<Row>, String> {
    let mut measured = Err("the namespace ended early".to_owned());
    in_namespace(async || {
        ip("link set lo up");
        measured = watch(effort);
    });
    let (share, bytes) = measured?;
    let seconds = effort.idle_s;
    Ok(vec![
        Row::new(NAMES[0], 100.0 * share, "%", format!("share of one core over {seconds} s without traffic"))
            .at_most(CPU_TARGET),
        Row::new(NAMES[1], mib(bytes), "MiB", "resident memory of the agent at that")
            .at_most(MEMORY_TARGET_MIB),
    ])
}

fn watch(effort: Effort) -> Result<(f64, f64), String> {
    let agent = Running(
        Command::new(agent_binary())
            .args(["run", "--interface", "lo"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", agent_binary().display()))?,
    );
    // Loading and attaching are no idleness.
    thread::sleep(Duration::from_secs(2));
    let pid = agent.0.id().to_string();
    let gone = || "the agent ended by itself".to_owned();
    let (begun, before) = (Instant::now(), processor_ns(&pid).ok_or_else(gone)?);
    thread::sleep(Duration::from_secs(effort.idle_s));
    let took_ns = processor_ns(&pid).ok_or_else(gone)? - before;
    let bytes = resident_bytes_of(&pid).filter(|bytes| *bytes > 0).ok_or_else(gone)?;
    Ok((took_ns as f64 / begun.elapsed().as_nanos() as f64, bytes as f64))
}

/// Time that all threads of a process had (`Documentation/scheduler/sched-stats.rst`), nanoseconds.
fn processor_ns(pid: &str) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let each = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Some(each.sum())
}

/// The agent.
pub fn agent_binary() -> PathBuf {
    std::env::var_os("SCANWATCH_BIN").map_or_else(|| env!("CARGO_BIN_EXE_scanwatch").into(), PathBuf::from)
}

/// A process that ends with its measurement.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
