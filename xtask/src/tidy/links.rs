//! Links between documents lead somewhere.

use std::path::{Component, Path, PathBuf};

use super::{File, Finding};

/// The relative links of a Markdown `file` whose targets do not exist.
///
/// `exists` is asked with a path from the root of the workspace. Anchors are not looked up.
pub(super) fn check(file: &File, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    let mut fenced = false;
    for (number, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for target in targets(&without_code(line)) {
            let path = target.split('#').next().unwrap_or_default();
            let resolves = normal(&folder.join(path)).is_some_and(|path| exists(&path));
            if !path.is_empty() && !resolves {
                let message = format!("the link to {target} leads nowhere");
                findings.push(Finding { path: file.path.clone(), line: number + 1, message });
            }
        }
    }
    findings
}

/// What the relative links on a line point to: `[text](target)` and `[name]: target`.
fn targets(line: &str) -> Vec<String> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let definition = line
        .trim_start()
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"))
        .filter(|(name, _)| !name.contains(']'))
        .map(|(_, target)| target);
    inline
        .chain(definition)
        .filter_map(|target| target.split_whitespace().next())
        .map(|target| target.trim_start_matches('<').trim_end_matches('>'))
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}

/// The line without what stands between back-ticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// `path` without `.` and `..`; `None` where it leaves the workspace.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir if normal.pop() => {}
            _ => return None,
        }
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let exists = |path: &Path| path == Path::new("README.md") || path == Path::new("docs/roles.md");
        check(&file(path, text), exists).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_link_is_looked_up_from_the_document_s_own_folder() {
        assert!(lines("README.md", "[a](docs/roles.md) [b](./docs/roles.md#kinds)").is_empty());
        assert!(lines("docs/roles.md", "[a](../README.md)\n[b]: roles.md\n").is_empty());
        assert_eq!(lines("docs/roles.md", "fine\n[a](README.md)\n"), [2]);
        assert_eq!(lines("README.md", "[a]: gone.md \"title\"\n"), [1]);
    }

    #[test]
    fn a_link_out_of_the_workspace_leads_nowhere() {
        assert_eq!(lines("README.md", "[a](../README.md)"), [1]);
        assert_eq!(lines("README.md", "[a](/README.md)"), [1]);
    }

    #[test]
    fn addresses_anchors_and_code_are_not_looked_up() {
        let text = "[a](https://example.org/x) [b](#here) [c](mailto:a@example.org)\n\
                    `[d](gone.md)`\n```\n[e](gone.md)\n```\narray[1](x)\n";
        assert_eq!(lines("README.md", text), [6]);
    }
}
