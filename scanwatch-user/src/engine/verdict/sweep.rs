//! Who is there: many hosts asked by ICMP, many addresses asked for by ARP.

use scanwatch_common::abi::Technique;

use super::super::counts::Part;
use super::super::facts::{Facts, is_partial, union};
use super::super::scan::{Kind, Lane, Techniques};
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::OTHER;

/// Judges ICMP and ARP.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    for (technique, rule) in [(Technique::Icmp, Rule::Icmp), (Technique::Arp, Rule::Arp)] {
        let only = Techniques::of(&[technique]);
        let Some(limit) = rule.limit(&facts.policy.thresholds, facts.window) else { continue };
        if !verdict.can_reach(facts, &[(Part::Hosts, limit)], &facts.cells(only)) {
            continue;
        }
        let pairs = facts.pairs(only);
        let sketch = union(facts.window, facts.cells(only)).estimate(Part::Hosts);
        let count = if is_partial(pairs.len(), sketch) { sketch.rounded() } else { pairs.len() as u64 };
        if count >= limit {
            let subject = Subject::Lane(Lane { technique, service: OTHER, port: None });
            let place = (facts.direction, facts.window);
            let finding = Finding::new(place, Kind::Horizontal, subject, (rule, limit));
            verdict.add(finding.with_pairs(facts.hasher, pairs).with_cells(facts.cells(only)));
        }
    }
}
