//! Many hosts on one service, or on one port that is in no group.

use std::collections::{BTreeMap, BTreeSet};

use scanwatch_common::abi::{Address, Outcome, Technique, is_mapped};

use super::super::counts::Part;
use super::super::facts::{Contact, Context, Facts, PEER, Status, WEB, WELL_KNOWN, is_inside, union};
use super::super::pairs::Pair;
use super::super::probe::network_of;
use super::super::scan::{Kind, Lane};
use super::super::source::SourceKey;
use super::super::window::Window;
use super::outage;
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::Direction;

/// What is known of one host on a lane.
#[derive(Default)]
struct Host {
    bad: bool,
    /// Answered, or known for longer than the window.
    excused: bool,
    blind: bool,
}

/// One service, or one port in no group, by one technique: its hosts and pairs.
#[derive(Default)]
pub(super) struct Hosts<'a> {
    hosts: BTreeMap<Address, Host>,
    /// Its pairs.
    pub pairs: Vec<&'a Pair>,
}

/// Contacts by lane.
pub(super) fn lanes<'a>(facts: &Facts<'a>) -> BTreeMap<Lane, Hosts<'a>> {
    let is_web = |contact: &&Contact| facts.context().is_group(contact.pair.service, WEB);
    let answered = facts.contacts.iter().filter(|contact| contact.status == Status::Ok);
    let web: BTreeSet<Address> = answered.filter(is_web).map(|contact| contact.pair.target).collect();
    let mut lanes: BTreeMap<Lane, Hosts> = BTreeMap::new();
    for contact in &facts.contacts {
        let pair = contact.pair;
        // QUIC is blocked, TCP works.
        let excused = contact.status == Status::Bad && is_web(&contact) && web.contains(&pair.target);
        let lane = lanes.entry(Lane::of(pair.technique, pair.service, pair.port)).or_default();
        let host = lane.hosts.entry(pair.target).or_default();
        host.bad |= contact.status == Status::Bad && !excused;
        host.excused |= excused || matches!(contact.status, Status::Ok | Status::Old);
        host.blind |= contact.blind;
        lane.pairs.push(pair);
    }
    lanes
}

/// The rule for a lane, and the share of its hosts that must have failed.
pub(super) fn rule_of(context: &Context, direction: Direction, window: Window, lane: Lane) -> (Rule, f64) {
    let inside = is_inside(direction);
    let is = |name| context.is_group(lane.service, name);
    let (rule, share) = if is(PEER) {
        (if inside { Rule::HorizontalOutbound } else { Rule::HorizontalOutboundNoisy }, 0.9)
    } else if context.is_sensitive(lane.service, direction) {
        if inside {
            (Rule::HorizontalLateralSensitive, 0.25)
        } else {
            (Rule::HorizontalOutboundSensitive, 0.5)
        }
    } else if inside {
        (Rule::HorizontalLateral, 0.25)
    } else if is(WEB) {
        (Rule::HorizontalOutboundNoisy, if window == Window::Minute { 0.6 } else { 0.8 })
    } else if lane.is_unnamed() && lane.port.is_none_or(|port| port >= WELL_KNOWN) {
        (Rule::HorizontalOutboundNoisy, 0.9)
    } else {
        (Rule::HorizontalOutbound, 0.5)
    };
    (rule, if lane.technique == Technique::Udp { f64::max(share, 0.5) } else { share })
}

/// Judges each service and each unnamed port by itself.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    for (lane, hosts) in lanes(facts) {
        let Some(broken) = hosts.broken(facts, lane) else { continue };
        let finding = Finding::new(facts.place(), Kind::Horizontal, Subject::Lane(lane), broken);
        verdict.add(finding.with_pairs(facts, hosts.pairs).completed(facts));
    }
}

impl Hosts<'_> {
    fn broken(&self, facts: &Facts, lane: Lane) -> Option<(Rule, u64)> {
        let context = facts.context();
        let limit = |rule: Rule| rule.limit(&context.policy.thresholds, facts.window);
        let inside = is_inside(facts.direction);
        let failed: Vec<&Address> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.bad && !host.excused)
            .map(|(address, _)| address)
            .collect();
        let (rule, share) = rule_of(context, facts.direction, facts.window, lane);
        let reaches = |n: &u64| {
            let mut tried = self.hosts.len() as f64;
            if failed.len() as u64 >= *n && rule == Rule::HorizontalOutboundNoisy {
                tried += twins(facts);
            }
            failed.len() as u64 >= *n && failed.len() as f64 >= share * tried
        };
        let is_outage = || !inside && outage::is_there(facts.overview);
        if let Some(n) = limit(rule).filter(reaches)
            && !is_outage()
        {
            return Some((rule, n));
        }
        let sensitive = context.is_sensitive(lane.service, facts.direction);
        if let Some(n) = limit(Rule::HorizontalNetwork)
            && !inside
            && !sensitive
            && self.fails_in_one_network(&failed, n)
            && !is_outage()
        {
            return Some((Rule::HorizontalNetwork, n));
        }
        let is_blind = || (inside || sensitive) && self.hosts.values().all(|host| host.blind);
        let blind = limit(Rule::HorizontalBlind).filter(|n| self.hosts.len() as u64 >= *n);
        blind.filter(|_| lane.technique != Technique::Udp && is_blind()).map(|n| (Rule::HorizontalBlind, n))
    }

    /// Nobody has business with a quarter-dead network of strangers.
    fn fails_in_one_network(&self, failed: &[&Address], n: u64) -> bool {
        if (failed.len() as u64) < n {
            return false;
        }
        let mut networks: BTreeMap<u128, u64> = BTreeMap::new();
        for address in failed.iter().filter(|address| is_mapped(address)) {
            *networks.entry(network_of(address)).or_default() += 1;
        }
        networks.into_iter().any(|(network, failed)| {
            let tried = self.hosts.keys().filter(|address| network_of(address) == network).count() as u64;
            failed >= n && 4 * failed >= tried
        })
    }
}

/// Hosts that answered the same machine under its other addresses: dead IPv6 is followed by IPv4 that works (RFC 8305).
pub(super) fn twins(facts: &Facts) -> f64 {
    let context = facts.context();
    let profile = &facts.overview.source.profile;
    if context.world.is_gateway(profile.mac, &profile.key.address) {
        return 0.0;
    }
    let is_twin = |key: &&SourceKey| is_mapped(&key.address) != is_mapped(&profile.key.address);
    let twins = context.world.sources_of(profile.mac).filter(is_twin);
    let answered = twins.filter_map(|key| context.sources.get(key)).map(|twin| {
        let pages = twin.cells.iter().filter(|cell| {
            cell.id.outcome == Outcome::Answered
                && !is_inside(twin.direction(cell.id.zone))
                && context.is_group(cell.id.service, WEB)
        });
        union(facts.window, pages).estimate(Part::Hosts).count
    });
    answered.sum()
}
