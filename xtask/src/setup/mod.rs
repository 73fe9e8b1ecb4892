//! `cargo xtask setup`: what the kernel crate and the lab need, found or installed.
//!
//! The kernel crate needs `core` for BPF and a linker. Two ways lead there, tried in this order: a rustup nightly
//! ([`rustup`]), then Debian's compiler ([`debian`]). Each ends with a trial: a program compiled and linked. The
//! first that works is recorded for scanwatch's build script, and found again at once next time.

mod apt;
mod archive;
mod debian;
mod emulator;
mod kafka;
mod linker;
mod musl;
mod program;
mod python;
mod rustup;
mod source;
mod tools;
mod trial;

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::ValueEnum;

pub use archive::{Archive, Package};
pub use emulator::emulator;
pub use kafka::libraries_of_kafka;
pub use musl::{static_library, static_target};
pub use program::{fuzzer, judge_of_dependencies, packager};
pub use python::python;
pub use source::source_file;
pub use tools::{TOOLS, Tool, tools};

use crate::kernel_object::{KernelToolchain, clean_command};
use crate::step::{output, step};
use crate::workspace;

/// Where what is installed for this workspace alone goes, from its root.
const TOOLS_DIR: &str = "target/tools";

/// A way to a compiler that has `core` for BPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// A rustup nightly that compiles `core` from rust-src.
    Rustup,
    /// Debian's rustc-web, which comes with `core` ready-made.
    Debian,
}

impl Source {
    /// The name in the record, in folder names and in `--kernel-toolchain`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rustup => "rustup",
            Self::Debian => "debian",
        }
    }

    fn prepare(self) -> Result<KernelToolchain> {
        match self {
            Self::Rustup => rustup::prepare(),
            Self::Debian => debian::prepare(),
        }
    }

    /// What a person types where we may not install.
    fn by_hand(self) -> String {
        match self {
            Self::Rustup => rustup::INSTALL.to_owned(),
            Self::Debian => debian::by_hand(),
        }
    }
}

/// A compiler that was found: what the linker must fit, and what the record will say.
struct Compiler {
    source: Source,
    cargo: std::path::PathBuf,
    rustc: std::path::PathBuf,
    version: CompilerVersion,
}

/// What `rustc -vV` tells.
#[derive(Debug, PartialEq, Eq)]
struct CompilerVersion {
    /// The line of `rustc --version`.
    line: String,
    /// The minor number of the release: 95 for 1.95.0.
    minor: u32,
    /// LLVM's version, as `22.1.4`.
    llvm: String,
    /// LLVM's major number.
    llvm_major: u32,
}

/// The kernel toolchain, set up first where it is not; says each step.
///
/// `wanted` restricts it to one way. Returns at once where the record holds.
///
/// # Errors
/// Where neither way is open: why, and the commands to type.
pub fn kernel_toolchain(wanted: Option<Source>) -> Result<KernelToolchain> {
    let recorded = step("kernel toolchain", || {
        Ok(match recorded(wanted) {
            Ok(toolchain) => {
                let done = format!("{}: {}, bpf-linker", toolchain.source, toolchain.rustc_version);
                (Some(toolchain), done)
            }
            Err(reason) => (None, format!("{reason:#}")),
        })
    })?;
    if let Some(toolchain) = recorded {
        return Ok(toolchain);
    }
    let ways = wanted.map_or_else(|| vec![Source::Rustup, Source::Debian], |source| vec![source]);
    let mut reasons = Vec::new();
    for source in &ways {
        match source.prepare().and_then(|toolchain| trial::run(&toolchain).map(|()| toolchain)) {
            Ok(toolchain) => {
                record(&toolchain)?;
                return Ok(toolchain);
            }
            Err(reason) => {
                eprintln!("  {} is no way here: {reason:#}", source.name());
                reasons.push(format!("{}: {reason:#}", source.name()));
            }
        }
    }
    let commands: Vec<String> = ways.iter().map(|way| way.by_hand()).collect();
    bail!(
        "The kernel crate needs a compiler with `core` for BPF and bpf-linker, and there is no way to them here:\n  \
         {}\nRun one of these, then `cargo xtask setup` again:\n  {}",
        reasons.join("\n  "),
        commands.join("\n  ")
    )
}

/// The recorded toolchain, if it is of the wanted source, unchanged since, and its linker runs.
fn recorded(wanted: Option<Source>) -> Result<KernelToolchain> {
    let toolchain = KernelToolchain::read(workspace::root()).map_err(|reason| anyhow!(reason))?;
    if let Some(wanted) = wanted
        && wanted.name() != toolchain.source
    {
        bail!("set up by {}, wanted by {}", toolchain.source, wanted.name());
    }
    let version = output(clean_command(&toolchain.rustc).arg("--version"))?;
    if version != toolchain.rustc_version {
        bail!("the compiler is another now: {version}");
    }
    linker::works(&toolchain.bpf_linker)?;
    Ok(toolchain)
}

fn record(toolchain: &KernelToolchain) -> Result<()> {
    let path = KernelToolchain::record(workspace::root());
    let text = format!(
        "# The toolchain of the kernel crate. Written by `cargo xtask setup`, read by scanwatch's build script.\n\
         source={}\ncargo={}\nrustc={}\nrustc_version={}\nbuilds_core={}\nllvm={}\nbpf_linker={}\n",
        toolchain.source,
        toolchain.cargo.display(),
        toolchain.rustc.display(),
        toolchain.rustc_version,
        toolchain.builds_core,
        toolchain.llvm.display(),
        toolchain.bpf_linker.display(),
    );
    // Renamed into place: a build that reads at this moment finds the old record or the new one, never half of it.
    let draft = path.with_extension("new");
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, &path)).with_context(|| {
        format!("The record of the kernel toolchain cannot be written to {}", workspace::shown(&path))
    })
}

impl CompilerVersion {
    /// Asks `rustc`; an error where it is older than the workspace's own minimum.
    fn ask(rustc: &std::path::Path) -> Result<Self> {
        let version = Self::parse(&output(clean_command(rustc).arg("-vV"))?).with_context(|| {
            format!("`{} -vV` does not tell its release and LLVM version", rustc.display())
        })?;
        let needed = minor(env!("CARGO_PKG_RUST_VERSION")).context("the workspace states no rust-version")?;
        if version.minor < needed {
            bail!("{} is older than 1.{needed}, which scanwatch needs", version.line);
        }
        Ok(version)
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let llvm = value("LLVM version:")?;
        Some(Self {
            line: text.lines().next()?.to_owned(),
            minor: minor(value("release:")?)?,
            llvm: llvm.to_owned(),
            llvm_major: llvm.split('.').next()?.parse().ok()?,
        })
    }
}

/// The minor number of a version 1.x; those of rustc.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

/// A command on the PATH, without the environment of an outer cargo; `None` where it is not installed.
fn system_command(program: &str) -> Option<Command> {
    workspace::find_program(program).map(|path| clean_command(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIGHTLY: &str = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n\
                           release: 1.97.0-nightly\nLLVM version: 22.1.4\n";

    #[test]
    fn a_compiler_version_is_read_with_its_llvm() {
        let version = CompilerVersion::parse(NIGHTLY).unwrap();
        assert_eq!(version.line, "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)");
        assert_eq!((version.minor, version.llvm_major), (97, 22));
        assert_eq!(version.llvm, "22.1.4");
    }

    #[test]
    fn a_compiler_without_llvm_is_not_taken() {
        assert_eq!(CompilerVersion::parse("rustc 1.97.0\nrelease: 1.97.0\n"), None);
    }

    #[test]
    fn the_workspace_states_a_rust_version_that_compilers_are_held_to() {
        assert!(minor(env!("CARGO_PKG_RUST_VERSION")).is_some());
    }
}
