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
struct Host {
    address: Address,
    bad: bool,
    /// Answered, or known for longer than the window.
    excused: bool,
    blind: bool,
}

/// One service, or one port in no group, by one technique: its hosts, in order, and its pairs.
struct Hosts<'a> {
    hosts: Vec<Host>,
    pairs: Vec<&'a Pair>,
}

/// Lanes with as many contacts as some rule asks for hosts.
fn lanes<'a>(facts: &Facts<'a>, lowest: usize) -> Vec<(Lane, Hosts<'a>)> {
    let is_web = |contact: &&Contact| facts.context().is_group(contact.pair.service, WEB);
    let answered = facts.contacts.iter().filter(|contact| contact.status == Status::Ok);
    let web: BTreeSet<Address> = answered.filter(is_web).map(|contact| contact.pair.target).collect();
    let lane_of =
        |contact: &Contact| Lane::of(contact.pair.technique, contact.pair.service, contact.pair.port);
    let mut contacts: Vec<(Lane, &Contact)> =
        facts.contacts.iter().map(|contact| (lane_of(contact), contact)).collect();
    // Stable: the contacts of a lane stay in the order of their targets.
    contacts.sort_by_key(|(lane, _)| *lane);
    let lanes = contacts.chunk_by(|a, b| a.0 == b.0).filter(|lane| lane.len() >= lowest);
    let hosts = |lane: &[(Lane, &Contact<'a>)]| {
        let of_target = |contacts: &[(Lane, &Contact<'a>)]| {
            let mut host =
                Host { address: contacts[0].1.pair.target, bad: false, excused: false, blind: false };
            for (_, contact) in contacts {
                // QUIC is blocked, TCP works.
                let excused = contact.status == Status::Bad && is_web(contact) && web.contains(&host.address);
                host.bad |= contact.status == Status::Bad && !excused;
                host.excused |= excused || matches!(contact.status, Status::Ok | Status::Old);
                host.blind |= contact.blind;
            }
            host
        };
        let pairs = lane.iter().map(|(_, contact)| contact.pair).collect();
        Hosts {
            hosts: lane.chunk_by(|a, b| a.1.pair.target == b.1.pair.target).map(of_target).collect(),
            pairs,
        }
    };
    lanes.map(|lane| (lane[0].0, hosts(lane))).collect()
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
    const RULES: [Rule; 6] = [
        Rule::HorizontalLateralSensitive,
        Rule::HorizontalLateral,
        Rule::HorizontalOutboundSensitive,
        Rule::HorizontalOutbound,
        Rule::HorizontalOutboundNoisy,
        Rule::HorizontalNetwork,
    ];
    let limit = |rule: Rule| rule.limit(&facts.context().policy.thresholds, facts.window);
    let failures = RULES.into_iter().filter_map(limit).min();
    let blind = limit(Rule::HorizontalBlind).filter(|_| facts.contacts.iter().any(|contact| contact.blind));
    let bad = facts.contacts.iter().filter(|contact| contact.status == Status::Bad).count() as u64;
    // What most sources did is far from any limit.
    let Some(lowest) = failures.filter(|n| bad >= *n).into_iter().chain(blind).min() else { return };
    for (lane, hosts) in lanes(facts, lowest as usize) {
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
        let failed: Vec<&Address> =
            self.hosts.iter().filter(|host| host.bad && !host.excused).map(|host| &host.address).collect();
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
        let is_blind = || (inside || sensitive) && self.hosts.iter().all(|host| host.blind);
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
            let tried = self.hosts.iter().filter(|host| network_of(&host.address) == network).count() as u64;
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
