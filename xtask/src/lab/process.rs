//! Child processes with captured output and a limit on every wait.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::wait::{Stop, poll};

/// Lines kept of one output; what comes after is read and dropped, so the child never blocks on a full pipe.
const LINES_MAX: usize = 200_000;
/// Longest wait for a killed process, and for the rest of its output.
const END_LIMIT: Duration = Duration::from_secs(3);

/// One line of output and when it was read.
#[derive(Clone, Debug)]
pub struct Line {
    /// When the line was complete.
    pub at: Instant,
    /// The line without its end.
    pub text: String,
}

/// Lines that a background thread reads from a pipe. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    /// Starts reading `pipe` to its end.
    fn read(pipe: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let lines = Self::default();
        let sink = lines.clone();
        let reader = thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut raw = Vec::new();
            while matches!(pipe.read_until(b'\n', &mut raw), Ok(length) if length > 0) {
                let text = String::from_utf8_lossy(&raw).trim_end_matches(['\n', '\r']).to_owned();
                let mut lines = sink.0.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() < LINES_MAX {
                    lines.push(Line { at: Instant::now(), text });
                }
                raw.clear();
            }
        });
        (lines, reader)
    }

    /// The lines from number `first` on, as read so far.
    #[must_use]
    pub fn from(&self, first: usize) -> Vec<Line> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(first..).unwrap_or_default().to_vec()
    }

    /// Everything read so far, a newline after each line.
    #[must_use]
    pub fn text(&self) -> String {
        self.from(0).into_iter().fold(String::new(), |all, line| all + &line.text + "\n")
    }
}

/// What a finished process left.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Output {
    /// Fails, with the last lines of standard error, unless the process ended with exit code 0.
    pub fn ok(self) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<_> = said.trim().lines().collect();
        let tail = lines[lines.len().saturating_sub(5)..].join("\n");
        bail!("`{}` failed ({}): {tail}", self.command, self.status);
    }
}

/// A running process, in its own process group, so that Ctrl-C reaches only us. Dropping it kills the group.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<JoinHandle<()>>,
    started: Instant,
    stop: Stop,
}

impl Running {
    /// Starts `program` in the calling thread's namespaces.
    pub fn start<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        stop: Stop,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(args)
            .env("LC_ALL", "C")
            .env("PATH", search_path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let shown = shown(&command);
        let mut child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
        let (stdout, stdout_reader) =
            Lines::read(child.stdout.take().context("standard output is not piped")?);
        let (stderr, stderr_reader) =
            Lines::read(child.stderr.take().context("standard error is not piped")?);
        let readers = vec![stdout_reader, stderr_reader];
        Ok(Self { command: shown, child, stdout, stderr, readers, started: Instant::now(), stop })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        // Process ids fit in 22 bits.
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Its standard output so far.
    #[must_use]
    pub fn stdout(&self) -> &Lines {
        &self.stdout
    }

    /// Its standard error so far.
    #[must_use]
    pub fn stderr(&self) -> &Lines {
        &self.stderr
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends `signal` to the process and to what it started.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        killpg(self.pid(), signal).with_context(|| format!("cannot send {signal} to `{}`", self.command))
    }

    /// Waits until it ends by itself. At `limit`, or on a stop request, it is killed and this fails.
    pub fn wait(mut self, limit: Duration) -> Result<Output> {
        let stop = self.stop.clone();
        let status = self.wait_status(limit, &stop)?;
        let elapsed = self.started.elapsed();
        self.finish_reading();
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        Ok(Output { command: self.command.clone(), status, stdout, stderr, elapsed })
    }

    /// Waits for its end and for the rest of its output; a stop request does not cut this short.
    pub(super) fn end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = self.wait_status(limit, &Stop::new())?;
        self.finish_reading();
        Ok(status)
    }

    fn wait_status(&mut self, limit: Duration, stop: &Stop) -> Result<ExitStatus> {
        let what = format!("the end of `{}`", self.command);
        poll(&what, limit, stop, || Ok(self.child.try_wait()?))
    }

    /// Waits, a little while, for the readers to meet the end of their pipes, which a grandchild may hold open.
    fn finish_reading(&mut self) {
        let all_read = || Ok(self.readers.iter().all(JoinHandle::is_finished).then_some(()));
        // What was read until then is what there is.
        let _ = poll("the end of output", END_LIMIT, &Stop::new(), all_read);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The group may outlive its leader, so it is killed even where the leader is gone.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = poll("the end of a killed process", END_LIMIT, &Stop::new(), || Ok(self.child.try_wait()?));
    }
}

/// Our `PATH`, with the folders of system administration that a user's may lack: `ip` and nginx live there.
fn search_path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

/// The command line as a person would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Running {
        Running::start("sh", ["-c", script], Stop::new()).unwrap()
    }

    #[test]
    fn output_of_both_streams_is_kept_apart() {
        let output = shell("echo out; echo err >&2; exit 3").wait(Duration::from_secs(5)).unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(output.status.code(), Some(3));
        let message = output.ok().unwrap_err().to_string();
        assert!(message.contains("exit 3") && message.ends_with("err"), "{message}");
    }

    #[test]
    fn a_process_that_takes_too_long_is_killed_with_what_it_started() {
        let running = shell("sleep 1000 & echo $!; wait");
        let lines = running.stdout().clone();
        let child = poll("the child's pid", Duration::from_secs(5), &Stop::new(), || {
            Ok(lines.from(0).first().map(|line| line.text.clone()))
        });
        let proc = format!("/proc/{}", child.unwrap());
        let started = Instant::now();
        let error = running.wait(Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("did not happen within"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
        let gone = poll("the end of the grandchild", Duration::from_secs(5), &Stop::new(), || {
            let stat = std::fs::read_to_string(format!("{proc}/stat")).unwrap_or_default();
            Ok((stat.is_empty() || stat.contains(") Z ")).then_some(()))
        });
        gone.unwrap();
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = Running::start("no-such-program-here", [""; 0], Stop::new()).unwrap_err();
        assert!(error.to_string().contains("no-such-program-here"), "{error}");
    }
}
