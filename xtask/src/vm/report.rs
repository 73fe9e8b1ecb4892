//! What the tests said on each kernel, as a table.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use anyhow::Result;

use super::console;
use super::guest::{FAILED, MARK, PASSED};
use super::kernels::Release;
use super::suite::Suite;
use crate::test::BINARY_VARIABLE;

/// Lines that are shown of what a machine said where it failed.
const LINES_MAX: usize = 40;
/// Programs by the names that the kernel keeps, in the order of the table's columns.
const PROGRAMS: [&str; 4] = ["scanwatch_egres", "scanwatch_frags", "scanwatch_tc", "scanwatch_xdp"];
/// The tests on the kernel that runs already take half a minute; one that runs longer than this has come to a stop.
const LIMIT_HERE: Duration = Duration::from_mins(15);
/// Tests that are shown with their times: the slowest, and none that took less than this.
const SLOWEST: usize = 4;
const SLOW: Duration = Duration::from_secs(5);

/// What came of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Its name.
    pub kernel: String,
    /// Its version.
    pub version: String,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// Processor time of that, where it came to its end.
    pub worked: Option<Duration>,
    said: Said,
}

impl Outcome {
    /// The same, failed where the tests passed without a count for each program and a size of the maps: then the budgets were
    /// held against nothing.
    pub(super) fn with_counts(mut self) -> Self {
        let counted = |program: &&str| self.said.verified.iter().any(|(name, ..)| name == program);
        let is_whole = PROGRAMS.iter().all(counted) && self.said.maps.is_some();
        if self.failure.is_none() && !is_whole {
            self.failure =
                Some("the tests passed, but told no counts of the verifier for every program".to_owned());
        }
        self
    }
}

/// What can be read from the tests' output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    /// Program, instructions verified, and their budget.
    verified: Vec<(String, u64, u64)>,
    /// Bytes of all maps.
    maps: Option<u64>,
    /// Tests in their order, and how long each took.
    tests: Vec<(String, Duration)>,
    passed: u64,
    left_out: u64,
}

/// Runs the tests on the kernel that runs already. What they said is in `folder`, in a file of its name.
pub(super) fn here(release: &Release, suite: &Suite, folder: &Path) -> Outcome {
    let begun = Instant::now();
    let log = folder.join(format!("{}.log", release.name()));
    let mut tests = Command::new(&suite.tests);
    tests.args(Suite::arguments(None)).env(BINARY_VARIABLE, &suite.agent);
    let ended = console::run(tests, &log, LIMIT_HERE);
    let said = said(&log);
    let worked = ended.as_ref().ok().map(|ended| ended.worked);
    let failure = match ended {
        Ok(ended) if ended.status.success() => None,
        Ok(_) => Some(format!("the tests failed:\n{}", last_lines(&said))),
        Err(error) => Some(format!("{error:#}:\n{}", last_lines(&said))),
    };
    let version = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let (kernel, took) = (release.name().to_owned(), begun.elapsed());
    Outcome { kernel, version, failure, took, worked, said: read(&said) }.with_counts()
}

/// What was kept of what a machine said; nothing where it did not even begin.
pub(super) fn said(log: &Path) -> String {
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Reads what a machine said, which ended after some processor time, or with an error.
pub(super) fn of_machine(
    kernel: &str,
    version: &str,
    said: &str,
    ended: Result<Duration>,
    took: Duration,
) -> Outcome {
    let verdict = said.lines().rev().find_map(|line| console::line(line).1.strip_prefix(MARK));
    let verdict = verdict.unwrap_or_default();
    let why = match &ended {
        Err(error) => Some(format!("{error:#}")),
        Ok(_) if verdict.starts_with(PASSED) => None,
        Ok(_) if verdict.starts_with(FAILED) => Some(verdict.to_owned()),
        Ok(_) => Some("the machine ended before the tests".to_owned()),
    };
    let failure = why.map(|why| format!("{why}:\n{}", last_lines(said)));
    let (kernel, version) = (kernel.to_owned(), version.to_owned());
    Outcome { kernel, version, failure, took, worked: ended.ok(), said: read(said) }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

fn read(text: &str) -> Said {
    let mut said = Said::default();
    let mut running: Option<(String, f64)> = None;
    for line in text.lines() {
        let (at, line) = console::line(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() == Some(&"test")
            && let Some((name, begun)) = running.take()
        {
            said.tests.push((name, Duration::from_secs_f64((at - begun).max(0.0))));
        }
        match words[..] {
            ["test", name, "...", ..] => running = Some((name.to_owned(), at)),
            [
                "test",
                "result:",
                _,
                passed,
                "passed;",
                ..,
                left_out,
                "filtered",
                "out;",
                "finished",
                "in",
                _,
            ] => {
                said.passed = passed.parse().unwrap_or_default();
                said.left_out = left_out.parse().unwrap_or_default();
            }
            _ => {}
        }
        match words[..] {
            ["verified", program, count, "of", budget] => {
                if let (Ok(count), Ok(budget)) = (count.parse(), budget.parse()) {
                    said.verified.push((program.to_owned(), count, budget));
                }
            }
            [.., "maps", bytes] => said.maps = bytes.parse().ok().or(said.maps),
            _ => {}
        }
    }
    said
}

impl Said {
    /// The tests that took longest, the slowest first.
    fn slowest(&self) -> Vec<&(String, Duration)> {
        let mut slow: Vec<_> = self.tests.iter().filter(|(_, took)| *took >= SLOW).collect();
        slow.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
        slow.truncate(SLOWEST);
        slow
    }
}

/// Instructions verified by program and kernel, their budget, the maps' size, and how the tests ended.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    let mut lines =
        vec![row(["kernel", "version", "egress", "frags", "tc", "xdp", "budget", "maps", "tests", "time"])];
    for outcome in outcomes {
        let said = &outcome.said;
        let count = |program: &str| {
            let found = said.verified.iter().find(|(name, ..)| name == program);
            found.map_or_else(|| "-".to_owned(), |(_, count, _)| count.to_string())
        };
        let budget = said.verified.first().map_or_else(|| "-".to_owned(), |(.., budget)| budget.to_string());
        let maps = said
            .maps
            .map_or_else(|| "-".to_owned(), |bytes| format!("{:.1} MiB", bytes as f64 / 1_048_576.0));
        let tests = match (&outcome.failure, said.left_out) {
            (Some(_), _) => "FAILED".to_owned(),
            (None, 0) => format!("{} ok", said.passed),
            (None, left_out) => format!("{} ok, {left_out} left out", said.passed),
        };
        let [egress, frags, tc, xdp] = PROGRAMS.map(count);
        let time = format!("{:.0} s", outcome.took.as_secs_f64());
        let cells =
            [&outcome.kernel, &outcome.version, &egress, &frags, &tc, &xdp, &budget, &maps, &tests, &time];
        lines.push(row(cells.map(String::as_str)));
    }
    lines.join("\n") + "\n"
}

fn row(cells: [&str; 10]) -> String {
    let [kernel, version, egress, frags, tc, xdp, budget, maps, tests, time] = cells;
    let row = format!(
        "{kernel:<8} {version:<22} {egress:>7} {frags:>7} {tc:>7} {xdp:>7} {budget:>7} {maps:>9}  {tests:<18} {time:>6}"
    );
    row.trim_end().to_owned()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = if self.failure.is_some() { "failed" } else { "ok" };
        let took = self.took.as_secs_f64();
        write!(f, "Linux {:<10} {:<12} {ended}  [{took:.1} s", self.kernel, self.version)?;
        if let Some(worked) = self.worked {
            write!(f, ", {:.1} s of a processor", worked.as_secs_f64())?;
        }
        f.write_str("]")?;
        for (test, took) in self.said.slowest() {
            write!(f, "\n  {:>8.1} s  {test}", took.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "    3.9 machine: Linux 6.1.0-50-cloud-amd64\r\n    4.0 test all_maps ... maps 85000000\r\n    5.0 ok\r\n    \
                        5.5 test verified ... programs loaded in 9 ms\r\n   80.0 verified scanwatch_egres 361 of 450\r\n   \
                        80.0 verified scanwatch_xdp 300 of 450\r\n   80.1 ok\r\n   80.2 \r\n   \
                        80.5 test result: ok. 11 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 9s\r\n";

    const WELL: Result<Duration> = Ok(Duration::from_secs(70));

    fn outcome(end: &str, ended: Result<Duration>) -> Outcome {
        of_machine("6.1", "6.1.176-1", &format!("{SAID}{end}"), ended, Duration::from_secs(90))
    }

    #[test]
    fn what_a_machine_said_makes_a_row() {
        let passed = outcome("   80.6 machine: the tests passed after 80 s\r\n", WELL);
        assert_eq!(passed.failure, None);
        let expected = "6.1      6.1.176-1                  361       -       -     300     450  81.1 MiB  11 ok, 2 left out    90 s\n";
        assert_eq!(table(&[passed]).lines().last().unwrap(), expected.trim_end());
    }

    #[test]
    fn tests_that_passed_without_counts_for_every_program_have_not_passed() {
        let passed = "   80.6 machine: the tests passed after 80 s\r\n";
        let two_of_four = outcome(passed, WELL).with_counts();
        assert!(two_of_four.failure.unwrap().contains("no counts"));
        let rest = "1.0 verified scanwatch_frags 9 of 450\n1.0 verified scanwatch_tc 9 of 450\n";
        assert_eq!(outcome(&format!("{rest}{passed}"), WELL).with_counts().failure, None);
    }

    #[test]
    fn the_slowest_tests_are_shown_with_their_times() {
        let shown = outcome("   80.6 machine: the tests passed after 80 s\r\n", WELL).to_string();
        assert_eq!(
            shown,
            "Linux 6.1        6.1.176-1    ok  [90.0 s, 70.0 s of a processor]\n      75.0 s  verified"
        );
    }

    #[test]
    fn a_machine_that_failed_broke_down_or_fell_silent_has_not_passed() {
        let failed = outcome("   80.6 machine: the tests failed after 80 s\r\n", WELL).failure.unwrap();
        assert!(
            failed.starts_with("the tests failed after 80 s:\n") && failed.contains("verified scanwatch_xdp")
        );
        let silent = outcome("", WELL).failure.unwrap();
        assert!(silent.starts_with("the machine ended before the tests:\n"), "{silent}");
        let stopped =
            outcome("   80.6 machine: the tests passed after 80 s\r\n", Err(anyhow::anyhow!("stopped")));
        assert!(stopped.failure.unwrap().starts_with("stopped:\n"));
        assert!(table(&[outcome("", WELL)]).contains("FAILED"));
    }
}
