//! The first way: a rustup nightly that compiles `core` from rust-src.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, os::unix};

use anyhow::{Context as _, Result, bail};

use super::{Compiler, CompilerVersion, Source, TOOLS_DIR, linker, system_command};
use crate::kernel_object::KernelToolchain;
use crate::step::{output, run_logged, step};
use crate::workspace;

/// What installs a nightly with rust-src.
pub(super) const INSTALL: &str = "rustup toolchain install nightly --profile minimal --component rust-src";

/// A download that takes longer is taken for one that hangs.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(10);

/// Finds or installs a nightly with rust-src, and a linker against that nightly's own LLVM.
pub(super) fn prepare() -> Result<KernelToolchain> {
    let (compiler, llvm) = step("rustup nightly", find_compiler)?;
    let tools = workspace::root().join(TOOLS_DIR).join(linker::root_name(&compiler));
    let bpf_linker = step("bpf-linker", || {
        let prefix = tools.join("llvm");
        link_llvm(&prefix, &llvm)?;
        linker::prepare(&compiler, &tools, &prefix)
    })?;
    Ok(KernelToolchain {
        source: Source::Rustup.name().to_owned(),
        cargo: compiler.cargo,
        rustc: compiler.rustc,
        rustc_version: compiler.version.line,
        builds_core: true,
        llvm,
        bpf_linker,
    })
}

fn find_compiler() -> Result<((Compiler, PathBuf), String)> {
    let mut did = String::new();
    if system_command("rustup").is_none() {
        bail!("rustup is not installed");
    }
    let rustc = if let Ok(rustc) = which("rustc") {
        rustc
    } else {
        install(&INSTALL.split(' ').skip(1).collect::<Vec<_>>())?;
        did += ", installed";
        which("rustc")?
    };
    let version = CompilerVersion::ask(&rustc)?;
    let sysroot = PathBuf::from(output(Command::new(&rustc).args(["--print", "sysroot"]))?);
    if !has_core_source(&sysroot) {
        install(&["component", "add", "rust-src", "--toolchain", "nightly"])?;
        did += ", rust-src added";
        if !has_core_source(&sysroot) {
            bail!("rust-src is added, but {} has no source of core", sysroot.display());
        }
    }
    let llvm = find_llvm(&sysroot)?;
    let done = format!("{}, LLVM {}{did}", version.line, version.llvm);
    let compiler = Compiler { source: Source::Rustup, cargo: which("cargo")?, rustc, version };
    Ok(((compiler, llvm), done))
}

fn rustup() -> Result<Command> {
    let mut rustup = system_command("rustup").context("rustup is not installed")?;
    // Asking for a toolchain must not install it on the side, without a time limit.
    rustup.env("RUSTUP_AUTO_INSTALL", "0");
    Ok(rustup)
}

/// The path of one of nightly's programs: its proxy costs time, and depends on the environment.
fn which(program: &str) -> Result<PathBuf> {
    output(rustup()?.args(["which", "--toolchain", "nightly", program])).map(PathBuf::from)
}

fn install(arguments: &[&str]) -> Result<()> {
    let log = workspace::root().join(TOOLS_DIR).join("rustup.log");
    run_logged(rustup()?.args(arguments), &log, DOWNLOAD_LIMIT)
}

fn has_core_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file()
}

/// The toolchain's LLVM: `lib/libLLVM.so.22.1-rust-1.97.0-nightly`.
fn find_llvm(sysroot: &Path) -> Result<PathBuf> {
    let folder = sysroot.join("lib");
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    entries
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("libLLVM.so."))
        .map(|entry| entry.path())
        .with_context(|| format!("{} has no shared LLVM library for bpf-linker", folder.display()))
}

/// Makes `prefix` look like an installed LLVM: `libLLVM.so` for the link, and the name it is loaded by.
fn link_llvm(prefix: &Path, llvm: &Path) -> Result<()> {
    let folder = prefix.join("lib64");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let loaded_as = llvm.file_name().context("LLVM's library has no name")?;
    for name in ["libLLVM.so".as_ref(), loaded_as] {
        unix::fs::symlink(llvm, folder.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_without_a_shared_llvm_is_refused_and_one_with_it_linked() {
        let root = std::env::temp_dir().join(format!("xtask-rustup-{}", std::process::id()));
        fs::create_dir_all(root.join("lib")).unwrap();
        fs::write(root.join("lib/libLLVM-22-rust-1.97.0-nightly.so"), "INPUT(…)").unwrap();
        assert!(find_llvm(&root).is_err());

        fs::write(root.join("lib/libLLVM.so.22.1-rust-1.97.0-nightly"), "").unwrap();
        let llvm = find_llvm(&root).unwrap();
        for _ in 0..2 {
            link_llvm(&root.join("prefix"), &llvm).unwrap();
        }
        for name in ["libLLVM.so", "libLLVM.so.22.1-rust-1.97.0-nightly"] {
            assert_eq!(fs::read_link(root.join("prefix/lib64").join(name)).unwrap(), llvm);
        }
        fs::remove_dir_all(root).unwrap();
    }
}
