//! Where things are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

use anyhow::{Context as _, Result};

/// The root of the workspace that cargo runs us in.
///
/// Asked at run time: two checkouts that share a build folder also share the compiled xtask.
#[must_use]
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let xtask = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&xtask).parent().map_or_else(PathBuf::new, Path::to_owned)
    });
    &ROOT
}

/// `path` as messages show it: from the root of the workspace where it lies inside.
#[must_use]
pub fn shown(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(root()).unwrap_or(path).display()
}

/// The cargo that runs us, started in the root of the workspace.
///
/// What cargo tells us of our own crate is kept from it: build scripts that look at such variables (ring's does) would run
/// again, and all that depends on them, whenever cargo is called by hand in between.
#[must_use]
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    for (name, _) in env::vars_os() {
        let is_of_a_crate = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if is_of_a_crate {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The scanwatch binary of one profile, `debug` or `release`, whether built or not.
///
/// It lies beside the running xtask, so a build folder set by environment or configuration is respected.
pub fn binary(profile: &str) -> Result<PathBuf> {
    let this = env::current_exe().context("The path of the running xtask is unknown")?;
    // A test's own binary lies one folder deeper, in `deps`.
    let built = this.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let target = built.and_then(Path::parent).context("The running xtask lies in no build folder")?;
    Ok(target.join(profile).join("scanwatch"))
}

/// The program that runs here, as a path that opens also once a build has put another in its place.
#[must_use]
pub fn this_program() -> PathBuf {
    PathBuf::from(format!("/proc/{}/exe", std::process::id()))
}

/// Folder names of the workspace's crates: those at the root that have a Cargo.toml, in order of name.
pub fn crates() -> Result<Vec<String>> {
    let entries = fs::read_dir(root()).context("The root of the workspace cannot be read")?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Finds `program` on the `PATH`, or in the folders of system administration, which a user's `PATH` may lack.
#[must_use]
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
