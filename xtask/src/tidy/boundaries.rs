//! What each crate and folder does not contain.

use super::source::words;
use super::{File, Finding};

/// Where the platform is touched: unsafe code, aya and libc. Everywhere else neither is named.
const PLATFORM: &[&str] = &["scanwatch-ebpf/", "scanwatch-user/src/kernel/"];

const ENGINE: &str = "scanwatch-user/src/engine";
const COMMON: &str = "scanwatch-common/";

/// What judgement has no use for: it is given the time and its input, and returns events.
const NOT_IN_ENGINE: &[(&str, &str)] = &[
    ("Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("tokio", "an async runtime"),
    ("fs", "the file system"),
    ("TcpStream", "a socket"),
    ("TcpListener", "a socket"),
    ("UdpSocket", "a socket"),
    ("UnixStream", "a socket"),
    ("UnixListener", "a socket"),
    ("UnixDatagram", "a socket"),
];

/// The findings in a Rust file, whose `code` has no comments and literals.
pub(super) fn rust(file: &File, code: &str) -> Vec<Finding> {
    let in_platform = PLATFORM.iter().any(|folder| file.path.starts_with(folder));
    let in_engine = file.path.strip_prefix(ENGINE).is_some_and(|rest| rest.starts_with(['/', '.']));
    let mut findings = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut report = |message: String| {
            let finding = Finding { path: file.path.clone(), line: number + 1, message };
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        };
        for word in words(line) {
            if !in_platform && word == "unsafe" {
                report(format!("unsafe code belongs in {}", PLATFORM.join(" or ")));
            }
            if !in_platform && is_platform_crate(word) {
                report(format!("`{word}` is named in {} only", PLATFORM.join(" and ")));
            }
            if in_engine && let Some((name, what)) = NOT_IN_ENGINE.iter().find(|(name, _)| *name == word) {
                report(format!("the engine is given its input and the time; `{name}` is {what}"));
            }
        }
    }
    if file.path == "scanwatch-common/src/lib.rs" {
        findings.extend(missing_attributes(file, code));
    }
    findings
}

fn is_platform_crate(word: &str) -> bool {
    word == "libc" || word == "aya" || word.starts_with("aya_")
}

fn missing_attributes(file: &File, code: &str) -> Vec<Finding> {
    ["#![no_std]", "#![forbid(unsafe_code)]"]
        .into_iter()
        .filter(|attribute| !code.lines().any(|line| line.trim() == *attribute))
        .map(|attribute| Finding {
            path: file.path.clone(),
            line: 1,
            message: format!("the kernel shares this crate: it has to say `{attribute}`"),
        })
        .collect()
}

/// The findings in a Cargo.toml: scanwatch-common depends on nothing, and not on a build script either.
pub(super) fn manifest(file: &File) -> Vec<Finding> {
    if file.path != format!("{COMMON}Cargo.toml") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut in_dependencies = false;
    for (number, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            // `[dependencies]`, `[build-dependencies]`, `[target.….dependencies]`, `[dependencies.name]`; tests may
            // depend on what they like.
            in_dependencies = !header.contains("dev-dependencies")
                && header.split('.').any(|part| part.ends_with("dependencies"));
            let names_one = in_dependencies && !header.ends_with("dependencies");
            if !names_one {
                continue;
            }
        }
        if in_dependencies && !line.is_empty() && !line.starts_with('#') {
            let message =
                "scanwatch-common has no dependencies: what the kernel runs is all in sight".to_owned();
            findings.push(Finding { path: file.path.clone(), line: number + 1, message });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::{file, source};
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<(usize, String)> {
        let found = rust(&file(path, text), &source::code(text));
        found.into_iter().map(|finding| (finding.line, finding.message)).collect()
    }

    fn lines(path: &str, text: &str) -> Vec<usize> {
        findings(path, text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn unsafe_code_is_found_outside_the_platform_folders_only() {
        let text = "fn f() {\n    unsafe { g() }\n}\n#[unsafe(no_mangle)]\n";
        assert_eq!(lines("scanwatch-user/src/app.rs", text), [2, 4]);
        assert_eq!(lines("xtask/src/lab/mod.rs", text), [2, 4]);
        assert!(lines("scanwatch-user/src/kernel/map.rs", text).is_empty());
        assert!(lines("scanwatch-ebpf/src/main.rs", text).is_empty());
    }

    #[test]
    fn the_word_unsafe_in_prose_lints_and_literals_is_no_finding() {
        let text = "//! No unsafe here.\n#![forbid(unsafe_code)]\nconst A: &str = \"unsafe\"; // unsafe\n";
        assert!(lines("scanwatch-user/src/app.rs", text).is_empty());
    }

    #[test]
    fn platform_crates_are_named_in_the_platform_folders_only() {
        let text = "use aya::Ebpf;\nuse aya_log::EbpfLogger;\nuse nix::libc::c_int;\nlet ayah = libcrypt;\n";
        assert_eq!(lines("scanwatch-user/src/app.rs", text), [1, 2, 3]);
        assert!(lines("scanwatch-user/src/kernel/load.rs", text).is_empty());
    }

    #[test]
    fn the_engine_has_no_clock_and_no_io() {
        let text =
            "use std::time::{Duration, Instant};\nuse std::net::IpAddr;\nuse std::{fs, net::UdpSocket};\n";
        let found = findings("scanwatch-user/src/engine/windows.rs", text);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 3]);
        assert!(found[0].1.contains("`Instant` is a clock"), "{}", found[0].1);
        assert_eq!(lines("scanwatch-user/src/engine.rs", "use tokio::sync;"), [1]);
        assert!(lines("scanwatch-user/src/engine_room.rs", text).is_empty());
    }

    #[test]
    fn one_line_is_reported_once_for_each_reason() {
        assert_eq!(
            findings("scanwatch-user/src/app.rs", "unsafe { unsafe { libc::a() } libc::b() }").len(),
            2
        );
    }

    #[test]
    fn the_shared_crate_says_that_it_has_no_std_and_forbids_unsafe_code() {
        let path = "scanwatch-common/src/lib.rs";
        assert!(lines(path, "//! Doc.\n#![no_std]\n#![forbid(unsafe_code)]\n").is_empty());
        assert_eq!(lines(path, "#![no_std]\n// #![forbid(unsafe_code)]\n"), [1]);
        assert_eq!(lines(path, "#![cfg_attr(test, no_std)]\n").len(), 2);
    }

    #[test]
    fn the_shared_crate_has_no_dependencies_but_those_of_tests() {
        let found = |text| {
            let findings = manifest(&file("scanwatch-common/Cargo.toml", text));
            findings.into_iter().map(|finding| finding.line).collect::<Vec<_>>()
        };
        assert!(
            found(
                "[package]\nname = \"x\"\n\n[dependencies]\n# none\n\n[dev-dependencies]\nproptest = \"1\"\n"
            )
            .is_empty()
        );
        assert_eq!(found("[dependencies]\nserde = \"1\"\n"), [2]);
        assert_eq!(found("[build-dependencies]\ncc = \"1\"\n"), [2]);
        assert_eq!(found("[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n"), [2]);
        assert_eq!(found("[dependencies.serde]\nversion = \"1\"\n\n[lints]\nworkspace = true\n"), [1, 2]);
        assert!(manifest(&file("xtask/Cargo.toml", "[dependencies]\nclap = \"4\"\n")).is_empty());
    }
}
