//! How a kernel program becomes an object file: the recorded toolchain, and the nested cargo that uses it.
//!
//! One file for two programs: xtask, which records the toolchain, and scanwatch's build script, which builds with
//! it. So it names nothing but `std`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kernel programs that scanwatch embeds: `[[bin]]` names of scanwatch-ebpf.
pub const PROGRAMS: &[&str] = &["scanwatch"];

/// The compilation target of every kernel program.
pub const TARGET: &str = "bpfel-unknown-none";

/// The instruction set: v3 has 32-bit operations and jumps, which every kernel from 5.15 on verifies; v4 needs 6.6.
/// Stated because rustc's default for this target leaves the 32-bit operations out.
const CPU: &str = "v3";

/// How what is built shows cargo's home, which is another for everybody who builds.
pub const CARGO_HOME_SHOWN: &str = "/cargo";

/// How it shows the sources of the standard library.
const RUST_SHOWN: &str = "/rust";

/// Where the set-up is recorded, from the root of the workspace. Not under `CARGO_TARGET_DIR`: one set-up serves
/// every build folder.
const RECORD: &str = "target/kernel-toolchain";

/// Where nested builds go, from the root of the workspace: shared by debug, release and editor builds.
const BUILD_DIR: &str = "target/bpf";

/// A compiler that has `core` for BPF, and a linker for what it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelToolchain {
    /// Which way it was found: `rustup` or `debian`. Also names its build folder.
    pub source: String,
    /// cargo, by absolute path.
    pub cargo: PathBuf,
    /// rustc, by absolute path.
    pub rustc: PathBuf,
    /// The first line of `rustc --version`, to notice an upgrade.
    pub rustc_version: String,
    /// Whether `core` is compiled from rust-src (`true`) or comes ready-made with the compiler.
    pub builds_core: bool,
    /// The LLVM library that the linker loads.
    pub llvm: PathBuf,
    /// bpf-linker, by absolute path.
    pub bpf_linker: PathBuf,
}

impl KernelToolchain {
    /// Where the record lies in the workspace at `root`.
    #[must_use]
    pub fn record(root: &Path) -> PathBuf {
        root.join(RECORD)
    }

    /// Reads the record of the workspace at `root`.
    ///
    /// # Errors
    /// What is wrong, to be followed by what to do: no record, a damaged one, or one that names files that are gone.
    pub fn read(root: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(Self::record(root))
            .map_err(|_| "The kernel toolchain is not set up".to_owned())?;
        let toolchain = Self::parse(&text).ok_or("The record of the kernel toolchain is damaged")?;
        if let Some(gone) = toolchain.files().into_iter().find(|file| !file.exists()) {
            return Err(format!("{} of the kernel toolchain is gone", gone.display()));
        }
        Ok(toolchain)
    }

    /// The files without which this toolchain does not work.
    #[must_use]
    pub fn files(&self) -> [&Path; 4] {
        [&self.cargo, &self.rustc, &self.llvm, &self.bpf_linker]
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
        };
        Some(Self {
            source: value("source")?,
            cargo: value("cargo")?.into(),
            rustc: value("rustc")?.into(),
            rustc_version: value("rustc_version")?,
            builds_core: value("builds_core")? == "true",
            llvm: value("llvm")?.into(),
            bpf_linker: value("bpf_linker")?.into(),
        })
    }

    /// The folder for this toolchain's nested builds in the workspace at `root`.
    #[must_use]
    pub fn build_dir(&self, root: &Path) -> PathBuf {
        root.join(BUILD_DIR).join(&self.source)
    }

    /// The cargo call that builds kernel `programs` of the package at `manifest` into `build_dir`.
    ///
    /// `arch` is the processor the programs will run under, as in `CARGO_CFG_TARGET_ARCH`: aya-ebpf's register
    /// names depend on it. The environment is cleaned of what an outer cargo, clippy or editor has set for itself,
    /// and the profile is fixed, whatever the workspace's own release profile asks of host programs.
    #[must_use]
    pub fn cargo_build(&self, manifest: &Path, programs: &[&str], arch: &str, build_dir: &Path) -> Command {
        let mut cargo = clean_command(&self.cargo);
        cargo.args(["build", "--release", "--target", TARGET]);
        cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(build_dir);
        for program in programs {
            cargo.args(["--bin", program]);
        }
        if self.builds_core {
            cargo.arg("-Zbuild-std=core");
        } else {
            // The distribution's compiler counts as stable; aya-ebpf asks for one unstable feature.
            cargo.env("RUSTC_BOOTSTRAP", "1");
        }
        let flags = [
            format!("--cfg=bpf_target_arch=\"{arch}\""),
            format!("-Ctarget-cpu={CPU}"),
            "-Clink-arg=--btf".to_owned(),
        ];
        let flags = flags.into_iter().chain(self.remap_flags(manifest)).collect::<Vec<_>>();
        cargo.env("RUSTC", &self.rustc).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        // No flag: cargo hashes flags into the names of symbols, and the linker's path is this folder's.
        cargo.env(format!("CARGO_TARGET_{}_LINKER", variable_form(TARGET)), &self.bpf_linker);
        // BTF is made from full debug information; bpf-linker alone does the link-time optimisation.
        for (key, value) in [("OPT_LEVEL", "3"), ("DEBUG", "2"), ("LTO", "off"), ("CODEGEN_UNITS", "1")] {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        cargo.env("CARGO_PROFILE_RELEASE_STRIP", "none");
        cargo
    }

    /// The flags by which debug information, and with it BTF, names files the same way wherever they lie: those of the
    /// workspace of `manifest` from its root, those of cargo's home and of the compiler below a name of their own.
    fn remap_flags(&self, manifest: &Path) -> Vec<String> {
        let root = manifest.ancestors().nth(2).map(|root| (root.to_owned(), "."));
        // As rustup and Debian lay it out: `<sysroot>/bin/rustc`.
        let sysroot =
            self.rustc.ancestors().nth(2).map(|root| (root.join("lib/rustlib/src/rust"), RUST_SHOWN));
        let home = cargo_home().map(|home| (home, CARGO_HOME_SHOWN));
        // The last one that fits is taken: a workspace may lie in somebody's home.
        [home, sysroot, root].into_iter().flatten().map(|(path, shown)| remap_flag(&path, shown)).collect()
    }

    /// Where [`Self::cargo_build`] leaves `program`.
    #[must_use]
    pub fn object(build_dir: &Path, program: &str) -> PathBuf {
        build_dir.join(TARGET).join("release").join(program)
    }
}

/// The flag by which what rustc writes shows `path` as `shown`.
#[must_use]
pub fn remap_flag(path: &Path, shown: &str) -> String {
    format!("--remap-path-prefix={}={shown}", path.display())
}

/// Where cargo keeps the sources of crates; `None` where neither `CARGO_HOME` nor `HOME` says.
#[must_use]
pub fn cargo_home() -> Option<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    named.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

/// `name` as it stands in the names of cargo's variables.
fn variable_form(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// A command without the environment by which an outer cargo steers its own compilers.
///
/// Kept of cargo's variables: where its home is, and how it reaches registries.
#[must_use]
pub fn clean_command(program: &Path) -> Command {
    const STEERING: &[&str] =
        &["RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTDOCFLAGS", "RUSTC_BOOTSTRAP", "RUSTUP_TOOLCHAIN"];
    const KEPT: &[&str] = &["CARGO_HOME", "CARGO_MAKEFLAGS"];
    const KEPT_PREFIXES: &[&str] =
        &["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_TERM_"];
    let steers = |key: &OsStr| {
        let Some(key) = key.to_str() else { return false };
        let kept = KEPT.contains(&key) || KEPT_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
        // rustup and cargo put their own libraries first in LD_LIBRARY_PATH: the wrong ones for another compiler.
        STEERING.contains(&key) || key == "LD_LIBRARY_PATH" || (key.starts_with("CARGO") && !kept)
    };
    let mut command = Command::new(program);
    for (key, _) in std::env::vars_os().filter(|(key, _)| steers(key)) {
        command.env_remove(key);
    }
    // An empty wrapper also overrides one from the user's configuration: clippy's, or a cache without BPF.
    command.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    command
}
