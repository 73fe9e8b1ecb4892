//! cargo-deb, which makes the Debian package; built for this workspace alone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::TOOLS_DIR;
use crate::step::{output, run_logged, step};
use crate::workspace;

/// The release we build; what maintainer scripts hold changes with it.
const RELEASE: &str = "3.8";

/// Building it takes two minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(20);

/// The path of cargo-deb, built first where it is not there; says so as a step.
pub fn packager() -> Result<PathBuf> {
    step("cargo-deb", || {
        let root = workspace::root().join(TOOLS_DIR).join("cargo-deb");
        let program = root.join("bin/cargo-deb");
        if let Ok(version) = works(&program) {
            return Ok((program, version));
        }
        let build_dir = root.join("build");
        let mut cargo = workspace::cargo();
        cargo
            .args(["install", "cargo-deb", "--locked", "--force", "--version", &format!("^{RELEASE}")])
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(&build_dir);
        run_logged(&mut cargo, &root.join("cargo-deb.log"), BUILD_LIMIT)?;
        std::fs::remove_dir_all(&build_dir)?;
        let version = works(&program)?;
        Ok((program, format!("{version} built in {}", workspace::shown(&root))))
    })
}

/// The version of the program; an error where it does not start, or is of another release.
fn works(program: &Path) -> Result<String> {
    let version = output(Command::new(program).arg("--version"))?;
    let number = version.rsplit(' ').next().unwrap_or_default();
    if !number.starts_with(&format!("{RELEASE}.")) {
        bail!("{} is {version}, not {RELEASE}", program.display());
    }
    Ok(format!("cargo-deb {number}"))
}
