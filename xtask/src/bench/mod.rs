//! `cargo xtask bench`: what a packet costs in every kind of traffic, and what the agent costs.
//!
//! The measuring is done by scanwatch's own benchmarks, each a program that prints one JSON object a row on standard
//! output. Here they are given what they need, and their rows become a table and a file.

mod machine;
mod row;
mod table;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use nix::unistd::geteuid;

use self::row::Row;
use crate::kernel_object::KernelToolchain;
use crate::step::{output, print, step};
use crate::{setup, test, workspace};

/// The benchmarks of the package scanwatch that print rows, in the order of the table.
const BENCHES: &[&str] = &["data_plane", "agent"];

/// The kernel programs that only the benchmark runs: a `[[bin]]` of scanwatch-ebpf.
const OBJECT: &str = "scanwatch-bench";
/// The environment variable in which the benchmark finds them.
const OBJECT_VARIABLE: &str = "SCANWATCH_BENCH_OBJECT";

/// What is to be measured.
pub struct Wanted {
    /// Parts of rows' names; empty means all rows.
    pub rows: Vec<String>,
    /// The file to write.
    pub json: Option<PathBuf>,
    /// Measure little.
    pub quick: bool,
}

/// Builds what is measured, measures it, and prints the table. Needs root.
///
/// # Errors
/// Also where a row measures something else than it says; the others are printed all the same.
pub fn run(wanted: &Wanted) -> Result<()> {
    if !geteuid().is_root() {
        bail!("the benchmark loads BPF programs and needs root: run the same command with sudo");
    }
    let toolchain = setup::kernel_toolchain(None)?;
    let object = step("bench programs", || {
        let object = object(&toolchain)?;
        let done = workspace::shown(&object).to_string();
        Ok((object, done))
    })?;
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for bench in BENCHES {
        let mut command = command(bench, wanted);
        // Cargo builds a package's programs before its benchmarks.
        let program = workspace::binary(if wanted.quick { "debug" } else { "release" })?;
        command.env(OBJECT_VARIABLE, &object).env(test::BINARY_VARIABLE, program);
        if let Err(error) = collect(&mut command, &mut rows) {
            failed.push(format!("{bench}: {error:#}"));
        }
    }
    print(&format!("{}\n{}\n", table::render(&rows), machine::describe()))?;
    if let Some(file) = &wanted.json {
        fs::write(file, row::array(&rows))
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    if rows.is_empty() {
        bail!("no row's name contains {}: see the names with `cargo xtask bench`", wanted.rows.join(" or "));
    }
    Ok(())
}

/// Builds the kernel programs of the benchmark and returns where they lie.
fn object(toolchain: &KernelToolchain) -> Result<PathBuf> {
    let root = workspace::root();
    let build_dir = toolchain.build_dir(root);
    let manifest = root.join("scanwatch-ebpf/Cargo.toml");
    let mut cargo = toolchain.cargo_build(&manifest, &[OBJECT], env::consts::ARCH, &build_dir);
    output(cargo.args(["--quiet", "--locked"]))?;
    Ok(KernelToolchain::object(&build_dir, OBJECT))
}

/// The call that measures; where the figures are worth nothing, of what the tests were compiled with.
fn command(bench: &str, wanted: &Wanted) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--quiet", "--bench", bench]);
    // Without the package, from the root: the tests' dependencies have the features that all crates ask for together.
    cargo.args(if wanted.quick { ["--profile", "dev"] } else { ["--package", "scanwatch"] });
    cargo.arg("--").args(&wanted.rows);
    if wanted.quick {
        cargo.arg("--quick");
    }
    cargo
}

/// Runs a benchmark to its end; its rows are kept also where it fails.
fn collect(command: &mut Command, rows: &mut Vec<Row>) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be run", Path::new(command.get_program()).display()))?;
    let printed = child.stdout.take().context("the benchmark has no output")?;
    let mut outcome = Ok(());
    for line in BufReader::new(printed).lines() {
        match Row::parse(&line?) {
            Ok(row) => rows.push(row),
            Err(error) => outcome = Err(error),
        }
    }
    if !child.wait()?.success() {
        bail!("failed; what it says stands above");
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn rows_of_a_benchmark_that_fails_are_kept() {
        let mut rows = Vec::new();
        let script = r#"echo '{"name":"a"}'; exit 1"#;
        assert!(collect(&mut shell(script), &mut rows).is_err());
        assert_eq!(rows.len(), 1);
    }

    #[test]
    fn what_is_no_row_is_an_error() {
        let mut rows = Vec::new();
        let error = collect(&mut shell("echo nonsense"), &mut rows).unwrap_err();
        assert!(error.to_string().contains("nonsense"), "{error}");
    }
}
