//! Programs from crates.io, built for this workspace alone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::TOOLS_DIR;
use crate::step::{output, run_logged, step};
use crate::workspace;

/// Building one takes a minute or two on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(20);

/// Environment of `cargo install`. What works for seconds is not worth compiling as its own profile asks: with all
/// optimisation, and often of the whole in one piece.
const SOON_BUILT: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

/// A subcommand of cargo, as it is named and built.
struct Program {
    name: &'static str,
    /// The release we build: what it makes, or finds, changes with it.
    release: &'static str,
}

/// Makes the Debian package.
const PACKAGER: Program = Program { name: "cargo-deb", release: "3.8" };

/// Judges the dependencies.
const JUDGE: Program = Program { name: "cargo-deny", release: "0.20" };

/// Builds the fuzz targets; what it gives the compiler changes with its release.
const FUZZER: Program = Program { name: "cargo-fuzz", release: "0.13" };

/// The path of cargo-deb, built first where it is not there; says so as a step.
pub fn packager() -> Result<PathBuf> {
    PACKAGER.prepare()
}

/// The path of cargo-deny, built first where it is not there; says so as a step.
pub fn judge_of_dependencies() -> Result<PathBuf> {
    JUDGE.prepare()
}

/// The path of cargo-fuzz, built first where it is not there; says so as a step.
pub fn fuzzer() -> Result<PathBuf> {
    FUZZER.prepare()
}

impl Program {
    fn prepare(&self) -> Result<PathBuf> {
        step(self.name, || {
            let root = workspace::root().join(TOOLS_DIR).join(self.name);
            let program = root.join("bin").join(self.name);
            if let Ok(version) = self.works(&program) {
                return Ok((program, version));
            }
            let build_dir = root.join("build");
            let mut cargo = workspace::cargo();
            cargo
                .args(["install", self.name, "--locked", "--force"])
                .args(["--version", &format!("^{}", self.release)])
                .arg("--root")
                .arg(&root)
                .arg("--target-dir")
                .arg(&build_dir)
                .envs(SOON_BUILT);
            run_logged(&mut cargo, &root.join("build.log"), BUILD_LIMIT)?;
            std::fs::remove_dir_all(&build_dir)?;
            let version = self.works(&program)?;
            Ok((program, format!("{version} built in {}", workspace::shown(&root))))
        })
    }

    /// The version of the program; an error where it does not start, or is of another release.
    fn works(&self, program: &Path) -> Result<String> {
        let version = output(Command::new(program).arg("--version"))?;
        let number = version.rsplit(' ').next().unwrap_or_default();
        if !number.starts_with(&format!("{}.", self.release)) {
            bail!("{} is {version}, not {}", program.display(), self.release);
        }
        Ok(format!("{} {number}", self.name))
    }
}
