//! `cargo xtask vm`: the same tests on other kernels, each in a small machine of its own.
//!
//! A kernel of Debian's, a file system in memory with the agent and the tests, and an emulator that needs no help of the
//! processor's. Nothing is installed of the kernels, and the machines have neither a disk nor a network.

mod boot;
mod console;
pub mod guest;
mod initramfs;
mod kernels;
mod modules;
mod newc;
mod report;
mod suite;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, thread};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::geteuid;

use crate::setup;
use crate::step::{print, step};
use crate::{build, workspace};

use kernels::{Image, RUNNING, Release};
use report::Outcome;
pub use suite::IN_A_MACHINE;
use suite::Suite;

/// Everything of this goes there, from the root of the workspace.
const FOLDER: &str = "target/vm";

/// Runs the tests on every kernel of `wanted`, all where it is empty, and prints a table of what they said.
///
/// # Errors
/// Where a kernel cannot be had or booted, or a test failed there.
pub fn run(wanted: &[String]) -> Result<()> {
    let with_running = wanted.is_empty() || wanted.iter().any(|name| name == RUNNING);
    ensure!(
        geteuid().is_root() || !with_running,
        "the tests on the running kernel load programs: run this as root, or name other kernels with --kernel"
    );
    Machines::prepare(wanted, |_| true)?.run()
}

/// What is needed to run the tests on all kernels but the one that runs already, whose turn is elsewhere.
///
/// # Errors
/// Why there can be no such machines here: no emulator, or no kernels for it.
pub fn machines() -> Result<Machines> {
    Machines::prepare(&[], |release| !matches!(release, Release::Running))
}

/// Kernels, and the emulator for those that do not run already.
pub struct Machines {
    emulator: Option<PathBuf>,
    releases: Vec<Release>,
    images: Vec<Option<Image>>,
    folder: PathBuf,
}

impl Machines {
    fn prepare(wanted: &[String], is_chosen: impl Fn(&Release) -> bool) -> Result<Self> {
        let folder = workspace::root().join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let only_running = !wanted.is_empty() && wanted.iter().all(|name| name == RUNNING);
        let emulator = if only_running { None } else { Some(emulator()?) };
        let (releases, images) = step("kernels", || {
            let mut releases = kernels::releases(&folder, wanted)?;
            releases.retain(is_chosen);
            let images = releases.iter().map(|release| release.fetch(&folder)).collect::<Result<Vec<_>>>()?;
            let names: Vec<&str> = releases.iter().map(Release::name).collect();
            let megabytes: u64 = images.iter().flatten().map(Image::megabytes).sum();
            let done = format!("{}, {megabytes} MB unpacked", names.join(" "));
            Ok(((releases, images), done))
        })?;
        Ok(Self { emulator, releases, images, folder })
    }

    /// Builds the tests, runs them on every kernel, and prints a table of what they said.
    ///
    /// # Errors
    /// Where something does not build or boot, or a test failed.
    pub fn run(&self) -> Result<()> {
        setup::kernel_toolchain(None)?;
        setup::tools(&suite::PROGRAMS)?;
        let agent = build::build(true)?;
        let suite = Suite::build(&agent)?;
        let outcomes = on_all(&self.releases, &self.images, |release, image| match (image, &self.emulator) {
            (Some(image), Some(emulator)) => boot::run(emulator, image, &suite, &self.folder),
            _ => report::here(release, &suite, &self.folder),
        });
        print(&report::table(&outcomes))?;
        finish(&outcomes, &self.folder)
    }
}

/// The emulator, installed first where it is not there.
fn emulator() -> Result<PathBuf> {
    let processor = std::env::consts::ARCH;
    ensure!(processor == "x86_64", "the machines are of x86_64, and this one is of {processor}");
    setup::emulator()
}

/// Does `work` for all kernels, as many at a time as there are processors: each machine has one.
fn on_all(
    releases: &[Release],
    images: &[Option<Image>],
    work: impl Fn(&Release, Option<&Image>) -> Outcome + Sync,
) -> Vec<Outcome> {
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..releases.len()).collect());
    let outcomes: Mutex<Vec<(usize, Outcome)>> = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(number) = next else { return };
            let outcome = work(&releases[number], images[number].as_ref());
            eprintln!("  {outcome}");
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(releases.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(worker);
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn finish(outcomes: &[Outcome], folder: &Path) -> Result<()> {
    let failed: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| outcome.failure.as_ref().map(|why| format!("{}: {why}", outcome.kernel)))
        .collect();
    if !failed.is_empty() {
        bail!("{}\nwhat the machines said is in {}", failed.join("\n"), workspace::shown(folder));
    }
    Ok(())
}
