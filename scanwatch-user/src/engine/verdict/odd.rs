//! What no stack sends: impossible flags, segments of no conversation, uncommon IP protocols. Few are enough.

use std::collections::BTreeSet;

use scanwatch_common::abi::{Address, Technique};

use super::super::facts::{Facts, WEB};
use super::super::pairs::Pair;
use super::super::scan::{Kind, Lane, Techniques};
use super::{Finding, Rule, Subject, Verdict};

/// Kinds of impossible flags on one host that are fingerprinting (nmap's OS detection sends six).
const KINDS: usize = 3;
/// Segments with a sequence or acknowledgement number of zero that are no accident.
const NUMBERLESS_MIN: usize = 5;

/// Judges flags, refused segments and protocols.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    flags(facts, verdict);
    refused(facts, verdict);
    protocols(facts, verdict);
}

/// Vertical where there are more ports than hosts, horizontal otherwise.
fn kind_of(pairs: &[&Pair]) -> Kind {
    let hosts: BTreeSet<Address> = pairs.iter().map(|pair| pair.target).collect();
    let ports: BTreeSet<u16> = pairs.iter().map(|pair| pair.port).collect();
    if ports.len() >= hosts.len() { Kind::Vertical } else { Kind::Horizontal }
}

/// Pairs by each of the odd flag sets, in which nothing but the flags is known of the target; or several sets on one host.
fn flags(facts: &Facts, verdict: &mut Verdict) {
    let Some(limit) = Rule::Flags.limit(&facts.context().policy.thresholds, facts.window) else { return };
    let odd = facts.pairs(Techniques::ODD);
    let is_stranger = |pair: &&Pair| {
        let talks = facts.overview.source.pairs.get(Technique::Syn, &pair.target, pair.port);
        !talks.is_some_and(Pair::is_answered)
    };
    let mut found: Vec<&Pair> = Vec::new();
    for technique in Techniques::ODD.iter() {
        let mut pairs: Vec<&Pair> = odd.iter().copied().filter(|pair| pair.technique == technique).collect();
        pairs.retain(is_stranger);
        if pairs.len() as u64 >= limit {
            found.append(&mut pairs);
        }
    }
    if found.is_empty() {
        let fingerprinted = |pair: &&Pair| {
            let same = odd.iter().filter(|other| other.target == pair.target);
            same.map(|other| other.technique).collect::<BTreeSet<_>>().len() >= KINDS
        };
        found = odd.iter().copied().filter(fingerprinted).collect();
    }
    if found.is_empty() {
        let numberless = facts.pairs(Techniques::of(&[Technique::Ack]));
        if numberless.len() < NUMBERLESS_MIN {
            return;
        }
        found = numberless;
    }
    let techniques =
        found.iter().fold(Techniques::default(), |all, pair| all.and(Techniques::of(&[pair.technique])));
    let subject = Subject::All(if techniques.within(Techniques::ODD) { Techniques::ODD } else { techniques });
    let finding = Finding::new(facts.place(), kind_of(&found), subject, (Rule::Flags, limit));
    verdict.add(finding.with_pairs(facts, found).completed(facts));
}

/// Bare RSTs towards a source that has no conversation there: ACK, window and Maimon scans.
fn refused(facts: &Facts, verdict: &mut Verdict) {
    let limit = |rule: Rule| rule.limit(&facts.context().policy.thresholds, facts.window);
    let (by_ports, by_hosts) = (limit(Rule::RefusedPorts), limit(Rule::RefusedHosts));
    if by_ports.is_none() && by_hosts.is_none() {
        return;
    }
    let source = facts.overview.source;
    let start = facts.window.start(facts.context().now);
    let all = source.pairs.all().iter().filter(|pair| {
        pair.technique == Technique::Ack
            && pair.is_refused()
            && pair.last >= start
            && pair.direction == facts.direction
            && source.pairs.get(Technique::Syn, &pair.target, pair.port).is_none()
    });
    let refused: Vec<&Pair> = all.collect();
    if let Some(limit) = by_ports {
        for host in refused.chunk_by(|a, b| a.target == b.target) {
            let known = host.iter().filter(|pair| facts.is_known(pair)).count() as u64;
            if host.len() as u64 >= limit && 2 * known >= limit {
                let subject = Subject::Host(Technique::Ack, host[0].target);
                let finding =
                    Finding::new(facts.place(), Kind::Vertical, subject, (Rule::RefusedPorts, limit));
                verdict.add(finding.with_pairs(facts, host.iter().copied()));
            }
        }
    }
    let Some(limit) = by_hosts else { return };
    let lanes: BTreeSet<Lane> =
        refused.iter().map(|pair| Lane::of(pair.technique, pair.service, pair.port)).collect();
    for lane in lanes.into_iter().filter(|lane| !facts.context().is_group(lane.service, WEB)) {
        let on_lane = |pair: &&Pair| Lane::of(pair.technique, pair.service, pair.port) == lane;
        let pairs: Vec<&Pair> = refused.iter().copied().filter(on_lane).collect();
        let hosts: BTreeSet<Address> = pairs.iter().map(|pair| pair.target).collect();
        if hosts.len() as u64 >= limit {
            let broken = (Rule::RefusedHosts, limit);
            let finding = Finding::new(facts.place(), Kind::Horizontal, Subject::Lane(lane), broken);
            verdict.add(finding.with_pairs(facts, pairs));
        }
    }
}

fn protocols(facts: &Facts, verdict: &mut Verdict) {
    let only = Techniques::of(&[Technique::Proto]);
    let Some(limit) = Rule::Protocols.limit(&facts.context().policy.thresholds, facts.window) else { return };
    let pairs = facts.pairs(only);
    for host in pairs.chunk_by(|a, b| a.target == b.target).filter(|host| host.len() as u64 >= limit) {
        let subject = Subject::Host(Technique::Proto, host[0].target);
        let finding = Finding::new(facts.place(), Kind::Vertical, subject, (Rule::Protocols, limit));
        verdict.add(finding.with_pairs(facts, host.iter().copied()).completed(facts));
    }
}
