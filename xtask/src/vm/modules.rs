//! Modules of a kernel: found by name, with those that they need before them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// What the tests need beyond the kernel itself; what a kernel has built in, it has no module of.
const WANTED: [&str; 6] = ["veth", "8021q", "sch_ingress", "cls_bpf", "tun", "dummy"];

/// A module, ready to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// Its name.
    pub name: String,
    /// The module as the kernel takes it.
    pub bytes: Vec<u8>,
}

/// The modules in `folder` that the tests need, in the order in which they are loaded.
pub(super) fn needed(folder: &Path) -> Result<Vec<Module>> {
    let mut files = HashMap::new();
    find(folder, &mut files)?;
    let mut modules = Vec::new();
    for name in WANTED {
        add(name, &files, &mut modules)?;
    }
    ensure!(!modules.is_empty(), "{} has no module that is needed", folder.display());
    Ok(modules)
}

/// Adds a module behind those that it needs. One that has no file is built in.
fn add(name: &str, files: &HashMap<String, PathBuf>, modules: &mut Vec<Module>) -> Result<()> {
    let Some(file) = files.get(name) else { return Ok(()) };
    if modules.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let bytes = read(file)?;
    for needed in dependencies(&bytes) {
        add(&needed, files, modules)?;
    }
    modules.push(Module { name: name.to_owned(), bytes });
    Ok(())
}

/// Every module below `folder`, by its name with underscores.
fn find(folder: &Path, files: &mut HashMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            find(&path, files)?;
        } else if let Some((name, _)) =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once(".ko"))
        {
            files.insert(name.replace('-', "_"), path.clone());
        }
    }
    Ok(())
}

/// A module's bytes, uncompressed.
fn read(file: &Path) -> Result<Vec<u8>> {
    let program = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(file).with_context(|| format!("{} cannot be read", file.display())),
    };
    let output = Command::new(program)
        .args(["--decompress", "--stdout"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .with_context(|| {
            format!("`{program}` cannot be run, and {} is compressed with it", file.display())
        })?;
    ensure!(output.status.success(), "`{program}` cannot read {}", file.display());
    Ok(output.stdout)
}

/// The names behind `depends=` in what a module says of itself.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|bytes| bytes == KEY) else { return Vec::new() };
    let value = module[at + KEY.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(value);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_says_what_it_needs() {
        assert_eq!(dependencies(b"ELF\0license=GPL\0depends=garp,mrp\0name=8021q\0"), ["garp", "mrp"]);
        assert!(dependencies(b"ELF\0license=GPL\0depends=\0name=veth\0").is_empty());
        assert!(dependencies(b"ELF\0license=GPL\0").is_empty());
    }

    #[test]
    fn modules_come_behind_those_that_they_need_and_each_once() {
        let folder = std::env::temp_dir().join(format!("xtask-modules-{}", std::process::id()));
        let below = folder.join("kernel/net");
        fs::create_dir_all(&below).unwrap();
        for (name, needs) in
            [("veth", ""), ("8021q", "garp,mrp"), ("garp", "stp-x"), ("mrp", ""), ("stp-x", "")]
        {
            fs::write(below.join(format!("{name}.ko")), format!("ELF\0depends={needs}\0")).unwrap();
        }
        let modules = needed(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let names: Vec<String> = modules.unwrap().into_iter().map(|module| module.name).collect();
        assert_eq!(names, ["veth", "stp_x", "garp", "mrp", "8021q"]);
    }
}
