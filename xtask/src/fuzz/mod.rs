//! `cargo xtask fuzz`: hostile input of every kind, for a time that is stated, and how far it came.
//!
//! The targets are built by cargo-fuzz with the compiler that builds everything else: libFuzzer's coverage needs no nightly. No
//! sanitizer of memory is built in, for what the targets reach is safe code; its arithmetic is checked as in a debug build,
//! and memory is limited.

mod outcome;
mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::each::side_by_side;
use crate::setup;
use crate::step::{run_logged, step};
use crate::workspace;
use outcome::Outcome;
use run::Target;

/// Where targets, corpora and logs are, from the root of the workspace.
pub const FOLDER: &str = "target/fuzz";

/// Where the targets' sources are.
const SOURCES: &str = "fuzz/targets";

/// Building all dependencies takes some minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(40);

/// What to fuzz, and for how long.
pub struct Wanted {
    /// Names of targets; none for all.
    pub targets: Vec<String>,
    /// Seconds for each.
    pub seconds: u64,
    /// A single input instead, shown to the one target that is named: what a crash left.
    pub input: Option<PathBuf>,
}

/// Builds the targets, gives each its seeds, lets each run, minimises what it found, and prints a table.
///
/// # Errors
/// Names the targets that crashed, with the inputs and how to show them again.
pub fn run(wanted: &Wanted) -> Result<()> {
    let names = chosen(&wanted.targets, &all_targets()?)?;
    setup::kernel_toolchain(None)?;
    let binaries = build(&setup::fuzzer()?)?;
    let targets = names.iter().map(|name| Target::new(name, &binaries));
    if let Some(input) = &wanted.input {
        let [target] = &targets.collect::<Vec<_>>()[..] else {
            bail!("--input is shown to one target; name it: `cargo xtask fuzz TARGET --input FILE`")
        };
        return target.show(input);
    }
    let outcomes = fuzz_all(&targets.collect::<Vec<_>>(), wanted.seconds)?;
    eprint!("\n{}", outcome::table(&outcomes));
    finish(&outcomes)
}

/// The targets there are, in order of name.
fn all_targets() -> Result<Vec<String>> {
    let folder = workspace::root().join(SOURCES);
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|end| end == "rs")) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn chosen(wanted: &[String], all: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzz target {unknown}; there are {}", all.join(", "));
    }
    Ok(if wanted.is_empty() { all.to_vec() } else { wanted.to_vec() })
}

/// Builds all targets; the folder of their programs.
fn build(cargo_fuzz: &Path) -> Result<PathBuf> {
    step("fuzz targets", || {
        let folder = workspace::root().join(FOLDER);
        let build_dir = folder.join("build");
        let mut cargo = std::process::Command::new(cargo_fuzz);
        cargo
            .args(["fuzz", "build", "--sanitizer", "none", "--target-dir"])
            .arg(&build_dir)
            .current_dir(workspace::root());
        run_logged(&mut cargo, &folder.join("build.log"), BUILD_LIMIT)?;
        let binaries = run::binaries(&build_dir)?;
        Ok((binaries, format!("built in {}", workspace::shown(&build_dir))))
    })
}

/// Runs the targets, as many at a time as there are processors; a target that crashes does not keep the others from
/// running. Outcomes in the order of the targets.
fn fuzz_all(targets: &[Target], seconds: u64) -> Result<Vec<Outcome>> {
    let outcomes = side_by_side(targets, |target| {
        let outcome = target.fuzz(seconds).with_context(|| format!("fuzz target {}", target.name))?;
        eprintln!("  {:<22} {}", target.name, outcome.sentence());
        Ok(outcome)
    });
    outcomes.into_iter().collect()
}

fn finish(outcomes: &[Outcome]) -> Result<()> {
    let crashed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.crash.is_some()).collect();
    for crash in crashed.iter().filter_map(|outcome| outcome.crash.as_ref()) {
        eprintln!("\n{crash}");
    }
    if crashed.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = crashed.iter().map(|outcome| outcome.name.as_str()).collect();
    bail!("an input was found that breaks a promise: {}", names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_built_and_stands_in_the_documentation() {
        let manifest = fs::read_to_string(workspace::root().join("fuzz/Cargo.toml")).unwrap();
        let page = fs::read_to_string(workspace::root().join("docs/FUZZING.md")).unwrap();
        let targets = all_targets().unwrap();
        assert!(targets.len() >= 8, "{targets:?}");
        for target in targets {
            assert!(manifest.contains(&format!("path = \"targets/{target}.rs\"")), "{target}");
            assert!(page.contains(&format!("| `{target}` |")), "{target}");
        }
    }

    #[test]
    fn an_unknown_target_is_refused_with_those_there_are() {
        let all = ["one".to_owned(), "two".to_owned()];
        assert_eq!(chosen(&[], &all).unwrap(), all);
        assert_eq!(chosen(&all[1..], &all).unwrap(), all[1..]);
        let error = chosen(&["three".to_owned()], &all).unwrap_err().to_string();
        assert_eq!(error, "there is no fuzz target three; there are one, two");
    }
}
