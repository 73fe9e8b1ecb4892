//! The emulator of whole machines.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::unistd::geteuid;

use super::archive::Archive;
use super::{TOOLS_DIR, apt};
use crate::step::{output, step};
use crate::workspace;

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// The path of the emulator, installed first where it is not there; says so as a step.
///
/// # Errors
/// Where it cannot be installed: why, and the command to type.
pub fn emulator() -> Result<PathBuf> {
    step("emulator", || {
        let mut did = "";
        if workspace::find_program(PROGRAM).is_none() {
            install().with_context(|| format!("There is no {PROGRAM}; run `{}`", apt::by_hand([PACKAGE])))?;
            did = ", installed";
        }
        let path = workspace::find_program(PROGRAM)
            .with_context(|| format!("{PACKAGE} is installed, but {PROGRAM} is not found"))?;
        let version = output(Command::new(&path).arg("--version"))?;
        let version = version.lines().next().unwrap_or_default().to_owned();
        Ok((path, format!("{version}{did}")))
    })
}

/// Installs it from the machine's own sources; where parts of another version are installed already, which came from the
/// release's backports, from there.
fn install() -> Result<()> {
    let Err(refused) = apt::install(&[PACKAGE]) else { return Ok(()) };
    let release = super::archive::codename();
    if release.is_empty() || !geteuid().is_root() {
        return Err(refused);
    }
    let backports = format!("{release}-backports");
    let folder = workspace::root().join(TOOLS_DIR).join("backports");
    let archive = Archive::open(&folder, &[&release, &format!("{release}-updates"), &backports]);
    archive
        .and_then(|archive| apt::install_from(&archive, &backports, &[PACKAGE]))
        .with_context(|| format!("{refused:#}"))
}
