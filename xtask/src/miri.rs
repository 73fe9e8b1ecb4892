//! Miri: the shared crate's tests, and the agent's casts of plain bytes, in an interpreter that refuses undefined behaviour.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::kernel_object::clean_command;
use crate::step::output;
use crate::workspace;

/// What a person types where Miri is not there.
const INSTALL: &str = "rustup toolchain install nightly --component miri,rust-src";

/// Cases of each property: an interpreter is a thousand times slower than a processor.
const CASES: &str = "2";

/// The package whose tests run.
const PACKAGE: &str = "scanwatch-common";

/// Where Miri is: nowhere, and why, or ready.
///
/// # Errors
/// One sentence on what is missing and what to type.
pub fn find() -> Result<()> {
    let asked = |command: &mut Command| output(command);
    if asked(nightly()?.args(["miri", "--version"])).is_ok() {
        return Ok(());
    }
    let mut rustup = rustup()?;
    let added = output(rustup.args(["component", "add", "miri", "rust-src", "--toolchain", "nightly"]));
    match (asked(nightly()?.args(["miri", "--version"])), added) {
        (Ok(_), _) => Ok(()),
        (Err(_), Err(why)) => bail!("Miri cannot be had here ({why:#}); run `{INSTALL}`"),
        (Err(why), Ok(_)) => bail!("Miri does not start ({why:#}); run `{INSTALL}`"),
    }
}

/// The tests of unsafe code, with all that Miri looks for.
const CASTS: &[&str] = &["--test", "plain"];
/// The tests of code that forbids `unsafe`, and so cannot break the rules of who may write while others read. What keeps
/// track of those takes most of the time.
const SAFE: &[&str] = &["--lib", "--test", "fixtures", "--test", "observe", "--test", "sketches"];
const WITHOUT_BORROWS: &str = "-Zmiri-disable-stacked-borrows";

/// Runs the tests of the shared crate in Miri.
///
/// # Errors
/// Where Miri refuses something, or a test fails.
pub fn run() -> Result<()> {
    for (tests, flag) in [(CASTS, ""), (SAFE, WITHOUT_BORROWS)] {
        let mut cargo = nightly()?;
        cargo.args(["miri", "test", "--package", PACKAGE, "--no-fail-fast", "--target-dir", "target/miri"]);
        cargo.args(tests);
        // Properties read their number of cases from the environment, and keep failures in files.
        cargo.env("PROPTEST_CASES", CASES).env("MIRIFLAGS", format!("-Zmiri-disable-isolation {flag}"));
        let status = cargo.status().context("cargo cannot be run")?;
        if !status.success() {
            bail!("see above");
        }
    }
    Ok(())
}

fn rustup() -> Result<Command> {
    let path = workspace::find_program("rustup").or_else(|| {
        let home = std::env::var_os("CARGO_HOME")?;
        Some(std::path::Path::new(&home).join("bin/rustup")).filter(|path| path.is_file())
    });
    let path = path.with_context(|| {
        format!("Miri comes with rustup, which is not installed; get rustup, then run `{INSTALL}`")
    })?;
    Ok(clean_command(&path))
}

/// cargo of rustup's nightly, in the root of the workspace.
fn nightly() -> Result<Command> {
    let mut command = rustup()?;
    command.args(["run", "nightly", "cargo"]).current_dir(workspace::root());
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_the_shared_crate_runs_in_miri() {
        let folder = workspace::root().join(PACKAGE).join("tests");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.join("main.rs").is_file() || path.extension().is_some_and(|end| end == "rs") {
                let name = path.file_stem().unwrap().to_str().unwrap();
                assert!(CASTS.contains(&name) || SAFE.contains(&name), "{name}");
            }
        }
    }
}
