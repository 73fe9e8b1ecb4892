//! What a machine says, kept while it runs: each line behind the seconds that had gone by when it began.
//!
//! The same keeps what the tests say on the kernel that runs already. Neither runs longer than it may.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::unistd::{SysconfVar, sysconf};

const POLL: Duration = Duration::from_millis(100);
/// Whoever has ended has nothing to say any more; only what it left running could keep the line open.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// Its exit code, or the signal.
    pub status: ExitStatus,
    /// Processor time it took, those that it started left out.
    pub worked: Duration,
}

/// Runs `command` to its end, and keeps what it says in the file `log`.
///
/// # Errors
/// Where it cannot be run, and where it does not end within `limit`: then it is killed.
pub(super) fn run(mut command: Command, log: &Path, limit: Duration) -> Result<Ended> {
    let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
    let name = command.get_program().to_string_lossy().into_owned();
    let (line, end) = io::pipe()?;
    let begun = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(end.try_clone()?)
        .stderr(end)
        .spawn()
        .with_context(|| format!("{name} cannot be run"))?;
    // It holds the ends of the line that the child has now.
    drop(command);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let kept = keep(line, file, begun);
        // Nobody waits any more where it took too long.
        let _ = tell.send(kept);
    });
    let ended = Running(child).wait(limit);
    if let Ok(kept) = told.recv_timeout(LAST_WORDS) {
        kept.with_context(|| format!("what is said cannot be kept in {}", log.display()))?;
    }
    ended
}

/// Copies all that is said, with the seconds since `begun` before each line.
fn keep(mut said: impl Read, mut log: impl Write, begun: Instant) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    let mut is_start = true;
    loop {
        let length = match said.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for piece in buffer[..length].split_inclusive(|byte| *byte == b'\n') {
            if is_start {
                write!(log, "{:>7.1} ", begun.elapsed().as_secs_f64())?;
            }
            log.write_all(piece)?;
            is_start = piece.ends_with(b"\n");
        }
    }
}

/// A line that was kept: the seconds before it, and what was said.
pub(super) fn line(kept: &str) -> (f64, &str) {
    let told = kept.trim_start().split_once(' ').and_then(|(at, said)| Some((at.parse().ok()?, said)));
    let (at, said) = told.unwrap_or((0.0, kept));
    (at, said.trim_end())
}

/// A running process. Dropped, it is killed.
struct Running(Child);

impl Running {
    fn wait(mut self, limit: Duration) -> Result<Ended> {
        let begun = Instant::now();
        let mut worked = Duration::ZERO;
        loop {
            worked = self.worked().unwrap_or(worked);
            if let Some(status) = self.0.try_wait()? {
                return Ok(Ended { status, worked });
            }
            if begun.elapsed() > limit {
                bail!("it did not end within {} s, and was stopped", limit.as_secs());
            }
            thread::sleep(POLL);
        }
    }

    /// Processor time so far, where the kernel tells.
    fn worked(&self) -> Option<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).ok()?;
        let a_second = sysconf(SysconfVar::CLK_TCK).ok()??;
        Some(Duration::from_secs_f64(ticks(&text)? as f64 / a_second as f64))
    }
}

/// Ticks in and out of the kernel, from a process's line (proc_pid_stat(5)): the 12th and 13th word behind its name.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut numbers = behind.split_whitespace().skip(11).map(str::parse);
    let (user, system): (u64, u64) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(user + system)
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL; of one that has ended there is nothing left to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, script: &str, limit: Duration) -> (Result<Ended>, String) {
        let log = std::env::temp_dir().join(format!("xtask-console-{}-{name}", std::process::id()));
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        let ended = run(shell, &log, limit);
        let said = fs::read_to_string(&log).unwrap();
        fs::remove_file(&log).unwrap();
        (ended, said)
    }

    #[test]
    fn every_line_is_kept_behind_its_time_and_both_ways_of_saying_are_one() {
        let script = "printf 'test one ... '; echo error >&2; sleep 1; echo last; exit 3";
        let (ended, said) = said("lines", script, Duration::from_mins(1));
        assert_eq!(ended.unwrap().status.code(), Some(3));
        let lines: Vec<(f64, &str)> = said.lines().map(line).collect();
        assert_eq!(lines.iter().map(|(_, said)| *said).collect::<Vec<_>>(), ["test one ... error", "last"]);
        assert!(lines[1].0 >= 1.0 && lines[0].0 < lines[1].0, "{said}");
    }

    #[test]
    fn who_does_not_end_is_stopped_and_what_was_said_is_kept() {
        let (ended, said) = said("hang", "echo booting; exec sleep 600", Duration::from_secs(1));
        assert_eq!(ended.unwrap_err().to_string(), "it did not end within 1 s, and was stopped");
        assert!(said.ends_with(" booting\n"), "{said:?}");
    }

    #[test]
    fn the_time_that_a_process_worked_is_what_it_spent_in_and_out_of_the_kernel() {
        let stat = "7 (a (name) 1) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(300));
        let (ended, _) =
            said("work", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", Duration::from_mins(5));
        assert!(ended.unwrap().worked > Duration::ZERO);
    }

    #[test]
    fn a_line_without_a_time_is_a_line() {
        assert_eq!(line("    1.5 maps 9\r"), (1.5, "maps 9"));
        assert_eq!(line("qemu: no"), (0.0, "qemu: no"));
    }
}
