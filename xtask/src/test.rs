//! `cargo xtask test`: everything that must hold before a change goes in, each step with its time.
//!
//! A test that needs root lives in a file of its crate's `tests` folder whose name begins with `root`. Those run one
//! test at a time, since they share the machine's interfaces and network namespaces.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, process::Command};

use anyhow::{Context as _, Result, bail};
use nix::unistd::geteuid;

use crate::setup::{self, TOOLS};
use crate::step::output;
use crate::{build, deny, fuzz, miri, reproduce, tidy, vm, workspace};

/// The crates whose tests run on the host; the kernel crate's logic is tested in scanwatch-common.
const KERNEL_CRATE: &str = "scanwatch-ebpf";

/// Tests of what is built on demand: the test target, and the feature of scanwatch that it needs.
const ON_DEMAND: [(&str, &str); 1] = [("kafka", "kafka")];

/// Seconds that each fuzz target runs: enough to notice that something broke, not to look for what nobody knows.
const FUZZ_S: u64 = 8;

/// The environment variable in which tests find the built scanwatch.
pub const BINARY_VARIABLE: &str = "SCANWATCH_BIN";

/// Runs every check, or with a `filter` only the tests whose names contain it.
///
/// A failed step does not keep the others from running, except where they need it.
///
/// # Errors
/// Names the steps that failed; without root, also the tests that could not run.
pub fn run(filter: Option<&str>) -> Result<()> {
    let mut report = Report { lines: Vec::new(), failed: Vec::new() };
    report.step("set-up", || setup::kernel_toolchain(None).map(drop));
    if report.all_passed() {
        if filter.is_none() {
            checks(&mut report);
        }
        tests(&mut report, filter);
        if filter.is_none() {
            machines(&mut report);
        }
    }
    report.finish()
}

fn checks(report: &mut Report) {
    report.step("tidy", tidy::run);
    report.step("dependencies", deny::run);
    report.step("format", || {
        component("fmt", "rustfmt")?;
        cargo(workspace::cargo().args(["fmt", "--all", "--check"]))
    });
    report.step("clippy", || {
        component("clippy", "clippy")?;
        cargo(workspace::cargo().args(["clippy", "--all-targets", "--", "-D", "warnings"]))
    });
}

fn tests(report: &mut Report, filter: Option<&str>) {
    let mut binary = PathBuf::new();
    report.step("build", || {
        binary = build::build(true)?;
        Ok(())
    });
    if !binary.is_file() {
        return;
    }
    let filter: Vec<&str> = filter.into_iter().collect();
    report.step("unit tests", || {
        cargo(workspace::cargo().args(["test", "--no-fail-fast", "--lib", "--bins", "--"]).args(&filter))
    });
    report.step("documentation tests", || {
        cargo(workspace::cargo().args(["test", "--no-fail-fast", "--doc", "--"]).args(&filter))
    });
    let files = match test_files() {
        Ok(files) => files,
        Err(error) => return report.failed(&format!("search for tests: {error:#}")),
    };
    let (with_root, without): (Vec<TestFile>, Vec<TestFile>) =
        files.into_iter().partition(TestFile::needs_root);
    if !without.is_empty() {
        report.step("tests", || cargo(test_command(&without, &binary).args(&filter)));
    }
    on_demand(report, &filter);
    if filter.is_empty() {
        hostile(report);
        report.step("build in another folder", reproduce::check);
    }
    if with_root.is_empty() {
        return;
    }
    if !geteuid().is_root() {
        let names: Vec<String> = with_root.iter().map(TestFile::shown).collect();
        return report.failed(&format!("not run, since they need root: {}", names.join(" ")));
    }
    let programs: Vec<&str> = TOOLS.iter().map(|tool| tool.program).collect();
    report.step("set-up of the lab", || setup::tools(&programs));
    report.step("root tests", || {
        cargo(
            test_command(&with_root, &binary)
                .args(["--test-threads=1", "--skip", vm::IN_A_MACHINE])
                .args(&filter),
        )
    });
}

/// Hostile input for a while, and the interpreter that refuses undefined behaviour, where it can be had.
fn hostile(report: &mut Report) {
    report.step("fuzz", || fuzz::run(&fuzz::Wanted { targets: Vec::new(), seconds: FUZZ_S, input: None }));
    match miri::find() {
        Ok(()) => report.step("miri", miri::run),
        Err(why) => report.not_run("miri", &why),
    }
}

/// The tests of the kernel side, on kernels other than the one that runs.
fn machines(report: &mut Report) {
    match vm::machines() {
        Ok(machines) => report.step("other kernels", || machines.run()),
        Err(why) => report.not_run("other kernels", &why),
    }
}

/// What is not part of an ordinary build is looked at in a build of its own.
fn on_demand(report: &mut Report, filter: &[&str]) {
    for (target, feature) in ON_DEMAND {
        report.step(&format!("tests with {feature}"), || {
            setup::libraries_of_kafka()?;
            let feature = format!("scanwatch/{feature}");
            let chosen = ["--features", &feature, "--test", target];
            if filter.is_empty() {
                let lints = ["--lib", "--", "-D", "warnings"];
                cargo(workspace::cargo().arg("clippy").args(chosen).args(lints))?;
            }
            cargo(workspace::cargo().args(["test", "--no-fail-fast"]).args(chosen).arg("--").args(filter))
        });
    }
}

/// One file of integration tests.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TestFile {
    /// The folder of its crate.
    krate: String,
    /// The name of the test target.
    target: String,
}

impl TestFile {
    fn needs_root(&self) -> bool {
        self.target.starts_with("root")
    }

    fn shown(&self) -> String {
        format!("{}/tests/{}", self.krate, self.target)
    }
}

/// Every test target below the `tests` folders, by cargo's rule: `name.rs`, or `name/main.rs`.
fn test_files() -> Result<Vec<TestFile>> {
    let mut files = Vec::new();
    for krate in workspace::crates()?.into_iter().filter(|krate| krate != KERNEL_CRATE) {
        let folder = workspace::root().join(&krate).join("tests");
        if !folder.is_dir() {
            continue;
        }
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            if let Some(target) = test_target(&entry?.path())
                && ON_DEMAND.iter().all(|(on_demand, _)| *on_demand != target)
            {
                files.push(TestFile { krate: krate.clone(), target });
            }
        }
    }
    files.sort_by_key(TestFile::shown);
    Ok(files)
}

fn test_target(path: &Path) -> Option<String> {
    let name = if path.is_dir() {
        path.join("main.rs").is_file().then(|| path.file_name())?
    } else {
        path.extension().is_some_and(|extension| extension == "rs").then(|| path.file_stem())?
    };
    Some(name?.to_string_lossy().into_owned())
}

/// One cargo call for all `files`, from the root: called crate by crate, cargo would choose other features of their
/// dependencies and compile them again.
fn test_command(files: &[TestFile], binary: &Path) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--no-fail-fast"]);
    for file in files {
        cargo.args(["--test", &file.target]);
    }
    cargo.env(BINARY_VARIABLE, binary).arg("--");
    cargo
}

fn cargo(command: &mut Command) -> Result<()> {
    let status = command.status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("see above");
    }
    Ok(())
}

/// Makes sure that `cargo name` exists, by adding rustup's `component` where it does not.
fn component(name: &str, component: &str) -> Result<()> {
    let exists = || output(workspace::cargo().args([name, "--version"])).is_ok();
    if exists() {
        return Ok(());
    }
    let added = output(Command::new("rustup").args(["component", "add", component]));
    if exists() {
        return Ok(());
    }
    let why = added.err().map_or(String::new(), |error| format!(": {error:#}"));
    bail!(
        "`cargo {name}` is missing; run `rustup component add {component}`, or install your system's package{why}"
    )
}

/// What ran, how long it took, and what failed.
struct Report {
    lines: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    /// Runs a step whose output goes to the terminal, between two lines that name it.
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let result = work();
        let took = started.elapsed();
        if let Err(error) = &result {
            eprintln!("{error:#}");
            self.failed.push(name.to_owned());
        }
        self.lines.push(line(name, result.is_ok(), took));
    }

    /// Notes a step that this machine has not the means for.
    fn not_run(&mut self, name: &str, why: &anyhow::Error) {
        self.lines.push(format!("NOT RUN {name}: {why:#}"));
    }

    fn failed(&mut self, what: &str) {
        self.failed.push(what.to_owned());
    }

    fn all_passed(&self) -> bool {
        self.failed.is_empty()
    }

    fn finish(&self) -> Result<()> {
        eprintln!("\n{}", self.lines.join("\n"));
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

    fn file(krate: &str, target: &str) -> TestFile {
        TestFile { krate: krate.to_owned(), target: target.to_owned() }
    }

    #[test]
    fn tests_that_need_root_are_told_by_their_file() {
        assert!(file("xtask", "root_scans").needs_root());
        assert!(!file("scanwatch-user", "cli").needs_root());
    }

    #[test]
    fn one_cargo_call_runs_all_test_files() {
        let command = test_command(&[file("a", "one"), file("b", "two")], Path::new("/built"));
        let arguments: Vec<&str> = command.get_args().filter_map(|argument| argument.to_str()).collect();
        assert_eq!(arguments, ["test", "--no-fail-fast", "--test", "one", "--test", "two", "--"]);
    }

    #[test]
    fn a_step_that_is_not_run_says_why_and_fails_nothing() {
        let mut report = Report { lines: Vec::new(), failed: Vec::new() };
        report.not_run("miri", &anyhow::anyhow!("there is none"));
        assert_eq!(report.lines, ["NOT RUN miri: there is none"]);
        assert!(report.finish().is_ok());
    }

    #[test]
    fn a_failed_step_fails_the_whole_and_lets_the_next_run() {
        let mut report = Report { lines: Vec::new(), failed: Vec::new() };
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
