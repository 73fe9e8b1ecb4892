//! One source: who it is, what it did within the windows, and the incidents it is in.

use std::net::IpAddr;

use scanwatch_common::abi::{Address, Cell, CellFacts, Novelty, Outcome, Side, Technique};
use serde::{Deserialize, Serialize};

use super::counts::{Counts, Part};
use super::fan::FanOut;
use super::incident::{Evidence, Footprint, Incident};
use super::pairs::{Marks, Pair, Pairs};
use super::probe::{Probe, ip_of, same_network};
use super::proof::Proof;
use super::role::{RoleId, roles_of};
use super::state::codec;
use super::time::Timestamp;
use super::window::{Window, Windowed};
use crate::policy::{Direction, Policy, ServiceId, ZoneId};

/// Most cells of a source. One that has more gives up the one idle longest.
pub const CELLS_MAX: usize = 256;

/// Identity of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceKey {
    /// Address, IPv6 cut to the configured prefix.
    #[serde(with = "codec::address")]
    pub address: Address,
    /// VLAN ids, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
}

impl SourceKey {
    /// The first in order.
    pub const MIN: Self = Self { address: [0; 16], vlan: [0; 2] };
}

/// Identity of a cell within its source. Cells that differ in zone and role alone stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CellId {
    /// Technique.
    #[serde(with = "codec::technique")]
    pub technique: Technique,
    /// Service group.
    pub service: ServiceId,
    /// Slice of the ports that are in no group.
    pub bucket: u8,
    /// Zone of the targets.
    pub zone: ZoneId,
    /// The role that covered the probes when they were seen.
    pub role: Option<RoleId>,
    /// What became of the contacts.
    #[serde(with = "codec::outcome")]
    pub outcome: Outcome,
}

impl CellId {
    /// True for what was tried, not for what became of it.
    #[must_use]
    pub const fn is_tried(self) -> bool {
        matches!(self.outcome, Outcome::Tried)
    }
}

/// What a source did to one service of one zone by one technique.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceCell {
    /// Identity.
    pub id: CellId,
    /// Counts by window.
    pub windowed: Windowed,
    /// First seen.
    pub first: Timestamp,
    /// Last seen.
    pub last: Timestamp,
}

/// Who a source is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// Identity.
    pub key: SourceKey,
    /// Address in full, the latest where the key stands for several.
    pub address: IpAddr,
    /// Inside or outside.
    #[serde(with = "codec::side")]
    pub side: Side,
    /// Zone.
    pub zone: ZoneId,
    /// Roles that name it.
    pub roles: Box<[RoleId]>,
    /// Link-layer address of the last probe, zero where it has none.
    pub mac: [u8; 6],
    /// Hop limit of the last probe, 0 where it has none.
    pub ttl: u8,
    /// Index of the interface of the last probe.
    pub interface: u32,
    /// What shows that it is who its packets say.
    #[serde(default)]
    pub proof: Proof,
}

impl Profile {
    /// Notes what a record shows of its source.
    pub fn note(&mut self, novelty: &Novelty) {
        self.address = ip_of(&novelty.source);
        self.mac = novelty.mac;
        self.ttl = novelty.ttl;
        self.interface = novelty.interface;
    }

    /// Notes what a cell shows of its source, where no record has shown it yet.
    pub fn note_cell(&mut self, facts: &CellFacts) {
        if self.interface == 0 {
            self.mac = facts.mac;
            self.ttl = facts.ttl;
            self.interface = facts.interface;
        }
    }
}

/// A source and all that is remembered of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Who it is.
    pub profile: Profile,
    /// Cells, in the order of their ids.
    pub cells: Vec<SourceCell>,
    /// Pairs that no role covers.
    pub pairs: Pairs,
    /// A sample of what its roles cover: evidence, should it spend more than its budget.
    pub covered: Vec<(RoleId, Evidence)>,
    /// What is usual for it, and what is held back, where there is anything.
    pub fan: Option<Box<FanOut>>,
    /// Something is new since it was last judged.
    pub dirty: bool,
    /// When it was last judged.
    pub judged: Timestamp,
    /// When it is to be judged at the latest.
    pub due: Option<Timestamp>,
    /// Last seen.
    pub last: Timestamp,
    /// Open incidents.
    pub incidents: Vec<Incident>,
    /// How many incidents were opened so far; it begins anew after 65,535.
    #[serde(default)]
    pub opened: u16,
    /// What ended incidents were about, as long as the windows still show it.
    pub ended: Vec<Footprint>,
}

impl Source {
    /// A source of which nothing is known but its address.
    #[must_use]
    pub fn new(policy: &Policy, key: SourceKey, address: &Address, side: Side) -> Self {
        let address = ip_of(address);
        Self {
            profile: Profile {
                key,
                address,
                side,
                zone: policy.zone_of(address),
                roles: roles_of(policy, address),
                mac: [0; 6],
                ttl: 0,
                interface: 0,
                proof: Proof::default(),
            },
            cells: Vec::new(),
            pairs: Pairs::default(),
            covered: Vec::new(),
            fan: None,
            dirty: false,
            judged: Timestamp::default(),
            due: None,
            last: Timestamp::default(),
            incidents: Vec::new(),
            opened: 0,
            ended: Vec::new(),
        }
    }

    /// Direction of what this source does to a zone.
    #[must_use]
    pub fn direction(&self, zone: ZoneId) -> Direction {
        Policy::direction(self.profile.zone, zone)
    }

    /// Direction of what this source does to a host: neighbours are inside, whatever the zones say of public networks.
    #[must_use]
    pub fn direction_to(&self, target: &Address, zone: ZoneId) -> Direction {
        direction(&self.profile.key.address, self.profile.zone, target, zone)
    }

    /// Notes a probe in its cell, among the pairs, and in the incidents it belongs to. `now` is the present, and `dropped`
    /// is told of a cell given up for lack of room.
    pub fn note(&mut self, id: CellId, probe: &Probe, (now, may_grow): (Timestamp, bool), dropped: &mut u64) {
        let counts = self.counts(id, (probe.at, probe.at), now, dropped);
        counts.insert(Part::Pairs, probe.element.pair);
        counts.insert(Part::Hosts, probe.element.host);
        counts.insert(Part::Ports, probe.element.port);
        match id.role {
            None => self.pairs.insert(Pair::of(probe, Marks::TRIED), may_grow),
            Some(role) => self.note_covered(role, probe),
        }
        for incident in self.incidents_towards(probe.direction) {
            if incident.scope.takes(&incident.counts, probe) {
                incident.add(probe);
            }
        }
    }

    fn note_covered(&mut self, role: RoleId, probe: &Probe) {
        if let Some((_, evidence)) = self.covered.iter_mut().find(|(id, _)| *id == role) {
            evidence.note(probe);
            return;
        }
        let mut evidence = Evidence::default();
        evidence.note(probe);
        self.covered.push((role, evidence));
    }

    /// The sample of what a role covers.
    #[must_use]
    pub fn covered(&self, role: RoleId) -> Option<&Evidence> {
        self.covered.iter().find(|(id, _)| *id == role).map(|(_, evidence)| evidence)
    }

    /// Notes what became of a contact, in its cell, its pair and the incidents it belongs to.
    pub fn note_outcome(
        &mut self,
        id: CellId,
        probe: &Probe,
        (now, may_grow): (Timestamp, bool),
        dropped: &mut u64,
    ) {
        if id.outcome == Outcome::Answered {
            let counts = self.counts(id, (probe.at, probe.at), now, dropped);
            counts.insert(Part::Pairs, probe.element.pair);
            counts.insert(Part::Hosts, probe.element.host);
        }
        if id.role.is_none() {
            self.mark(probe, id.outcome, may_grow);
        }
        for incident in self.incidents_towards(probe.direction) {
            incident.note_outcome(probe, id.outcome);
        }
    }

    /// Notes that it completed a handshake with the target.
    pub fn complete(&mut self, probe: &Probe) {
        self.pairs.mark(Technique::Syn, &probe.target, probe.port, Marks::COMPLETED);
        self.incidents_towards(probe.direction).for_each(|incident| incident.note_completed(probe));
    }

    fn mark(&mut self, probe: &Probe, outcome: Outcome, may_grow: bool) {
        let (technique, marks) = match (probe.technique, outcome) {
            (technique, Outcome::Answered) => (technique, Marks::ANSWERED),
            (technique, Outcome::Continued) => (technique, Marks::CONTINUED),
            (Technique::Ack, _) => {
                // A bare RST refuses the SYN that is pending, where there is one (RFC 9293, 3.10.7.1).
                match self.pairs.get(Technique::Syn, &probe.target, probe.port) {
                    Some(pair) if pair.is_tried() => (Technique::Syn, Marks::REFUSED),
                    _ => (Technique::Ack, Marks::REFUSED),
                }
            }
            (technique, _) => (technique, Marks::REFUSED),
        };
        // What answered before is torn down, not refused.
        if self.pairs.mark(technique, &probe.target, probe.port, marks) {
            return;
        }
        let pair = match (technique, outcome) {
            // A socket that talks answers without a try of its own.
            (Technique::Udp, Outcome::Answered) => Pair::of(probe, Marks::TRIED.and(Marks::ANSWERED)),
            (_, Outcome::Answered) | (Technique::Ack, _) => Pair::of(probe, marks),
            _ => return,
        };
        self.pairs.insert(pair, may_grow);
    }

    /// Notes a cell of the kernel, with the times of its first and last novelty. True where anything was new in it.
    pub fn note_cell(
        &mut self,
        id: CellId,
        cell: &Cell,
        (first, last): (Timestamp, Timestamp),
        now: Timestamp,
        dropped: &mut u64,
    ) -> bool {
        // By its first time: a window may lose a little early what only the cell has, but never holds too much.
        let counts = self.counts(id, (first, last), now, dropped);
        let mut changed = counts.merge_sketch(Part::Pairs, &cell.pairs);
        changed |= counts.merge_sketch(Part::Hosts, &cell.hosts);
        if id.is_tried() {
            changed |= counts.merge_sketch(Part::Ports, &cell.ports);
        }
        let direction = self.direction(id.zone);
        for incident in self.incidents_towards(direction).filter(|_| id.is_tried()) {
            incident.add_cell(id, cell, (first, last));
        }
        changed
    }

    fn incidents_towards(&mut self, direction: Direction) -> impl Iterator<Item = &mut Incident> {
        self.incidents.iter_mut().filter(move |incident| incident.scope.direction == direction)
    }

    /// The counts of a cell at its first time.
    fn counts(
        &mut self,
        id: CellId,
        (first, last): (Timestamp, Timestamp),
        now: Timestamp,
        dropped: &mut u64,
    ) -> &mut Counts {
        let index = match self.cells.binary_search_by_key(&id, |cell| cell.id) {
            Ok(index) => index,
            Err(_) => self.add_cell(id, first, dropped),
        };
        let cell = &mut self.cells[index];
        cell.first = cell.first.min(first);
        cell.last = cell.last.max(last);
        self.last = self.last.max(last);
        cell.windowed.at(first, now)
    }

    fn add_cell(&mut self, id: CellId, at: Timestamp, dropped: &mut u64) -> usize {
        if self.cells.len() >= CELLS_MAX
            && let Some(idlest) = (0..self.cells.len()).min_by_key(|index| self.cells[*index].last)
        {
            self.cells.remove(idlest);
            *dropped += 1;
        }
        let index = self.cells.partition_point(|cell| cell.id < id);
        self.cells.reserve_exact(usize::from(self.cells.len() == self.cells.capacity()));
        self.cells.insert(index, SourceCell { id, windowed: Windowed::default(), first: at, last: at });
        index
    }

    /// Moves on to `now`: windows roll, and what they have all passed is forgotten.
    pub fn roll(&mut self, now: Timestamp) {
        for cell in &mut self.cells {
            cell.windowed.roll(now);
        }
        self.cells.retain(|cell| !cell.windowed.is_empty());
        self.pairs.forget(now);
        self.ended.retain(|footprint| now.apart(footprint.fired) < Window::LONGEST.length());
    }

    /// The same without its cells and pairs.
    #[must_use]
    pub fn incidents_alone(&self) -> Self {
        Self {
            profile: self.profile.clone(),
            cells: Vec::new(),
            pairs: Pairs::default(),
            covered: Vec::new(),
            fan: None,
            incidents: self.incidents.clone(),
            ended: self.ended.clone(),
            ..*self
        }
    }

    /// True where nothing is left of it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.cells.is_empty()
            && self.pairs.all().is_empty()
            && self.incidents.is_empty()
            && self.ended.is_empty()
    }

    /// Bytes it takes, on the heap and in itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let cells: usize = self.cells.iter().map(|cell| cell.windowed.heap_bytes()).sum();
        size_of::<Self>()
            + self.cells.capacity() * size_of::<SourceCell>()
            + cells
            + self.pairs.heap_bytes()
            + self.profile.proof.heap_bytes()
            + self.fan.as_ref().map_or(0, |fan| size_of::<FanOut>() + fan.heap_bytes())
    }
}

/// Direction from an address in a zone to a host in another.
pub fn direction(from: &Address, from_zone: ZoneId, to: &Address, to_zone: ZoneId) -> Direction {
    if same_network(from, to) { Direction::Lateral } else { Policy::direction(from_zone, to_zone) }
}
