//! What the pair table did not see, for records were lost or pairs were too many: the sketches count.
//!
//! Sketches of 256 registers are off by some per cent each, so a count of failures is a difference of two uncertain
//! numbers. It is believed only where failure is a share of what was tried that no error makes.

use scanwatch_common::abi::{Outcome, Technique};

use super::super::counts::{Counts, Part};
use super::super::facts::{Facts, is_partial, mean, union};
use super::super::scan::{Kind, Lane, Techniques};
use super::super::source::SourceCell;
use super::horizontal::{rule_of, twins};
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::{Direction, OTHER};

/// Standard errors by which a difference is lowered.
const ERRORS: f64 = 2.0;

/// Judges by cells what by pairs was judged in part only.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    let is_found = |finding: &Finding| finding.scope.direction == facts.direction;
    for technique in [Technique::Syn, Technique::Udp, Technique::Sctp, Technique::Icmp, Technique::Arp] {
        let only = Techniques::of(&[technique]);
        let cells: Vec<&SourceCell> = facts.cells(only).collect();
        if cells.is_empty() || !is_unseen(facts, technique, &cells) {
            continue;
        }
        let before = verdict.findings.iter().filter(|finding| is_found(finding)).count();
        if Techniques::PORTLESS.has(technique) {
            who_is_there(facts, verdict, technique, &cells);
            continue;
        }
        ports(facts, verdict, only, &cells);
        if verdict.findings.iter().filter(|finding| is_found(finding)).count() == before {
            let lane = |cell: &SourceCell| (cell.id.service, cell.id.bucket);
            for cells in cells.chunk_by(|a, b| lane(a) == lane(b)) {
                hosts(facts, verdict, technique, cells);
            }
        }
    }
    odd(facts, verdict);
}

fn is_unseen(facts: &Facts, technique: Technique, cells: &[&SourceCell]) -> bool {
    // Adding the halves up is cheap, and no fewer than the union has.
    let bits: u32 = cells.iter().map(|cell| cell.windowed.bits(facts.window, Part::Pairs)).sum();
    let seen = facts.pairs.iter().filter(|pair| pair.technique == technique).count();
    (bits as usize) > seen
        && is_partial(seen, union(facts.window, cells.iter().copied()).estimate(Part::Pairs))
}

/// What answered of what these cells count.
fn answered(facts: &Facts, cells: &[&SourceCell]) -> Counts {
    let source = facts.overview.source;
    let answers = source.cells.iter().filter(|cell| {
        cell.id.outcome == Outcome::Answered
            && cells
                .iter()
                .any(|tried| super::super::source::CellId { outcome: Outcome::Tried, ..cell.id } == tried.id)
    });
    union(facts.window, answers)
}

/// Elements of a part that failed at least, and the share of them.
fn failed(part: Part, tried: &Counts, answered: &Counts) -> (f64, f64) {
    let (all, ok) = (tried.estimate(part), answered.estimate(part));
    let low = all.count * (1.0 - ERRORS * all.relative_error) - ok.count * (1.0 + ERRORS * ok.relative_error);
    (low.max(0.0), low.max(0.0) / all.count.max(1.0))
}

/// Many ports for each host on average are many ports on some host.
fn ports(facts: &Facts, verdict: &mut Verdict, only: Techniques, cells: &[&SourceCell]) {
    let thresholds = &facts.context().policy.thresholds;
    let Some(limit) = Rule::Vertical.limit(thresholds, facts.window) else { return };
    // Unnamed ports of UDP are media.
    let is_counted = |cell: &&SourceCell| cell.id.technique != Technique::Udp || cell.id.service != OTHER;
    let cells: Vec<&SourceCell> = cells.iter().copied().filter(is_counted).collect();
    let counts = union(facts.window, cells.iter().copied());
    if mean(&counts, Part::Pairs, Part::Hosts) < limit
        || failed(Part::Pairs, &counts, &answered(facts, &cells)).1 < 0.5
    {
        return;
    }
    let grid = mean(&counts, Part::Pairs, Part::Ports) >= u64::from(thresholds.block_lateral.hosts);
    let (kind, rule) = if grid {
        let inside = super::super::facts::is_inside(facts.direction);
        (Kind::Block, if inside { Rule::BlockLateral } else { Rule::BlockOutbound })
    } else {
        (Kind::Vertical, Rule::Vertical)
    };
    let pairs = facts.pairs(only);
    // Where the pairs show on which hosts the ports are, whatever else the source does is no part of it.
    let hosts = pairs.chunk_by(|a, b| a.target == b.target);
    let mut scanned = hosts.filter(|host| !grid && host.len() as u64 >= limit).peekable();
    if scanned.peek().is_none() {
        let finding = Finding::new(facts.place(), kind, Subject::All(only), (rule, limit));
        verdict.add(finding.with_pairs(facts, pairs).with_cells(cells));
        return;
    }
    for host in scanned {
        let subject = Subject::Host(host[0].technique, host[0].target);
        let finding = Finding::new(facts.place(), kind, subject, (rule, limit));
        verdict.add(finding.with_pairs(facts, host.iter().copied()).completed(facts));
    }
}

/// Many hosts on one service; on ports in no group, of which a cell holds a sixteenth, for each port on average.
fn hosts(facts: &Facts, verdict: &mut Verdict, technique: Technique, cells: &[&SourceCell]) {
    let id = cells[0].id;
    let on_lane = |pair: &&&super::super::pairs::Pair| {
        let cell = if pair.service == OTHER { scanwatch_common::abi::port_bucket(pair.port) } else { 0 };
        pair.technique == technique && pair.service == id.service && cell == id.bucket
    };
    let pairs: Vec<_> = facts.pairs.iter().filter(on_lane).copied().collect();
    let counts = union(facts.window, cells.iter().copied());
    if !is_partial(pairs.len(), counts.estimate(Part::Pairs)) {
        return;
    }
    let port = pairs.first().filter(|_| id.service == OTHER).map(|pair| pair.port);
    let lane = Lane { technique, service: id.service, port };
    let (rule, share) = rule_of(facts.context(), facts.direction, facts.window, lane);
    let Some(limit) = rule.limit(&facts.context().policy.thresholds, facts.window) else { return };
    // Names and clocks are asked for everywhere, and not all of them answer.
    let is_ordinary = technique == Technique::Udp
        && facts.direction != Direction::Inbound
        && !facts.context().is_sensitive(id.service, facts.direction);
    let (low, mut failing) = failed(Part::Hosts, &counts, &answered(facts, cells));
    if rule == Rule::HorizontalOutboundNoisy {
        let tried = counts.estimate(Part::Hosts).count.max(1.0);
        failing *= tried / (tried + twins(facts));
    }
    let ports = if id.service == OTHER { counts.estimate(Part::Ports).count.max(1.0) } else { 1.0 };
    if !is_ordinary && low / ports >= limit as f64 && failing >= share.max(0.3) {
        let finding = Finding::new(facts.place(), Kind::Horizontal, Subject::Lane(lane), (rule, limit));
        verdict.add(finding.with_pairs(facts, pairs).with_cells(cells.iter().copied()));
    }
}

fn who_is_there(facts: &Facts, verdict: &mut Verdict, technique: Technique, cells: &[&SourceCell]) {
    let context = facts.context();
    let profile = &facts.overview.source.profile;
    let rule = match (technique, super::super::facts::is_inside(facts.direction)) {
        (Technique::Arp, _) => Rule::Arp,
        (_, true) => Rule::IcmpLateral,
        (_, false) => Rule::IcmpOutbound,
    };
    let Some(limit) = rule.limit(&context.policy.thresholds, facts.window) else { return };
    let counts = union(facts.window, cells.iter().copied());
    let (low, share) = failed(Part::Hosts, &counts, &answered(facts, cells));
    // Who is dark cannot be told without pairs: all that is silent may be, twice as many surely hold enough.
    let need = if technique == Technique::Arp { 2 * limit } else { limit };
    if low >= need as f64 && share >= 0.3 && !context.world.is_gateway(profile.mac, &profile.key.address) {
        let lane = Subject::Lane(Lane { technique, service: OTHER, port: None });
        let finding = Finding::new(facts.place(), Kind::Horizontal, lane, (rule, limit));
        let pairs = facts.pairs(Techniques::of(&[technique]));
        verdict.add(finding.with_pairs(facts, pairs).with_cells(cells.iter().copied()));
    }
}

fn odd(facts: &Facts, verdict: &mut Verdict) {
    let Some(limit) = Rule::Flags.limit(&facts.context().policy.thresholds, facts.window) else { return };
    let cells: Vec<&SourceCell> = facts.cells(Techniques::ODD).collect();
    if cells.is_empty() {
        return;
    }
    let pairs = facts.pairs(Techniques::ODD);
    let counts = union(facts.window, cells.iter().copied());
    let count = counts.estimate(Part::Pairs);
    if count.rounded() >= limit && is_partial(pairs.len(), count) {
        let kind = if counts.estimate(Part::Ports).rounded() >= counts.estimate(Part::Hosts).rounded() {
            Kind::Vertical
        } else {
            Kind::Horizontal
        };
        let finding = Finding::new(facts.place(), kind, Subject::All(Techniques::ODD), (Rule::Flags, limit));
        verdict.add(finding.with_pairs(facts, pairs).with_cells(cells));
    }
}
