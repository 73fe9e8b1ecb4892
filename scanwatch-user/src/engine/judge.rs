//! When sources are judged, and what becomes of what is found.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use scanwatch_common::abi::{Address, Side, Technique};

use super::Engine;
use super::facts::Context;
use super::fan::FanOut;
use super::incident::Desk;
use super::pairs::{Marks, Pair};
use super::probe::ip_of;
use super::record::Record;
use super::scan::Kind;
use super::source::{Source, SourceKey};
use super::targets::Shared;
use super::time::Timestamp;
use super::tool::Tool;
use super::verdict::{self, Finding, Rule, Subject, Tally};
use super::window::Window;
use super::world::Mac;
use crate::policy::{Direction, ServiceId, ZoneId};

/// Time from news to their verdict: whoever feeds the engine lets so much pass between two calls of [`Engine::judge`].
pub const TURN: Duration = Duration::from_millis(20);
/// Most time between two calls, whether anything is new or not: incidents change by time alone.
pub const TEND: Duration = Duration::from_secs(1);
/// Shortest time between two verdicts on a source, and on one of so many pairs: a verdict takes the longer the more pairs
/// there are, and the less does one pair more change about it.
const CALM: Duration = Duration::from_millis(100);
const MANY: usize = 128;
const CALM_OF_MANY: Duration = Duration::from_secs(1);
/// Time between two searches for sources that can be forgotten.
const SWEEP_PERIOD: Duration = Duration::from_mins(1);

impl Engine {
    /// Judges the sources of which something is new, and records what open incidents have become. To be called soon
    /// after something is new, and every few seconds in any case, for incidents end by time alone.
    pub fn judge(&mut self, now: Timestamp) -> Vec<Record> {
        let events = self.judge_all(now);
        self.by_wall_clock(events)
    }

    fn by_wall_clock(&self, mut events: Vec<Record>) -> Vec<Record> {
        for record in &mut events {
            record.by_wall_clock(self.ahead);
        }
        events
    }

    fn judge_all(&mut self, now: Timestamp) -> Vec<Record> {
        self.now = now;
        self.began.get_or_insert(now);
        let mut events = Vec::new();
        let tally = OnceCell::new();
        for key in self.take_due(now) {
            if self.is_ripe(key, now) {
                self.judge_source(key, now, &tally, &mut events);
            }
        }
        if now.apart(self.tended) >= TEND {
            self.judge_targets(now, &mut events);
            for key in self.watched.clone() {
                self.at_desk(key, now, &mut events, |desk, source| {
                    desk.tend(source);
                });
            }
            self.judge_ports(now, &mut events);
            events.extend(self.flood.tend(now, self.losses).map(Box::new).map(Record::Flood));
            self.tended = now;
        }
        if now.apart(self.swept) >= SWEEP_PERIOD {
            self.sources.sweep(now);
            self.world.sweep(now);
            self.pairs = self.sources.pairs();
            self.swept = now;
        }
        events
    }

    /// Sources of which something is new, and those whose time has come.
    fn take_due(&mut self, now: Timestamp) -> Vec<SourceKey> {
        let mut keys = std::mem::take(&mut self.dirty);
        let later = self.due.split_off(&(now.plus(Duration::from_nanos(1)), SourceKey::MIN));
        for (_, key) in std::mem::replace(&mut self.due, later) {
            if let Some(source) = self.sources.get_mut(&key) {
                source.due = None;
                if !source.dirty {
                    source.dirty = true;
                    keys.push(key);
                }
            }
        }
        keys
    }

    /// True where the last verdict on a source is long enough ago; has it judged later where it is not.
    fn is_ripe(&mut self, key: SourceKey, now: Timestamp) -> bool {
        let Some(source) = self.sources.get_mut(&key) else { return false };
        let calm = if source.pairs.all().len() >= MANY { CALM_OF_MANY } else { CALM };
        if now.apart(source.judged) >= calm {
            return true;
        }
        source.dirty = false;
        let again = source.judged.plus(calm);
        self.remind(key, again.max(now));
        false
    }

    fn judge_source(
        &mut self,
        key: SourceKey,
        now: Timestamp,
        tally: &OnceCell<Tally>,
        events: &mut Vec<Record>,
    ) {
        let Some(source) = self.sources.get_mut(&key) else { return };
        source.dirty = false;
        source.judged = now;
        source.roll(now);
        let mut fan = source.fan.take().map_or_else(FanOut::default, |fan| *fan);
        let Some(source) = self.sources.get(&key) else { return };
        let context = Context {
            policy: &self.policy,
            hasher: &self.hasher,
            world: &self.world,
            sources: &self.sources,
            now,
            began: self.began.unwrap_or(now),
            tally,
        };
        let verdict = verdict::judge(context, source, &mut fan);
        if let Some(source) = self.sources.get_mut(&key) {
            source.fan = (!fan.is_empty()).then(|| Box::new(fan));
        }
        if let Some(again) = verdict.again {
            self.remind(key, again);
        }
        let mut findings = verdict.findings;
        self.escalate(&mut findings, now);
        self.unmask(key, &mut findings);
        if !findings.is_empty() {
            self.at_desk(key, now, events, |desk, source| desk.settle(source, findings));
        }
    }

    /// A stranger who scans and is answered by a port that was not known to answer is more than noise. What serves the
    /// public is known to answer, but not to those who watch its few contacts each; so only other ports count, and none
    /// while everything is new.
    fn escalate(&self, findings: &mut [Finding], now: Timestamp) {
        if self.began.is_none_or(|began| now.since(began) < self.policy.thresholds.learning) {
            return;
        }
        let is_private =
            |service: ServiceId| self.policy.service(service).is_none_or(|group| group.sensitive);
        for finding in findings.iter_mut().filter(|finding| finding.scope.direction == Direction::Inbound) {
            finding.escalates = finding.pairs.iter().any(|pair| {
                pair.technique == Technique::Syn
                    && pair.is_answered()
                    && is_private(pair.service)
                    && !self.world.was_serving((pair.target, pair.port), finding.first)
            });
        }
    }

    /// Several addresses behind one link-layer address that does not forward are one machine: who scans under decoys
    /// (nmap's `-D`) is accused once, under the address that is its own as far as ARP tells.
    fn unmask(&self, key: SourceKey, findings: &mut Vec<Finding>) {
        const DECOYS_MIN: usize = 2;
        let Some(source) = self.sources.get(&key).filter(|_| !findings.is_empty()) else { return };
        let mac = source.profile.mac;
        if self.world.is_gateway(mac, &key.address) {
            return;
        }
        let is_own = |source: &Source| self.world.owns(mac, &source.profile.key.address);
        let may_be_own = |source: &Source| !self.world.is_of_another(mac, &source.profile.key.address);
        findings.retain_mut(|finding| {
            let Some(target) = finding.pairs.first().map(|pair| pair.target) else { return true };
            let same = self.behind(mac, key, &target);
            if same.len() < DECOYS_MIN {
                return true;
            }
            finding.others = same.iter().map(|source| source.profile.address).collect();
            let is_accused = |source: &Source| {
                source.incidents.iter().any(|incident| incident.scope.kind == finding.scope.kind)
            };
            if is_own(source) || is_accused(source) {
                return true;
            }
            let any = |of: &dyn Fn(&Source) -> bool| same.iter().any(|source| of(source));
            let is_forged = !may_be_own(source) && any(&may_be_own);
            !is_forged && !any(&is_own) && !any(&is_accused)
        });
    }

    /// The other sources behind a link-layer address that tried a target.
    fn behind(&self, mac: Mac, key: SourceKey, target: &Address) -> Vec<&Source> {
        let tries = |source: &&Source| source.pairs.all().iter().any(|pair| pair.target == *target);
        let claimed = self.world.claims_of(mac).map(|address| SourceKey { address: *address, ..key });
        let keys: BTreeSet<SourceKey> = self.world.sources_of(mac).copied().chain(claimed).collect();
        let others = keys.iter().filter(|other| **other != key);
        others.filter_map(|key| self.sources.get(key)).filter(tries).collect()
    }

    /// Opens or continues the incidents of scans that many sources share. They belong to no source, so to one of their
    /// own, under the target's address and VLANs that no frame has.
    fn judge_targets(&mut self, now: Timestamp, events: &mut Vec<Record>) {
        let limit = self.policy.thresholds.distributed;
        for shared in self.targets.judge(&self.world, &self.sources, limit, now) {
            let key = SourceKey { address: shared.target, vlan: [u16::MAX; 2] };
            let policy = Arc::clone(&self.policy);
            let make = || Source::new(&policy, key, &shared.target, Side::Internal);
            let Some(source) = self.sources.get_or_insert(key, Side::Internal, make, |_| {}) else {
                continue;
            };
            source.last = now;
            let zone = source.profile.zone;
            let finding = self.finding_of(&shared, zone);
            self.at_desk(key, now, events, |desk, source| desk.settle(source, vec![finding]));
        }
    }

    fn finding_of(&self, shared: &Shared, zone: ZoneId) -> Finding {
        let direction = if shared.side == Side::External { Direction::Inbound } else { Direction::Lateral };
        let limit = u64::from(self.policy.thresholds.distributed.ports);
        let subject = Subject::Host(Technique::Syn, shared.target);
        let place = (direction, Window::Hour);
        let finding = Finding::new(place, Kind::Distributed, subject, (Rule::Distributed, limit));
        let services = self.policy.service_table();
        let pairs: Vec<Pair> = shared
            .ports
            .iter()
            .map(|(port, (first, last))| Pair {
                target: shared.target,
                first: *first,
                last: *last,
                port: *port,
                attempts: 1,
                length: 0,
                technique: Technique::Syn,
                zone,
                service: services.tcp[usize::from(*port)],
                direction,
                marks: Marks::TRIED,
                tool: Tool::None,
            })
            .collect();
        let mut finding = finding.with_hashed(&self.hasher, &pairs);
        finding.others = shared.sources.iter().map(|source| ip_of(&source.address)).collect();
        finding.confirmed = shared.sources.iter().all(|source| self.is_confirmed(source, shared));
        finding
    }

    /// True where one of those who share a scan is who its packets say.
    fn is_confirmed(&self, source: &SourceKey, shared: &Shared) -> bool {
        let Some(source) = self.sources.get(source) else { return false };
        let since = shared.ports.values().map(|(first, _)| *first).min().unwrap_or_default();
        let is_completed = |pair: &Pair| pair.target == shared.target && pair.marks.has(Marks::COMPLETED);
        let has_completed = source.pairs.all().iter().any(is_completed);
        source.profile.proof.holds(&self.world, source.profile.key, since, has_completed)
    }

    /// Has a source judged at a time, at the latest.
    pub(super) fn remind(&mut self, key: SourceKey, at: Timestamp) {
        let Some(source) = self.sources.get_mut(&key) else { return };
        if let Some(known) = source.due {
            if known <= at {
                return;
            }
            self.due.remove(&(known, key));
        }
        source.due = Some(at);
        self.due.insert((at, key));
    }

    /// When [`Self::judge`] will find something to do, if nothing new comes; `None` where it never will.
    #[must_use]
    pub fn next_change(&self) -> Option<Timestamp> {
        let quiet = self.policy.limits.quiet;
        let sources = self.watched.iter().filter_map(|key| self.sources.get(key));
        let incidents = sources.flat_map(|source| &source.incidents);
        let due = self.due.first().map(|(at, _)| *at);
        let others = due.into_iter().chain(self.flood.next_change()).chain(self.next_change_of_ports());
        incidents.map(|incident| incident.next_change(quiet)).chain(others).min()
    }

    /// Ends every open incident, after a last verdict on every source that waits for one.
    pub fn finish(&mut self, now: Timestamp) -> Vec<Record> {
        let mut events = self.judge_all(now);
        let tally = OnceCell::new();
        for (_, key) in std::mem::take(&mut self.due) {
            if let Some(source) = self.sources.get_mut(&key) {
                source.due = None;
            }
            self.judge_source(key, now, &tally, &mut events);
        }
        for key in self.watched.clone() {
            self.at_desk(key, now, &mut events, |desk, source| {
                desk.finish(source);
            });
        }
        self.finish_ports(now, &mut events);
        events.extend(self.flood.finish(now, self.losses).map(Box::new).map(Record::Flood));
        self.by_wall_clock(events)
    }

    /// Does something about a source's incidents.
    fn at_desk(
        &mut self,
        key: SourceKey,
        now: Timestamp,
        events: &mut Vec<Record>,
        act: impl FnOnce(&mut Desk, &mut Source),
    ) {
        let mut desk = Desk {
            policy: &self.policy,
            hasher: &self.hasher,
            names: &self.names,
            world: &self.world,
            losses: self.losses,
            now,
            ahead: self.ahead,
            ledger: &mut self.ledger,
            flood: &mut self.flood,
            events,
        };
        let has_incidents = self.sources.get_mut(&key).is_some_and(|source| {
            act(&mut desk, source);
            !source.incidents.is_empty()
        });
        if has_incidents {
            self.watched.insert(key);
        } else {
            self.watched.remove(&key);
        }
    }
}
