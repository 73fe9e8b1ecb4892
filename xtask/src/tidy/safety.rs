//! Every use of `unsafe` says why it holds. Clippy asks the same of the agent; of the kernel crate, which it cannot build, nobody
//! else does.

use super::source::words;
use super::{File, Finding};

/// The findings in a Rust file, whose `code` has no comments and literals, only spaces in their place.
pub(super) fn unexplained(file: &File, code: &str) -> Vec<Finding> {
    let text: Vec<&str> = file.text.lines().collect();
    let mut findings = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let is_used = words(line).any(|word| word == "unsafe") && !line.trim_start().starts_with("#[");
        if !is_used {
            continue;
        }
        let asks = line.contains("unsafe fn ") || line.contains("unsafe trait ");
        let wanted = if asks { "# Safety" } else { "SAFETY: " };
        let said = if asks { "what others have to see to" } else { "why it holds" };
        if !before(&text, at).any(|comment| comment.contains(wanted)) {
            let message =
                format!("`unsafe` says {said}, in a comment above it that begins with `{}`", wanted.trim());
            findings.push(Finding { path: file.path.clone(), line: at + 1, message });
        }
    }
    findings
}

/// The comments and attributes that stand directly above a line, or above the assignment whose value it is.
fn before<'a>(text: &'a [&str], at: usize) -> impl Iterator<Item = &'a str> {
    let above = text[..at.min(text.len())].iter().rev().map(|line| line.trim());
    above
        .skip_while(|line| line.ends_with('='))
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
}

#[cfg(test)]
mod tests {
    use super::super::{file, source};
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let found = unexplained(&file("scanwatch-ebpf/src/a.rs", text), &source::code(text));
        found.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_block_without_its_reason_is_found() {
        assert_eq!(lines("fn f() {\n    unsafe { g() }\n}\n"), [2]);
        assert_eq!(lines("fn f() {\n    // Faster.\n    let a = unsafe { g() };\n}\n"), [3]);
        assert_eq!(lines("// SAFETY: of something else\n\nfn f() { unsafe { g() } }\n"), [3]);
        assert_eq!(lines("unsafe impl A for B {}\n"), [1]);
        assert!(
            lines("fn f() {\n    // SAFETY: a number.\n    let a =\n        unsafe { g() };\n}\n").is_empty()
        );
        assert!(
            lines(
                "fn f() {\n    // SAFETY: it takes a number,\n    // and no more.\n    unsafe { g() }\n}\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn what_asks_something_of_others_says_what() {
        assert_eq!(lines("/// Does it.\nunsafe fn f() {}\n"), [2]);
        assert_eq!(lines("/// Is it.\nunsafe trait A {}\n"), [2]);
        assert!(
            lines("/// Does it.\n///\n/// # Safety\n/// `a` is live.\n#[inline]\nunsafe fn f() {}\n")
                .is_empty()
        );
    }

    #[test]
    fn attributes_lints_and_prose_are_no_use() {
        let text =
            "#![deny(unsafe_code)]\n#[unsafe(no_mangle)]\nfn f() {} // unsafe\nconst A: &str = \"unsafe\";\n";
        assert!(lines(text).is_empty());
    }
}
