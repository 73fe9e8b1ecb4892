//! `cargo xtask deny`: licences, versions and origin of everything that is compiled in, by cargo-deny and deny.toml.
//!
//! Known vulnerabilities are not looked up here: their database changes without us, and is fetched from elsewhere.
//! docs/DEPENDENCIES.md has the command for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{setup, workspace};

/// What is looked at.
const CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

/// The rules, from the root.
const RULES: &str = "deny.toml";

/// An exception that nothing needs is an error in this workspace, of which the rules are.
const STRICT: &[&str] = &["--deny", "warnings"];

/// Another workspace has some of the same crates, and so needs some of the same exceptions.
const OF_OTHERS: &[&str] = &["--allow", "unmatched-skip", "--allow", "license-not-encountered"];

/// Licence exceptions name a crate, which may be another workspace's alone.
const FOR_ALL: &[&str] = &["--allow", "license-exception-not-encountered"];

/// Judges this workspace, and every one within it that has a lock file of its own.
///
/// # Errors
/// Where a rule does not hold: cargo-deny has then printed which, and by what.
pub fn run() -> Result<()> {
    let program = setup::judge_of_dependencies()?;
    let manifests = manifests(workspace::root(), &workspace::crates()?);
    for (manifest, strictness) in &manifests {
        let mut judge = command(&program, manifest, strictness);
        let status = judge.status().with_context(|| format!("`{}` cannot be run", program.display()))?;
        if !status.success() {
            bail!(
                "{} breaks rules of {RULES}, which say why they are; what depends on what stands above",
                workspace::shown(manifest)
            );
        }
    }
    Ok(())
}

fn command(program: &Path, manifest: &Path, strictness: &[&str]) -> Command {
    let mut judge = Command::new(program);
    judge.current_dir(workspace::root()).arg("--locked").arg("--manifest-path").arg(manifest);
    judge.arg("--config").arg(workspace::root().join(RULES));
    judge.arg("check").args(strictness).args(FOR_ALL).args(CHECKS);
    judge
}

/// The manifests of workspaces at `root`: its own, and those of `folders` with a lock file.
fn manifests(root: &Path, folders: &[String]) -> Vec<(PathBuf, &'static [&'static str])> {
    let others = folders.iter().map(|folder| root.join(folder));
    let others = others.filter(|folder| folder.join("Cargo.lock").is_file());
    let others = others.map(|folder| (folder.join("Cargo.toml"), OF_OTHERS));
    std::iter::once((root.join("Cargo.toml"), STRICT)).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_with_a_lock_file_of_its_own_is_judged_as_well() {
        let root = std::env::temp_dir().join(format!("xtask-deny-{}", std::process::id()));
        for folder in ["member", "other"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("other/Cargo.lock"), "").unwrap();
        let found = manifests(&root, &["member".to_owned(), "other".to_owned()]);
        fs::remove_dir_all(&root).unwrap();
        let expected = [(root.join("Cargo.toml"), STRICT), (root.join("other/Cargo.toml"), OF_OTHERS)];
        assert_eq!(found, expected);
    }
}
