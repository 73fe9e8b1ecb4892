//! Builds the kernel programs and leaves each in `OUT_DIR` as `<program>.o`, to be embedded.
//!
//! Needs no rights and no network beyond cargo's own; what it needs is found by `cargo xtask setup`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

#[path = "../xtask/src/kernel_object.rs"]
mod kernel_object;

use kernel_object::{KernelToolchain, PROGRAMS};

/// What the objects are made from, from the root of the workspace.
const SOURCES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "scanwatch-common/Cargo.toml",
    "scanwatch-common/src",
    "scanwatch-ebpf/Cargo.toml",
    "scanwatch-ebpf/src",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    // At run time: two checkouts that share a build folder also share this compiled script.
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = package.parent().ok_or("The crate lies outside its workspace.")?;
    let toolchain =
        KernelToolchain::read(root).map_err(|reason| format!("{reason}; run `cargo xtask setup`."))?;
    for path in SOURCES.iter().map(|source| root.join(source)).chain([KernelToolchain::record(root)]) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    for file in toolchain.files() {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    if variable("CARGO_CFG_TARGET_ENDIAN")? != "little" {
        return Err("scanwatch's kernel programs are built for little-endian machines only.".to_owned());
    }

    let build_dir = toolchain.build_dir(root);
    compile(root, &toolchain, &build_dir)?;
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    for program in PROGRAMS {
        let object = KernelToolchain::object(&build_dir, program);
        fs::copy(&object, out_dir.join(format!("{program}.o"))).map_err(|error| {
            format!("{} cannot be copied to {}: {error}", object.display(), out_dir.display())
        })?;
    }
    Ok(())
}

fn compile(root: &Path, toolchain: &KernelToolchain, build_dir: &Path) -> Result<(), String> {
    let manifest = root.join("scanwatch-ebpf/Cargo.toml");
    let mut cargo =
        toolchain.cargo_build(&manifest, PROGRAMS, &variable("CARGO_CFG_TARGET_ARCH")?, build_dir);
    if root.join("Cargo.lock").exists() {
        cargo.arg("--locked");
    }
    let output =
        cargo.output().map_err(|error| format!("{} cannot be run: {error}", toolchain.cargo.display()))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!(
            "{messages}\nThe kernel programs do not build; the compiler's messages stand above."
        ));
    }
    // Cargo shows nothing of a build script that succeeds but what it passes on: the warnings about our own lines.
    for message in messages.split("\n\n").filter(|message| message.contains("--> scanwatch-")) {
        let from = message.find("warning:").unwrap_or(0);
        message[from..].lines().for_each(|line| println!("cargo::warning={line}"));
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: this build script is run by cargo."))
}
