//! `cargo xtask tidy`: the boundaries that ARCHITECTURE.md states, enforced.
//!
//! Each rule reads one file, or what belongs together, and returns findings with file and line. What a rule refuses, and why, stands in its
//! message: that is what people read.

mod boundaries;
mod dependencies;
mod form;
mod links;
mod safety;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// A text file of the workspace.
struct File {
    /// From the root of the workspace, with `/`.
    path: String,
    text: String,
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Folders whose names begin with a dot and that hold our text all the same.
const HIDDEN_FOLDERS: &[&str] = &[".cargo", ".ci", ".github"];

/// Files that are ours to check, by how their names end.
const TEXT: &[&str] = &["rs", "toml", "md", "sh", "yml", "nft", "conf"];

/// The checks' own script, which has no ending.
const SCRIPT: &str = "run";

/// Checks the workspace and prints what it finds.
///
/// # Errors
/// Where there is a finding.
pub fn run() -> Result<()> {
    let mut files = Vec::new();
    collect(workspace::root(), workspace::root(), &mut files)?;
    let mut findings: Vec<Finding> = files.iter().flat_map(check).collect();
    findings.extend(dependencies::check(&files)?);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings in {} files", findings.len(), files.len());
    }
    eprintln!("tidy: {} files", files.len());
    Ok(())
}

fn check(file: &File) -> Vec<Finding> {
    let mut findings = form::unfinished(file);
    if has_ending(&file.path, "rs") {
        let code = source::code(&file.text);
        findings.extend(boundaries::rust(file, &code));
        findings.extend(safety::unexplained(file, &code));
        findings.extend(form::length(file));
        findings.extend(form::ignored_tests(file, &code));
    }
    if has_ending(&file.path, "toml") {
        findings.extend(boundaries::manifest(file));
    }
    if has_ending(&file.path, "md") {
        findings.extend(links::check(file, |target| workspace::root().join(target).exists()));
    }
    findings
}

fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == ending)
}

fn is_ours(name: &str) -> bool {
    name == SCRIPT || TEXT.iter().any(|ending| has_ending(name, ending))
}

/// Finds our text files below `folder`; build folders, hidden ones and links are left out.
fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let ours = !name.starts_with('.') || HIDDEN_FOLDERS.contains(&name.as_str());
            if ours && name != "target" {
                collect(root, &entry.path(), files)?;
            }
        } else if kind.is_file() && is_ours(&name) {
            let path = entry.path();
            let text = fs::read_to_string(&path).with_context(|| format!("{} is no text", path.display()))?;
            let path = path.strip_prefix(root)?.to_string_lossy().into_owned();
            files.push(File { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_shown_so_that_editors_can_jump_to_it() {
        let finding = Finding { path: "a/b.rs".to_owned(), line: 7, message: "what is wrong".to_owned() };
        assert_eq!(finding.to_string(), "a/b.rs:7: what is wrong");
    }

    #[test]
    fn this_very_file_is_among_those_that_are_checked() {
        let mut files = Vec::new();
        collect(workspace::root(), workspace::root(), &mut files).unwrap();
        assert!(files.iter().any(|file| file.path == "xtask/src/tidy/mod.rs"));
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }
}
