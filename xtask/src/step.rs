//! A step of work that says what it did and how long it took.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// How often a child process is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Does `work`, then prints a line: the name, what `work` says it did, and the time it took.
///
/// To stderr: what `cargo xtask run` and `demo` print on stdout may be read by a program. A step that fails prints its line as well; the error itself is the caller's to show.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
    let started = Instant::now();
    eprint!("  {name:<22} ");
    // What is shown before a long step matters only to somebody who watches.
    let _ = io::stderr().flush();
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    match result {
        Ok((value, done)) => {
            eprintln!("{done}  [{seconds:.1} s]");
            Ok(value)
        }
        Err(error) => {
            eprintln!("failed  [{seconds:.1} s]");
            Err(error)
        }
    }
}

/// Runs `command` to its end, at most `limit`; its output goes to the file `log`, of which a failure quotes a line.
pub fn run_logged(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("`{name}` cannot be run"))?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!(
                "`{name}` took more than {} s and was stopped; see {}",
                limit.as_secs(),
                workspace::shown(log)
            );
        }
        thread::sleep(POLL);
    };
    if !status.success() {
        bail!("`{name}` failed ({status}): {}; see {}", telling_line(log)?, workspace::shown(log));
    }
    Ok(())
}

/// Runs `command` and returns what it printed, without the line end.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("`{name}` cannot be run"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{name}` failed ({}): {}",
            output.status,
            said.lines().next().unwrap_or("it does not say why")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Writes to standard output; a reader that has gone, such as `head`, is no error.
pub fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// The last line of `log` that speaks of an error, or the last one.
fn telling_line(log: &Path) -> Result<String> {
    let bytes = fs::read(log).with_context(|| format!("{} cannot be read", log.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = || text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().find(|line| line.starts_with("error") || line.starts_with("E:"));
    Ok(error.or_else(|| lines().next()).unwrap_or("it does not say why").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn log(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("xtask-step-{}-{name}.log", std::process::id()))
    }

    #[test]
    fn a_failed_command_is_quoted_by_the_line_that_tells_why() {
        for (script, told) in [
            ("echo error: early; echo error: why; echo more; exit 3", "error: why"),
            ("echo first; echo last >&2; exit 3", "last"),
            ("exit 3", "it does not say why"),
        ] {
            let log = log("quote");
            let error = run_logged(&mut shell(script), &log, Duration::from_secs(10)).unwrap_err();
            fs::remove_file(&log).unwrap();
            let message = format!("`sh` failed (exit status: 3): {told}; see {}", log.display());
            assert_eq!(format!("{error:#}"), message);
        }
    }

    #[test]
    fn a_command_that_outlives_its_limit_is_stopped() {
        let log = log("limit");
        let started = Instant::now();
        let error = run_logged(&mut shell("exec sleep 30"), &log, Duration::from_millis(100)).unwrap_err();
        fs::remove_file(&log).unwrap();
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(format!("{error:#}").contains("was stopped"));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = output(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert!(format!("{error:#}").contains("`no-such-program-anywhere` cannot be run"));
    }
}
