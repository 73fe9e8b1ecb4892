//! Kernels of Debian's: which there are, and how they are had without installing them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::setup::{Archive, Package};
use crate::step::run_logged;

/// Releases of Debian, by the age of their kernels, and whether theirs can be left out where it cannot be had: mirrors drop
/// old releases one day, and may not have the newest.
const SUITES: [(&str, bool); 4] = [
    // Too old: with it nothing is lost but the sight of a refusal.
    ("bullseye", true),
    // The oldest that is supported.
    ("bookworm", false),
    ("bookworm-backports", false),
    ("trixie-backports", true),
];
/// What depends on a release's kernel for machines of others, which has what a virtual machine needs, and little else.
const META: &str = "linux-image-cloud-amd64";
/// The name by which the kernel that runs already is asked for.
pub(super) const RUNNING: &str = "running";
/// The first supported version; the agent's own is `kernel::KERNEL_MIN`, and the tests in the machines hold them together.
const SUPPORTED: (u32, u32) = (6, 1);
/// Unpacking takes a few seconds.
const UNPACK_LIMIT: Duration = Duration::from_mins(5);

/// A kernel that can be asked for.
#[derive(Clone, Debug)]
pub(super) enum Release {
    /// The one that runs already.
    Running,
    /// One of Debian's, by its major and minor number, with the packages it is made of.
    Debian { name: String, packages: Vec<Package>, archive: Archive },
}

/// An unpacked kernel.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Name by which it was asked for.
    pub name: String,
    /// Version of its package.
    pub version: String,
    /// The kernel, as a boot loader takes it.
    pub kernel: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
    /// It is older than what scanwatch supports.
    pub is_too_old: bool,
    bytes: u64,
}

/// The kernels that are `wanted` by name; all where none is.
pub(super) fn releases(folder: &Path, wanted: &[String]) -> Result<Vec<Release>> {
    let mut all = Vec::new();
    if wanted.is_empty() || wanted.iter().any(|name| name != RUNNING) {
        for (suite, can_be_left_out) in SUITES {
            let release = Archive::open(&folder.join("debian").join(suite), &[suite])
                .and_then(|archive| Release::of(&archive, suite))
                .with_context(|| format!("the kernel of {suite} cannot be had"));
            match release {
                Ok(release) => all.push(release),
                Err(why) if can_be_left_out => eprintln!("\n  LEFT OUT: {why:#}"),
                Err(why) => return Err(why),
            }
        }
    }
    all.push(Release::Running);
    let is_there = |name: &String| all.iter().any(|release| release.name() == name);
    if let Some(unknown) = wanted.iter().find(|name| !is_there(name)) {
        let names: Vec<&str> = all.iter().map(Release::name).collect();
        bail!("there is no kernel {unknown:?} to be had: name one of {} with --kernel", names.join(", "));
    }
    all.retain(|release| wanted.is_empty() || wanted.iter().any(|name| name == release.name()));
    Ok(all)
}

impl Release {
    fn of(archive: &Archive, suite: &str) -> Result<Self> {
        let meta = archive.version_in(META, suite)?;
        let mut packages = archive.parts_of(&meta)?;
        ensure!(!packages.is_empty(), "{META} of {suite} names no kernel");
        // Newer ones come in several packages.
        let mut next = 0;
        while let Some(package) = packages.get(next).cloned() {
            for part in archive.parts_of(&package)? {
                if !packages.contains(&part) {
                    packages.push(part);
                }
            }
            next += 1;
        }
        let (major, minor) =
            numbers(&meta.version).with_context(|| format!("{} is no version", meta.version))?;
        Ok(Self::Debian { name: format!("{major}.{minor}"), packages, archive: archive.clone() })
    }

    /// The name by which it is asked for.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Running => RUNNING,
            Self::Debian { name, .. } => name,
        }
    }

    /// Downloads and unpacks it, where it is not there yet; `None` for the one that runs.
    pub(super) fn fetch(&self, folder: &Path) -> Result<Option<Image>> {
        let Self::Debian { name, packages, archive } = self else { return Ok(None) };
        let version = packages[0].version.clone();
        let unpacked = folder.join("kernels").join(version.replace('~', "-"));
        if !unpacked.is_dir() {
            // Under its own name once it is whole.
            let draft = unpacked.with_extension("part");
            fs::create_dir_all(&draft).with_context(|| format!("{} cannot be made", draft.display()))?;
            for package in packages {
                let file = archive.fetch(package)?;
                let mut unpack = Command::new("dpkg-deb");
                unpack.arg("--extract").arg(&file).arg(&draft);
                run_logged(&mut unpack, &folder.join("unpack.log"), UNPACK_LIMIT)?;
            }
            fs::rename(&draft, &unpacked)?;
        }
        Image::find(name, &version, &unpacked).map(Some)
    }
}

impl Image {
    fn find(name: &str, version: &str, unpacked: &Path) -> Result<Self> {
        let missing = |what: &str| format!("the packages of Linux {version} have no {what}");
        let modules = ["lib/modules", "usr/lib/modules"]
            .iter()
            .find_map(|folder| fs::read_dir(unpacked.join(folder)).ok()?.flatten().next())
            .with_context(|| missing("modules"))?
            .path();
        let beside = modules.join("vmlinuz");
        let kernel = if beside.is_file() {
            beside
        } else {
            let boot = fs::read_dir(unpacked.join("boot")).with_context(|| missing("folder /boot"))?;
            let mut files = boot.flatten().map(|entry| entry.path());
            files
                .find(|path| {
                    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
                })
                .with_context(|| missing("kernel"))?
        };
        let bytes = fs::metadata(&kernel)?.len() + size(&modules)?;
        let is_too_old = numbers(version).is_some_and(|version| version < SUPPORTED);
        Ok(Self { name: name.to_owned(), version: version.to_owned(), kernel, modules, is_too_old, bytes })
    }

    /// What it takes of the disk, rounded down.
    pub(super) fn megabytes(&self) -> u64 {
        self.bytes / 1_000_000
    }
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

/// Major and minor number of a version.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_debian_s_begins_with_the_kernel_s_numbers() {
        assert_eq!(numbers("6.12.95-1~bpo12+1"), Some((6, 12)));
        assert_eq!(numbers("7.3.4-1~bpo13+1"), Some((7, 3)));
        assert_eq!(numbers("next"), None);
    }
}
