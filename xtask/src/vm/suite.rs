//! The tests that every kernel runs, and the agent they start.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::guest;
use super::initramfs::Files;
use super::kernels::Image;
use super::modules;
use crate::test::files;
use crate::workspace;

/// The test target.
const TARGET: &str = "root_kernels";
/// What the tests run besides: makes interfaces, looks at filters, turns offloads off, hides file systems.
pub(super) const PROGRAMS: [&str; 4] = ["ip", "tc", "ethtool", "mount"];
/// Name of the test for kernels that are too old.
const TOO_OLD: &str = "on_an_old_kernel";
/// In the names of tests for what the kernel that runs already may lack: they are left to the machines.
pub const IN_A_MACHINE: &str = "in_a_machine";

/// The built tests and the built agent.
#[derive(Clone, Debug)]
pub(super) struct Suite {
    /// The tests' executable.
    pub tests: PathBuf,
    /// The agent.
    pub agent: PathBuf,
}

impl Suite {
    /// Builds the tests.
    pub(super) fn build(agent: &Path) -> Result<Self> {
        let built = files::executables(&[TARGET])?;
        let (_, tests) = built.into_iter().next().context("cargo names no executable")?;
        Ok(Self { tests, agent: agent.to_owned() })
    }

    /// Arguments of the tests' executable: one test at a time, and all that they say.
    pub(super) fn arguments(image: Option<&Image>) -> Vec<&'static str> {
        let mut arguments = vec!["--nocapture", "--test-threads=1"];
        match image {
            None => arguments.extend(["--skip", IN_A_MACHINE]),
            Some(image) if image.is_too_old => arguments.push(TOO_OLD),
            Some(_) => arguments.extend(["--skip", TOO_OLD]),
        }
        arguments
    }

    /// Writes the file system of a machine with this kernel.
    pub(super) fn pack(&self, image: &Image, path: &Path) -> Result<u64> {
        let mut files = Files::new();
        for program in PROGRAMS {
            let found =
                workspace::find_program(program).with_context(|| format!("{program} is not found"))?;
            files.program(&found, program)?;
        }
        let draft = path.with_extension("draft");
        files.stripped(&self.tests, "tests", &draft)?;
        files.stripped(&self.agent, "scanwatch", &draft)?;
        files.stripped(&workspace::this_program(), guest::NAME, &draft)?;
        files.modules(modules::needed(&image.modules)?);
        let commands = [&["/bin/tests"][..], &Self::arguments(Some(image))].concat();
        files.put(guest::COMMAND, 0o644, commands.join("\n").into_bytes());
        // Some programs are looked for by other paths.
        files.link("sbin", "bin");
        files.write(path)
    }
}
