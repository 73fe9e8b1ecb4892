//! Who is there: many hosts asked by ICMP, many addresses asked for by ARP or neighbour discovery.

use std::collections::BTreeMap;

use scanwatch_common::abi::Technique;

use super::super::facts::{Facts, is_inside};
use super::super::pairs::{Marks, Pair};
use super::super::probe::network_of;
use super::super::scan::{Kind, Lane, Techniques};
use super::super::window::Window;
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::OTHER;

/// Most steps between two addresses that are asked for in order.
const STEP_MAX: u128 = 4;

/// Share of a range of addresses that is as good as all of it.
const DENSE: (u128, u128) = (3, 4);

/// Hosts whose answers show that answers can be seen.
const ANSWERS_MIN: usize = 2;

/// Judges ICMP and ARP.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    icmp(facts, verdict);
    arp(facts, verdict);
}

fn add(facts: &Facts, verdict: &mut Verdict, technique: Technique, broken: (Rule, u64), pairs: Vec<&Pair>) {
    let lane = Subject::Lane(Lane { technique, service: OTHER, port: None });
    let finding = Finding::new(facts.place(), Kind::Horizontal, lane, broken);
    verdict.add(finding.with_pairs(facts, pairs).completed(facts));
}

/// Hosts asked, a third of the limit and a quarter of them silent.
fn icmp(facts: &Facts, verdict: &mut Verdict) {
    let rule = if is_inside(facts.direction) { Rule::IcmpLateral } else { Rule::IcmpOutbound };
    let Some(limit) = rule.limit(&facts.context().policy.thresholds, facts.window) else { return };
    let pairs = facts.pairs(Techniques::of(&[Technique::Icmp]));
    if (pairs.len() as u64) < limit || facts.overview.is_blind(pairs[0]) {
        return;
    }
    let silent = pairs.iter().filter(|pair| facts.is_silent(pair)).count();
    if 3 * silent as u64 >= limit && 4 * silent >= pairs.len() {
        add(facts, verdict, Technique::Icmp, (rule, limit), pairs);
    }
}

/// Addresses that are silent and were never seen alive. A router asks for whoever strangers look for.
fn arp(facts: &Facts, verdict: &mut Verdict) {
    let context = facts.context();
    let Some(limit) = Rule::Arp.limit(&context.policy.thresholds, facts.window) else { return };
    let pairs = facts.pairs(Techniques::of(&[Technique::Arp]));
    let profile = &facts.overview.source.profile;
    if (pairs.len() as u64) < limit || context.world.is_gateway(profile.mac, &profile.key.address) {
        return;
    }
    let is_dark = |pair: &&Pair| facts.is_silent(pair) && !context.world.knows(&pair.target);
    let mut dark: Vec<&Pair> = pairs.iter().copied().filter(is_dark).collect();
    if (dark.len() as u64) < limit || 4 * dark.len() < pairs.len() {
        return;
    }
    // A switch port shows requests but no answers, apart from those of the one host behind it; then silence means
    // nothing; repeats, order, and a range without gaps do.
    let is_answer = |pair: &&Pair| pair.technique == Technique::Arp && pair.marks.has(Marks::ANSWERED);
    let answers_seen = facts.overview.source.pairs.all().iter().filter(is_answer).count() >= ANSWERS_MIN;
    let again = 2 * dark.iter().filter(|pair| pair.marks.has(Marks::RETRIED)).count() >= dark.len();
    dark.sort_by_key(|pair| pair.first);
    let steps = dark.windows(2).filter(|two| {
        let [a, b] = [two[0], two[1]].map(|pair| u128::from_be_bytes(pair.target));
        (1..=STEP_MAX).contains(&a.abs_diff(b))
    });
    let in_order = 2 * steps.count() >= dark.len();
    if answers_seen || again || in_order || is_dense(facts.window, &pairs, limit) {
        add(facts, verdict, Technique::Arp, (Rule::Arp, limit), pairs);
    }
}

/// True where the addresses asked for fill a range of a network, as those of a sweep in random order do. Only within a
/// minute: in ten a server may well ask for all of the desktops, which sit side by side.
fn is_dense(window: Window, pairs: &[&Pair], limit: u64) -> bool {
    let mut networks: BTreeMap<u128, Vec<u128>> = BTreeMap::new();
    for pair in pairs {
        networks.entry(network_of(&pair.target)).or_default().push(u128::from_be_bytes(pair.target));
    }
    window == Window::Minute
        && networks.values().any(|addresses| {
            let (asked, span) = (addresses.len() as u128, addresses.iter().max().zip(addresses.iter().min()));
            let span = span.map_or(0, |(last, first)| last - first + 1);
            asked >= u128::from(limit) && asked * DENSE.1 >= span * DENSE.0
        })
}
