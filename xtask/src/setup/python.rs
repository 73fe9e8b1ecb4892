//! Programs in Python that the tests compare with, each set in a virtual environment of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{TOOLS_DIR, apt};
use crate::step::{output, run_logged, step};
use crate::workspace;

/// The Debian package without which Python makes no environments.
const VENV_PACKAGE: &str = "python3-venv";
const INSTALL_LIMIT: Duration = Duration::from_mins(5);

/// The Python of the environment `name`, which holds `packages`, each with its version as in `jsonschema==4.26.0`.
///
/// # Errors
/// Where there is no Python, or a package cannot be had: what failed, and where its output is.
pub fn python(name: &str, packages: &[&str]) -> Result<PathBuf> {
    step("Python packages", || {
        let folder = workspace::root().join(TOOLS_DIR).join(format!("python-{name}"));
        let python = folder.join("bin/python");
        // Written last: a set-up that was broken off is none.
        let record = folder.join("packages");
        let wanted = packages.join("\n");
        if fs::read_to_string(&record).is_ok_and(|found| found == wanted) {
            return Ok((python, format!("{} found", packages.join(" "))));
        }
        make(&folder)?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"]).args(packages);
        run_logged(&mut pip, &folder.join("pip.log"), INSTALL_LIMIT)?;
        fs::write(&record, wanted).with_context(|| format!("{} cannot be written", record.display()))?;
        Ok((python, format!("{} installed", packages.join(" "))))
    })
}

/// Makes an empty environment, with Debian's package for it where Python lacks that.
fn make(folder: &PathBuf) -> Result<()> {
    let venv = || output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if venv().is_ok() {
        return Ok(());
    }
    let by_hand = || format!("Python makes no environments here; run `{}`", apt::by_hand([VENV_PACKAGE]));
    apt::install(&[VENV_PACKAGE]).with_context(by_hand)?;
    venv().with_context(by_hand).map(drop)
}
