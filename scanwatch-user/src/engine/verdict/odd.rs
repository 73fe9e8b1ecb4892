//! Headers no stack sends, and protocols no host speaks: few are enough.

use scanwatch_common::abi::Technique;

use super::super::counts::Part;
use super::super::facts::{Facts, is_partial, mean, union};
use super::super::scan::{Kind, Techniques};
use super::{Finding, Rule, Subject, Verdict};

/// Judges flags and protocols.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    flags(facts, verdict);
    protocols(facts, verdict);
}

/// Pairs by any of the odd flag sets; one pair tried by three of them counts three times, which is fingerprinting.
fn flags(facts: &Facts, verdict: &mut Verdict) {
    let Some(limit) = Rule::Flags.limit(&facts.policy.thresholds, facts.window) else { return };
    if !verdict.can_reach(facts, &[(Part::Pairs, 1)], &facts.cells(Techniques::ODD)) {
        return;
    }
    let pairs = facts.pairs(Techniques::ODD);
    let cells: Vec<_> = facts.cells(Techniques::ODD).collect();
    let counts = union(facts.window, cells.iter().copied());
    let sketch = counts.estimate(Part::Pairs);
    let count = if is_partial(pairs.len(), sketch) { sketch.rounded() } else { pairs.len() as u64 };
    if count < limit {
        return;
    }
    let kind = if counts.estimate(Part::Ports).rounded() >= counts.estimate(Part::Hosts).rounded() {
        Kind::Vertical
    } else {
        Kind::Horizontal
    };
    let place = (facts.direction, facts.window);
    let finding = Finding::new(place, kind, Subject::All(Techniques::ODD), (Rule::Flags, limit));
    verdict.add(finding.with_pairs(facts.hasher, pairs).with_cells(cells));
}

fn protocols(facts: &Facts, verdict: &mut Verdict) {
    let only = Techniques::of(&[Technique::Proto]);
    let Some(limit) = Rule::Protocols.limit(&facts.policy.thresholds, facts.window) else { return };
    if !verdict.can_reach(facts, &[(Part::Ports, limit)], &facts.cells(only)) {
        return;
    }
    let pairs = facts.pairs(only);
    let place = (facts.direction, facts.window);
    let broken = (Rule::Protocols, limit);
    for host in pairs.chunk_by(|a, b| a.target == b.target).filter(|host| host.len() as u64 >= limit) {
        let subject = Subject::Host(Technique::Proto, host[0].target);
        let finding = Finding::new(place, Kind::Vertical, subject, broken);
        verdict.add(finding.with_pairs(facts.hasher, host.iter().copied()).completed(facts));
    }
    let counts = union(facts.window, facts.cells(only));
    if is_partial(pairs.len(), counts.estimate(Part::Pairs))
        && mean(&counts, Part::Pairs, Part::Hosts) >= limit
    {
        let finding = Finding::new(place, Kind::Vertical, Subject::All(only), broken);
        verdict.add(finding.with_pairs(facts.hasher, pairs).with_cells(facts.cells(only)));
    }
}
