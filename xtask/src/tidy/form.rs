//! Limits of files, and nothing unfinished.

use super::source::words;
use super::{File, Finding};

/// Lines of a file that still has one reason to change.
const LINES_MAX: usize = 400;

/// Begins the line by which a longer file says why it is longer.
const LONG_BECAUSE: &str = "// tidy: long because ";

/// Marks of work that is not done, written so that this file holds none.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// A Rust file over the limit has to say why; one below it has nothing to explain.
pub(super) fn length(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    let reason = file
        .text
        .lines()
        .position(|line| line.strip_prefix(LONG_BECAUSE).is_some_and(|reason| !reason.trim().is_empty()));
    let finding = |line, message| Some(Finding { path: file.path.clone(), line, message });
    match reason {
        None if lines > LINES_MAX => finding(
            lines,
            format!("{lines} lines, over {LINES_MAX}: split it, or say `{LONG_BECAUSE}…` at its top"),
        ),
        Some(at) if lines <= LINES_MAX => {
            finding(at + 1, format!("{lines} lines are not over {LINES_MAX}: it needs no reason"))
        }
        _ => None,
    }
}

/// Marks of unfinished work, in any text.
pub(super) fn unfinished(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if let Some(mark) = words(line).find(|word| UNFINISHED.contains(word)) {
            let message = format!("{mark}: finish it, or write it down where work is planned");
            findings.push(Finding { path: file.path.clone(), line: number + 1, message });
        }
    }
    findings
}

/// Tests that do not run.
pub(super) fn ignored_tests(file: &File, code: &str) -> Vec<Finding> {
    let ignored = |line: &str| {
        let line: String = line.split_whitespace().collect();
        line.contains("#[ignore]") || line.contains("#[ignore=") || line.contains(",ignore)")
    };
    code.lines()
        .enumerate()
        .filter(|(_, line)| ignored(line))
        .map(|(number, _)| Finding {
            path: file.path.clone(),
            line: number + 1,
            message: "a test that is ignored protects nothing: let it fail and say what it needs".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{file, source};
    use super::*;

    #[test]
    fn a_file_over_the_limit_is_found_unless_it_says_why() {
        let body = "x\n".repeat(LINES_MAX);
        assert_eq!(length(&file("a.rs", &body)), None);
        let long = format!("{body}x\n");
        assert_eq!(length(&file("a.rs", &long)).unwrap().line, LINES_MAX + 1);
        let explained = format!("{LONG_BECAUSE}it is one table\n{long}");
        assert_eq!(length(&file("a.rs", &explained)), None);
        let unexplained = format!("{LONG_BECAUSE}\n{long}");
        assert!(length(&file("a.rs", &unexplained)).is_some());
    }

    #[test]
    fn a_reason_that_is_no_longer_needed_is_found() {
        let text = format!("one\n{LONG_BECAUSE}it was one table\n");
        assert_eq!(length(&file("a.rs", &text)).unwrap().line, 2);
    }

    #[test]
    fn marks_of_unfinished_work_are_found_as_words() {
        let [mark, ..] = UNFINISHED else { panic!("no marks") };
        let text = format!("fine\n// {mark}: later\n{mark}S are another word\nmktemp XXXX{}\n", "XX");
        let lines: Vec<usize> =
            unfinished(&file("a.md", &text)).into_iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2]);
    }

    #[test]
    fn ignored_tests_are_found_in_code_only() {
        let text =
            "#[ignore]\n#[ignore = \"slow\"]\n#[cfg_attr(miri, ignore)]\n// #[ignore]\nfn ignore() {}\n";
        let found = ignored_tests(&file("a.rs", text), &source::code(text));
        assert_eq!(found.into_iter().map(|finding| finding.line).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
