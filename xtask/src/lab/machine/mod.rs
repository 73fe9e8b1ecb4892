//! A machine that systemd runs: this system's files under a layer of its own, in namespaces of its own, on the network of
//! a host of the lab. Packages are installed there by their own maintainer scripts, and services started as units.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::unistd::Pid;

use super::host::Host;
use super::process::{Output, Running};
use super::wait::{Stop, poll};

const OUTER: &str = include_str!("outer.sh");
const INNER: &str = include_str!("inner.sh");

/// Programs that a machine is made with.
pub const PROGRAMS: &[&str] = &["unshare", "nsenter", "systemctl", "deb-systemd-invoke"];

/// Longest time until systemd has started.
const BOOT_LIMIT: Duration = Duration::from_secs(30);
/// Longest time for a short command.
const COMMAND_LIMIT: Duration = Duration::from_secs(20);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A machine that is up. Dropping it ends everything that runs there and forgets what it wrote.
#[derive(Debug)]
pub struct Machine {
    /// `None` while it is dropped.
    process: Option<Running>,
    init: Pid,
    group: String,
    folder: PathBuf,
    stop: Stop,
}

impl Machine {
    /// Boots one on the network of `host`; its files are mounted in a new folder of `folder`. Needs root.
    pub fn boot(host: &Host, folder: &Path) -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let group = format!("scanwatch-machine-{}-{number}", std::process::id());
        let folder = folder.join(&group);
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let shown = folder.display().to_string();
        let args =
            ["--mount", "--propagation", "private", "sh", "-c", OUTER, "machine", &shown, &group, INNER];
        let mut process = host.spawn("unshare", args)?;
        let stop = host.stop().clone();
        let init = poll("the machine's first process", BOOT_LIMIT, &stop, || {
            if !process.is_running()? {
                bail!("it ended: {}", process.stderr().text());
            }
            Ok(systemd_below(process.pid()))
        })?;
        let machine = Self { process: Some(process), init, group, folder, stop };
        poll("the start of the machine's systemd", BOOT_LIMIT, &machine.stop, || {
            let state = machine.run(&["systemctl", "is-active", "machine.target"])?;
            Ok(state.status.success().then_some(()))
        })?;
        Ok(machine)
    }

    /// Runs a command there to its end, whatever its exit code.
    pub fn run(&self, command: &[&str]) -> Result<Output> {
        self.run_for(command, COMMAND_LIMIT)
    }

    /// [`Self::run`] that may take as long as `limit`.
    pub fn run_for(&self, command: &[&str], limit: Duration) -> Result<Output> {
        let target = format!("--target={}", self.init);
        // Their environment is that of the machine, not of a test under cargo.
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut args = vec![target.as_str(), "--all", "env", "-i", path, "DEBIAN_FRONTEND=noninteractive"];
        args.extend(command);
        Running::start("nsenter", args, self.stop.clone())?.wait(limit)
    }

    /// [`Self::run`] of words parted by blanks; fails unless it ends with code 0.
    pub fn run_line(&self, line: &str) -> Result<Output> {
        self.run(&line.split_whitespace().collect::<Vec<_>>())?.ok()
    }

    /// A path of the machine, as it is reached from here.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.init.to_string()).join("root").join(path.trim_start_matches('/'))
    }

    /// A property of a unit, as systemctl shows it.
    pub fn property(&self, unit: &str, name: &str) -> Result<String> {
        let shown = self.run(&["systemctl", "show", "--value", "--property", name, unit])?.ok()?;
        Ok(shown.stdout.trim_end().to_owned())
    }
}

/// The child of `unshare`, once it has become systemd.
fn systemd_below(parent: Pid) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let child: i32 = children.split_whitespace().next()?.parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
    (name.trim_end() == "systemd").then(|| Pid::from_raw(child))
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its first process dies with the one that made it, and all others with the first.
        self.process = None;
        let remove = "mount -t cgroup2 cgroup2 \"$1\" && find \"$1/$2\" -depth -type d -exec rmdir {} +";
        let folder = self.folder.display().to_string();
        let args =
            ["--mount", "--propagation", "private", "sh", "-c", remove, "machine", &folder, &self.group];
        // The last processes may take a moment to go.
        let removed = poll("the end of the machine's control group", COMMAND_LIMIT, &Stop::new(), || {
            let output = Running::start("unshare", args, Stop::new())?.wait(COMMAND_LIMIT)?;
            Ok(output.status.success().then_some(()))
        });
        // Nobody is left to hand an error to.
        if let Err(error) = removed {
            eprintln!("machine: {error:#}");
        }
        let _ = fs::remove_dir(&self.folder);
    }
}
