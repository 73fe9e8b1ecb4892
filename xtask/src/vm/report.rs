//! What the tests said on each kernel, as a table.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::guest::{FAILED, MARK, PASSED};
use super::kernels::Release;
use super::suite::Suite;
use crate::test::BINARY_VARIABLE;

/// Lines that are shown of what a machine said where it failed.
const LINES_MAX: usize = 40;

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
    said: Said,
}

/// What can be read from the tests' output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    /// Program, instructions verified, and their budget.
    verified: Vec<(String, u64, u64)>,
    /// Bytes of all maps.
    maps: Option<u64>,
    passed: u64,
    left_out: u64,
}

/// Runs the tests on the kernel that runs already.
pub(super) fn here(release: &Release, suite: &Suite) -> Outcome {
    let begun = Instant::now();
    let output = Command::new(&suite.tests)
        .args(Suite::arguments(None))
        .env(BINARY_VARIABLE, &suite.agent)
        .stdin(Stdio::null())
        .output();
    let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let (text, failure) = match output {
        Ok(output) => {
            let text =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let text = text.concat();
            let failure =
                (!output.status.success()).then(|| format!("the tests failed:\n{}", last_lines(&text)));
            (text, failure)
        }
        Err(error) => (String::new(), Some(format!("{} cannot be run: {error}", suite.tests.display()))),
    };
    Outcome { kernel: release.name().to_owned(), version, failure, took: begun.elapsed(), said: read(&text) }
}

/// Reads what a machine said, which ended well or with an `error`.
pub(super) fn of_machine(
    kernel: &str,
    version: &str,
    said: &str,
    error: Option<anyhow::Error>,
    took: Duration,
) -> Outcome {
    let verdict = said.lines().rev().find_map(|line| line.trim_end().strip_prefix(MARK)).unwrap_or_default();
    let failure = if verdict.starts_with(PASSED) && error.is_none() {
        None
    } else {
        let why = match error {
            Some(error) => format!("{error:#}"),
            None if verdict.starts_with(FAILED) => verdict.to_owned(),
            None => "the machine ended before the tests".to_owned(),
        };
        Some(format!("{why}:\n{}", last_lines(said)))
    };
    Outcome { kernel: kernel.to_owned(), version: version.to_owned(), failure, took, said: read(said) }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

fn read(text: &str) -> Said {
    let mut said = Said::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["verified", program, count, "of", budget] => {
                if let (Ok(count), Ok(budget)) = (count.parse(), budget.parse()) {
                    said.verified.push((program.to_owned(), count, budget));
                }
            }
            [.., "maps", bytes] => said.maps = bytes.parse().ok().or(said.maps),
            [
                "test",
                "result:",
                _,
                passed,
                "passed;",
                _,
                "failed;",
                _,
                "ignored;",
                _,
                "measured;",
                left_out,
                "filtered",
                ..,
            ] => {
                said.passed = passed.parse().unwrap_or_default();
                said.left_out = left_out.parse().unwrap_or_default();
            }
            _ => {}
        }
    }
    said
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
        let [egress, frags, tc, xdp] =
            ["scanwatch_egres", "scanwatch_frags", "scanwatch_tc", "scanwatch_xdp"].map(count);
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
        write!(
            f,
            "Linux {:<10} {:<12} {ended}  [{:.1} s]",
            self.kernel,
            self.version,
            self.took.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "machine: Linux 6.1.0-50-cloud-amd64\r\ntest all_maps ... maps 85000000\r\nok\r\n\
                        test verified ... programs loaded in 9 ms\r\nverified scanwatch_egres 361 of 450\r\n\
                        verified scanwatch_xdp 300 of 450\r\nok\r\n\
                        test result: ok. 11 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 9s\r\n";

    fn outcome(end: &str, error: Option<anyhow::Error>) -> Outcome {
        of_machine("6.1", "6.1.176-1", &format!("{SAID}{end}"), error, Duration::from_secs(90))
    }

    #[test]
    fn what_a_machine_said_makes_a_row() {
        let passed = outcome("machine: the tests passed after 80 s\r\n", None);
        assert_eq!(passed.failure, None);
        let expected = "6.1      6.1.176-1                  361       -       -     300     450  81.1 MiB  11 ok, 2 left out    90 s\n";
        assert_eq!(table(&[passed]).lines().last().unwrap(), expected.trim_end());
    }

    #[test]
    fn a_machine_that_failed_broke_down_or_fell_silent_has_not_passed() {
        let failed = outcome("machine: the tests failed after 80 s\r\n", None).failure.unwrap();
        assert!(
            failed.starts_with("the tests failed after 80 s:\n") && failed.contains("verified scanwatch_xdp")
        );
        let silent = outcome("", None).failure.unwrap();
        assert!(silent.starts_with("the machine ended before the tests:\n"), "{silent}");
        let stopped = outcome("machine: the tests passed after 80 s\r\n", Some(anyhow::anyhow!("stopped")));
        assert!(stopped.failure.unwrap().starts_with("stopped:\n"));
        assert!(table(&[outcome("", None)]).contains("FAILED"));
    }
}
