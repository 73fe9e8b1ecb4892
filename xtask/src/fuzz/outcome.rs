//! What became of a target, as a table, and what libFuzzer prints of it.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::workspace;

/// What became of a target.
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) took: Duration,
    pub(super) executions: u64,
    /// Inputs of the minimised corpus, and their bytes.
    pub(super) files: usize,
    pub(super) bytes: u64,
    /// Edges of the control flow that it reaches.
    pub(super) edges: u64,
    /// Edges with how often they are taken.
    pub(super) features: u64,
    pub(super) crash: Option<Crash>,
}

impl Outcome {
    /// The same in one line.
    pub(super) fn sentence(&self) -> String {
        let Self { executions, files, bytes, edges, .. } = self;
        let crashed = if self.crash.is_some() { "; CRASHED" } else { "" };
        let seconds = self.took.as_secs_f64();
        format!(
            "{executions} executions, {edges} edges, {files} inputs of {bytes} bytes{crashed}  [{seconds:.1} s]"
        )
    }
}

/// A row a target.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{:<12} {:>8} {:>12} {:>10} {:>8} {:>10} {:>8} {:>9}\n",
        "target", "minutes", "executions", "a second", "inputs", "bytes", "edges", "features"
    );
    for outcome in outcomes {
        let seconds = outcome.took.as_secs_f64().max(0.001);
        let rate = outcome.executions as f64 / seconds;
        let Outcome { name, executions, files, bytes, edges, features, .. } = outcome;
        let minutes = seconds / 60.0;
        // A text has always room.
        let _ = writeln!(
            text,
            "{name:<12} {minutes:>8.1} {executions:>12} {rate:>10.0} {files:>8} {bytes:>10} {edges:>8} {features:>9}"
        );
    }
    text
}

/// What libFuzzer says at the end of a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statistics {
    pub(super) executions: u64,
}

impl Statistics {
    /// `None` where it says nothing, as after a crash that it did not survive.
    pub(super) fn of(log: &str) -> Option<Self> {
        let executions = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
        Some(Self { executions: executions.trim().parse().ok()? })
    }
}

/// Edges and features in the last line that tells both.
pub(super) fn edges_and_features(log: &str) -> Option<(u64, u64)> {
    let merged = |line: &str| {
        let rest = line.strip_prefix("MERGE-OUTER: ")?;
        let number = |before: &str| rest.split(before).next()?.rsplit(' ').find_map(|word| word.parse().ok());
        Some((number(" new coverage edges")?, number(" new features")?))
    };
    let running = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "cov:");
        let edges = words.nth(1)?.parse().ok()?;
        Some((edges, words.skip_while(|word| *word != "ft:").nth(1)?.parse().ok()?))
    };
    log.lines().rev().find_map(|line| merged(line).or_else(|| running(line)))
}

/// An input that breaks a promise.
pub(super) struct Crash {
    target: String,
    /// What the target said.
    said: String,
    /// Where libFuzzer left the input; where it left none, its log.
    input: Result<PathBuf, PathBuf>,
}

impl Crash {
    /// The crash that ends a log.
    pub(super) fn of(target: &str, text: &str, log: &Path) -> Self {
        const WRITTEN: &str = "Test unit written to ";
        let input = text.lines().rev().find_map(|line| line.split(WRITTEN).nth(1)).map(PathBuf::from);
        Self { target: target.to_owned(), said: said(text), input: input.ok_or_else(|| log.to_owned()) }
    }
}

/// The panic's place and message, or libFuzzer's own sentence.
fn said(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if let Some(at) = lines.iter().position(|line| line.contains("panicked at")) {
        return lines[at..]
            .iter()
            .take(4)
            .take_while(|line| !line.starts_with("=="))
            .copied()
            .collect::<Vec<_>>()
            .join("\n  ");
    }
    let own = lines.iter().find(|line| line.starts_with("==") && line.contains("ERROR"));
    own.map_or_else(|| "it does not say why".to_owned(), |line| (*line).to_owned())
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, said, input } = self;
        writeln!(f, "{target} found an input that breaks a promise:\n  {said}")?;
        match input {
            Ok(input) => {
                let input = workspace::shown(input);
                write!(f, "show it again: cargo xtask fuzz {target} --input {input}")
            }
            Err(log) => write!(f, "libFuzzer left no input; see {}", workspace::shown(log)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "INFO: seed corpus: files: 3\n#8\tINITED cov: 10 ft: 11 corp: 3/9b exec/s: 0 rss: 40Mb\n\
                       #900\tNEW    cov: 72 ft: 350 corp: 9/90b lim: 4 exec/s: 9 rss: 41Mb L: 4/4 MS: 1 ChangeBit-\n\
                       stat::number_of_executed_units: 123456\nstat::average_exec_per_sec:     99\n";

    #[test]
    fn figures_are_read_from_what_libfuzzer_prints() {
        assert_eq!(Statistics::of(RUN), Some(Statistics { executions: 123_456 }));
        assert_eq!(Statistics::of("nothing\n"), None);
        assert_eq!(edges_and_features(RUN), Some((72, 350)));
        let merge = "MERGE-OUTER: 345 files, 0 in the initial corpus, 0 processed earlier\n\
                     MERGE-OUTER: 88 new files with 1234 new features added; 567 new coverage edges\n";
        assert_eq!(edges_and_features(merge), Some((567, 1_234)));
        assert_eq!(edges_and_features("nothing\n"), None);
    }

    #[test]
    fn a_crash_tells_what_was_said_and_how_to_show_it_again() {
        let text = "thread '<unnamed>' panicked at a/b.rs:7:9:\nassertion failed: x\n==9== ERROR: libFuzzer: deadly signal\n\
                    artifact_prefix='x/'; Test unit written to /tmp/crash-1\n";
        let crash = Crash::of("parser", text, Path::new("/tmp/log"));
        assert_eq!(
            crash.to_string(),
            "parser found an input that breaks a promise:\n  thread '<unnamed>' panicked at a/b.rs:7:9:\n  \
             assertion failed: x\nshow it again: cargo xtask fuzz parser --input /tmp/crash-1"
        );
        let killed = Crash::of(
            "parser",
            "==9== ERROR: libFuzzer: out-of-memory (used: 600Mb)\n",
            Path::new("/tmp/log"),
        );
        assert!(killed.to_string().ends_with("libFuzzer left no input; see /tmp/log"));
        assert!(killed.to_string().contains("out-of-memory"));
    }

    #[test]
    fn a_table_has_a_row_a_target() {
        let outcome = Outcome {
            name: "parser".to_owned(),
            took: Duration::from_mins(1),
            executions: 6_000,
            files: 3,
            bytes: 90,
            edges: 72,
            features: 350,
            crash: None,
        };
        let text = table(&[outcome]);
        let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["parser", "1.0", "6000", "100", "3", "90", "72", "350"]);
    }
}
