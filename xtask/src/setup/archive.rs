//! Debian's archive beyond what this machine installs from: other releases, looked through with package lists of their own.
//!
//! The machine's sources and lists stay as they are; signatures are held against the machine's own keyring.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::system_command;
use crate::step::{output, run_logged};

/// A download that takes longer is taken for one that hangs.
const LIMIT: Duration = Duration::from_mins(10);
/// Lists older than this are fetched anew.
const LISTS_AGE_MAX: Duration = Duration::from_hours(24);
/// Keys of Debian's releases, from the package debian-archive-keyring.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Some releases of Debian, as this machine's mirror has them.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

/// A version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Archive {
    /// The releases `suites`, with lists below `folder` that are at most a day old.
    ///
    /// # Errors
    /// Where this is no Debian, or the mirror cannot be reached and there are no lists yet.
    pub fn open(folder: &Path, suites: &[&str]) -> Result<Self> {
        let archive = Self { folder: folder.to_owned() };
        let text = sources(&mirror()?, suites);
        let path = archive.folder.join("sources/debian.sources");
        let is_known = fs::read_to_string(&path).is_ok_and(|known| known == text);
        for below in ["sources", "lists/partial", "cache/archives/partial", "packages"] {
            let below = archive.folder.join(below);
            fs::create_dir_all(&below).with_context(|| format!("{} cannot be made", below.display()))?;
        }
        let updated = archive.folder.join("updated");
        let is_fresh = || {
            let changed = fs::metadata(&updated).and_then(|file| file.modified()).ok()?;
            changed.elapsed().ok().map(|age| age < LISTS_AGE_MAX)
        };
        if is_known && is_fresh() == Some(true) {
            return Ok(archive);
        }
        fs::write(&path, text)?;
        match archive.update() {
            Ok(()) => fs::write(&updated, "")?,
            // Lists of yesterday are better than none.
            Err(error) if is_known && updated.exists() => eprintln!("  package lists are old: {error:#}"),
            Err(error) => return Err(error),
        }
        Ok(archive)
    }

    fn update(&self) -> Result<()> {
        // Otherwise lists that could not be fetched are a success.
        let mut update = self.command("apt-get")?;
        update.args(["update", "--error-on=any"]);
        run_logged(&mut update, &self.folder.join("update.log"), LIMIT)
            .context("The lists of Debian's packages cannot be fetched")
    }

    /// An apt command that sees these releases alone.
    pub(super) fn command(&self, program: &str) -> Result<Command> {
        let mut command = system_command(program).with_context(|| format!("there is no {program} here"))?;
        for (key, below) in
            [("Dir::State::lists", "lists"), ("Dir::Cache", "cache"), ("Dir::Etc::sourceparts", "sources")]
        {
            command.arg("--option").arg(format!("{key}={}", self.folder.join(below).display()));
        }
        // Nothing of the machine's, and no user of its own for downloads, who could not write here.
        for option in [
            "Dir::Etc::sourcelist=/dev/null",
            "Dir::Etc::preferencesparts=/dev/null",
            "APT::Sandbox::User=root",
            // A mirror that does not answer is waited for no longer than this, seconds.
            "Acquire::http::Timeout=30",
            "Acquire::https::Timeout=30",
            "Acquire::Retries=1",
        ] {
            command.args(["--option", option]);
        }
        Ok(command)
    }

    /// The version of `package` that `suite` has.
    pub fn version_in(&self, package: &str, suite: &str) -> Result<Package> {
        let table = output(self.command("apt-cache")?.args(["madison", package]))?;
        let version =
            version_in(&table, suite).with_context(|| format!("{suite} has no package {package}"))?;
        Ok(Package { name: package.to_owned(), version: version.to_owned() })
    }

    /// The packages of the same source that `package` depends on in exactly its version.
    pub fn parts_of(&self, package: &Package) -> Result<Vec<Package>> {
        let name = format!("{}={}", package.name, package.version);
        let text = output(self.command("apt-cache")?.args(["show", &name]))?;
        Ok(parts(&text, &package.version))
    }

    /// Downloads a package, without installing it, where it is not there yet; returns its file.
    pub fn fetch(&self, package: &Package) -> Result<PathBuf> {
        let folder = self.folder.join("packages");
        let prefix = format!("{}_{}_", package.name, package.version.replace(':', "%3a"));
        let found = || -> Result<Option<PathBuf>> {
            let files = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
            Ok(files.into_iter().find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(&prefix) && name.ends_with(".deb")
            }))
        };
        if let Some(path) = found()? {
            return Ok(path);
        }
        let mut download = self.command("apt-get")?;
        download.arg("download").arg(format!("{}={}", package.name, package.version)).current_dir(&folder);
        run_logged(&mut download, &self.folder.join("download.log"), LIMIT)?;
        found()?.with_context(|| {
            format!("apt-get downloaded {}, but it is not in {}", package.name, folder.display())
        })
    }
}

/// A line of os-release(5); empty where there is none.
fn os_release(key: &str) -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_default().trim_matches('"').to_owned()
}

/// The name of the machine's own release, such as `bookworm`; empty where it has none.
pub(super) fn codename() -> String {
    os_release("VERSION_CODENAME")
}

/// The address of the machine's own mirror of Debian, asked for once.
fn mirror() -> Result<String> {
    static MIRROR: OnceLock<String> = OnceLock::new();
    if let Some(known) = MIRROR.get() {
        return Ok(known.clone());
    }
    let found = find_mirror()?;
    Ok(MIRROR.get_or_init(|| found).clone())
}

fn find_mirror() -> Result<String> {
    if os_release("ID") != "debian" {
        bail!("this machine runs no Debian, whose archive has the packages");
    }
    if !Path::new(KEYRING).is_file() {
        bail!("{KEYRING} is not there; run `apt-get install debian-archive-keyring`");
    }
    let mut apt = system_command("apt-get").context("there is no apt-get here")?;
    let targets =
        output(apt.args(["indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Identifier: Packages"]))?;
    let codename = codename();
    mirror_of(&targets, &codename)
        .map(str::to_owned)
        .with_context(|| format!("the machine's package sources have no release {codename}"))
}

/// The address behind a release's name.
fn mirror_of<'a>(targets: &'a str, codename: &str) -> Option<&'a str> {
    targets.lines().find_map(|line| line.strip_prefix(codename)?.strip_prefix(' '))
}

fn sources(mirror: &str, suites: &[&str]) -> String {
    format!(
        "Types: deb\nURIs: {mirror}\nSuites: {}\nComponents: main\nTargets: Packages\nSigned-By: {KEYRING}\n",
        suites.join(" ")
    )
}

/// From a table of `apt-cache madison`.
fn version_in<'a>(table: &'a str, suite: &str) -> Option<&'a str> {
    table.lines().find_map(|line| {
        let mut columns = line.split('|').map(str::trim);
        let (version, place) = (columns.nth(1)?, columns.next()?);
        place.split_whitespace().any(|word| word.strip_suffix("/main") == Some(suite)).then_some(version)
    })
}

/// Of a record's dependencies those that name exactly this version.
fn parts(record: &str, version: &str) -> Vec<Package> {
    let exactly = format!("(= {version})");
    let depends = record.lines().find_map(|line| line.strip_prefix("Depends:")).unwrap_or_default();
    depends
        .split(',')
        .filter_map(|one| one.trim().strip_suffix(&exactly))
        .map(|name| Package { name: name.trim().to_owned(), version: version.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_that_has_the_machine_s_own_release() {
        let targets = "bookworm-security http://one.invalid/security/\nbookworm http://two.invalid/debian/\n";
        assert_eq!(mirror_of(targets, "bookworm"), Some("http://two.invalid/debian/"));
        assert_eq!(mirror_of(targets, "trixie"), None);
    }

    #[test]
    fn a_version_is_that_of_the_release_that_was_asked_for() {
        let table = " linux | 7.3.4-1~bpo13+1 | http://two.invalid/debian trixie-backports/main amd64 Packages\n \
                     linux | 6.1.176-1 | http://two.invalid/debian bookworm/main amd64 Packages\n";
        assert_eq!(version_in(table, "bookworm"), Some("6.1.176-1"));
        assert_eq!(version_in(table, "trixie-backports"), Some("7.3.4-1~bpo13+1"));
        assert_eq!(version_in(table, "trixie"), None);
    }

    #[test]
    fn parts_are_the_dependencies_of_the_very_version() {
        let record = "Package: linux-image\nDepends: dracut | tool (>= 0.1), linux-base-7 (= 7-1), linux-binary-7 (= 7-1), kmod\n";
        let names: Vec<String> = parts(record, "7-1").into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["linux-base-7", "linux-binary-7"]);
        assert_eq!(parts("Package: kmod\n", "7-1"), []);
    }
}
