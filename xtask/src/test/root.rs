//! Tests that need root, and beside them what keeps processors busy while they wait.
//!
//! Each file runs in a network namespace of its own, one test at a time. What builds, reaches a network or installs runs on
//! the machine itself, one such thing at a time.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use anyhow::{Context as _, Result, bail};

use super::BINARY_VARIABLE;
use super::files::{self, TestFile};
use super::jobs::{self, Done, Job, Place};
use super::report::Report;
use crate::{miri, reproduce, vm, workspace};

/// Outputs, and the program that is tested, from the root of the workspace.
const FOLDER: &str = "target/test";

/// Files whose tests run cargo or fetch something: they need the machine as it is.
const OF_THE_MACHINE: [&str; 3] = ["root_package", "root_readme", "root_formats"];

/// How many of the files that took longest are in the summary.
const SLOWEST: usize = 5;

/// How little what runs beside the tests is to be in their way: `nice(1)`'s most.
const NICENESS: &str = "19";

/// A step that runs beside the tests that need root. Its name is what `--step` takes.
pub(super) struct Beside {
    pub(super) name: &'static str,
    /// It makes what tests need.
    is_first: bool,
    work: fn() -> Result<()>,
}

/// Found again by its name in a process of its own, whose output can be kept together.
pub(super) const STEPS: [Beside; 3] = [REPRODUCE, MIRI, MACHINES];
/// The program, built in another folder, too; the tests install what was built here.
pub(super) const REPRODUCE: Beside =
    Beside { name: "build in another folder", is_first: true, work: reproduce::check };
/// The interpreter that refuses undefined behaviour.
pub(super) const MIRI: Beside = Beside { name: "miri", is_first: false, work: miri::run };
/// The tests of the kernel side, on kernels other than the one that runs.
pub(super) const MACHINES: Beside =
    Beside { name: "other kernels", is_first: false, work: || vm::machines()?.run() };

/// Runs the step of that name alone.
///
/// # Errors
/// As the step has them; for another name, those there are.
pub fn run_step(name: &str) -> Result<()> {
    let Some(step) = STEPS.iter().find(|step| step.name == name) else {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("there is no step {name}; there are {}", names.join(", "))
    };
    (step.work)()
}

/// Runs `files`, and `steps` beside them, and reports on both.
pub(super) fn run(
    report: &mut Report,
    files: &[TestFile],
    steps: &[Beside],
    binary: &Path,
    filter: Option<&str>,
) {
    eprintln!("\n== root tests, and beside them what keeps processors busy");
    match all_jobs(files, steps, binary, filter).and_then(|jobs| {
        let folder = workspace::root().join(FOLDER);
        jobs::run(jobs, workers(), &folder)
    }) {
        Ok(done) => tell(report, &done, steps),
        Err(error) => {
            eprintln!("{error:#}");
            report.failed(&format!("root tests: {error:#}"));
        }
    }
}

/// Two at least: most of them wait most of the time.
fn workers() -> usize {
    thread::available_parallelism().map_or(2, NonZero::get).max(2)
}

fn all_jobs(files: &[TestFile], steps: &[Beside], binary: &Path, filter: Option<&str>) -> Result<Vec<Job>> {
    let (first, last): (Vec<&Beside>, Vec<&Beside>) = steps.iter().partition(|step| step.is_first);
    let files = jobs_of(files, binary, filter)?;
    Ok(first.into_iter().map(Beside::job).chain(files).chain(last.into_iter().map(Beside::job)).collect())
}

/// One job for each file.
fn jobs_of(files: &[TestFile], binary: &Path, filter: Option<&str>) -> Result<Vec<Job>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let binary = &kept(binary)?;
    let targets: Vec<&str> = files.iter().map(|file| file.target.as_str()).collect();
    let job = |(file, program): (TestFile, PathBuf)| {
        let mut command = Command::new(program);
        command
            .args(["--test-threads=1", "--skip", vm::IN_A_MACHINE])
            .args(filter)
            .env(BINARY_VARIABLE, binary)
            .env("CARGO_MANIFEST_DIR", file.folder())
            .current_dir(file.folder());
        let is_of_machine = OF_THE_MACHINE.contains(&file.target.as_str());
        let place = if is_of_machine { Place::Machine } else { Place::Apart };
        Job { name: file.shown(), place, command }
    };
    Ok(files::executables(&targets)?.into_iter().map(job).collect())
}

/// A copy of the program: builds beside the tests replace the original.
fn kept(binary: &Path) -> Result<PathBuf> {
    let folder = workspace::root().join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let copy = folder.join("scanwatch");
    // A program that somebody runs cannot be written, but removed.
    let _ = fs::remove_file(&copy);
    fs::copy(binary, &copy).with_context(|| format!("{} cannot be copied", binary.display()))?;
    Ok(copy)
}

impl Beside {
    /// This very program, with less of a claim to the processors than the tests have.
    fn job(&self) -> Job {
        let mut command = Command::new("nice");
        command.args(["-n", NICENESS]).arg(workspace::this_program()).args(["test", "--step", self.name]);
        Job { name: self.name.to_owned(), place: Place::Machine, command }
    }
}

/// One line for all files, the slowest below it, and a line for each step.
fn tell(report: &mut Report, done: &[Done], steps: &[Beside]) {
    let is_step = |done: &&Done| steps.iter().any(|step| step.name == done.name);
    let (of_steps, mut of_files): (Vec<&Done>, Vec<&Done>) = done.iter().partition(is_step);
    if !of_files.is_empty() {
        let passed = of_files.iter().all(|done| done.passed);
        let ended = of_files.iter().map(|done| done.ended).max().unwrap_or(Duration::ZERO);
        report.done("root tests", passed, ended);
        of_files.sort_by_key(|done| std::cmp::Reverse(done.took));
        for slow in of_files.iter().take(SLOWEST) {
            report.part(&slow.name, slow.took);
        }
        for failed in of_files.iter().filter(|done| !done.passed) {
            report.failed(&failed.name);
        }
    }
    for step in of_steps {
        report.done(&step.name, step.passed, step.took);
    }
}
