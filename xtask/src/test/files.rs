//! The files of integration tests, and the programs that cargo makes of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::BINARY_VARIABLE;
use crate::workspace;

/// The crates whose tests run on the host; the kernel crate's logic is tested in scanwatch-common.
const KERNEL_CRATE: &str = "scanwatch-ebpf";

/// One file of integration tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestFile {
    /// The folder of its crate.
    krate: String,
    /// The name of the test target.
    pub(crate) target: String,
}

impl TestFile {
    pub(super) fn needs_root(&self) -> bool {
        self.target.starts_with("root")
    }

    pub(super) fn shown(&self) -> String {
        format!("{}/tests/{}", self.krate, self.target)
    }

    /// Where cargo would start it.
    pub(super) fn folder(&self) -> PathBuf {
        workspace::root().join(&self.krate)
    }
}

/// Every test target below the `tests` folders but `without`, by cargo's rule: `name.rs`, or `name/main.rs`.
pub(super) fn all(without: &[&str]) -> Result<Vec<TestFile>> {
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
                && !without.contains(&target.as_str())
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

/// One cargo call for all `targets`, from the root: called crate by crate, cargo would choose other features of their
/// dependencies and compile them again.
fn cargo_test<'a>(targets: impl IntoIterator<Item = &'a str>) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--no-fail-fast"]);
    cargo.args(targets.into_iter().flat_map(|target| ["--test", target]));
    cargo
}

/// The call that runs `files` with this scanwatch; what follows are arguments of theirs.
pub(super) fn run_command(files: &[TestFile], binary: &Path) -> Command {
    let mut cargo = cargo_test(files.iter().map(|file| file.target.as_str()));
    cargo.env(BINARY_VARIABLE, binary).arg("--");
    cargo
}

/// Builds the test targets of these names as all others are built, and returns the files with the program of each.
///
/// # Errors
/// Where one does not build: cargo's messages are on the terminal then.
pub(crate) fn executables(targets: &[&str]) -> Result<Vec<(TestFile, PathBuf)>> {
    let output = cargo_test(targets.iter().copied())
        .args(["--no-run", "--message-format=json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run")?;
    if !output.status.success() {
        bail!("the tests do not build; cargo's messages stand above");
    }
    let programs = programs(&String::from_utf8_lossy(&output.stdout));
    if let Some(missing) =
        targets.iter().find(|target| programs.iter().all(|(file, _)| file.target != **target))
    {
        bail!("cargo names no program of the tests {missing}");
    }
    Ok(programs)
}

/// The programs of tests in cargo's messages, one JSON object a line.
fn programs(messages: &str) -> Vec<(TestFile, PathBuf)> {
    let test = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        if message["profile"]["test"] != true {
            return None;
        }
        let target = message["target"]["name"].as_str()?.to_owned();
        let krate = Path::new(message["manifest_path"].as_str()?).parent()?.file_name()?;
        let krate = krate.to_string_lossy().into_owned();
        Some((TestFile { krate, target }, PathBuf::from(message["executable"].as_str()?)))
    };
    messages.lines().filter_map(test).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let command = run_command(&[file("a", "one"), file("b", "two")], Path::new("/built"));
        let arguments: Vec<&str> = command.get_args().filter_map(|argument| argument.to_str()).collect();
        assert_eq!(arguments, ["test", "--no-fail-fast", "--test", "one", "--test", "two", "--"]);
    }

    #[test]
    fn the_programs_of_tests_are_those_that_cargo_names_for_test_targets() {
        let message = |krate: &str, target: &str, test: bool, program: &str| {
            let manifest = format!("/work/{krate}/Cargo.toml");
            let (target, profile) = (json!({ "name": target }), json!({ "test": test }));
            json!({ "manifest_path": manifest, "target": target, "profile": profile, "executable": program })
        };
        let messages = [
            message("scanwatch-user", "scanwatch", false, "/a"),
            message("scanwatch-user", "root_doctor", true, "/b"),
            message("xtask", "root_doctor", true, "/c"),
            json!({ "reason": "build-finished" }),
        ];
        let messages: Vec<String> = messages.iter().map(Value::to_string).collect();
        let expected = [
            (file("scanwatch-user", "root_doctor"), PathBuf::from("/b")),
            (file("xtask", "root_doctor"), PathBuf::from("/c")),
        ];
        assert_eq!(programs(&messages.join("\n")), expected);
    }
}
