//! Whether a release is the same bytes wherever it is built: the program, the kernel object in it, and its packages.
//!
//! [`run`] is `cargo xtask reproduce`, for releases: the last commit, twice, in folders and homes of cargo that have
//! nothing in common. [`check`] is a step of `cargo xtask test`: the program that the package's own test installs, and
//! one that is built from a copy of the same files in another folder.

mod copy;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::kernel_object::{KernelToolchain, PROGRAMS};
use crate::step::{output, run_logged, step};
use crate::{dist, setup, workspace};

/// Where copies and what is built from them go, from the root.
const FOLDER: &str = "target/reproduce";

/// Longest time of one build: a release with all it is made of, on a machine that does other things as well.
const BUILD_LIMIT: Duration = Duration::from_hours(1);

/// Something that was built twice.
struct Pair {
    what: &'static str,
    built: [PathBuf; 2],
}

/// Builds the last commit twice, packages included, and prints what each file's hash is.
///
/// # Errors
/// Names what is not the same, or does not build.
pub fn run() -> Result<()> {
    let toolchain = setup::kernel_toolchain(None)?;
    setup::static_library()?;
    setup::packager()?;
    let date = dist::date::of_last_commit()
        .context("only a commit can be reproduced: `git log` tells of none in this folder")?;
    let folder = workspace::root().join(FOLDER).join("release");
    copy::empty(&folder)?;
    // Folders of other lengths and depths; in the second, everything else lies elsewhere, too.
    let first = Place::of_last_commit("first build", &folder.join("first"), None, date)?;
    let second_at = folder.join("second/in/another/folder");
    let second = Place::of_last_commit("second build", &second_at, Some(&folder.join("elsewhere")), date)?;
    let [first, second] = [first.files(&toolchain)?, second.files(&toolchain)?];
    let pairs =
        first.into_iter().zip(second).map(|((what, one), (_, other))| Pair { what, built: [one, other] });
    for pair in pairs {
        let hash = pair.compare()?;
        println!("{hash}  {}", pair.built[0].file_name().unwrap_or_default().display());
    }
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))
}

/// Builds the program from a copy of this workspace in another folder, and compares it with the workspace's own.
///
/// What the crates of the workspace depend on is not built again: it lies outside the folder that is another. What was
/// built from the copy is kept, so that another time only what has changed is built.
///
/// # Errors
/// Names what is not the same, or does not build.
pub fn check() -> Result<()> {
    let toolchain = setup::kernel_toolchain(None)?;
    setup::static_library()?;
    let program = dist::build()?;
    let folder = workspace::root().join(FOLDER).join("test");
    let copied = folder.join("copy");
    let built = folder.join("built");
    step("copy", || {
        let changed = copy::of_workspace(&copied)?;
        copy::hand_over_tools(&copied)?;
        Ok(((), format!("{}: {changed} files are new", workspace::shown(&copied))))
    })?;
    if !built.exists() {
        step("dependencies", || {
            copy::dependencies(&program, &built)?;
            Ok(((), "taken as they were built".to_owned()))
        })?;
    }
    let mut cargo = workspace::cargo();
    dist::steer(&mut cargo);
    cargo.current_dir(&copied).arg("--target-dir").arg(&built);
    let status = cargo.status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("scanwatch does not build in {}; cargo's messages stand above", copied.display());
    }
    let elsewhere = built.join(setup::static_target()).join("release/scanwatch");
    let objects = [workspace::root(), &copied].map(|root| kernel_object(&toolchain, root));
    for pair in [
        Pair { what: "kernel object", built: objects },
        Pair { what: "program", built: [program, elsewhere] },
    ] {
        step(pair.what, || Ok(((), format!("the same in both folders: {}", pair.compare()?))))?;
    }
    Ok(())
}

/// A clean copy of the last commit, and where its own release was built.
struct Place {
    root: PathBuf,
    target: PathBuf,
}

impl Place {
    /// Copies the last commit to `root` and makes its packages there by its own `cargo xtask dist`; build folder and
    /// home of cargo are in `elsewhere`, if there is one.
    fn of_last_commit(name: &str, root: &Path, elsewhere: Option<&Path>, date: u64) -> Result<Self> {
        let target = elsewhere.map_or_else(|| root.join("target"), |folder| folder.join("built"));
        step(name, || {
            copy::of_last_commit(root)?;
            copy::hand_over_tools(root)?;
            let mut cargo = workspace::cargo();
            cargo.args(["xtask", "dist"]).current_dir(root);
            cargo.env("CARGO_TARGET_DIR", &target).env(dist::date::VARIABLE, date.to_string());
            if let Some(elsewhere) = elsewhere {
                let home = elsewhere.join("home");
                copy::home_of_cargo(&home)?;
                cargo.env("CARGO_HOME", home);
            }
            run_logged(&mut cargo, &root.with_extension("log"), BUILD_LIMIT)?;
            Ok((Self { root: root.to_owned(), target }, workspace::shown(root).to_string()))
        })
    }

    /// What was built, with the name of each.
    fn files(&self, toolchain: &KernelToolchain) -> Result<Vec<(&'static str, PathBuf)>> {
        let program = self.target.join(setup::static_target()).join("release/scanwatch");
        let packages = dist::made(&self.root)?;
        Ok(vec![
            ("kernel object", kernel_object(toolchain, &self.root)),
            ("program", program),
            ("Debian package", packages.deb),
            ("archive", packages.archive),
        ])
    }
}

/// The kernel object of the workspace at `root`, as it was built last.
fn kernel_object(toolchain: &KernelToolchain, root: &Path) -> PathBuf {
    KernelToolchain::object(&toolchain.build_dir(root), PROGRAMS[0])
}

impl Pair {
    /// The SHA-256 of both; an error where they differ.
    fn compare(&self) -> Result<String> {
        let [one, other] = &self.built;
        let read =
            |path: &PathBuf| fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
        if let Some(at) = first_difference(&read(one)?, &read(other)?) {
            bail!(
                "the {} is another in another folder, from byte {at} on; `diffoscope {} {}` shows what differs",
                self.what,
                one.display(),
                other.display()
            );
        }
        let told = output(Command::new("sha256sum").arg(one))?;
        Ok(told.split_whitespace().next().unwrap_or_default().to_owned())
    }
}

/// Where two files are no longer the same; `None` where they are to their ends.
fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let differs = one.iter().zip(other).position(|(a, b)| a != b);
    differs.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_differs_is_found_also_behind_the_end_of_one() {
        assert_eq!(first_difference(b"same", b"same"), None);
        assert_eq!(first_difference(b"sAme", b"same"), Some(1));
        assert_eq!(first_difference(b"same", b"same and more"), Some(4));
        assert_eq!(first_difference(b"", b"x"), Some(0));
    }

    #[test]
    fn files_that_differ_are_named_and_equal_ones_have_one_hash() {
        let folder = std::env::temp_dir().join(format!("xtask-reproduce-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.join(name));
        fs::write(&one, "abc").unwrap();
        fs::write(&other, "abc").unwrap();
        let pair = Pair { what: "program", built: [one, other.clone()] };
        // The example of FIPS 180-2, appendix B.1.
        assert_eq!(
            pair.compare().unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        fs::write(other, "abd").unwrap();
        let refused = format!("{:#}", pair.compare().unwrap_err());
        fs::remove_dir_all(folder).unwrap();
        assert!(refused.starts_with("the program is another in another folder, from byte 2 on"), "{refused}");
    }
}
