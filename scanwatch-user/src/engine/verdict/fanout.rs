//! Many new hosts inside on one service, all answering: breadth that is unusual for its source.
//!
//! Whoever contacts the same hosts again within minutes polls them, so a fan-out is held back until that is known. In the
//! first hour everything is new, and limits are four times as high.

use std::collections::BTreeSet;

use scanwatch_common::abi::{Address, Technique};

use super::super::facts::{Facts, Overview};
use super::super::fan::{FanOut, Held};
use super::super::pairs::Pair;
use super::super::scan::{Kind, Lane};
use super::super::time::Timestamp;
use super::super::window::Window;
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::{Direction, OTHER};

/// Factor of limits and of the time held back while learning.
const LEARNING_LIMIT: u64 = 4;
const LEARNING_HOLD: u32 = 5;
/// Times the usual that is unusual.
const UNUSUAL: u64 = 5;
/// Share of hosts contacted again that is polling: one in this many.
const POLLED: usize = 3;
/// Contacts so soon after are retries.
const RETRY_NS: u64 = 5_000_000_000;

fn rule_of(overview: &Overview, lane: Lane) -> Rule {
    if lane.technique == Technique::Icmp {
        Rule::FanOutIcmp
    } else if overview.context.is_sensitive(lane.service, Direction::Outbound) {
        Rule::FanOutSensitive
    } else {
        Rule::FanOut
    }
}

fn lane_of(pair: &Pair) -> Lane {
    if pair.technique == Technique::Icmp {
        return Lane { technique: Technique::Icmp, service: OTHER, port: None };
    }
    Lane::of(pair.technique, pair.service, pair.port)
}

/// First contacts of hosts inside, by lane: each host of a lane once.
fn first_contacts(overview: &Overview) -> Vec<(Lane, Address, Timestamp)> {
    let is_judged = |pair: &&Pair| {
        let is_of_kind = match pair.technique {
            Technique::Syn | Technique::Sctp | Technique::Icmp => true,
            Technique::Udp => overview.context.is_sensitive(pair.service, Direction::Outbound),
            _ => false,
        };
        pair.is_tried() && pair.direction == Direction::Lateral && is_of_kind
    };
    let pairs = overview.source.pairs.all().iter().filter(is_judged);
    let mut contacts: Vec<_> = pairs.map(|pair| (lane_of(pair), pair.target, pair.first)).collect();
    contacts.sort_unstable();
    contacts.dedup_by_key(|(lane, host, _)| (*lane, *host));
    contacts
}

/// Notes what is usual, and holds back what is not.
pub fn judge(overview: &Overview, fan: &mut FanOut) {
    let context = &overview.context;
    let (now, thresholds) = (context.now, &context.policy.thresholds);
    let learning = now.since(context.began) < thresholds.learning;
    for hosts in first_contacts(overview).chunk_by(|a, b| a.0 == b.0) {
        let lane = hosts[0].0;
        let new_since = |start: Timestamp| hosts.iter().filter(move |(_, _, first)| *first >= start);
        let slot_ns = Window::TenMinutes.length().as_nanos() as u64;
        let slot = Timestamp::from_ns(now.as_ns() / slot_ns * slot_ns);
        fan.note(lane, now, new_since(slot).count() as u32);
        let rule = rule_of(overview, lane);
        for window in Window::ALL {
            let Some(limit) = rule.limit(thresholds, window) else { continue };
            if fan.holds(lane, window) || (learning && window != Window::TenMinutes) {
                continue;
            }
            let (need, hold) = if learning {
                (LEARNING_LIMIT * limit, LEARNING_HOLD * thresholds.hold)
            } else {
                (limit, thresholds.hold)
            };
            let start = Timestamp::from_ns(now.as_ns().saturating_sub(window.length().as_nanos() as u64));
            let count = new_since(start).count() as u64;
            if count >= need && count >= UNUSUAL * fan.usual(lane, window, now) {
                let hosts = new_since(start).map(|(_, host, _)| *host).collect();
                fan.hold(Held { lane, window, limit, since: now, until: now.plus(hold), hosts });
            }
        }
    }
}

/// Reports what was held back for long enough, unless its hosts were contacted again.
pub fn release(overview: &Overview, fan: &mut FanOut, verdict: &mut Verdict) {
    for held in fan.due(overview.context.now) {
        let all = overview.source.pairs.all().iter();
        let pairs: Vec<&Pair> = all
            .filter(|pair| pair.is_tried() && held.hosts.contains(&pair.target) && lane_of(pair) == held.lane)
            .collect();
        let later = held.since.as_ns() + RETRY_NS;
        let again: BTreeSet<Address> =
            pairs.iter().filter(|pair| pair.last.as_ns() > later).map(|pair| pair.target).collect();
        if POLLED * again.len() < held.hosts.len() && !pairs.is_empty() {
            let facts = Facts::new(overview, Direction::Lateral, held.window);
            let broken = (rule_of(overview, held.lane), held.limit);
            let subject = Subject::Lane(held.lane);
            let finding = Finding::new((Direction::Lateral, held.window), Kind::Horizontal, subject, broken);
            verdict.add(finding.with_pairs(&facts, pairs));
        }
    }
}
