//! What this user may do.

use std::fs;

use super::finding::{Area, Check, Finding};
use crate::kernel::{Capabilities, Capability};

/// `/proc/self/uid_map` of the first user namespace: all numbers, as they are.
const ALL_USERS: [&str; 3] = ["0", "0", "4294967295"];

/// What there is to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// `None` where /proc does not tell.
    pub capabilities: Option<Capabilities>,
    /// Capabilities are those of a user namespace, and count for nothing outside of it.
    pub is_in_user_namespace: bool,
}

impl Facts {
    /// Whether programs may be loaded, as far as capabilities go.
    pub(super) fn may_load(&self) -> bool {
        let has_all = |own: Capabilities| Capability::NEEDED.into_iter().all(|needed| own.has(needed));
        !self.is_in_user_namespace && self.capabilities.is_some_and(has_all)
    }
}

pub(super) fn gather() -> Facts {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_first = map.is_empty() || map.split_whitespace().eq(ALL_USERS);
    Facts { capabilities: Capabilities::effective(), is_in_user_namespace: !is_first }
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(own) = facts.capabilities else {
        let check = Check::of(Area::Rights, "capabilities");
        return vec![check.note("/proc does not tell what this user may do").advising("mount /proc")];
    };
    if facts.is_in_user_namespace {
        let check = Check::of(Area::Rights, "user_namespace");
        return vec![check.problem(
            "this is a user namespace, whose capabilities count for nothing when programs are loaded",
            "run scanwatch outside of it: on the host, or in a container without user namespaces",
        )];
    }
    let missing: Vec<Capability> =
        Capability::NEEDED.into_iter().filter(|capability| !own.has(*capability)).collect();
    let mut findings: Vec<Finding> = missing.iter().copied().map(lacking).collect();
    if missing.is_empty() {
        let names = Capability::NEEDED.map(Capability::name).join(", ");
        findings.push(Check::of(Area::Rights, "capabilities").ok(format!("{names} are there")));
    }
    if !own.has(Capability::SysAdmin) {
        let check = Check::about(Area::Rights, "capability", Capability::SysAdmin.name());
        findings.push(
            check
                .note("missing: other programs are told by number, and whose they are is not looked up")
                .advising("nothing, for watching does not need it; run doctor as root to have them named"),
        );
    }
    findings
}

fn lacking(capability: Capability) -> Finding {
    let purpose = match capability {
        Capability::Bpf => "programs cannot be loaded, nor maps be made",
        Capability::NetAdmin => "programs cannot be attached to interfaces",
        _ => "the verifier refuses the programs, which calculate with pointers into packets and maps",
    };
    let check = Check::about(Area::Rights, "capability", capability.name());
    check.problem(
        format!("missing: {purpose}"),
        format!(
            "run scanwatch as root, or give it {0}: AmbientCapabilities={0} in its unit, or setcap(8)",
            capability.name()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn found(capabilities: &[Capability]) -> Vec<Finding> {
        let capabilities = Some(Capabilities::of(capabilities));
        judge(&Facts { capabilities, is_in_user_namespace: false })
    }

    fn subjects(findings: &[Finding], verdict: Verdict) -> Vec<&str> {
        let some = findings.iter().filter(|finding| finding.verdict == verdict);
        some.filter_map(|finding| finding.subject.as_deref()).collect()
    }

    #[test]
    fn without_any_capability_each_that_is_missing_is_a_problem_with_what_it_is_for() {
        let findings = found(&[]);
        assert_eq!(subjects(&findings, Verdict::Problem), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert!(findings[1].found.contains("cannot be attached"), "{}", findings[1].found);
        assert!(findings[1].advice.as_ref().unwrap().contains("AmbientCapabilities=CAP_NET_ADMIN"));
    }

    #[test]
    fn only_what_is_missing_is_named() {
        let findings = found(&[Capability::Bpf, Capability::NetAdmin]);
        assert_eq!(subjects(&findings, Verdict::Problem), ["CAP_PERFMON"]);
        let capabilities = |own: &[Capability]| Some(Capabilities::of(own));
        let facts = |capabilities| Facts { capabilities, is_in_user_namespace: false };
        assert!(facts(capabilities(&Capability::NEEDED)).may_load());
        assert!(!facts(capabilities(&Capability::NEEDED[..2])).may_load() && !facts(None).may_load());
    }

    #[test]
    fn the_three_are_enough_and_looking_at_others_is_extra() {
        let findings = found(&Capability::NEEDED);
        assert_eq!(findings[0].verdict, Verdict::Ok);
        assert_eq!(subjects(&findings, Verdict::Note), ["CAP_SYS_ADMIN"]);
        let root = found(&[Capability::NetAdmin, Capability::SysAdmin]);
        assert_eq!((root.len(), root[0].verdict), (1, Verdict::Ok));
    }

    #[test]
    fn all_capabilities_of_a_user_namespace_are_none() {
        let capabilities = Some(Capabilities::of(&[Capability::SysAdmin, Capability::NetAdmin]));
        let findings = judge(&Facts { capabilities, is_in_user_namespace: true });
        assert_eq!((findings.len(), findings[0].check), (1, "user_namespace"));
        assert_eq!(findings[0].verdict, Verdict::Problem);
    }
}
