//! What a scan is made of: its kind, its techniques, its lanes, and which probes belong to it.

use std::collections::BTreeSet;

use scanwatch_common::abi::Technique;
use scanwatch_common::sketch::Sketch;
use serde::{Deserialize, Serialize};

use super::counts::{Counts, Part};
use super::probe::Probe;
use super::renumber::Renumber;
use super::role::RoleId;
use super::source::CellId;
use super::state::codec;
use crate::policy::{Direction, OTHER, ServiceId};

/// Shape of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Many ports on few hosts.
    Vertical,
    /// Many hosts on few services.
    Horizontal,
    /// Many ports on each of many hosts.
    Block,
    /// Many ports on one host, shared by many sources.
    Distributed,
    /// One port that ever more sources try.
    Surge,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Vertical, Self::Horizontal, Self::Block, Self::Distributed, Self::Surge];

    /// Name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vertical => "vertical",
            Self::Horizontal => "horizontal",
            Self::Block => "block",
            Self::Distributed => "distributed",
            Self::Surge => "surge",
        }
    }
}

/// A set of techniques.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Techniques(u16);

impl Techniques {
    /// TCP flags no stack sends: one scan may mix them.
    pub const ODD: Self = Self::of(&[Technique::Null, Technique::Fin, Technique::Xmas, Technique::Flags]);
    /// Techniques that ask for a host, not for a port.
    pub const PORTLESS: Self = Self::of(&[Technique::Icmp, Technique::Arp]);

    /// The set of these.
    #[must_use]
    pub const fn of(techniques: &[Technique]) -> Self {
        let mut set = 0;
        let mut at = 0;
        while at < techniques.len() {
            set |= 1 << techniques[at] as u16;
            at += 1;
        }
        Self(set)
    }

    /// True where `technique` is one of them.
    #[must_use]
    pub const fn has(self, technique: Technique) -> bool {
        self.0 & 1 << technique as u16 != 0
    }

    /// True where the sets share a technique.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True where all of them are in `other`.
    #[must_use]
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The techniques, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Technique> {
        Technique::ALL.into_iter().filter(move |technique| self.has(*technique))
    }
}

/// Name of a technique in records.
#[must_use]
pub const fn technique_name(technique: Technique) -> &'static str {
    match technique {
        Technique::Syn => "syn",
        Technique::Null => "null",
        Technique::Fin => "fin",
        Technique::Xmas => "xmas",
        Technique::Flags => "flags",
        Technique::Udp => "udp",
        Technique::Sctp => "sctp",
        Technique::Icmp => "icmp",
        Technique::Arp => "arp",
        Technique::Proto => "proto",
        Technique::Ack => "refused",
    }
}

/// One service, or one port that is in no service group, by one technique: what a sweep goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane {
    /// Technique.
    #[serde(with = "codec::technique")]
    pub technique: Technique,
    /// Service group.
    pub service: ServiceId,
    /// The port where the group is [`OTHER`]; `None` where there is none or where it does not matter.
    pub port: Option<u16>,
}

impl Lane {
    /// The lane of a probe.
    #[must_use]
    pub fn of(technique: Technique, service: ServiceId, port: u16) -> Self {
        let lane = Self { technique, service, port: None };
        Self { port: lane.is_unnamed().then_some(port), ..lane }
    }

    /// True where the port, and nothing else, names what is probed.
    #[must_use]
    pub fn is_unnamed(self) -> bool {
        self.service == OTHER && !Techniques::PORTLESS.has(self.technique)
    }

    /// The lane without its port, for scans that try them all.
    #[must_use]
    pub const fn blurred(self) -> Self {
        Self { port: None, ..self }
    }
}

/// Most lanes a scan is described by.
const LANES_MAX: usize = 64;

/// Lanes of a scan, bounded: beyond that many it is the number of ports that tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lanes(BTreeSet<Lane>);

impl Lanes {
    /// Adds a lane. True where it was not there and had room.
    pub fn insert(&mut self, lane: Lane) -> bool {
        (self.0.len() < LANES_MAX || self.0.contains(&lane)) && self.0.insert(lane)
    }

    /// True where the lane is there.
    #[must_use]
    pub fn contains(&self, lane: Lane) -> bool {
        self.0.contains(&lane)
    }

    /// True where a lane by this technique is told by its port.
    fn has_ports(&self, technique: Technique) -> bool {
        self.0.iter().any(|lane| lane.technique == technique && lane.port.is_some())
    }

    /// The lanes in order.
    pub fn iter(&self) -> impl Iterator<Item = Lane> {
        self.0.iter().copied()
    }
}

/// Which probes of a source are one scan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scope {
    /// Direction.
    pub direction: Direction,
    /// The role whose budget is spent; `None` for all that no role covers.
    pub budget: Option<RoleId>,
    /// Shape.
    pub kind: Kind,
    /// Techniques.
    pub techniques: Techniques,
    /// Lanes.
    pub lanes: Lanes,
}

impl Scope {
    /// True where both are about the same direction and the same budget.
    #[must_use]
    pub fn alike(&self, other: &Self) -> bool {
        self.direction == other.direction && self.budget == other.budget
    }

    /// Adds a lane, as precise as the kind of scan needs it, and its technique. True where the lane is new.
    pub fn add_lane(&mut self, lane: Lane) -> bool {
        self.techniques = self.techniques.and(Techniques::of(&[lane.technique]));
        if self.kind != Kind::Horizontal {
            return self.lanes.insert(lane.blurred());
        }
        // The unnamed lane of a cell that holds several ports says less than those of its pairs.
        let known = lane.is_unnamed() && lane.port.is_none() && self.lanes.has_ports(lane.technique);
        !known && self.lanes.insert(lane)
    }

    /// True where a probe in the scan's direction belongs to it; `counts` is what the scan has touched so far.
    #[must_use]
    pub fn takes(&self, counts: &Counts, probe: &Probe) -> bool {
        if self.budget != probe.role {
            return false;
        }
        self.takes_lane(probe.lane()).unwrap_or_else(|| {
            let host = counts.contains(Part::Hosts, probe.element.host);
            match self.kind {
                Kind::Block => host || counts.contains(Part::Ports, probe.element.port),
                Kind::Vertical | Kind::Horizontal | Kind::Distributed | Kind::Surge => host,
            }
        })
    }

    /// True where everything in a cell of the scan's direction belongs to the scan; there has to be something.
    #[must_use]
    pub fn takes_cell(&self, counts: &Counts, cell: &CellView) -> bool {
        if self.budget != cell.role || cell.hosts.is_empty() {
            return false;
        }
        let hosts = || counts.covers(Part::Hosts, cell.hosts);
        let ports = || counts.covers(Part::Ports, cell.ports);
        let lane = Lane { technique: cell.technique, service: cell.service, port: None };
        match (self.takes_lane(lane), self.kind) {
            (Some(true), _) => true,
            // Ports in no group share a cell, which is the sweep's where all of its ports are.
            (Some(false), Kind::Horizontal) => {
                lane.is_unnamed() && self.techniques.has(lane.technique) && ports()
            }
            (Some(false), Kind::Vertical | Kind::Block | Kind::Distributed | Kind::Surge) => false,
            (None, Kind::Block) => hosts() || ports(),
            (None, Kind::Vertical | Kind::Horizontal | Kind::Distributed | Kind::Surge) => hosts(),
        }
    }

    /// Whether the lane alone decides; `None` where hosts and ports do.
    fn takes_lane(&self, lane: Lane) -> Option<bool> {
        if self.budget.is_some() {
            return Some(true);
        }
        if Techniques::ODD.has(lane.technique) {
            return Some(self.techniques.meets(Techniques::ODD));
        }
        if !self.techniques.has(lane.technique) {
            return Some(false);
        }
        (self.kind == Kind::Horizontal).then(|| self.lanes.contains(lane))
    }

    /// Becomes a scan of another kind; what it goes along is told as precisely as that kind needs it.
    pub fn reshape(&mut self, kind: Kind) {
        self.kind = kind;
        let lanes = std::mem::take(&mut self.lanes);
        for lane in
            lanes.iter().filter(|lane| kind != Kind::Horizontal || !lane.is_unnamed() || lane.port.is_some())
        {
            self.add_lane(lane);
        }
    }

    /// Takes service groups and roles by the numbers of another policy.
    pub fn renumber(&mut self, map: &Renumber) {
        self.budget = self.budget.map(|role| map.role(role).unwrap_or(RoleId::GONE));
        for lane in std::mem::take(&mut self.lanes).0 {
            self.lanes.insert(map.lane(lane));
        }
    }

    /// Adds what another scope takes.
    pub fn merge(&mut self, other: &Self) {
        for lane in other.lanes.iter() {
            self.add_lane(lane);
        }
    }
}

/// A cell as far as a scope looks at it.
#[derive(Clone, Copy, Debug)]
pub struct CellView<'a> {
    /// Technique.
    pub technique: Technique,
    /// Service group.
    pub service: ServiceId,
    /// The role that covers it.
    pub role: Option<RoleId>,
    /// Distinct hosts.
    pub hosts: &'a Sketch,
    /// Distinct ports.
    pub ports: &'a Sketch,
}

impl<'a> CellView<'a> {
    /// A cell with this id and these sketches.
    #[must_use]
    pub const fn new(id: CellId, hosts: &'a Sketch, ports: &'a Sketch) -> Self {
        Self { technique: id.technique, service: id.service, role: id.role, hosts, ports }
    }
}
