//! `cargo xtask build` and `cargo xtask run`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// Builds scanwatch, kernel programs included, and returns the path of the binary.
///
/// The kernel toolchain has to be set up.
pub fn build(release: bool) -> Result<PathBuf> {
    build_with(release, &[])
}

/// The same with cargo features of the package, such as `kafka`.
pub fn build_with(release: bool, features: &[String]) -> Result<PathBuf> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--package", "scanwatch"]);
    if release {
        cargo.arg("--release");
    }
    if !features.is_empty() {
        cargo.arg("--features").arg(features.join(","));
    }
    let status = cargo.status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("scanwatch does not build; cargo's messages stand above");
    }
    let binary = workspace::binary(if release { "release" } else { "debug" })?;
    if !binary.is_file() {
        bail!("scanwatch was built, but is not at {}", binary.display());
    }
    Ok(binary)
}

/// Builds scanwatch in release, and becomes it.
///
/// # Errors
/// Returns only where that fails.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let binary = build(true)?;
    let error = Command::new(&binary).args(arguments).exec();
    Err(error).with_context(|| format!("{} cannot be run", binary.display()))
}
