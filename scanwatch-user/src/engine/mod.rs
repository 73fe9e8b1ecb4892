//! From counts to incidents: pure code, without clock, I/O or threads.
//!
//! Records and cells go in with their time, records of incidents come out:
//!
//! ```text
//! novelty, cell → source: windows, pairs → facts → verdict: findings → desk: incidents → records
//!                    └ role: what it covers is kept apart, counted, and left out of the facts
//! port table → surges: slots, what is usual → incidents of ports → records
//! ```
//!
//! A novelty record is made whenever a probe changed any sketch of its cell. Adding the records' hashes so gives the
//! kernel's sketches again, at once; the cells of each epoch say the same once more and fill in what the ring lost.
//! Both are idempotent. An epoch's cells start empty, so pairs that go on being tried are named again each epoch. The
//! kernel counts a source from its second distinct pair on, one outside from its fourth: counts are low by that much.

mod codes;
mod counts;
mod facts;
mod fan;
mod flood;
mod incident;
mod interfaces;
mod judge;
mod overview;
mod pairs;
mod probe;
mod proof;
mod reason;
mod record;
mod reload;
mod renumber;
mod role;
mod scan;
mod scene;
mod severity;
mod source;
mod sources;
mod state;
mod statistics;
mod surge;
mod targets;
mod threat;
mod time;
mod tool;
mod verdict;
mod window;
mod world;

#[cfg(test)]
pub(crate) mod tests;

pub use flood::FloodEvent;
pub use incident::{IncidentId, Target};
pub use judge::{TEND, TURN};
pub use overview::{Gauges, IncidentView, PortsView, SourceView, WindowView};
pub use probe::ip_of;
pub use record::{
    Action, IncidentEvent, Length, Record, RoleNote, Scanner, Snapshot, SurgeNote, Visibility,
    technique_names, transport,
};
pub use role::RoleStatistics;
pub use scan::{Kind, Techniques, technique_name};
pub use severity::{RoleVerdict, Severity};
pub use state::{EngineState, Extent};
pub use statistics::{
    DirectionStatistics, DirectionsStatistics, GuestStatistics, IncidentStatistics, IncidentsStatistics,
    PortStatistics, PortsStatistics, ServiceStatistics, SourceStatistics, Statistics,
};
pub use threat::{AttackTechnique, attack_techniques};
pub use time::{Ahead, Timestamp};
pub use window::Window;

use std::collections::BTreeSet;
use std::sync::Arc;

use scanwatch_common::abi::{Address, Cell, CellKey, Novelty, Outcome, Settings, Side, Technique};
use scanwatch_common::classify::PRIVILEGED_CLIENT_PORT_MIN;
use scanwatch_common::sketch::Hasher;
use serde::Serialize;

use flood::Flood;
use interfaces::Interfaces;
use probe::{Element, Probe};
use role::{Coverage, covering};
use source::{CellId, Source, SourceKey};
use sources::Sources;
use statistics::Ledger;
use surge::Surges;
use targets::Targets;
use tool::Tool;
use world::World;

use facts::is_inside;

use crate::policy::{Policy, ZoneId};

/// Pairs of all sources together: 72 MB.
const PAIRS_MAX: usize = 1_500_000;
/// Ports in each list of the statistics.
const PORTS_SHOWN: usize = 10;

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
    world: World,
    targets: Targets,
    ledger: Ledger,
    flood: Flood,
    surges: Surges,
    losses: Losses,
    /// Sources of which something is new.
    dirty: Vec<SourceKey>,
    /// Sources to be judged at some time, whatever comes.
    due: BTreeSet<(Timestamp, SourceKey)>,
    /// Pairs of all sources, a few too many.
    pairs: usize,
    /// When watching began.
    began: Option<Timestamp>,
    /// Sources in open incidents.
    watched: BTreeSet<SourceKey>,
    /// The present, as of the last call that told it.
    now: Timestamp,
    /// What the wall clock says beyond that.
    ahead: Ahead,
    /// Last time open incidents were looked after.
    tended: Timestamp,
    /// Last time sources were forgotten.
    swept: Timestamp,
}

impl Engine {
    /// An engine that has seen nothing, of a data plane whose hashes are the same each time.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        Self::keyed(policy, Hasher::new(Settings::SEED))
    }

    /// An engine that has seen nothing, of a data plane that hashes so.
    #[must_use]
    pub fn keyed(policy: Arc<Policy>, hasher: Hasher) -> Self {
        Self {
            names: Interfaces::default(),
            hasher,
            sources: Sources::new(policy.limits.sources),
            coverage: Coverage::new(&policy),
            world: World::default(),
            targets: Targets::default(),
            ledger: Ledger::default(),
            flood: Flood::default(),
            surges: Surges::default(),
            losses: Losses::default(),
            dirty: Vec::new(),
            due: BTreeSet::new(),
            pairs: 0,
            began: None,
            watched: BTreeSet::new(),
            now: Timestamp::default(),
            ahead: Ahead::default(),
            tended: Timestamp::default(),
            swept: Timestamp::default(),
            policy,
        }
    }

    /// Sets how far the wall clock is ahead of the time that this engine is given: what it says from now on, and the hours of
    /// roles, are by the wall clock; what it counts, and when incidents end, are not.
    pub const fn set_ahead(&mut self, ahead: Ahead) {
        self.ahead = ahead;
    }

    /// Sets the name of an interface.
    pub fn set_interface(&mut self, index: u32, name: &str) {
        self.names.set(index, name);
    }

    /// Sets the addresses that this host has on an interface, where it forwards: it asks there for whoever others look
    /// for.
    pub fn set_forwarding(&mut self, index: u32, addresses: &[Address]) {
        self.world.set_forwarding(index, addresses);
    }

    /// Takes a record of the ring; `at` is its time, `now` the time it is read. Records with an unknown technique, which
    /// no kernel program of this version makes, are left out.
    pub fn novelty(&mut self, now: Timestamp, novelty: &Novelty, at: Timestamp) {
        self.now = now;
        self.began.get_or_insert(at);
        let key = &novelty.key;
        let (Some(technique), Some(outcome)) = (key.technique(), key.outcome()) else { return };
        let side = if novelty.side == Side::Internal as u8 { Side::Internal } else { Side::External };
        let sighting = Sighting {
            side,
            key,
            address: &novelty.source,
            contact: (technique, outcome),
            wall: self.ahead.wall(at),
        };
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
            direction: source.direction_to(&novelty.target, key.zone),
            length: novelty.length,
            tool: if outcome == Outcome::Tried { Tool::of(technique, novelty) } else { Tool::None },
            role: id.role,
            element: Element::of(&self.hasher, &novelty.target, novelty.target_port),
        };
        self.world.note(novelty, source.profile.key, (technique, outcome), at);
        let is_completed = source.profile.proof.note(novelty, &probe, outcome);
        let before = source.pairs.all().len();
        let room = (now, self.pairs < PAIRS_MAX);
        if outcome == Outcome::Tried {
            source.profile.note(novelty);
            if technique.is_tcp() && id.role.is_none() && is_inside(probe.direction) {
                let who = (source.profile.key, source.profile.side);
                self.targets.note(probe.target, probe.port, who, at);
            }
            source.note(id, &probe, room, &mut self.ledger.cells_dropped);
            if let Some(role) = id.role {
                self.coverage.note(role, who, &probe.element);
            }
        } else if !is_own_service(&self.policy, &self.world, novelty, technique) {
            let zones = (source.profile.zone, key.zone);
            if technique.is_tcp() {
                learn_road(&mut self.world, source, &probe, (zones, outcome));
            }
            source.note_outcome(id, &probe, room, &mut self.ledger.cells_dropped);
            if is_completed {
                source.complete(&probe);
            }
        }
        self.pairs = (self.pairs + source.pairs.all().len()).saturating_sub(before);
        mark(&mut self.dirty, source);
    }

    /// Takes a cell of an epoch that has ended, with the times of its first and last novelty.
    pub fn cell(&mut self, side: Side, key: &CellKey, cell: &Cell, first: Timestamp, last: Timestamp) {
        let (Some(technique), Some(outcome)) = (key.technique(), key.outcome()) else { return };
        if matches!(outcome, Outcome::Refused | Outcome::Continued) {
            return;
        }
        let sighting = Sighting {
            side,
            key,
            address: &key.source,
            contact: (technique, outcome),
            wall: self.ahead.wall(first),
        };
        let who = self.hasher.endpoint(&key.source).host();
        let Some((source, id)) = sighting.place(&mut self.sources, &self.policy, &mut self.ledger, who)
        else {
            return;
        };
        if id.is_tried() {
            source.profile.note_cell(&cell.facts);
        }
        if let Some(role) = id.role.filter(|_| id.is_tried()) {
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

    /// What was counted so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let sources = SourceStatistics { tracked: self.sources.len(), dropped: self.sources.dropped };
        let roles = self.coverage.statistics(&self.policy);
        let ports = self.ports_statistics(PORTS_SHOWN);
        self.ledger.statistics(&self.policy, roles, sources, ports, self.losses)
    }

    /// Bytes that sources take, their open incidents left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sources.bytes()
    }

    /// Bytes that the ports outsiders try take.
    #[must_use]
    pub fn bytes_of_ports(&self) -> usize {
        self.surges.bytes()
    }
}

/// Where a probe or a cell comes from.
struct Sighting<'a> {
    side: Side,
    key: &'a CellKey,
    /// Source in full where it is known, before any cut.
    address: &'a Address,
    contact: (Technique, Outcome),
    /// When it was, by the wall clock: roles have hours.
    wall: Timestamp,
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
        let (technique, outcome) = self.contact;
        let role = covering(policy, &source.profile.roles, self.wall, technique, zone, service);
        ledger.saw(source.direction(zone), service, who);
        Some((source, CellId { technique, service, bucket, zone, role, outcome }))
    }
}

/// Notes that something is new about a source.
fn mark(dirty: &mut Vec<SourceKey>, source: &mut Source) {
    if !source.dirty {
        source.dirty = true;
        dirty.push(source.profile.key);
    }
}

/// True for a segment that a client refuses a server it had a conversation with: the end of that conversation. Clients do
/// not sit on the lowest ports: who is refused there, by whatever port of its own, is no server for it.
fn is_own_service(policy: &Policy, world: &World, novelty: &Novelty, technique: Technique) -> bool {
    let serves = || policy.services.iter().any(|service| service.tcp.contains(&novelty.source_port));
    technique == Technique::Ack
        && (novelty.target_port >= PRIVILEGED_CLIENT_PORT_MIN && serves()
            || world.is_serving((novelty.source, novelty.source_port)))
}

/// Learns where answers are seen: who goes on with a conversation whose answer never came by was answered unseen.
fn learn_road(
    world: &mut World,
    source: &Source,
    probe: &Probe,
    (zones, outcome): ((ZoneId, ZoneId), Outcome),
) {
    match outcome {
        Outcome::Answered => world.answered(zones),
        Outcome::Continued => {
            let pair = source.pairs.get(Technique::Syn, &probe.target, probe.port);
            if pair.is_some_and(|pair| pair.is_tried() && !pair.is_answered()) {
                world.answered_unseen(zones, probe.target);
            }
        }
        Outcome::Tried | Outcome::Refused => {}
    }
}
