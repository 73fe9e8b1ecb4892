//! Many hosts on one service, or on one port that is in no group.

use std::collections::BTreeMap;

use scanwatch_common::abi::{Technique, port_bucket};

use super::super::counts::Part;
use super::super::facts::{Facts, WELL_KNOWN, is_partial, mean, union};
use super::super::pairs::Pair;
use super::super::scan::{Kind, Lane, Techniques};
use super::super::source::SourceCell;
use super::rule::horizontal as rule_of;
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::OTHER;

const JUDGED: Techniques = Techniques::of(&[Technique::Syn, Technique::Udp, Technique::Sctp]);

/// Judges each service and each unnamed port by itself.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    let cells: Vec<&SourceCell> = facts.cells(JUDGED).collect();
    // Cells that differ in nothing but the zone are side by side.
    let lane = |cell: &SourceCell| (cell.id.technique, cell.id.service, cell.id.bucket);
    for cells in cells.chunk_by(|a, b| lane(a) == lane(b)) {
        if cells[0].id.service == OTHER {
            unnamed(facts, verdict, cells);
        } else {
            named(facts, verdict, cells);
        }
    }
}

/// The rule for a lane with its limit, where it is not off.
fn limit_of(facts: &Facts, lane: Lane, port: u16) -> Option<(Rule, u64)> {
    let rule = rule_of(facts.policy, facts.direction, lane.technique, lane.service, port)?;
    Some((rule, rule.limit(&facts.policy.thresholds, facts.window)?))
}

fn named(facts: &Facts, verdict: &mut Verdict, cells: &[&SourceCell]) {
    let lane = Lane { technique: cells[0].id.technique, service: cells[0].id.service, port: None };
    let Some(broken) = limit_of(facts, lane, 0) else { return };
    if !verdict.can_reach(facts, &[(Part::Hosts, broken.1)], &cells.iter().copied()) {
        return;
    }
    let mut pairs = facts.pairs(Techniques::of(&[lane.technique]));
    pairs.retain(|pair| pair.service == lane.service);
    let hosts = pairs.chunk_by(|a, b| a.target == b.target).count();
    let sketch = union(facts.window, cells.iter().copied()).estimate(Part::Hosts);
    let count = if is_partial(hosts, sketch) { sketch.rounded() } else { hosts as u64 };
    if count >= broken.1 {
        let place = (facts.direction, facts.window);
        let finding = Finding::new(place, Kind::Horizontal, Subject::Lane(lane), broken);
        verdict.add(finding.with_pairs(facts.hasher, pairs).with_cells(cells.iter().copied()));
    }
}

/// Ports in no group, of which a cell holds a sixteenth.
fn unnamed(facts: &Facts, verdict: &mut Verdict, cells: &[&SourceCell]) {
    let (technique, bucket) = (cells[0].id.technique, cells[0].id.bucket);
    let any = Lane { technique, service: OTHER, port: None };
    // Below and from 1024 the limits differ towards the internet.
    let lowest = [0, WELL_KNOWN]
        .into_iter()
        .filter_map(|port| limit_of(facts, any, port))
        .map(|broken| broken.1)
        .min();
    let Some(lowest) = lowest else { return };
    if !verdict.can_reach(facts, &[(Part::Hosts, lowest)], &cells.iter().copied()) {
        return;
    }
    let mut ports: BTreeMap<u16, Vec<&Pair>> = BTreeMap::new();
    for pair in facts.pairs(Techniques::of(&[technique])) {
        if pair.service == OTHER && port_bucket(pair.port) == bucket {
            ports.entry(pair.port).or_default().push(pair);
        }
    }
    let place = (facts.direction, facts.window);
    let mut found = false;
    for (port, pairs) in &ports {
        let Some(broken) = limit_of(facts, any, *port).filter(|broken| pairs.len() as u64 >= broken.1) else {
            continue;
        };
        let subject = Subject::Lane(Lane::of(technique, OTHER, *port));
        let finding = Finding::new(place, Kind::Horizontal, subject, broken);
        verdict.add(finding.with_pairs(facts.hasher, pairs.iter().copied()).completed(facts));
        found = true;
    }
    if !found {
        unnamed_by_sketches(facts, verdict, cells, &ports);
    }
}

/// Where the pair table missed much: many hosts for each port on average are many hosts on some port.
fn unnamed_by_sketches(
    facts: &Facts,
    verdict: &mut Verdict,
    cells: &[&SourceCell],
    ports: &BTreeMap<u16, Vec<&Pair>>,
) {
    let counts = union(facts.window, cells.iter().copied());
    let seen = ports.values().map(Vec::len).sum();
    let busiest = ports.iter().max_by_key(|(_, pairs)| pairs.len()).map(|(port, _)| *port);
    let lane = Lane { technique: cells[0].id.technique, service: OTHER, port: busiest };
    let Some(broken) = limit_of(facts, lane, busiest.unwrap_or(u16::MAX)) else { return };
    if is_partial(seen, counts.estimate(Part::Pairs)) && mean(&counts, Part::Pairs, Part::Ports) >= broken.1 {
        let place = (facts.direction, facts.window);
        let finding = Finding::new(place, Kind::Horizontal, Subject::Lane(lane), broken);
        let pairs = ports.values().flatten().copied();
        verdict.add(finding.with_pairs(facts.hasher, pairs).with_cells(cells.iter().copied()));
    }
}
