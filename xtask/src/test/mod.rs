//! `cargo xtask test`: everything that must hold before a change goes in, each step with its time.
//!
//! A test that needs root lives in a file of its crate's `tests` folder whose name begins with `root`. Those run one
//! test of a file at a time, each file in a network namespace of its own, and beside them what keeps processors busy.

pub(crate) mod files;
mod jobs;
mod report;
mod root;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use nix::unistd::geteuid;

use self::files::TestFile;
use self::report::Report;
pub use self::root::run_step;
use self::root::{Beside, MACHINES, MIRI, REPRODUCE};
use crate::setup::{self, TOOLS};
use crate::step::output;
use crate::{build, deny, fuzz, miri, tidy, vm, workspace};

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
    let mut report = Report::new();
    report.step("set-up", || setup::kernel_toolchain(None).map(drop));
    if report.all_passed() {
        if filter.is_none() {
            checks(&mut report);
        }
        tests(&mut report, filter);
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
    report.step("unit tests", || {
        cargo(workspace::cargo().args(["test", "--no-fail-fast", "--lib", "--bins", "--"]).args(filter))
    });
    report.step("documentation tests", || {
        cargo(workspace::cargo().args(["test", "--no-fail-fast", "--doc", "--"]).args(filter))
    });
    let files = match files::all(&ON_DEMAND.map(|(target, _)| target)) {
        Ok(files) => files,
        Err(error) => return report.failed(&format!("search for tests: {error:#}")),
    };
    let (with_root, without): (Vec<TestFile>, Vec<TestFile>) =
        files.into_iter().partition(TestFile::needs_root);
    if !without.is_empty() {
        report.step("tests", || cargo(files::run_command(&without, &binary).args(filter)));
    }
    on_demand(report, filter);
    let mut steps = Vec::new();
    if filter.is_none() {
        // Before the tests that show what it finds to kernel and host.
        report
            .step("fuzz", || fuzz::run(&fuzz::Wanted { targets: Vec::new(), seconds: FUZZ_S, input: None }));
        steps = steps_beside(report);
    }
    with_root_tests(report, with_root, &steps, &binary, filter);
}

/// The tests that need root, and `steps` beside them.
fn with_root_tests(
    report: &mut Report,
    mut files: Vec<TestFile>,
    steps: &[Beside],
    binary: &Path,
    filter: Option<&str>,
) {
    if geteuid().is_root() {
        let programs: Vec<&str> = TOOLS.iter().map(|tool| tool.program).collect();
        report.step("set-up of the lab", || setup::tools(&programs));
    } else {
        let names: Vec<String> = files.iter().map(TestFile::shown).collect();
        report.failed(&format!("not run, since they need root: {}", names.join(" ")));
        files.clear();
    }
    root::run(report, &files, steps, binary, filter);
}

/// What runs beside the tests that need root, as far as this machine has the means.
fn steps_beside(report: &mut Report) -> Vec<Beside> {
    let mut steps = vec![REPRODUCE];
    for (step, means) in [(MIRI, miri::find()), (MACHINES, vm::machines().map(drop))] {
        match means {
            Ok(()) => steps.push(step),
            Err(why) => report.not_run(step.name, &why),
        }
    }
    steps
}

/// What is not part of an ordinary build is looked at in a build of its own.
fn on_demand(report: &mut Report, filter: Option<&str>) {
    for (target, feature) in ON_DEMAND {
        report.step(&format!("tests with {feature}"), || {
            setup::libraries_of_kafka()?;
            let feature = format!("scanwatch/{feature}");
            let chosen = ["--features", &feature, "--test", target];
            if filter.is_none() {
                let lints = ["--lib", "--", "-D", "warnings"];
                cargo(workspace::cargo().arg("clippy").args(chosen).args(lints))?;
            }
            cargo(workspace::cargo().args(["test", "--no-fail-fast"]).args(chosen).arg("--").args(filter))
        });
    }
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
