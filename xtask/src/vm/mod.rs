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

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::geteuid;

use crate::each::side_by_side;
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
    /// Each with what is booted of it; of the one that runs already there is nothing.
    kernels: Vec<(Release, Option<Image>)>,
    folder: PathBuf,
}

impl Machines {
    fn prepare(wanted: &[String], is_chosen: impl Fn(&Release) -> bool) -> Result<Self> {
        let folder = workspace::root().join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let only_running = !wanted.is_empty() && wanted.iter().all(|name| name == RUNNING);
        let emulator = if only_running { None } else { Some(emulator()?) };
        let kernels = step("kernels", || {
            let mut releases = kernels::releases(&folder, wanted)?;
            releases.retain(is_chosen);
            let fetched = |release: Release| release.fetch(&folder).map(|image| (release, image));
            let kernels = releases.into_iter().map(fetched).collect::<Result<Vec<_>>>()?;
            let names: Vec<&str> = kernels.iter().map(|(release, _)| release.name()).collect();
            let megabytes: u64 =
                kernels.iter().filter_map(|(_, image)| image.as_ref()).map(Image::megabytes).sum();
            let done = format!("{}, {megabytes} MB unpacked", names.join(" "));
            Ok((kernels, done))
        })?;
        Ok(Self { emulator, kernels, folder })
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
        let outcomes = side_by_side(&self.kernels, |(release, image)| {
            let outcome = match (image, &self.emulator) {
                (Some(image), Some(emulator)) => boot::run(emulator, image, &suite, &self.folder),
                _ => report::here(release, &suite, &self.folder),
            };
            eprintln!("  {outcome}");
            outcome
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
