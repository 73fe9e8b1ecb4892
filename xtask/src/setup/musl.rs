//! The standard library for programs that are linked statically, by rustup.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::TOOLS_DIR;
use crate::step::{output, run_logged, step};
use crate::workspace;

/// A download that takes longer is taken for one that hangs.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(10);

/// The target of static programs for this machine.
#[must_use]
pub fn static_target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Makes sure that the compiler that builds the workspace can build for [`static_target`]; says so as a step.
///
/// # Errors
/// Where it cannot: the command to type.
pub fn static_library() -> Result<()> {
    step("static library", || {
        let target = static_target();
        let folder = library(&target)?;
        if folder.is_dir() {
            return Ok(((), format!("{target} found")));
        }
        let by_hand = format!("rustup target add {target}");
        let rustup = workspace::find_program("rustup").with_context(|| {
            format!(
                "A package holds a static program, and this compiler cannot make one: install rustup, and run `{by_hand}`"
            )
        })?;
        let log = workspace::root().join(TOOLS_DIR).join("musl.log");
        // With the environment that cargo gave us, so that it is added to the toolchain that is in use.
        let mut add = Command::new(rustup);
        add.args(["target", "add", &target]).current_dir(workspace::root());
        run_logged(&mut add, &log, DOWNLOAD_LIMIT)
            .with_context(|| format!("The static library cannot be had; run `{by_hand}`"))?;
        if !folder.is_dir() {
            bail!(
                "{target} was added, but to another compiler than the one in use; run `{by_hand}` for that one"
            );
        }
        Ok(((), format!("{target} added")))
    })
}

/// Where the compiler that cargo uses has the library of `target`, whether it is there or not.
fn library(target: &str) -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    let sysroot = output(rustc.args(["--print", "sysroot"]).current_dir(workspace::root()))?;
    Ok(Path::new(&sysroot).join("lib/rustlib").join(target).join("lib"))
}
