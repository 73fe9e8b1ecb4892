//! What ran, how long it took, and what failed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The lines of the summary, and the names of what failed.
pub(super) struct Report {
    begun: Instant,
    lines: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), lines: Vec::new(), failed: Vec::new() }
    }

    /// Runs a step whose output goes to the terminal, between two lines that name it.
    pub(super) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let result = work();
        if let Err(error) = &result {
            eprintln!("{error:#}");
        }
        self.done(name, result.is_ok(), started.elapsed());
    }

    /// Notes a step that has run.
    pub(super) fn done(&mut self, name: &str, passed: bool, took: Duration) {
        if !passed {
            self.failed.push(name.to_owned());
        }
        self.lines.push(line(name, passed, took));
    }

    /// Notes how long a part of the last step took.
    pub(super) fn part(&mut self, name: &str, took: Duration) {
        self.lines.push(format!("          {name:<40} {:>7.1} s", took.as_secs_f64()));
    }

    /// Notes a step that this machine has not the means for.
    pub(super) fn not_run(&mut self, name: &str, why: &anyhow::Error) {
        self.lines.push(format!("NOT RUN {name}: {why:#}"));
    }

    /// Notes a failure of what is no step of its own.
    pub(super) fn failed(&mut self, what: &str) {
        self.failed.push(what.to_owned());
    }

    pub(super) fn all_passed(&self) -> bool {
        self.failed.is_empty()
    }

    /// Prints the summary; an error that names what failed.
    pub(super) fn finish(&self) -> Result<()> {
        let all = line("all", self.all_passed(), self.begun.elapsed());
        eprintln!("\n{}\n{all}", self.lines.join("\n"));
        if !self.all_passed() {
            bail!("failed: {}", self.failed.join("; "));
        }
        Ok(())
    }
}

fn line(name: &str, passed: bool, took: Duration) -> String {
    format!("{:<7} {name:<30} {:>7.1} s", if passed { "ok" } else { "FAILED" }, took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_not_run_says_why_and_fails_nothing() {
        let mut report = Report::new();
        report.not_run("miri", &anyhow::anyhow!("there is none"));
        assert_eq!(report.lines, ["NOT RUN miri: there is none"]);
        assert!(report.finish().is_ok());
    }

    #[test]
    fn a_failed_step_fails_the_whole_and_lets_the_next_run() {
        let mut report = Report::new();
        report.step("first", || bail!("broken"));
        let mut ran = false;
        report.step("second", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert_eq!(format!("{:#}", report.finish().unwrap_err()), "failed: first");
    }
}
