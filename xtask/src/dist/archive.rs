//! The archive for systems without Debian packages: the same files, laid out to be copied by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::PACK_LIMIT;
use crate::step::run_logged;
use crate::workspace;

/// Files of the workspace, and where they lie in the archive.
const FILES: &[(&str, &str)] = &[
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("scanwatch.example.toml", "scanwatch.example.toml"),
    ("dist/debian/scanwatch.toml", "etc/scanwatch/scanwatch.toml"),
    ("dist/debian/scanwatch.service", "systemd/scanwatch.service"),
    ("dist/debian/scanwatch.conf", "systemd/scanwatch.sysusers"),
];

/// Packs the program, what was generated, and [`FILES`] with the documentation into `folder`, all as of `date`, in
/// seconds since 1970.
pub(super) fn pack(program: &Path, generated: &Path, folder: &Path, date: u64) -> Result<(PathBuf, String)> {
    let name = format!("scanwatch-{}-{}-linux", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let stage = folder.join(&name);
    copy(program, &stage.join("bin/scanwatch"))?;
    for (from, to) in FILES {
        copy(&workspace::root().join(from), &stage.join(to))?;
    }
    for (from, to) in [
        (workspace::root().join("docs"), "docs"),
        (generated.join("man"), "man"),
        (generated.join("completions"), "completions"),
    ] {
        copy_folder(&from, &stage.join(to))?;
    }
    let archive = folder.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    // Of nobody in particular, with rights that no umask has chosen, of one date, and in one order: the same files make
    // the same archive. gzip's own header would have the time of day.
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"])
        .args(["--mode=u=rwX,go=rX", "--use-compress-program=gzip --no-name", &format!("--mtime=@{date}")])
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(folder)
        .arg(&name);
    run_logged(&mut tar, &folder.join("tar.log"), PACK_LIMIT)?;
    fs::remove_dir_all(&stage)?;
    let size = fs::metadata(&archive)?.len();
    let done = format!("{}, {} MB", workspace::shown(&archive), size / 1_000_000);
    Ok((archive, done))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    Ok(())
}
