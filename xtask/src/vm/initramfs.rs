//! The file system in memory that a machine starts with: programs with the libraries they load, modules, and what to do.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::modules::Module;
use super::newc::{self, Entry};
use crate::step::output;

/// Folders that are empty, on which file systems are mounted.
const EMPTY: [&str; 7] = ["dev", "proc", "root", "run", "sys", "tmp", "var"];

/// Files by their paths without the first slash; each folder before what is in it, since that sorts behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Files(BTreeMap<String, Entry>);

impl Files {
    /// Empty folders only.
    pub(super) fn new() -> Self {
        let mut files = Self::default();
        for folder in EMPTY {
            files.0.insert(folder.to_owned(), Entry::Folder);
        }
        files
    }

    /// Adds a file, and the folders it is in.
    pub(super) fn put(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            self.0.entry(path[..at].to_owned()).or_insert(Entry::Folder);
        }
        self.0.insert(path.to_owned(), Entry::File { mode, bytes });
    }

    /// Adds a copy of a file.
    fn copy(&mut self, from: &Path, to: &str) -> Result<()> {
        let shown = from.display();
        let bytes = fs::read(from).with_context(|| format!("{shown} cannot be read"))?;
        let mode = fs::metadata(from)?.permissions().mode() & 0o777;
        self.put(to, mode, bytes);
        Ok(())
    }

    /// Adds a program of this machine's as `/bin/name`, and the libraries that it loads.
    pub(super) fn program(&mut self, from: &Path, name: &str) -> Result<()> {
        self.copy(from, &format!("bin/{name}"))?;
        self.libraries_of(from)
    }

    /// The same without what debuggers want to know, most of what a program that was built for tests weighs.
    pub(super) fn stripped(&mut self, from: &Path, name: &str, draft: &Path) -> Result<()> {
        output(Command::new("strip").arg("-o").arg(draft).arg(from))
            .with_context(|| format!("{} cannot be stripped", from.display()))?;
        self.copy(draft, &format!("bin/{name}"))?;
        fs::remove_file(draft)?;
        self.libraries_of(from)
    }

    fn libraries_of(&mut self, program: &Path) -> Result<()> {
        let told = Command::new("ldd")
            .arg(program)
            .stdin(Stdio::null())
            .output()
            .context("`ldd` cannot be run: it says which libraries a program loads")?;
        // A static program has none, which ldd calls a failure.
        for library in libraries(&String::from_utf8_lossy(&told.stdout))? {
            let path = library.to_string_lossy().into_owned();
            if !self.0.contains_key(path.trim_start_matches('/')) {
                self.copy(&library, &path)?;
            }
        }
        Ok(())
    }

    /// Adds modules, with a list of them in the order in which they are loaded.
    pub(super) fn modules(&mut self, modules: Vec<Module>) {
        let mut order = String::new();
        for module in modules {
            let path = format!("modules/{}.ko", module.name);
            order.extend(["/", &path, "\n"]);
            self.put(&path, 0o644, module.bytes);
        }
        self.put("modules/order", 0o644, order.into_bytes());
    }

    /// Adds a symbolic link, in the place of whatever has its name.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.0.insert(path.to_owned(), Entry::Link(target.to_owned()));
    }

    /// Writes the archive, and returns its size in bytes.
    pub(super) fn write(&self, path: &Path) -> Result<u64> {
        let cannot = || format!("{} cannot be written", path.display());
        let mut file = BufWriter::new(File::create(path).with_context(cannot)?);
        newc::write(self.0.iter().map(|(name, entry)| (name.as_str(), entry)), &mut file)
            .and_then(|()| file.flush())
            .with_context(cannot)?;
        Ok(fs::metadata(path)?.len())
    }
}

/// The paths in what ldd prints.
fn libraries(told: &str) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for line in told.lines().map(str::trim) {
        if line.ends_with("=> not found") {
            bail!("a library is missing: {line}");
        }
        let place = line.split_once(" => ").map_or(line, |(_, place)| place);
        let path = place.split(" (").next().unwrap_or_default();
        if path.starts_with('/') {
            ensure!(Path::new(path).is_file(), "{path} is no file");
            paths.push(path.into());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_brings_the_folders_it_is_in_and_they_come_first() {
        let mut files = Files::default();
        files.put("/lib/x86_64/libc.so", 0o644, Vec::new());
        files.put("bin/ip", 0o755, Vec::new());
        let names: Vec<&str> = files.0.keys().map(String::as_str).collect();
        assert_eq!(names, ["bin", "bin/ip", "lib", "lib/x86_64", "lib/x86_64/libc.so"]);
        assert_eq!(files.0["lib"], Entry::Folder);
    }

    #[test]
    fn libraries_are_those_with_a_place_and_one_without_is_an_error() {
        let here = std::env::current_exe().unwrap();
        let told = format!(
            "\tlinux-vdso.so.1 (0x7f)\n\tlibx.so => {} (0x7f)\n\tstatically linked\n",
            here.display()
        );
        assert_eq!(libraries(&told).unwrap(), [here]);
        assert!(libraries("\tliby.so => not found\n").is_err());
    }
}
