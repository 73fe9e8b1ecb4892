//! The tests that every kernel runs, and the agent they start.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::guest;
use super::initramfs::Files;
use super::kernels::Image;
use super::modules;
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
        let output = workspace::cargo()
            .args(["test", "--package", "scanwatch", "--test", TARGET, "--no-run", "--message-format=json"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cargo cannot be run")?;
        if !output.status.success() {
            bail!("the tests do not build; cargo's messages stand above");
        }
        let tests =
            executable(&String::from_utf8_lossy(&output.stdout)).context("cargo names no executable")?;
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
        files.stripped(&std::env::current_exe()?, guest::NAME, &draft)?;
        files.modules(modules::needed(&image.modules)?);
        let commands = [&["/bin/tests"][..], &Self::arguments(Some(image))].concat();
        files.put(guest::COMMAND, 0o644, commands.join("\n").into_bytes());
        // Some programs are looked for by other paths.
        files.link("sbin", "bin");
        files.write(path)
    }
}

/// The executable in cargo's messages, one JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    let named = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == TARGET && message["profile"]["test"] == true;
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    messages.lines().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_executable_is_the_one_that_cargo_names_for_the_test_target() {
        let messages = "{\"target\":{\"name\":\"scanwatch\"},\"profile\":{\"test\":false},\"executable\":\"/a\"}\n\
                        {\"target\":{\"name\":\"root_kernels\"},\"profile\":{\"test\":true},\"executable\":\"/b\"}\n\
                        {\"reason\":\"build-finished\"}\n";
        assert_eq!(executable(messages), Some("/b".into()));
        assert_eq!(executable("{}"), None);
    }
}
