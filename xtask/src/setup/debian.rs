//! The second way: Debian's rustc-web, which comes with `core` for BPF ready-made.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Compiler, CompilerVersion, Source, TOOLS_DIR, apt, linker};
use crate::kernel_object::{KernelToolchain, TARGET};
use crate::step::step;
use crate::workspace;

const COMPILER_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";

/// The LLVM that Debian's compiler had last; what is installed is decided by the compiler itself.
const LLVM_MAJOR_KNOWN: u32 = 22;

/// Finds or installs Debian's compiler with its BPF library, and a linker against Debian's LLVM.
pub(super) fn prepare() -> Result<KernelToolchain> {
    let compiler = step("Debian's compiler", find_compiler)?;
    let llvm = step("Debian's LLVM", || find_llvm(compiler.version.llvm_major))?;
    let tools = workspace::root().join(TOOLS_DIR).join(linker::root_name(&compiler));
    let prefix = llvm_prefix(compiler.version.llvm_major);
    let bpf_linker = step("bpf-linker", || linker::prepare(&compiler, &tools, &prefix))?;
    Ok(KernelToolchain {
        source: Source::Debian.name().to_owned(),
        cargo: compiler.cargo,
        rustc: compiler.rustc,
        rustc_version: compiler.version.line,
        builds_core: false,
        llvm,
        bpf_linker,
    })
}

/// What a person types where we may not install.
pub(super) fn by_hand() -> String {
    let llvm = llvm_package(LLVM_MAJOR_KNOWN);
    apt::by_hand(COMPILER_PACKAGES.iter().copied().chain([llvm.as_str()]))
}

fn find_compiler() -> Result<(Compiler, String)> {
    let mut did = "";
    // An old one is brought up to date, as one that is missing.
    if !has_compiler() || CompilerVersion::ask(Path::new(RUSTC)).is_err() {
        apt::install(COMPILER_PACKAGES)?;
        did = ", installed";
    }
    if !has_compiler() {
        bail!("{} are installed, but {RUSTC} has no core for {TARGET}", COMPILER_PACKAGES.join(" "));
    }
    let version = CompilerVersion::ask(Path::new(RUSTC))?;
    let done = format!("{}, LLVM {}{did}", version.line, version.llvm);
    Ok((Compiler { source: Source::Debian, cargo: CARGO.into(), rustc: RUSTC.into(), version }, done))
}

/// Whether all three packages are there: another compiler than rustc-web has no `core` for BPF.
fn has_compiler() -> bool {
    let library = Path::new("/usr/lib/rustlib").join(TARGET).join("lib");
    let has_core = fs::read_dir(library).is_ok_and(|entries| {
        entries
            .filter_map(Result::ok)
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
    });
    has_core && Path::new(RUSTC).exists() && Path::new(CARGO).exists()
}

/// The LLVM library of the compiler's own major version: older ones do not read what it writes.
fn find_llvm(major: u32) -> Result<(PathBuf, String)> {
    let link = llvm_prefix(major).join("lib/libLLVM.so");
    let mut did = "";
    if !link.exists() {
        apt::install(&[&llvm_package(major)])?;
        did = ", installed";
    }
    let library = link.canonicalize().with_context(|| format!("{} is not there", link.display()))?;
    let done = format!("{}{did}", library.display());
    Ok((library, done))
}

fn llvm_package(major: u32) -> String {
    format!("llvm-{major}-dev")
}

fn llvm_prefix(major: u32) -> PathBuf {
    format!("/usr/lib/llvm-{major}").into()
}
