//! Many ports on many hosts.

use std::collections::BTreeSet;

use scanwatch_common::abi::{Address, Technique};

use super::super::counts::Part;
use super::super::facts::{Contact, Facts, Status, is_inside};
use super::super::pairs::Pair;
use super::super::scan::{Kind, Lane, Techniques};
use super::super::window::Window;
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::BlockLimit;

/// Judges TCP and UDP, each by itself; what vertical and horizontal scans explain is no block.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    if facts.window != Window::TenMinutes {
        return;
    }
    let thresholds = &facts.context().policy.thresholds;
    let inside = is_inside(facts.direction);
    let (rule, limit) = if inside {
        (Rule::BlockLateral, thresholds.block_lateral)
    } else {
        (Rule::BlockOutbound, thresholds.block_outbound)
    };
    if facts.contacts.len() < limit.pairs as usize {
        return;
    }
    for technique in [Technique::Syn, Technique::Udp] {
        let contacts: Vec<Contact> =
            facts.contacts.iter().copied().filter(|contact| contact.pair.technique == technique).collect();
        // Peers and partners of calls sit on high ports, one or two each.
        let named_only = !inside || technique == Technique::Udp;
        let is_bad = |contact: &&Contact| contact.counts() && (!named_only || facts.is_known(contact.pair));
        let bad: Vec<&Pair> = contacts.iter().filter(is_bad).map(|contact| contact.pair).collect();
        // Host discovery meets silence, and ports that some hosts serve: what is not known yet, or fails there, says nothing.
        let says_nothing = |contact: &&Contact| {
            contact.status == Status::Wait || contact.status == Status::Bad && contact.elsewhere
        };
        let telling = contacts.iter().filter(|contact| !says_nothing(contact)).count();
        if (bad.len() as u64) < u64::from(limit.pairs) || 2 * bad.len() < telling {
            continue;
        }
        let scattered: Vec<&Pair> =
            bad.iter().copied().filter(|pair| !is_explained(facts, verdict, pair)).collect();
        if is_grid(&bad, limit) || is_block(&scattered, limit) {
            let subject = Subject::All(Techniques::of(&[technique]));
            let finding = Finding::new(facts.place(), Kind::Block, subject, (rule, u64::from(limit.pairs)));
            let pairs = contacts.iter().map(|contact| contact.pair);
            verdict.add(finding.with_pairs(facts, pairs).completed(facts));
        }
    }
}

/// True where a pair is on a host or a lane that a scan of another shape was found on.
fn is_explained(facts: &Facts, verdict: &Verdict, pair: &Pair) -> bool {
    let lane = Lane::of(pair.technique, pair.service, pair.port);
    let here = verdict.findings.iter().filter(|finding| finding.scope.direction == facts.direction);
    here.into_iter().any(|finding| match finding.subject {
        Subject::Host(technique, host) => technique == pair.technique && host == pair.target,
        Subject::Lane(other) => other == lane,
        Subject::All(_) | Subject::Budget(_) => false,
    })
}

fn is_block(pairs: &[&Pair], limit: BlockLimit) -> bool {
    let hosts: BTreeSet<Address> = pairs.iter().map(|pair| pair.target).collect();
    let ports: BTreeSet<u16> = pairs.iter().map(|pair| pair.port).collect();
    pairs.len() >= limit.pairs as usize
        && hosts.len() >= limit.hosts as usize
        && ports.len() >= limit.ports as usize
}

/// True where enough hosts were each tried on enough ports.
fn is_grid(pairs: &[&Pair], limit: BlockLimit) -> bool {
    let hosts = pairs.chunk_by(|a, b| a.target == b.target);
    let many = hosts.filter(|host| host.len() >= limit.ports as usize);
    let (hosts, pairs) = many.fold((0, 0), |(hosts, pairs), host| (hosts + 1, pairs + host.len()));
    hosts >= limit.hosts as usize && pairs >= limit.pairs as usize
}

/// Makes one finding of a block and of what else is part of it.
pub fn gather(verdict: &mut Verdict) {
    let is_block = |finding: &Finding| finding.scope.budget.is_none() && finding.scope.kind == Kind::Block;
    let (mut blocks, others): (Vec<_>, Vec<_>) = verdict.findings.drain(..).partition(is_block);
    for finding in others {
        let holds = |block: &&mut Finding| {
            block.scope.direction == finding.scope.direction
                && finding.scope.budget.is_none()
                && finding.counts.share_in(Part::Pairs, &block.counts) >= 0.5
        };
        match blocks.iter_mut().find(holds) {
            Some(block) => block.merge(finding),
            None => verdict.findings.push(finding),
        }
    }
    verdict.findings.append(&mut blocks);
}
