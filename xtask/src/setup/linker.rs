//! bpf-linker, built for this workspace alone against the LLVM of the compiler whose output it reads.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::Compiler;
use crate::kernel_object::clean_command;
use crate::step::{output, run_logged};
use crate::workspace;

/// The release we build; what its output looks like to the verifier changes with it.
const RELEASE: &str = "0.13";

/// The LLVM versions that this release has features for.
const LLVM_MAJORS: RangeInclusive<u32> = 21..=23;

/// Building it takes one minute on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(20);

/// The folder for a compiler's linker: a linker must not be older than its compiler, so LLVM's major is in the name.
pub(super) fn root_name(compiler: &Compiler) -> String {
    format!("{}-llvm-{}", compiler.source.name(), compiler.version.llvm_major)
}

/// The linker in the folder `root`, built first against the LLVM under `llvm_prefix` where it is not there.
pub(super) fn prepare(compiler: &Compiler, root: &Path, llvm_prefix: &Path) -> Result<(PathBuf, String)> {
    let program = root.join("bin/bpf-linker");
    if let Ok(version) = works(&program) {
        return Ok((program, version));
    }
    let llvm_major = compiler.version.llvm_major;
    if !LLVM_MAJORS.contains(&llvm_major) {
        bail!(
            "bpf-linker {RELEASE} knows LLVM {} to {}, and this compiler has {llvm_major}",
            LLVM_MAJORS.start(),
            LLVM_MAJORS.end()
        );
    }
    let build_dir = root.join("build");
    let mut cargo = clean_command(&compiler.cargo);
    cargo
        .args(["install", "bpf-linker", "--locked", "--force", "--no-default-features"])
        .args(["--version", &format!("^{RELEASE}"), "--features", &format!("llvm-{llvm_major}")])
        .arg("--root")
        .arg(root)
        .arg("--target-dir")
        .arg(&build_dir)
        .env("RUSTC", &compiler.rustc)
        .env("LLVM_PREFIX", llvm_prefix);
    run_logged(&mut cargo, &root.join("bpf-linker.log"), BUILD_LIMIT)?;
    std::fs::remove_dir_all(&build_dir)?;
    let version = works(&program)?;
    Ok((
        program,
        format!("{version} built against LLVM {} in {}", compiler.version.llvm, workspace::shown(root)),
    ))
}

/// The version of the linker at `program`; an error where it does not start, as when its LLVM is gone.
pub(super) fn works(program: &Path) -> Result<String> {
    let version = output(Command::new(program).arg("--version").env_remove("LD_LIBRARY_PATH"))?;
    if !version.starts_with(&format!("bpf-linker {RELEASE}.")) {
        bail!("{} is {version}, not {RELEASE}", program.display());
    }
    Ok(version)
}
