//! `scanwatch doctor` as people and programs run it, without any rights.

#[path = "../support/authority.rs"]
mod authority;
mod command;
#[path = "../support/program.rs"]
mod program;
mod receivers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A folder for a configuration, and for what that names.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What doctor says of a configuration, with state in this folder.
    fn examine(&self, config: &str) -> Report {
        let file = self.path("scanwatch.toml");
        fs::write(&file, config).unwrap();
        let output = doctor()
            .args(["--json", "--interface", "lo", "--config"])
            .arg(&file)
            .arg("--state-dir")
            .arg(self.path("state"))
            .output()
            .unwrap();
        Report::read(&output)
    }
}

/// The command, to be given arguments.
fn doctor() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scanwatch"));
    command.arg("doctor").env_remove("STATE_DIRECTORY").env_remove("NO_COLOR");
    command
}

/// What it wrote.
struct Report {
    code: Option<i32>,
    text: String,
    document: Value,
}

impl Report {
    fn read(output: &Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let document = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"));
        Self { code: output.status.code(), text, document }
    }

    fn findings(&self) -> &[Value] {
        self.document["findings"].as_array().unwrap()
    }

    /// The finding of a check about something.
    fn finding(&self, area: &str, check: &str, subject: Option<&str>) -> &Value {
        let is_it = |finding: &&Value| {
            finding["area"] == area && finding["check"] == check && finding["subject"].as_str() == subject
        };
        self.findings()
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("no {area} {check} {subject:?}: {}", self.text))
    }

    /// Verdict, what was found, and what to do.
    fn said(&self, area: &str, check: &str, subject: Option<&str>) -> (&str, &str, &str) {
        let finding = self.finding(area, check, subject);
        let text = |key: &str| finding[key].as_str().unwrap_or_default();
        (text("verdict"), text("found"), text("advice"))
    }
}

/// What lies in a folder, and below.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}
