//! Mail to more servers of strangers than a relay reaches, whatever the outcome: a machine that sends spam.
//!
//! Clients hand their mail to one or two servers of their own; only relays look up and reach the servers of all the
//! recipients (RFC 5321, section 2.3.10), which is why access networks keep port 25 closed for everybody else (M3AAWG,
//! Managing Port 25 for Residential or Dynamic IP Space, 2005). Spam is delivered, so failure tells nothing here.

use std::collections::{BTreeMap, BTreeSet};

use scanwatch_common::abi::{Address, Technique};

use super::super::facts::{Facts, MAIL};
use super::super::pairs::Pair;
use super::super::scan::{Kind, Lane};
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::Direction;

/// Judges mail that leaves.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    let limit = Rule::FanOutMail.limit(&facts.context().policy.thresholds, facts.window);
    let Some(limit) = limit.filter(|_| facts.direction == Direction::Outbound) else { return };
    let start = facts.window.start(facts.context().now);
    let is_new_mail = |pair: &&Pair| {
        pair.technique == Technique::Syn
            && pair.first >= start
            && facts.context().is_group(pair.service, MAIL)
    };
    let mut lanes: BTreeMap<Lane, Vec<&Pair>> = BTreeMap::new();
    for pair in facts.contacts.iter().map(|contact| contact.pair).filter(is_new_mail) {
        lanes.entry(Lane::of(pair.technique, pair.service, pair.port)).or_default().push(pair);
    }
    for (lane, pairs) in lanes {
        let hosts: BTreeSet<Address> = pairs.iter().map(|pair| pair.target).collect();
        if hosts.len() as u64 >= limit {
            let broken = (Rule::FanOutMail, limit);
            let finding = Finding::new(facts.place(), Kind::Horizontal, Subject::Lane(lane), broken);
            verdict.add(finding.with_pairs(facts, pairs).completed(facts));
        }
    }
}
