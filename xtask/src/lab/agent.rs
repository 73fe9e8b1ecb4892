//! scanwatch at work on the lab's router: start, readiness, records as they come, stop.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::Running;
use super::wait::poll;
use super::{Host, Lab, Segment};
use crate::test::BINARY_VARIABLE;
use crate::workspace;

/// Longest time from SIGINT to the end: one last drain of every map, and the ends of open incidents.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// Lines of the log that an error quotes.
const QUOTED_LINES: usize = 8;

/// What the log says of a configuration that is followed from now on, and of one that is not.
const READ_AGAIN: &str = "configuration read again";
const STAYS: &str = "configuration stays";

static CONFIG_NUMBER: AtomicU32 = AtomicU32::new(0);

/// One JSON line of scanwatch's standard output.
#[derive(Clone, Debug)]
pub struct Record {
    /// When the line was read.
    pub at: Instant,
    /// The line itself.
    pub line: String,
    /// The record: an Elastic Common Schema document.
    pub value: Value,
}

impl Record {
    /// The field called `name`, such as `scanwatch.scan.hosts`, whether nested or written with dots.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        field(&self.value, name)
    }

    /// The text of field `name`; empty where there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.field(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number in field `name`.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.field(name).and_then(Value::as_f64)
    }

    /// The texts in field `name`, a list or a single text.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.field(name) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(text)) => vec![text],
            _ => Vec::new(),
        }
    }

    /// `event.action`: `scan-detected`, `scan-updated` or `scan-ended`.
    #[must_use]
    pub fn action(&self) -> &str {
        self.text("event.action")
    }

    /// `source.ip`.
    #[must_use]
    pub fn source(&self) -> &str {
        self.text("source.ip")
    }

    /// `scanwatch.scan.kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("scanwatch.scan.kind")
    }

    /// `scanwatch.incident.id`.
    #[must_use]
    pub fn incident(&self) -> &str {
        self.text("scanwatch.incident.id")
    }
}

/// Finds `name` in nested objects, in keys with dots, and in mixtures of both.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    if let Some(found) = object.get(name) {
        return Some(found);
    }
    let dots = name.match_indices('.');
    dots.map(|(dot, _)| (&name[..dot], &name[dot + 1..]))
        .find_map(|(head, rest)| field(object.get(head)?, rest))
}

/// How to start scanwatch; see [`Scanwatch::on`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Setup {
    host: Host,
    folder: PathBuf,
    program: Option<PathBuf>,
    config: String,
    interfaces: Vec<String>,
    args: Vec<String>,
}

impl Setup {
    /// The configuration, as TOML; empty by default.
    pub fn config(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.config);
        self
    }

    /// The interfaces to watch, instead of the router's three.
    pub fn interfaces(mut self, names: &[&str]) -> Self {
        self.interfaces = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Another machine to run on, instead of the router.
    pub fn host(mut self, host: &Host) -> Self {
        self.host = host.clone();
        self
    }

    /// The program to start, instead of [`binary`].
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// One more argument after `run --config FILE --interface … --stats`.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Starts it. It may need a moment: see [`Scanwatch::wait_ready`].
    pub fn start(self) -> Result<Scanwatch> {
        let number = CONFIG_NUMBER.fetch_add(1, Ordering::Relaxed);
        let config = self.folder.join(format!("scanwatch-{number}.toml"));
        fs::write(&config, &self.config).with_context(|| format!("cannot write {}", config.display()))?;
        let mut args = vec!["run".to_owned(), "--config".to_owned(), config.display().to_string()];
        for interface in &self.interfaces {
            args.extend(["--interface".to_owned(), interface.clone()]);
        }
        args.push("--stats".to_owned());
        args.extend(self.args);
        let program = self.program.map_or_else(binary, Ok)?;
        let process = self.host.spawn(program, args)?;
        let Self { host, interfaces, .. } = self;
        Ok(Scanwatch { process, host, interfaces, config, records: Vec::new(), lines: 0 })
    }
}

/// The program to start: `$SCANWATCH_BIN`, or the release build beside this program.
pub fn binary() -> Result<PathBuf> {
    if let Some(chosen) = env::var_os(BINARY_VARIABLE) {
        let chosen = PathBuf::from(chosen);
        if !chosen.is_file() {
            bail!("{BINARY_VARIABLE} names {}, which is no file", chosen.display());
        }
        return Ok(chosen);
    }
    let built = workspace::binary("release")?;
    if !built.is_file() {
        bail!("{} does not exist: run `cargo xtask build --release` first", workspace::shown(&built));
    }
    Ok(built)
}

/// A running scanwatch. Dropping it kills it.
#[derive(Debug)]
pub struct Scanwatch {
    process: Running,
    host: Host,
    interfaces: Vec<String>,
    config: PathBuf,
    records: Vec<Record>,
    /// Lines of standard output already made into records.
    lines: usize,
}

/// What scanwatch left when it had ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub status: ExitStatus,
    /// Every record it wrote.
    pub records: Vec<Record>,
    /// Its log.
    pub stderr: String,
    /// The counters that `--stats` prints at the end; `None` where there is no such line.
    pub stats: Option<Value>,
}

impl Report {
    /// The records with this `event.action`.
    pub fn with_action(&self, action: &str) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.action() == action)
    }
}

impl Scanwatch {
    /// scanwatch on the router of `lab`, on all its interfaces, with an empty configuration, counters at the end.
    pub fn on(lab: &Lab) -> Setup {
        Setup {
            host: lab.router.clone(),
            folder: lab.folder().to_owned(),
            program: None,
            config: String::new(),
            interfaces: Segment::ALL.map(|segment| segment.interface().to_owned()).to_vec(),
            args: Vec::new(),
        }
    }

    /// Waits until its log says, for each interface, that it is `watching` it.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let stop = self.host.stop().clone();
        let started = poll("scanwatch's readiness", limit, &stop, || {
            let ended = self.has_ended()?;
            let log = self.process.stderr().from(0);
            let watched = |name: &String| {
                log.iter().any(|line| line.text.contains("watching") && line.text.contains(name.as_str()))
            };
            if self.interfaces.iter().all(watched) {
                return Ok(Some(()));
            }
            if ended {
                bail!("scanwatch ended instead of watching");
            }
            Ok(None)
        });
        started.with_context(|| self.log_tail())
    }

    /// Every record so far. Fails on a line of standard output that is no JSON object.
    pub fn records(&mut self) -> Result<&[Record]> {
        for line in self.process.stdout().from(self.lines) {
            let value: Value = serde_json::from_str(&line.text)
                .ok()
                .filter(Value::is_object)
                .with_context(|| format!("scanwatch wrote a line that is no JSON object: {}", line.text))?;
            self.records.push(Record { at: line.at, line: line.text, value });
            self.lines += 1;
        }
        Ok(&self.records)
    }

    /// Waits until `enough` holds of all records so far, and returns them.
    pub fn wait_for(&mut self, enough: impl Fn(&[Record]) -> bool, limit: Duration) -> Result<Vec<Record>> {
        let stop = self.host.stop().clone();
        let result = poll("the expected record", limit, &stop, || {
            let ended = self.has_ended()?;
            let records = self.records()?;
            if enough(records) {
                return Ok(Some(records.to_vec()));
            }
            if ended {
                bail!("scanwatch ended before the expected record came");
            }
            Ok(None)
        });
        result.with_context(|| format!("{} records came; {}", self.records.len(), self.log_tail()))
    }

    /// Gives it another configuration to read, by SIGHUP, and waits until its log says what became of it: whether it
    /// follows it. One that is refused stays in the file.
    pub fn reload(&self, toml: &str, limit: Duration) -> Result<bool> {
        fs::write(&self.config, toml).with_context(|| format!("cannot write {}", self.config.display()))?;
        let said = |words: &str| {
            self.process.stderr().from(0).iter().filter(|line| line.text.contains(words)).count()
        };
        let (followed, refused) = (said(READ_AGAIN), said(STAYS));
        self.process.signal(Signal::SIGHUP)?;
        poll("the answer to SIGHUP", limit, self.host.stop(), || {
            let is_followed = said(READ_AGAIN) > followed;
            Ok((is_followed || said(STAYS) > refused).then_some(is_followed))
        })
        .with_context(|| self.log_tail())
    }

    /// Whether it has ended, and then all that it said has been read.
    fn has_ended(&mut self) -> Result<bool> {
        let ended = !self.process.is_running()?;
        if ended {
            self.process.end(STOP_LIMIT)?;
        }
        Ok(ended)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        self.process.is_running()
    }

    /// The process, for signals and for its id.
    #[must_use]
    pub fn process(&self) -> &Running {
        &self.process
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr().text()
    }

    /// Asks it to end (SIGINT) and waits until it has. Fails if it takes too long; whatever its exit code.
    pub fn stop(mut self) -> Result<Report> {
        if self.process.is_running()? {
            self.process.signal(Signal::SIGINT)?;
        }
        let ended = self.process.end(STOP_LIMIT);
        let status = ended.with_context(|| self.log_tail())?;
        self.records()?;
        let stderr = self.log();
        let counters = stderr.lines().rev().find_map(stats_of);
        Ok(Report { status, records: self.records, stderr, stats: counters })
    }

    fn log_tail(&self) -> String {
        let log = self.process.stderr().from(0);
        let tail = &log[log.len().saturating_sub(QUOTED_LINES)..];
        if tail.is_empty() {
            return "scanwatch logged nothing".to_owned();
        }
        tail.iter().fold("scanwatch's log ends:".to_owned(), |all, line| all + "\n    " + &line.text)
    }
}

/// The object in a line `{"stats": {…}}`.
fn stats_of(line: &str) -> Option<Value> {
    let line: Value = line.starts_with("{\"stats\":").then(|| serde_json::from_str(line).ok())??;
    line.get("stats").cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_nested_and_dotted() {
        let value =
            json!({"scanwatch": {"scan.kind": "vertical", "scan": {"hosts": 3}}, "source.ip": "10.1.0.99"});
        let record = Record { at: Instant::now(), line: String::new(), value };
        assert_eq!((record.kind(), record.source()), ("vertical", "10.1.0.99"));
        assert_eq!(record.number("scanwatch.scan.hosts"), Some(3.0));
        assert_eq!(record.field("scanwatch.scan.ports"), None);
        assert_eq!(record.text("scanwatch.scan.hosts"), "", "a number is no text");
    }

    #[test]
    fn counters_are_read_from_their_line_only() {
        assert_eq!(stats_of(r#"{"stats": {"roles": []}}"#), Some(json!({"roles": []})));
        assert_eq!(stats_of(r#"{"stats":"#), None);
        assert_eq!(stats_of(r#"INFO {"stats": {}}"#), None);
    }
}
