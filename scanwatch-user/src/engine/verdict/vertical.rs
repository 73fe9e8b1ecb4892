//! Many ports on one host.

use std::collections::BTreeSet;

use scanwatch_common::abi::Technique;

use super::super::facts::{Contact, Facts, Status};
use super::super::pairs::Pair;
use super::super::scan::Kind;
use super::super::window::Window;
use super::{Finding, Rule, Subject, Verdict, ways_in};
use crate::policy::Direction;

/// Judges TCP, UDP and SCTP, each host by itself.
pub fn judge(facts: &Facts, verdict: &mut Verdict) {
    let limit = |rule: Rule| rule.limit(&facts.context().policy.thresholds, facts.window);
    let rules = [Rule::Vertical, Rule::VerticalKnown, Rule::VerticalAny, Rule::VerticalBlind];
    let lowest = rules.into_iter().filter_map(limit).min();
    let ways_in = if facts.window == Window::Minute {
        Some(u64::from(facts.context().policy.thresholds.vertical_ways_in.tried))
    } else {
        None
    };
    let Some(lowest) = lowest.into_iter().chain(ways_in).min() else { return };
    for host in facts.hosts() {
        if (host.len() as u64) < lowest {
            continue;
        }
        let contacts: Vec<Contact> =
            host.iter().copied().filter(|contact| !contact.is_traceroute()).collect();
        let Some(broken) = Ports::of(facts, &contacts).broken(facts) else { continue };
        let pair = contacts[0].pair;
        let subject = Subject::Host(pair.technique, pair.target);
        let finding = Finding::new(facts.place(), Kind::Vertical, subject, broken);
        let finding = finding.with_pairs(facts, contacts.iter().map(|contact| contact.pair));
        verdict.add(finding.completed(facts));
    }
}

/// The ports of one host by one technique.
struct Ports<'c, 'a> {
    contacts: &'c [Contact<'a>],
    bad: Vec<&'a Pair>,
    ok: usize,
}

impl<'c, 'a> Ports<'c, 'a> {
    fn of(facts: &Facts<'a>, contacts: &'c [Contact<'a>]) -> Self {
        let mut bad: Vec<&Pair> =
            contacts.iter().filter(|contact| contact.counts()).map(|contact| contact.pair).collect();
        let ok = contacts.iter().filter(|contact| contact.status == Status::Ok);
        let is_udp = contacts.first().is_some_and(|contact| contact.pair.technique == Technique::Udp);
        if is_udp {
            // Media: RTP is answered, its RTCP is not (RFC 3550, 11: the next higher port).
            let unnamed_bad = bad.iter().filter(|pair| !facts.is_known(pair)).count();
            let unnamed_ok = ok.clone().filter(|contact| !facts.is_known(contact.pair)).count();
            if unnamed_bad < 2 * unnamed_ok || facts.window > Window::TenMinutes {
                bad.retain(|pair| facts.is_known(pair));
            }
        }
        let ok = ok.count();
        if facts.window == Window::Day && ok > 0 {
            // A host that serves this source on one port and not on others: FTP's and RPC's ports behind a firewall.
            bad.retain(|pair| facts.is_known(pair));
        }
        Self { contacts, bad, ok }
    }

    /// The rule that the ports break, with its limit.
    fn broken(&self, facts: &Facts) -> Option<(Rule, u64)> {
        let limit = |rule: Rule| rule.limit(&facts.context().policy.thresholds, facts.window);
        let technique = self.contacts.first()?.pair.technique;
        let bad = self.bad.len() as u64;
        let known_bad = self.bad.iter().filter(|pair| facts.is_known(pair)).count() as u64;
        // Programs that run for days on the internet try many ports of a host that is gone.
        let far = facts.window == Window::Day && facts.direction != Direction::Lateral;
        if let Some(n) = limit(Rule::Vertical).map(|n| if far { 2 * n } else { n })
            && bad >= n
            && 2 * bad >= self.contacts.len() as u64
        {
            return Some((Rule::Vertical, n));
        }
        if let Some(n) = limit(Rule::VerticalKnown).filter(|n| known_bad >= *n) {
            return Some((Rule::VerticalKnown, n));
        }
        let known = || self.contacts.iter().filter(|contact| facts.is_known(contact.pair)).count() as u64;
        if let Some(n) = limit(Rule::VerticalAny).filter(|n| technique == Technique::Syn && known() >= *n) {
            return Some((Rule::VerticalAny, n));
        }
        let is_blind = || technique != Technique::Udp && self.contacts.iter().any(|contact| contact.blind);
        if let Some(n) = limit(Rule::VerticalBlind).filter(|n| self.contacts.len() as u64 >= *n && is_blind())
        {
            return Some((Rule::VerticalBlind, n));
        }
        self.ways_in(facts).filter(|_| technique == Technique::Syn)
    }

    /// An intruder with a password tries every door once.
    fn ways_in(&self, facts: &Facts) -> Option<(Rule, u64)> {
        let limit = facts.context().policy.thresholds.vertical_ways_in;
        let classes = |pairs: &mut dyn Iterator<Item = &Pair>| -> u32 {
            pairs.filter_map(|pair| ways_in::class(pair.port)).collect::<BTreeSet<_>>().len() as u32
        };
        let is_broken = facts.window == Window::Minute
            && self.ok < self.contacts.len()
            && classes(&mut self.contacts.iter().map(|contact| contact.pair)) >= limit.tried
            && classes(&mut self.bad.iter().copied()) >= limit.failed;
        is_broken.then_some((Rule::VerticalWaysIn, u64::from(limit.tried)))
    }
}
