//! Many ports on one host.

use scanwatch_common::abi::Technique;

use super::super::counts::Part;
use super::super::facts::{Facts, is_partial, mean, union};
use super::super::pairs::Pair;
use super::super::scan::{Kind, Techniques};
use super::{Finding, Rule, Subject, Verdict};

/// Limits of the two rules: any ports, and well-known ones.
#[derive(Clone, Copy)]
struct Limits {
    any: Option<u64>,
    known: Option<u64>,
}

impl Limits {
    fn of(facts: &Facts, technique: Technique) -> Self {
        let limit = |rule: Rule| rule.limit(&facts.policy.thresholds, facts.window);
        // Few services speak UDP, and programs ask a host for several of them; SCTP has no groups.
        let known = if technique == Technique::Syn { limit(Rule::VerticalKnown) } else { None };
        Self { any: limit(Rule::Vertical), known }
    }

    fn lowest(self) -> Option<u64> {
        self.any.into_iter().chain(self.known).min()
    }

    fn broken_by(self, facts: &Facts, pairs: &[&Pair]) -> Option<(Rule, u64)> {
        let counted = pairs.iter().filter(|pair| Facts::is_counted(pair));
        let known = counted.clone().filter(|pair| facts.is_known(pair)).count() as u64;
        let any = counted.count() as u64;
        let known = self.known.filter(|limit| known >= *limit).map(|limit| (Rule::VerticalKnown, limit));
        self.any.filter(|limit| any >= *limit).map(|limit| (Rule::Vertical, limit)).or(known)
    }
}

/// Judges TCP, UDP and SCTP, each by itself.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    for technique in [Technique::Syn, Technique::Udp, Technique::Sctp] {
        let limits = Limits::of(facts, technique);
        let Some(lowest) = limits.lowest() else { continue };
        let only = Techniques::of(&[technique]);
        if !verdict.can_reach(facts, &[(Part::Ports, lowest)], &facts.cells(only)) {
            continue;
        }
        let pairs = facts.pairs(only);
        let mut found = false;
        for host in pairs.chunk_by(|a, b| a.target == b.target) {
            let Some(broken) = limits.broken_by(facts, host) else { continue };
            let subject = Subject::Host(technique, host[0].target);
            let finding = Finding::new((facts.direction, facts.window), Kind::Vertical, subject, broken);
            verdict.add(finding.with_pairs(facts.hasher, host.iter().copied()).completed(facts));
            found = true;
        }
        if !found {
            by_sketches(facts, verdict, technique, &pairs);
        }
    }
}

/// Where the pair table missed much: many ports for each host on average are many ports on some host.
fn by_sketches(facts: &Facts, verdict: &mut Verdict, technique: Technique, pairs: &[&Pair]) {
    let Some(limit) = Rule::Vertical.limit(&facts.policy.thresholds, facts.window) else { return };
    let only = Techniques::of(&[technique]);
    let cells = || facts.cells(only).filter(|cell| Facts::is_counted_cell(cell));
    let counts = union(facts.window, cells());
    let seen = pairs.iter().filter(|pair| Facts::is_counted(pair)).count();
    if !is_partial(seen, counts.estimate(Part::Pairs)) || mean(&counts, Part::Pairs, Part::Hosts) < limit {
        return;
    }
    let broken = (Rule::Vertical, limit);
    let finding = Finding::new((facts.direction, facts.window), Kind::Vertical, Subject::All(only), broken);
    verdict.add(finding.with_pairs(facts.hasher, pairs.iter().copied()).with_cells(cells()));
}
