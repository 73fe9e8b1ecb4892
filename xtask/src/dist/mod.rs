//! `cargo xtask dist`: one static program, and the package and the archive that hold it.

mod archive;
pub(crate) mod date;
mod elf;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::kernel_object::{CARGO_HOME_SHOWN, cargo_home, remap_flag};
use crate::setup;
use crate::step::{run_logged, step};
use crate::workspace;

/// Where everything goes, from the root of the workspace. The Debian package's table in scanwatch-user/Cargo.toml names
/// what is generated here.
const FOLDER: &str = "target/dist";

/// Time that packing may take; compressing takes most of it.
const PACK_LIMIT: Duration = Duration::from_mins(5);

/// What was made.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The Debian package.
    pub deb: PathBuf,
    /// The archive for everybody else.
    pub archive: PathBuf,
}

/// Builds the program and both packages, and prints their paths on standard output.
pub fn run() -> Result<()> {
    let packages = packages()?;
    println!("{}\n{}", packages.deb.display(), packages.archive.display());
    Ok(())
}

/// Builds the program and both packages; sets up first what is needed.
pub fn packages() -> Result<Packages> {
    setup::kernel_toolchain(None)?;
    setup::static_library()?;
    let packager = setup::packager()?;
    let program = build()?;
    let date = step("date of the files", date::find)?;
    let folder = workspace::root().join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    let generated = folder.join("generated");
    step("man pages, completions", || {
        let mut generate = Command::new(&program);
        generate.arg("generate").arg(&generated);
        run_logged(&mut generate, &folder.join("generate.log"), PACK_LIMIT)?;
        let pages = fs::read_dir(generated.join("man"))?.count();
        Ok(((), format!("{pages} pages; bash, zsh, fish")))
    })?;
    let deb = step("Debian package", || pack(&packager, &folder, date))?;
    let archive = step("archive", || archive::pack(&program, &generated, &folder, date))?;
    Ok(Packages { deb, archive })
}

/// Builds the program for [`setup::static_target`], and makes sure that it is static.
pub(crate) fn build() -> Result<PathBuf> {
    let target = setup::static_target();
    let mut cargo = workspace::cargo();
    steer(&mut cargo);
    let status = cargo.status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("scanwatch does not build for {target}; cargo's messages stand above");
    }
    let built = workspace::binary(&format!("{target}/release"))?;
    step("static program", || {
        let bytes = fs::read(&built).with_context(|| format!("{} cannot be read", built.display()))?;
        if !elf::is_static(&bytes) {
            bail!("{} asks for a dynamic linker, and is to run without one", built.display());
        }
        Ok(((), format!("{} MB, asks for no library", bytes.len() / 1_000_000)))
    })?;
    Ok(built)
}

/// Makes a call of cargo build the program, such that the bytes depend on the sources and the compiler alone.
pub(crate) fn steer(cargo: &mut Command) {
    let target = setup::static_target();
    cargo.args(["build", "--package", "scanwatch", "--release", "--target", &target]);
    // Messages of panics name the files of crates, which lie in the home of whoever builds. Flags of the builder's own
    // would be in what everybody gets.
    if let Some(home) = cargo_home() {
        cargo.env("CARGO_ENCODED_RUSTFLAGS", remap_flag(&home, CARGO_HOME_SHOWN));
    }
    // Parts of a library for cryptography are in C and need no C library: any compiler will do.
    let compiler = format!("CC_{}", target.replace('-', "_"));
    if env::var_os(&compiler).is_none() {
        cargo.env(compiler, "cc");
    }
}

fn pack(packager: &Path, folder: &Path, date: u64) -> Result<(PathBuf, String)> {
    let mut command = Command::new(packager);
    command
        .args(["--package", "scanwatch", "--target", &setup::static_target(), "--no-build", "--no-strip"])
        .arg("--output")
        .arg(folder)
        .env(date::VARIABLE, date.to_string())
        .current_dir(workspace::root());
    run_logged(&mut command, &folder.join("cargo-deb.log"), PACK_LIMIT)?;
    let deb = ending(folder, "deb").context("cargo-deb made no package")?;
    let size = fs::metadata(&deb)?.len();
    let done = format!("{}, {} MB", workspace::shown(&deb), size / 1_000_000);
    Ok((deb, done))
}

/// What was made last from the workspace at `root`.
pub(crate) fn made(root: &Path) -> Result<Packages> {
    let folder = root.join(FOLDER);
    let find = |kind| ending(&folder, kind).with_context(|| format!("{} has no .{kind}", folder.display()));
    Ok(Packages { deb: find("deb")?, archive: find("gz")? })
}

/// The file in `folder` whose name ends with `.kind`.
fn ending(folder: &Path, kind: &str) -> Option<PathBuf> {
    let mut paths = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.find(|path| path.extension().is_some_and(|extension| extension == kind))
}
