//! Copies of the workspace in other folders.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::kernel_object::{KernelToolchain, cargo_home};
use crate::step::output;
use crate::workspace;

/// What is no source: what was built, and the history.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// What a home of cargo has that builds need: crates as they were fetched, and how to reach registries. What is unpacked of
/// crates is not among it: the compiler would see through a link to where it lies.
const OF_HOME: [&str; 4] = ["registry/index", "registry/cache", "config.toml", "credentials.toml"];

/// The parts of a profile's build folder that hold what was built from crates.
const PARTS: [&str; 3] = ["deps", "build", ".fingerprint"];

/// What the names of all that is built from this workspace's crates have in common.
const OWN: &str = "scanwatch";

/// Makes sure that `folder` is there and empty.
pub(super) fn empty(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be emptied", folder.display()))
        }
        _ => fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display())),
    }
}

/// Puts the files of the last commit into the empty `folder`.
pub(super) fn of_last_commit(folder: &Path) -> Result<()> {
    empty(folder)?;
    let archive = folder.with_extension("tar");
    let mut git = Command::new("git");
    git.args(["archive", "--format=tar", "--output"]).arg(&archive).arg("HEAD");
    output(git.current_dir(workspace::root())).context("git gives no copy of the last commit")?;
    output(Command::new("tar").arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(folder))?;
    fs::remove_file(&archive)?;
    Ok(())
}

/// Makes `folder` a copy of the workspace as it is, and returns how many files it had otherwise.
///
/// What is the same already is not touched, so that cargo builds only what has changed.
pub(super) fn of_workspace(folder: &Path) -> Result<usize> {
    follow(workspace::root(), folder)
}

fn follow(from: &Path, to: &Path) -> Result<usize> {
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    remove_gone(from, to)?;
    let entries = fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))?;
    let mut changed = 0;
    for entry in entries {
        let entry = entry?;
        let [from, to] = [entry.path(), to.join(entry.file_name())];
        if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            changed += follow(&from, &to)?;
        } else {
            let bytes = fs::read(&from).with_context(|| format!("{} cannot be read", from.display()))?;
            if fs::read(&to).ok().as_ref() != Some(&bytes) {
                fs::copy(&from, &to).with_context(|| format!("{} cannot be written", to.display()))?;
                // Whatever the time of the original: cargo has to see that it changed.
                fs::File::options().append(true).open(&to)?.set_modified(std::time::SystemTime::now())?;
                changed += 1;
            }
        }
    }
    Ok(changed)
}

/// Removes what `to` has and `from` no longer does, or not as the same kind.
fn remove_gone(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(to).with_context(|| format!("{} cannot be read", to.display()))? {
        let entry = entry?;
        let original = from.join(entry.file_name());
        let is_folder = entry.file_type()?.is_dir();
        let stays = if is_folder { original.is_dir() } else { original.is_file() };
        if stays || LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        remove(&entry)?;
    }
    Ok(())
}

/// Removes a file, or a folder with all in it.
fn remove(entry: &DirEntry) -> Result<()> {
    let path = entry.path();
    let removed =
        if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    removed.with_context(|| format!("{} cannot be removed", path.display()))
}

/// Lets the copy at `root` use the compilers and tools that are set up here: setting them up is not what is compared.
pub(super) fn hand_over_tools(root: &Path) -> Result<()> {
    let target = root.join("target");
    fs::create_dir_all(&target)?;
    let record = KernelToolchain::record(root);
    let ours = KernelToolchain::record(workspace::root());
    // Written only where it is another: the kernel programs are built again whenever it is newer.
    if fs::read(&record).ok() != Some(fs::read(&ours)?) {
        fs::copy(&ours, &record)?;
    }
    link(&workspace::root().join("target/tools"), &target.join("tools"))
}

/// Begins the build folder `to` with what the crates of the workspace depend on, as it was built for `program`; nothing
/// of the crates themselves is taken.
pub(super) fn dependencies(program: &Path, to: &Path) -> Result<()> {
    let target = program.ancestors().nth(3).context("the program lies in no build folder")?;
    let profile = program.parent().and_then(|folder| folder.strip_prefix(target).ok());
    // Procedural macros and build scripts run here, and lie apart from what is built for elsewhere.
    for profile in [profile.context("the program lies in no build folder")?, Path::new("release")] {
        for part in PARTS {
            let [from, to] = [target, to].map(|folder| folder.join(profile).join(part));
            fs::create_dir_all(&to).with_context(|| format!("{} cannot be made", to.display()))?;
            // With their times, by which cargo knows that there is nothing to do.
            output(Command::new("cp").arg("--archive").arg(from.join(".")).arg(&to))?;
            remove_own(&to)?;
        }
    }
    Ok(())
}

/// Removes from a part of a build folder what was built from this workspace's crates.
fn remove_own(part: &Path) -> Result<()> {
    for entry in fs::read_dir(part).with_context(|| format!("{} cannot be read", part.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(OWN) {
            remove(&entry)?;
        }
    }
    Ok(())
}

/// Makes `folder` a home of cargo: another path to the same crates.
pub(super) fn home_of_cargo(folder: &Path) -> Result<()> {
    let home = cargo_home().context("neither CARGO_HOME nor HOME says where cargo keeps crates")?;
    fs::create_dir_all(folder)?;
    for name in OF_HOME.iter().filter(|name| home.join(name).exists()) {
        let to = folder.join(name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        link(&home.join(name), &to)?;
    }
    Ok(())
}

fn link(original: &Path, link: &Path) -> Result<()> {
    match symlink(original, link) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        result => result.with_context(|| format!("{} cannot be made", link.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_built_the_workspaces_own_crates_are_left_out() {
        let folder = std::env::temp_dir().join(format!("xtask-dependencies-{}", std::process::id()));
        empty(&folder).unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.join(name));
        for profile in ["there/release", "release"] {
            for file in
                ["deps/libother-1.rlib", "deps/libscanwatch_common-2.rlib", ".fingerprint/other-1/lib"]
            {
                let file = from.join(profile).join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "x").unwrap();
            }
            fs::create_dir_all(from.join(profile).join("build/scanwatch-3")).unwrap();
        }
        dependencies(&from.join("there/release/scanwatch"), &to).unwrap();
        for profile in ["there/release", "release"] {
            let profile = to.join(profile);
            assert!(profile.join("deps/libother-1.rlib").is_file());
            assert!(profile.join(".fingerprint/other-1/lib").is_file());
            assert!(!profile.join("deps/libscanwatch_common-2.rlib").exists());
            assert!(!profile.join("build/scanwatch-3").exists());
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_copy_follows_its_original_and_leaves_what_is_built_alone() {
        let folder = std::env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        empty(&folder).unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.join(name));
        for (path, text) in [("src/a.rs", "a"), ("src/b.rs", "b"), ("target/built", "x"), (".git/HEAD", "x")]
        {
            let path = from.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(follow(&from, &to).unwrap(), 2);
        assert!(!to.join("target").exists() && !to.join(".git").exists());
        assert_eq!(follow(&from, &to).unwrap(), 0);

        fs::create_dir(to.join("target")).unwrap();
        fs::write(to.join("target/own"), "x").unwrap();
        fs::write(from.join("src/a.rs"), "A").unwrap();
        fs::remove_file(from.join("src/b.rs")).unwrap();
        assert_eq!(follow(&from, &to).unwrap(), 1);
        assert_eq!(fs::read_to_string(to.join("src/a.rs")).unwrap(), "A");
        assert!(!to.join("src/b.rs").exists() && to.join("target/own").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
