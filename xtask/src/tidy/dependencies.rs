//! docs/DEPENDENCIES.md explains every direct dependency, and nothing else; each of them is used.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::source::{code, words};
use super::{File, Finding, has_ending};
use crate::step::output;
use crate::workspace;

const DOCUMENT: &str = "docs/DEPENDENCIES.md";

/// A crate of the workspace and what its Cargo.toml asks for.
#[derive(Debug)]
struct Package {
    name: String,
    /// From the root of the workspace.
    folder: String,
    /// Whether each is needed by more than tests and benchmarks, by name.
    dependencies: BTreeMap<String, bool>,
}

/// A row of the document: the line it stands in, and how many of its cells say something.
struct Row {
    line: usize,
    cells: usize,
}

/// The findings in the document, and the dependencies that no code names.
pub(super) fn check(files: &[File]) -> Result<Vec<Finding>> {
    let mut metadata = workspace::cargo();
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
    let packages = packages(&output(&mut metadata)?).context("cargo metadata is not as it was")?;
    let text = files.iter().find(|file| file.path == DOCUMENT).map_or("", |file| &file.text);
    let mut findings = explained(text, &packages);
    for package in &packages {
        findings.extend(unused(package, files));
    }
    Ok(findings)
}

/// Reads what cargo says of the workspace's crates.
fn packages(metadata: &str) -> Option<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    let root = metadata["workspace_root"].as_str()?;
    let package = |package: &Value| {
        let manifest = package["manifest_path"].as_str()?.strip_prefix(root)?;
        let mut dependencies = BTreeMap::new();
        for dependency in package["dependencies"].as_array()? {
            let name = dependency["name"].as_str()?.to_owned();
            *dependencies.entry(name).or_default() |= dependency["kind"].as_str() != Some("dev");
        }
        Some(Package {
            name: package["name"].as_str()?.to_owned(),
            folder: manifest.trim_start_matches('/').trim_end_matches("/Cargo.toml").to_owned(),
            dependencies,
        })
    };
    metadata["packages"].as_array()?.iter().map(package).collect()
}

/// Compares the document's tables with the manifests.
fn explained(text: &str, packages: &[Package]) -> Vec<Finding> {
    let finding = |line, message| Finding { path: DOCUMENT.to_owned(), line, message };
    let tables = tables(text);
    let mut findings = Vec::new();
    for package in packages {
        let Some(rows) = tables.get(package.name.as_str()) else {
            let message =
                format!("the section of `{}` is missing: what are its dependencies for?", package.name);
            findings.push(finding(1, message));
            continue;
        };
        for name in package.dependencies.keys().filter(|name| !rows.contains_key(name.as_str())) {
            let message = format!("{} depends on `{name}`: say what for, and why on this one", package.name);
            findings.push(finding(1, message));
        }
        for (name, row) in rows {
            if !package.dependencies.contains_key(*name) {
                findings.push(finding(row.line, format!("{} does not depend on `{name}`", package.name)));
            } else if row.cells < 3 {
                findings.push(finding(row.line, format!("`{name}`: say what for, and why this one")));
            }
        }
    }
    let known = |name: &&&str| !packages.iter().any(|package| package.name == **name);
    findings.extend(tables.keys().filter(known).map(|name| finding(1, format!("`{name}` is no crate here"))));
    findings
}

/// The rows of each section `` ## `crate` ``, by the names in back-ticks in their first cells.
fn tables(text: &str) -> BTreeMap<&str, BTreeMap<&str, Row>> {
    let mut tables: BTreeMap<&str, BTreeMap<&str, Row>> = BTreeMap::new();
    let mut section = None;
    for (number, line) in text.lines().enumerate() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = in_ticks(heading).next();
            if let Some(section) = section {
                tables.entry(section).or_default();
            }
        } else if let (Some(section), Some(row)) = (section, line.strip_prefix('|')) {
            let mut cells = row.trim_end().trim_end_matches('|').split('|');
            let first = cells.next().unwrap_or_default();
            let filled = 1 + cells.filter(|cell| !cell.trim().is_empty()).count();
            let rows = tables.entry(section).or_default();
            rows.extend(in_ticks(first).map(|name| (name, Row { line: number + 1, cells: filled })));
        }
    }
    tables
}

/// What stands between back-ticks.
fn in_ticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Dependencies that no line of code names: in `src` for those of the program, anywhere for those of tests.
fn unused(package: &Package, files: &[File]) -> Vec<Finding> {
    let sources = |of_program: bool| {
        let folder =
            if of_program { format!("{}/src/", package.folder) } else { format!("{}/", package.folder) };
        files.iter().filter(move |file| file.path.starts_with(&folder) && has_ending(&file.path, "rs"))
    };
    let is_named = |name: &str, of_program| {
        let word = name.replace('-', "_");
        sources(of_program)
            .filter(|file| file.text.contains(&word))
            .any(|file| code(&file.text).lines().flat_map(words).any(|found| found == word))
    };
    package
        .dependencies
        .iter()
        .filter(|(name, of_program)| !is_named(name, **of_program))
        .map(|(name, _)| Finding {
            path: format!("{}/Cargo.toml", package.folder),
            line: 1,
            message: format!("no code names `{name}`: depend on what is used alone"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const METADATA: &str = r#"{"workspace_root": "/w", "packages": [{"name": "agent", "manifest_path": "/w/user/Cargo.toml",
        "dependencies": [{"name": "one", "kind": null}, {"name": "two-three", "kind": "dev"},
                         {"name": "both", "kind": "dev"}, {"name": "both", "kind": null}]}]}"#;

    fn agent() -> Vec<Package> {
        packages(METADATA).unwrap()
    }

    fn messages(text: &str) -> Vec<String> {
        explained(text, &agent()).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn what_only_tests_need_is_told_from_what_the_program_needs() {
        let [agent] = &agent()[..] else { panic!("one crate") };
        assert_eq!((agent.name.as_str(), agent.folder.as_str()), ("agent", "user"));
        let needed: Vec<(&str, bool)> =
            agent.dependencies.iter().map(|(name, of)| (name.as_str(), *of)).collect();
        assert_eq!(needed, [("both", true), ("one", true), ("two-three", false)]);
    }

    #[test]
    fn a_document_that_explains_each_dependency_is_in_order() {
        let text = "# All\n\n## `agent`\n\n| crate | what for | why |\n|---|---|---|\n| `one`, `both` | x | y |\n\
                    | `two-three` | x | `z` |\n";
        assert_eq!(messages(text), [""; 0]);
    }

    #[test]
    fn a_dependency_without_a_row_and_a_row_without_one_are_found() {
        let text = "## `agent`\n| `one` | x | |\n| `both` | x | y |\n| `gone` | x | y |\n\n## `other`\n";
        assert_eq!(
            messages(text),
            [
                "agent depends on `two-three`: say what for, and why on this one",
                "agent does not depend on `gone`",
                "`one`: say what for, and why this one",
                "`other` is no crate here",
            ]
        );
        assert_eq!(messages(""), ["the section of `agent` is missing: what are its dependencies for?"]);
    }

    #[test]
    fn a_dependency_that_no_code_names_is_found() {
        let used = |files: &[File]| -> Vec<String> {
            unused(&agent()[0], files).into_iter().map(|finding| finding.message).collect()
        };
        let program = file("user/src/main.rs", "use one::A;\nfn f() { both::b() }\n");
        let test = file("user/tests/a.rs", "use two_three::X;\n");
        assert_eq!(used(&[program, test]), [""; 0]);
        let comment = file("user/src/main.rs", "// one\nlet both_of = \"two_three\";\n");
        let elsewhere = file("user/tests/a.rs", "use one::A; use both::B;");
        assert_eq!(used(&[comment, elsewhere]).len(), 3);
    }
}
