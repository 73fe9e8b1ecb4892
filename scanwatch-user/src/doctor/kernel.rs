//! The kernel: its version, type information, and compiler of programs.

use std::fs;
use std::path::Path;

use super::finding::{Area, Check, Finding};
use super::programs::Trial;
use crate::kernel::{KERNEL_MIN, TCX, Version, running_version};

const BTF: &str = "/sys/kernel/btf/vmlinux";
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";
/// `CONFIG_BPF_JIT`'s settings.
const JIT_OFF: u8 = 0;
const JIT_DEBUG: u8 = 2;

/// What there is to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// As the kernel tells it.
    pub release: String,
    pub version: Option<Version>,
    pub has_btf: bool,
    /// The kernel's setting; it shows only in the first network namespace.
    pub jit: Option<u8>,
    /// Whether programs were compiled that were loaded.
    pub is_compiled: Option<bool>,
}

pub(super) fn gather(trial: &Trial) -> Facts {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    Facts {
        release: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
        version: running_version(),
        has_btf: Path::new(BTF).exists(),
        jit: read(JIT).and_then(|text| text.parse().ok()),
        is_compiled: trial.are_compiled(),
    }
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    vec![version(facts), btf(facts), jit(facts)]
}

fn version(facts: &Facts) -> Finding {
    let check = Check::of(Area::Kernel, "version");
    let needed = Version(KERNEL_MIN.0, KERNEL_MIN.1);
    let release = &facts.release;
    match facts.version {
        Some(version) if version < needed => check.problem(
            format!("Linux {release} is too old: scanwatch needs Linux {needed} or newer"),
            format!("boot a kernel of version {needed} or newer"),
        ),
        Some(version) if version < TCX => check.ok(format!(
            "Linux {release}; TC hooks are taken by the clsact discipline, for TCX comes with Linux {TCX}"
        )),
        Some(_) => check.ok(format!("Linux {release}; TC hooks are shared with others by TCX")),
        None => check
            .note("the kernel does not tell its version")
            .advising(format!("make sure that it is Linux {needed} or newer")),
    }
}

fn btf(facts: &Facts) -> Finding {
    let check = Check::of(Area::Kernel, "btf");
    if facts.has_btf {
        return check.ok(format!("the kernel describes its types ({BTF})"));
    }
    check
        .note(format!("the kernel does not describe its types: there is no {BTF}; scanwatch does without"))
        .advising("nothing; for bpftool to show types, use a kernel built with CONFIG_DEBUG_INFO_BTF=y")
}

fn jit(facts: &Facts) -> Finding {
    let check = Check::of(Area::Kernel, "jit");
    let slow = "programs are interpreted, which costs several times as much a packet";
    match (facts.jit, facts.is_compiled) {
        (Some(JIT_OFF), _) => check.warning(
            format!("the compiler of programs is off: {slow}"),
            "run `sysctl -w net.core.bpf_jit_enable=1`, and write it into /etc/sysctl.d",
        ),
        (_, Some(false)) => check.warning(
            format!("the kernel did not compile the programs it loaded: {slow}"),
            "use a kernel built with CONFIG_BPF_JIT=y, and set net.core.bpf_jit_enable to 1",
        ),
        (Some(JIT_DEBUG), _) => check.warning(
            "the compiler of programs is on, and prints each of them to the kernel's log",
            "run `sysctl -w net.core.bpf_jit_enable=1`",
        ),
        (Some(_), _) | (None, Some(true)) => check.ok("programs are compiled for the processor"),
        (None, None) => check
            .note("whether programs are compiled does not show here")
            .advising("look at net.core.bpf_jit_enable outside of this network namespace; it should be 1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn facts() -> Facts {
        Facts {
            release: "6.12.9-amd64".to_owned(),
            version: Some(Version(6, 12)),
            has_btf: true,
            jit: Some(1),
            is_compiled: Some(true),
        }
    }

    #[test]
    fn a_kernel_of_today_is_ok() {
        assert!(judge(&facts()).iter().all(|finding| finding.verdict == Verdict::Ok));
        assert!(version(&facts()).found.contains("TCX"));
    }

    #[test]
    fn an_old_kernel_is_a_problem_and_the_version_that_is_needed_is_named() {
        let old = Facts { release: "5.15.0-91".to_owned(), version: Some(Version(5, 15)), ..facts() };
        let finding = version(&old);
        assert_eq!(finding.verdict, Verdict::Problem);
        assert_eq!(finding.found, "Linux 5.15.0-91 is too old: scanwatch needs Linux 6.1 or newer");
        assert_eq!(finding.advice.as_deref(), Some("boot a kernel of version 6.1 or newer"));
    }

    #[test]
    fn the_oldest_kernel_that_is_supported_is_ok_and_does_without_tcx() {
        let finding = version(&Facts { version: Some(Version(6, 1)), ..facts() });
        assert_eq!(finding.verdict, Verdict::Ok);
        assert!(finding.found.contains("clsact"), "{}", finding.found);
        assert_eq!(version(&Facts { version: None, ..facts() }).verdict, Verdict::Note);
    }

    #[test]
    fn missing_type_information_is_no_more_than_a_note() {
        assert_eq!(btf(&Facts { has_btf: false, ..facts() }).verdict, Verdict::Note);
    }

    #[test]
    fn a_compiler_that_is_off_is_a_warning_however_that_is_known() {
        for (jit_setting, is_compiled, expected) in [
            (Some(0), None, Verdict::Warning),
            (Some(0), Some(true), Verdict::Warning),
            (None, Some(false), Verdict::Warning),
            (Some(1), Some(false), Verdict::Warning),
            (Some(2), Some(true), Verdict::Warning),
            (Some(1), None, Verdict::Ok),
            (None, Some(true), Verdict::Ok),
            (None, None, Verdict::Note),
        ] {
            let found = jit(&Facts { jit: jit_setting, is_compiled, ..facts() });
            assert_eq!(found.verdict, expected, "{jit_setting:?} {is_compiled:?}: {}", found.found);
            assert_eq!(found.advice.is_none(), expected == Verdict::Ok);
        }
    }
}
