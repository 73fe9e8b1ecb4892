//! Files that stand in a Debian source package alone, and in none that can be installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{TOOLS_DIR, system_command};
use crate::step::{output, run_logged, step};
use crate::workspace;

/// What the lists are verified with, and how it comes here.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const KEYRING_PACKAGE: &str = "debian-archive-keyring";
/// A download that takes longer is taken for one that hangs.
const LIMIT: Duration = Duration::from_mins(10);

/// The path of the file `name` of the source package `package` in `suite` of Debian; had once, and kept.
///
/// `name` is its path within the sources. Lists and downloads are apart from the machine's own, so no rights are needed
/// and nothing of the machine is changed.
///
/// # Errors
/// Where it cannot be had: what failed, and where its output is.
pub fn source_file(suite: &str, package: &str, name: &str) -> Result<PathBuf> {
    step("file of a package", || {
        let folder = workspace::root().join(TOOLS_DIR).join(format!("source-{package}-{suite}"));
        let kept = folder.join(Path::new(name).file_name().context("a path without a name")?);
        if kept.is_file() {
            return Ok((kept, format!("{name} of {package} found")));
        }
        // What a set-up that was broken off left is in nobody's way.
        let work = folder.join("work");
        if work.exists() {
            fs::remove_dir_all(&work)?;
        }
        let sources = download(&work, suite, package)?;
        let unpacked = unpack(&work, &sources, name)?;
        fs::rename(unpacked, &kept)?;
        fs::remove_dir_all(&work)?;
        Ok((kept, format!("{name} of {package} had from Debian {suite}")))
    })
}

/// The archive of the sources, as their authors published it.
fn download(work: &Path, suite: &str, package: &str) -> Result<PathBuf> {
    if !Path::new(KEYRING).is_file() {
        bail!("{KEYRING} is missing; run `{}`", super::apt::by_hand([KEYRING_PACKAGE]));
    }
    for folder in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(work.join(folder))?;
    }
    let list = work.join("sources.list");
    fs::write(&list, format!("deb-src [signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n"))?;
    run_logged(apt_get(work)?.arg("update"), &work.with_extension("log"), LIMIT)?;
    let mut source = apt_get(work)?;
    source.args(["source", "--download-only", "--tar-only", package]);
    run_logged(&mut source, &work.with_extension("log"), LIMIT)?;
    let names = fs::read_dir(work)?.collect::<Result<Vec<_>, _>>()?;
    let is_archive = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(".orig.tar.") && !name.ends_with(".asc")
    };
    let archive = names.into_iter().map(|entry| entry.path()).find(is_archive);
    archive.with_context(|| format!("apt-get left no sources of {package} in {}", workspace::shown(work)))
}

/// apt-get that works in this folder, with lists of its own.
fn apt_get(work: &Path) -> Result<Command> {
    let mut apt = system_command("apt-get").context("there is no apt-get here to have sources by")?;
    apt.current_dir(work);
    for (key, path) in [
        ("Dir::Etc::sourcelist", work.join("sources.list")),
        ("Dir::Etc::sourceparts", PathBuf::from("-")),
        ("Dir::State::lists", work.join("lists")),
        ("Dir::Cache", work.join("cache")),
    ] {
        apt.arg("--option").arg(format!("{key}={}", path.display()));
    }
    // Its user for downloads may not write here.
    apt.args(["--option", "APT::Sandbox::User=root", "--option", "Acquire::Retries=3"]);
    Ok(apt)
}

/// The file alone, wherever in the archive the folder of the sources is.
fn unpack(work: &Path, archive: &Path, name: &str) -> Result<PathBuf> {
    let mut tar = system_command("tar").context("there is no tar here")?;
    tar.arg("--extract").arg("--file").arg(archive).arg("--directory").arg(work);
    // The folder of the sources has their version in its name.
    output(tar.args(["--strip-components=1", "--wildcards", &format!("*/{name}")]))?;
    Ok(work.join(name))
}
