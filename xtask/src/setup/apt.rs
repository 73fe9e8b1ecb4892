//! Debian's packages: installed where we may, and otherwise the exact command.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::unistd::geteuid;

use super::archive::Archive;
use super::{TOOLS_DIR, system_command};
use crate::step::{output, run_logged};
use crate::workspace;

/// A download that takes longer is taken for one that hangs.
const LIMIT: Duration = Duration::from_mins(15);

/// Which daemons a package may start is asked of this program, where it exists.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The command that installs `packages`, as a person would type it.
pub(super) fn by_hand<'a>(packages: impl IntoIterator<Item = &'a str>) -> String {
    let packages: Vec<&str> = packages.into_iter().collect();
    format!("apt-get update && apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs `packages`, removing none and starting no daemon.
///
/// # Errors
/// Where we may not, or apt-get fails: why, to be followed by the command for [`by_hand`].
pub(super) fn install(packages: &[&str]) -> Result<()> {
    if system_command("apt-get").is_none() {
        bail!("there is no apt-get here to install {}", packages.join(" "));
    }
    if !geteuid().is_root() {
        bail!("installing {} needs root", packages.join(" "));
    }
    let _no_daemons = NoDaemons::hold(Path::new(POLICY))?;
    let known = packages.iter().all(|package| is_known(package));
    if !known {
        update();
    }
    match (install_now(packages), known) {
        // Lists that name a version the mirror has dropped.
        (Err(_), true) => {
            update();
            install_now(packages)
        }
        (result, _) => result,
    }
    .with_context(|| format!("apt-get cannot install {}", packages.join(" ")))
}

/// Installs `packages` from the release `suite` of another archive than the machine's sources name, removing none and starting
/// no daemon.
pub(super) fn install_from(archive: &Archive, suite: &str, packages: &[&str]) -> Result<()> {
    if !geteuid().is_root() {
        bail!("installing {} needs root", packages.join(" "));
    }
    let _no_daemons = NoDaemons::hold(Path::new(POLICY))?;
    let mut apt = archive.command("apt-get")?;
    configure(&mut apt);
    apt.args(["--target-release", suite]);
    run_install(apt, packages)
        .with_context(|| format!("{suite} has no {} that fits, either", packages.join(" ")))
}

/// Whether the package lists, if any, offer `package`.
fn is_known(package: &str) -> bool {
    let candidate = |text: String| text.lines().any(|line| line.starts_with("Package: "));
    system_command("apt-cache")
        .and_then(|mut cache| output(cache.args(["show", "--no-all-versions", package])).ok())
        .is_some_and(candidate)
}

/// Renews the lists. One unreachable source fails the whole update, needed or not: the installation tells.
fn update() {
    let log = workspace::root().join(TOOLS_DIR).join("apt-update.log");
    let _ = apt_get().and_then(|mut apt| run_logged(apt.arg("update"), &log, LIMIT));
}

fn install_now(packages: &[&str]) -> Result<()> {
    run_install(apt_get()?, packages)
}

fn run_install(mut apt: Command, packages: &[&str]) -> Result<()> {
    let log = workspace::root().join(TOOLS_DIR).join("apt-install.log");
    apt.args(["install", "--yes", "--no-install-recommends", "--no-remove"]).args(packages);
    run_logged(&mut apt, &log, LIMIT)
}

fn apt_get() -> Result<Command> {
    let mut apt = system_command("apt-get").context("there is no apt-get here")?;
    configure(&mut apt);
    Ok(apt)
}

/// Nobody is asked, and nothing is waited for without end.
fn configure(apt: &mut Command) {
    // Another installation may hold the lock; RUNLEVEL=1 is what keeps init scripts from starting daemons.
    apt.args(["--option", "DPkg::Lock::Timeout=120"]);
    apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
}

/// While this lives, packages start no daemons: a web server for the lab must not listen outside it.
///
/// A machine's own policy stands. Ours forbids as long as this process lives, so an interrupted run leaves nothing
/// that has an effect.
struct NoDaemons {
    policy: Option<PathBuf>,
}

impl NoDaemons {
    const MARK: &str = "# Written by scanwatch's xtask while it installs packages.";

    fn hold(path: &Path) -> Result<Self> {
        if fs::read_to_string(path).is_ok_and(|text| text.contains(Self::MARK)) {
            fs::remove_file(path)?;
        }
        let process = std::process::id();
        let script =
            format!("#!/bin/sh\n{}\nkill -0 {process} 2>/dev/null && exit 101\nexit 0\n", Self::MARK);
        match OpenOptions::new().write(true).create_new(true).mode(0o755).open(path) {
            Ok(mut file) => {
                file.write_all(script.as_bytes())?;
                Ok(Self { policy: Some(path.to_owned()) })
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self { policy: None }),
            Err(error) => Err(error).with_context(|| format!("{} cannot be written", path.display())),
        }
    }
}

impl Drop for NoDaemons {
    fn drop(&mut self) {
        if let Some(path) = &self.policy
            && let Err(error) = fs::remove_file(path)
        {
            eprintln!("{} is left over and can be removed: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-apt-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn daemons_are_forbidden_while_packages_are_installed_and_not_after() {
        let folder = folder("policy");
        let policy = folder.join("policy-rc.d");
        let held = NoDaemons::hold(&policy).unwrap();
        let answer = Command::new(&policy).args(["nginx", "start"]).status().unwrap();
        assert_eq!(answer.code(), Some(101));
        drop(held);
        assert!(!policy.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_policy_left_by_an_interrupted_run_is_replaced() {
        let folder = folder("left");
        let policy = folder.join("policy-rc.d");
        std::mem::forget(NoDaemons::hold(&policy).unwrap());
        drop(NoDaemons::hold(&policy).unwrap());
        assert!(!policy.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_machine_s_own_policy_stands() {
        let folder = folder("own");
        let policy = folder.join("policy-rc.d");
        fs::write(&policy, "#!/bin/sh\nexit 101\n").unwrap();
        drop(NoDaemons::hold(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "#!/bin/sh\nexit 101\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_command_for_a_person_names_every_package() {
        assert_eq!(by_hand(["a", "b"]), "apt-get update && apt-get install --no-install-recommends a b");
    }
}
