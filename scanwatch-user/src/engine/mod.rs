//! From counts to incidents: pure code, without clock, I/O or threads.
//!
//! Records and cells go in with their time, records of incidents come out:
//!
//! ```text
//! novelty, cell → source: windows, pairs → facts → verdict: findings → desk: incidents → records
//!                    └ role: what it covers is kept apart, counted, and left out of the facts
//! ```
//!
//! A novelty record is made whenever a probe changed any sketch of its cell. Adding the records' hashes so gives the
//! kernel's sketches again, at once; the cells of each epoch say the same once more and fill in what the ring lost.
//! Both are idempotent. An epoch's cells start empty, so pairs that go on being tried are named again each epoch. The
//! kernel counts a source from its second distinct pair on, one outside from its fourth: counts are low by that much.

mod counts;
mod facts;
mod incident;
mod interfaces;
mod pairs;
mod probe;
mod reason;
mod record;
mod role;
mod scan;
mod severity;
mod source;
mod sources;
mod statistics;
mod threat;
mod time;
mod verdict;
mod window;

#[cfg(test)]
pub(crate) mod tests;

pub use incident::{IncidentId, Target};

pub use probe::ip_of;
pub use record::{
    Action, IncidentEvent, Length, RoleNote, Scanner, Snapshot, Visibility, technique_names, transport,
};
pub use role::RoleStatistics;
pub use scan::{Kind, Techniques, technique_name};
pub use severity::{RoleVerdict, Severity};
pub use statistics::{
    DirectionStatistics, DirectionsStatistics, IncidentStatistics, IncidentsStatistics, ServiceStatistics,
    SourceStatistics, Statistics,
};
pub use threat::{AttackTechnique, attack_techniques};
pub use time::Timestamp;
pub use window::Window;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use scanwatch_common::abi::{Address, Cell, CellKey, Novelty, Outcome, Settings, Side, Technique};
use scanwatch_common::sketch::Hasher;
use serde::Serialize;

use incident::Desk;
use interfaces::Interfaces;
use probe::{Element, Probe};
use role::{Coverage, covering};
use source::{CellId, Source, SourceKey};
use sources::Sources;
use statistics::Ledger;

use crate::policy::Policy;

/// Time between two looks at open incidents, which change by time alone.
const TEND_PERIOD: Duration = Duration::from_secs(1);
/// Time between two searches for sources that can be forgotten.
const SWEEP_PERIOD: Duration = Duration::from_mins(1);

/// What the kernel could not hand over, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Novelty records that found the ring full. The cells have their counts.
    pub ring_lost: u64,
    /// Cells that could not be made.
    pub cells_refused: u64,
}

/// The engine.
pub struct Engine {
    policy: Arc<Policy>,
    names: Interfaces,
    hasher: Hasher,
    sources: Sources,
    coverage: Coverage,
    ledger: Ledger,
    losses: Losses,
    /// Sources of which something is new.
    dirty: Vec<SourceKey>,
    /// Sources in open incidents.
    watched: BTreeSet<SourceKey>,
    /// The present, as of the last call that told it.
    now: Timestamp,
    /// Last time open incidents were looked after.
    tended: Timestamp,
    /// Last time sources were forgotten.
    swept: Timestamp,
}

impl Engine {
    /// An engine that has seen nothing. Sketches are under the kernel's default seed.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            names: Interfaces::default(),
            hasher: Hasher::new(Settings::DEFAULT.seed),
            sources: Sources::new(policy.limits.sources),
            coverage: Coverage::new(&policy),
            ledger: Ledger::default(),
            losses: Losses::default(),
            dirty: Vec::new(),
            watched: BTreeSet::new(),
            now: Timestamp::default(),
            tended: Timestamp::default(),
            swept: Timestamp::default(),
            policy,
        }
    }

    /// Sets the name of an interface.
    pub fn set_interface(&mut self, index: u32, name: &str) {
        self.names.set(index, name);
    }

    /// Takes a record of the ring; `at` is its time, `now` the time it is read. Records with an unknown technique, which
    /// no kernel program of this version makes, are left out.
    pub fn novelty(&mut self, now: Timestamp, novelty: &Novelty, at: Timestamp) {
        self.now = now;
        let key = &novelty.key;
        let (Some(technique), Some(Outcome::Tried)) = (key.technique(), key.outcome()) else { return };
        let side = if novelty.side == Side::Internal as u8 { Side::Internal } else { Side::External };
        let sighting = Sighting { side, key, address: &novelty.source, technique, at };
        let who = self.hasher.endpoint(&key.source).host();
        let Some((source, id)) = sighting.place(&mut self.sources, &self.policy, &mut self.ledger, who)
        else {
            return;
        };
        let probe = Probe {
            at,
            technique,
            target: novelty.target,
            port: novelty.target_port,
            zone: key.zone,
            service: key.service,
            length: novelty.length,
            role: id.role,
            element: Element::of(self.hasher, &novelty.target, novelty.target_port),
        };
        source.profile.note(novelty);
        source.note(id, &probe, now, &mut self.ledger.cells_dropped);
        if let Some(role) = id.role {
            self.coverage.note(role, who, &probe.element);
        }
        mark(&mut self.dirty, source);
    }

    /// Takes a cell of an epoch that has ended, with the times of its first and last novelty.
    pub fn cell(&mut self, side: Side, key: &CellKey, cell: &Cell, first: Timestamp, last: Timestamp) {
        let (Some(technique), Some(Outcome::Tried)) = (key.technique(), key.outcome()) else { return };
        let sighting = Sighting { side, key, address: &key.source, technique, at: first };
        let who = self.hasher.endpoint(&key.source).host();
        let Some((source, id)) = sighting.place(&mut self.sources, &self.policy, &mut self.ledger, who)
        else {
            return;
        };
        source.profile.note_cell(&cell.facts);
        if let Some(role) = id.role {
            self.coverage.note_cell(role, who, cell);
        }
        if source.note_cell(id, cell, (first, last), self.now, &mut self.ledger.cells_dropped) {
            mark(&mut self.dirty, source);
        }
    }

    /// Takes what the kernel's counters say was lost, as totals since the start.
    pub fn losses(&mut self, losses: Losses) {
        self.losses = losses;
    }

    /// True where something is new since the last [`Self::judge`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Judges the sources of which something is new, and records what open incidents have become. To be called soon
    /// after something is new, and every few seconds in any case, for incidents end by time alone.
    pub fn judge(&mut self, now: Timestamp) -> Vec<IncidentEvent> {
        self.now = now;
        let mut events = Vec::new();
        for key in std::mem::take(&mut self.dirty) {
            let Some(source) = self.sources.get_mut(&key) else { continue };
            source.dirty = false;
            source.roll(now);
            let verdict = verdict::judge(&self.policy, self.hasher, source, now);
            source.suspect = verdict.near;
            if !verdict.findings.is_empty() {
                self.at_desk(key, now, &mut events, |desk, source| desk.settle(source, verdict.findings));
            }
        }
        if now.apart(self.tended) >= TEND_PERIOD {
            for key in self.watched.clone() {
                self.at_desk(key, now, &mut events, |desk, source| {
                    desk.tend(source);
                });
            }
            self.tended = now;
        }
        if now.apart(self.swept) >= SWEEP_PERIOD {
            self.sources.sweep(now);
            self.swept = now;
        }
        events
    }

    /// Ends every open incident.
    pub fn finish(&mut self, now: Timestamp) -> Vec<IncidentEvent> {
        let mut events = self.judge(now);
        for key in self.watched.clone() {
            self.at_desk(key, now, &mut events, |desk, source| {
                desk.finish(source);
            });
        }
        events
    }

    /// Does something about a source's incidents.
    fn at_desk(
        &mut self,
        key: SourceKey,
        now: Timestamp,
        events: &mut Vec<IncidentEvent>,
        act: impl FnOnce(&mut Desk, &mut Source),
    ) {
        let mut desk = Desk {
            policy: &self.policy,
            hasher: self.hasher,
            names: &self.names,
            losses: self.losses,
            now,
            ledger: &mut self.ledger,
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

    /// What was counted so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let sources = SourceStatistics { tracked: self.sources.len(), dropped: self.sources.dropped };
        let roles = self.coverage.statistics(&self.policy);
        self.ledger.statistics(&self.policy, roles, sources, self.losses)
    }

    /// Bytes that sources take, their open incidents left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sources.bytes()
    }
}

/// Where a probe or a cell comes from.
struct Sighting<'a> {
    side: Side,
    key: &'a CellKey,
    /// Source in full where it is known, before any cut.
    address: &'a Address,
    technique: Technique,
    at: Timestamp,
}

impl Sighting<'_> {
    /// Makes sure that the source, whose hash is `who`, is tracked, and says which of its cells this is.
    fn place<'s>(
        &self,
        sources: &'s mut Sources,
        policy: &Policy,
        ledger: &mut Ledger,
        who: u64,
    ) -> Option<(&'s mut Source, CellId)> {
        let source_key = SourceKey { address: self.key.source, vlan: self.key.vlan };
        let evicted = |source: Source| {
            for incident in &source.incidents {
                ledger.closed(incident.treatment, incident.scope.kind);
            }
        };
        let make = || Source::new(policy, source_key, self.address, self.side);
        let source = sources.get_or_insert(source_key, self.side, make, evicted)?;
        let CellKey { zone, service, bucket, .. } = *self.key;
        let role = covering(policy, &source.profile.roles, self.at, self.technique, zone, service);
        ledger.saw(source.direction(zone), service, who);
        Some((source, CellId { technique: self.technique, service, bucket, zone, role }))
    }
}

/// Notes that something is new about a source.
fn mark(dirty: &mut Vec<SourceKey>, source: &mut Source) {
    if !source.dirty {
        source.dirty = true;
        dirty.push(source.profile.key);
    }
}
