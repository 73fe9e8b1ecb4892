//! Many ports on each of many hosts.

use scanwatch_common::abi::Technique;

use super::super::counts::Part;
use super::super::facts::{Facts, is_partial, mean, union};
use super::super::pairs::Pair;
use super::super::scan::{Kind, Techniques};
use super::rule::is_inside;
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::BlockLimit;

/// What is counted together.
const GROUPS: [Techniques; 4] = [
    Techniques::of(&[Technique::Syn]),
    Techniques::of(&[Technique::Udp]),
    Techniques::of(&[Technique::Sctp]),
    Techniques::ODD,
];
/// A vertical and a horizontal scan that meet in a grid of this size are one block scan.
const CROSSING: BlockLimit = BlockLimit { pairs: 25, hosts: 5, ports: 5 };

/// Judges each group of techniques by itself.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    let (rule, limit) = limit_of(facts);
    let counts = [(Part::Ports, limit.ports), (Part::Hosts, limit.hosts), (Part::Pairs, limit.pairs)]
        .map(|(part, limit)| (part, u64::from(limit)));
    for techniques in GROUPS {
        if verdict.can_reach(facts, &counts, &facts.cells(techniques)) {
            judge_group(facts, verdict, techniques, (rule, limit));
        }
    }
}

fn limit_of(facts: &Facts) -> (Rule, BlockLimit) {
    let thresholds = &facts.policy.thresholds;
    if is_inside(facts.direction) {
        (Rule::BlockLateral, thresholds.block_lateral)
    } else {
        (Rule::BlockOutbound, thresholds.block_outbound)
    }
}

fn judge_group(
    facts: &Facts,
    verdict: &mut Verdict,
    techniques: Techniques,
    (rule, limit): (Rule, BlockLimit),
) {
    let mut pairs = facts.pairs(techniques);
    pairs.retain(|pair| Facts::is_counted(pair));
    let place = (facts.direction, facts.window);
    let finding = Finding::new(place, Kind::Block, Subject::All(techniques), (rule, u64::from(limit.pairs)));
    if let Some(grid) = grid(&pairs, limit) {
        verdict.add(finding.with_pairs(facts.hasher, grid).completed(facts));
        return;
    }
    let cells = || facts.cells(techniques).filter(|cell| Facts::is_counted_cell(cell));
    let counts = union(facts.window, cells());
    let total = counts.estimate(Part::Pairs);
    // Every host on so many ports and every port on so many hosts, on average: no vertical scan beside a horizontal one.
    let is_grid = mean(&counts, Part::Pairs, Part::Hosts) >= u64::from(limit.ports)
        && mean(&counts, Part::Pairs, Part::Ports) >= u64::from(limit.hosts)
        && total.rounded() >= u64::from(limit.pairs);
    if is_partial(pairs.len(), total) && is_grid {
        verdict.add(finding.with_pairs(facts.hasher, pairs).with_cells(cells()));
    }
}

/// The pairs of all hosts that were each tried on enough ports, where hosts and pairs are enough too.
fn grid<'a>(pairs: &[&'a Pair], limit: BlockLimit) -> Option<Vec<&'a Pair>> {
    let mut grid = Vec::new();
    let (mut hosts, mut distinct) = (0, 0);
    for host in pairs.chunk_by(|a, b| a.target == b.target) {
        // Several techniques may have tried one port.
        let ports = host.chunk_by(|a, b| a.port == b.port).count();
        if ports >= limit.ports as usize {
            hosts += 1;
            distinct += ports;
            grid.extend_from_slice(host);
        }
    }
    (hosts >= limit.hosts && distinct >= limit.pairs as usize).then_some(grid)
}

/// Makes one finding of a block and of what else is part of it. Called once for a direction, with its longest window.
pub fn gather(facts: &Facts, verdict: &mut Verdict) {
    cross(facts, verdict);
    let here =
        |finding: &Finding| finding.scope.direction == facts.direction && finding.scope.budget.is_none();
    let (mut blocks, others): (Vec<_>, Vec<_>) =
        verdict.findings.drain(..).partition(|finding| here(finding) && finding.scope.kind == Kind::Block);
    for finding in others {
        match blocks.iter_mut().find(|block| here(&finding) && holds(block, &finding)) {
            Some(block) => block.merge(finding),
            None => verdict.findings.push(finding),
        }
    }
    verdict.findings.append(&mut blocks);
}

/// Finds a block where a vertical and a horizontal scan are about the same pairs, but none was found by itself.
fn cross(facts: &Facts, verdict: &mut Verdict) {
    let of = |kind: Kind| {
        let is_here = move |finding: &&Finding| {
            finding.scope.direction == facts.direction && finding.scope.kind == kind
        };
        verdict.findings.iter().filter(is_here)
    };
    if of(Kind::Block).next().is_some() || of(Kind::Vertical).next().is_none() {
        return;
    }
    for techniques in GROUPS {
        let mut pairs = facts.pairs(techniques);
        pairs.retain(|pair| Facts::is_counted(pair));
        let Some(grid) = grid(&pairs, CROSSING) else { continue };
        let place = (facts.direction, facts.window);
        let rule = (limit_of(facts).0, u64::from(CROSSING.pairs));
        let block =
            Finding::new(place, Kind::Block, Subject::All(techniques), rule).with_pairs(facts.hasher, grid);
        let both = [Kind::Vertical, Kind::Horizontal];
        if both.into_iter().all(|kind| of(kind).any(|finding| holds(&block, finding))) {
            verdict.findings.push(block);
            return;
        }
    }
}

/// True where most of a finding's pairs are the block's.
fn holds(block: &Finding, finding: &Finding) -> bool {
    finding.counts.share_in(Part::Pairs, &block.counts) >= 0.5
}
