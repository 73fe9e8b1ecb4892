//! The scanners' log: one JSON line a scan that ran, written by whoever scanned and read back when it is judged.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What scanwatch has to make of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `scanwatch.scan.kind`; a scan may also be found as part of a block.
    pub kind: String,
    /// `network.direction`.
    pub direction: String,
    /// `scanwatch.scan.technique`: one of these.
    pub techniques: Vec<String>,
}

/// One scan that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Start and end of the program that scanned, milliseconds since 1970.
    pub begun_ms: i64,
    /// See `begun_ms`.
    pub ended_ms: i64,
    /// The machine.
    pub who: String,
    /// The address it scanned from.
    pub source: String,
    /// The command.
    pub what: String,
    /// `None` where it comes from outside, and so is a figure in the statistics.
    pub expected: Option<Expected>,
    /// It ended as it should. Of a scan that was cut short there may be an incident.
    pub whole: bool,
}

impl Scan {
    /// What it is called in the table: its kind and direction.
    #[must_use]
    pub fn sort(&self) -> String {
        match &self.expected {
            Some(expected) => format!("{} {}", expected.kind, expected.direction),
            None => "from outside".to_owned(),
        }
    }

    fn to_json(&self) -> Value {
        let expected = self.expected.as_ref().map(|expected| {
            json!({"kind": expected.kind, "direction": expected.direction, "techniques": expected.techniques})
        });
        json!({
            "begun": shown(self.begun_ms), "ended": shown(self.ended_ms), "who": self.who, "source": self.source,
            "what": self.what, "expected": expected, "whole": self.whole,
        })
    }

    fn from_json(line: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let expected = match &line["expected"] {
            Value::Null => None,
            expected => Some(Expected {
                kind: text(&expected["kind"])?,
                direction: text(&expected["direction"])?,
                techniques: expected["techniques"].as_array()?.iter().filter_map(text).collect(),
            }),
        };
        Some(Self {
            begun_ms: read_time(line["begun"].as_str()?)?,
            ended_ms: read_time(line["ended"].as_str()?)?,
            who: text(&line["who"])?,
            source: text(&line["source"])?,
            what: text(&line["what"])?,
            expected,
            whole: line["whole"].as_bool()?,
        })
    }
}

/// The present, milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A time as records have it.
#[must_use]
pub fn shown(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| at.to_string())
}

/// Milliseconds since 1970 of a time as records have it.
#[must_use]
pub fn read_time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// A file that many threads append lines to.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: Mutex<File>,
}

impl Lines {
    /// A file that does not exist yet.
    pub fn create(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file: Mutex::new(file) })
    }

    /// Appends a line, whole.
    pub fn append(&self, line: &str) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{line}\n").as_bytes())
            .with_context(|| format!("cannot write to {}", self.path.display()))
    }

    /// Appends a scan.
    pub fn append_scan(&self, scan: &Scan) -> Result<()> {
        self.append(&scan.to_json().to_string())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The scans in a log.
pub fn read(path: &Path) -> Result<Vec<Scan>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let scan = |line: &str| {
        let value = serde_json::from_str(line).ok();
        value
            .as_ref()
            .and_then(Scan::from_json)
            .with_context(|| format!("{} has a line that is no scan: {line}", path.display()))
    };
    text.lines().map(scan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_reads_back_as_it_was_written() {
        let path = std::env::temp_dir().join(format!("xtask-soak-log-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let expected = Expected {
            kind: "vertical".to_owned(),
            direction: "internal".to_owned(),
            techniques: vec!["syn".to_owned(), "connect".to_owned()],
        };
        let inside = Scan {
            begun_ms: 1_800_000_000_123,
            ended_ms: 1_800_000_001_000,
            who: "desk1".to_owned(),
            source: "10.1.0.101".to_owned(),
            what: "nmap \"quoted\"".to_owned(),
            expected: Some(expected),
            whole: true,
        };
        let outside = Scan { expected: None, whole: false, ..inside.clone() };
        let log = Lines::create(path.clone()).unwrap();
        log.append_scan(&inside).unwrap();
        log.append_scan(&outside).unwrap();
        let scans = read(&path);
        fs::remove_file(&path).unwrap();
        assert_eq!(scans.unwrap(), [inside, outside]);
    }

    #[test]
    fn times_of_records_are_read() {
        assert_eq!(read_time("2027-01-15T08:00:00.250000Z"), Some(1_800_000_000_250));
        assert_eq!(read_time("yesterday"), None);
        assert_eq!(read_time(&shown(1_800_000_000_250)), Some(1_800_000_000_250));
    }
}
