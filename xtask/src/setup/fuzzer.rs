//! cargo-fuzz, which builds the fuzz targets; built for this workspace alone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::TOOLS_DIR;
use super::program::SOON_BUILT;
use crate::step::{output, run_logged, step};
use crate::workspace;

/// The release we build; what it gives the compiler changes with it.
const RELEASE: &str = "0.13";

/// Building it takes a minute on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(20);

/// The path of cargo-fuzz, built first where it is not there; says so as a step.
pub fn fuzzer() -> Result<PathBuf> {
    step("cargo-fuzz", || {
        let root = workspace::root().join(TOOLS_DIR).join("cargo-fuzz");
        let program = root.join("bin/cargo-fuzz");
        if let Ok(version) = works(&program) {
            return Ok((program, version));
        }
        let build_dir = root.join("build");
        let mut cargo = workspace::cargo();
        cargo
            .args(["install", "cargo-fuzz", "--locked", "--force", "--version", &format!("^{RELEASE}")])
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(&build_dir)
            .envs(SOON_BUILT);
        run_logged(&mut cargo, &root.join("cargo-fuzz.log"), BUILD_LIMIT)?;
        std::fs::remove_dir_all(&build_dir)?;
        let version = works(&program)?;
        Ok((program, format!("{version} built in {}", workspace::shown(&root))))
    })
}

/// The version of the program; an error where it does not start, or is of another release.
fn works(program: &Path) -> Result<String> {
    let version = output(Command::new(program).args(["fuzz", "--version"]))?;
    let number = version.rsplit(' ').next().unwrap_or_default();
    if !number.starts_with(&format!("{RELEASE}.")) {
        bail!("{} is {version}, not {RELEASE}", program.display());
    }
    Ok(version)
}
