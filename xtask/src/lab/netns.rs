//! Network namespaces by name: made with `ip(8)`, entered by threads, emptied of processes, removed, swept.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::{Stop, poll};

/// Where `ip(8)` keeps named namespaces.
const NETNS_DIR: &str = "/run/netns";
/// Longest wait for killed processes to go.
const KILL_LIMIT: Duration = Duration::from_secs(3);

/// What makes the names of one lab's namespaces and its folder its own: `sw<pid>-<n>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabId {
    pid: i32,
    serial: u32,
}

impl LabId {
    /// The id of this process's lab number `serial`.
    #[must_use]
    pub fn new(serial: u32) -> Self {
        Self { pid: Pid::this().as_raw(), serial }
    }

    /// Name of the namespace of `host`.
    #[must_use]
    pub fn namespace(&self, host: &str) -> String {
        format!("sw{}-{}-{host}", self.pid, self.serial)
    }

    /// Where this lab's temporary files live.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        std::env::temp_dir().join(format!("scanwatch-lab-{}-{}", self.pid, self.serial))
    }
}

/// Process id in the name of a lab's namespace or folder, or `None` where the name is not a lab's.
fn owner_of(name: &str) -> Option<i32> {
    let rest = name.strip_prefix("scanwatch-lab-").or_else(|| name.strip_prefix("sw"))?;
    let (pid, rest) = rest.split_once('-')?;
    let serial = rest.split('-').next()?;
    serial.parse::<u32>().ok()?;
    pid.parse().ok().filter(|&pid| pid > 0)
}

/// A named network namespace.
#[derive(Clone, Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// The namespace called `name`, which exists once `ip netns add` has made it.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self { name }
    }

    /// Its name, as `ip -n NAME` takes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new(NETNS_DIR).join(&self.name)
    }

    /// Moves the calling thread, and what it starts from now on, into this namespace for good.
    ///
    /// The file is opened anew each time: a handle kept open would keep a removed namespace alive.
    pub fn enter(&self) -> Result<()> {
        let file = File::open(self.path())
            .with_context(|| format!("network namespace {} does not exist (any more)", self.name))?;
        setns(&file, CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("cannot enter network namespace {}: are you root?", self.name))
    }
}

/// Device and inode of a namespace file: the kernel's identity of the namespace.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}

/// Processes, this one left out, that live in any of `namespaces`. Zombies have no namespace and are not seen.
fn processes_in(namespaces: &HashSet<(u64, u64)>) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .map(Pid::from_raw)
        .filter(|&pid| pid != Pid::this())
        .filter(|pid| {
            identity(Path::new(&format!("/proc/{pid}/ns/net"))).is_some_and(|id| namespaces.contains(&id))
        })
        .collect()
}

/// Kills everything that runs in `namespaces` and removes them. Does all it can; reports the first failure.
pub fn remove(namespaces: &[Netns]) -> Result<()> {
    let identities: HashSet<_> = namespaces.iter().filter_map(|netns| identity(&netns.path())).collect();
    let killed = if identities.is_empty() { Ok(()) } else { kill_all(&identities) };
    let mut result = killed;
    for netns in namespaces {
        let removed = remove_name(netns);
        result = result.and(removed);
    }
    result
}

/// Kills until nothing is left: a process may start another while it is being killed.
fn kill_all(identities: &HashSet<(u64, u64)>) -> Result<()> {
    poll("the end of the lab's processes", KILL_LIMIT, &Stop::new(), || {
        let pids = processes_in(identities);
        for &pid in &pids {
            // A process that ended in between is what we want.
            let _ = kill(pid, Signal::SIGKILL);
        }
        Ok(pids.is_empty().then_some(()))
    })
}

/// What `ip netns del` does, without starting a process: this runs while panicking, too.
fn remove_name(netns: &Netns) -> Result<()> {
    let path = netns.path();
    // Not mounted: the name alone was left, and is removed below.
    let _ = umount2(&path, MntFlags::MNT_DETACH);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove network namespace {}", netns.name))
        }
        _ => Ok(()),
    }
}

/// Removes what labs of processes that no longer live have left: processes, namespaces, folders.
pub fn sweep() -> Result<()> {
    let stale: Vec<_> =
        names_in(Path::new(NETNS_DIR)).filter(|name| is_stale(name)).map(Netns::named).collect();
    remove(&stale)?;
    let temp = std::env::temp_dir();
    for name in names_in(&temp).filter(|name| name.starts_with("scanwatch-lab-") && is_stale(name)) {
        let folder = temp.join(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", folder.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> + use<> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
}

fn is_stale(name: &str) -> bool {
    owner_of(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_recognises_its_own_names_and_no_others() {
        let id = LabId { pid: 4_194_304, serial: 12 };
        assert_eq!(owner_of(&id.namespace("internet")), Some(4_194_304));
        assert_eq!(owner_of(id.folder().file_name().unwrap().to_str().unwrap()), Some(4_194_304));
        for foreign in ["swarm-1-db", "sw12", "sw12-x-web", "sw-1-2", "sw0-1-web", "cni-12-1-web"] {
            assert_eq!(owner_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn namespaces_of_living_processes_are_not_stale() {
        assert!(!is_stale(&LabId::new(0).namespace("web")));
        // Above the kernel's largest process id, so it never lives.
        assert!(is_stale("sw2000000000-0-web"));
    }
}
