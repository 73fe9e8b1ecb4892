//! What is counted beside the incidents, and what of it is shown.

use std::collections::BTreeMap;

use scanwatch_common::sketch::Sketch;
use serde::{Deserialize, Serialize};

use super::Losses;
use super::renumber::Renumber;
use super::role::RoleStatistics;
use super::scan::Kind;
use super::state::codec;
use crate::policy::{Direction, OTHER, Policy, ServiceId, Treatment};

/// Services shown.
const SERVICES_SHOWN: usize = 10;

/// Incidents of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentStatistics {
    /// Open now.
    pub open: usize,
    /// Opened since the start.
    pub total: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct DirectionLedger {
    #[serde(with = "codec::sketch")]
    sources: Sketch,
    incidents: u64,
}

/// Running counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    directions: [DirectionLedger; 4],
    /// By treatment and kind.
    incidents: [[IncidentStatistics; Kind::ALL.len()]; 2],
    /// Openings by treatment, direction and kind at that time.
    openings: [[[u64; Kind::ALL.len()]; 4]; 2],
    /// Incidents that found no room, each scan once.
    pub refused: u64,
    /// Cells given up because their source had too many.
    pub cells_dropped: u64,
    /// Distinct sources on the internet that tried a service inside.
    #[serde(with = "codec::by_service")]
    services: BTreeMap<ServiceId, Sketch>,
}

impl Ledger {
    /// Counts a source, by its hash, that was seen in a direction.
    pub fn saw(&mut self, direction: Direction, service: ServiceId, source: u64) {
        self.directions[direction as usize].sources.insert(source);
        if direction == Direction::Inbound && service != OTHER {
            self.services.entry(service).or_default().insert(source);
        }
    }

    /// Counts an incident.
    pub fn opened(&mut self, treatment: Treatment, direction: Direction, kind: Kind) {
        self.directions[direction as usize].incidents += 1;
        self.openings[treatment as usize][direction as usize][kind as usize] += 1;
        let incidents = &mut self.incidents[treatment as usize][kind as usize];
        incidents.open += 1;
        incidents.total += 1;
    }

    /// Counts an open incident as one of another kind.
    pub fn reshaped(&mut self, treatment: Treatment, from: Kind, to: Kind) {
        let incidents = &mut self.incidents[treatment as usize];
        incidents[from as usize].open -= 1;
        incidents[from as usize].total -= 1;
        incidents[to as usize].open += 1;
        incidents[to as usize].total += 1;
    }

    /// Counts an incident as ended.
    pub fn closed(&mut self, treatment: Treatment, kind: Kind) {
        self.incidents[treatment as usize][kind as usize].open -= 1;
    }

    /// Forgets what is open: it is counted anew by [`Self::reopened`].
    pub fn close_all(&mut self) {
        for incidents in self.incidents.iter_mut().flatten() {
            incidents.open = 0;
        }
    }

    /// Counts an incident as open that was so before.
    pub fn reopened(&mut self, treatment: Treatment, kind: Kind) {
        let incidents = &mut self.incidents[treatment as usize][kind as usize];
        incidents.open += 1;
        incidents.total = incidents.total.max(incidents.open as u64);
    }

    /// Takes service groups by the numbers of another policy; what is in no group any more is not shown.
    pub fn renumber(&mut self, map: &Renumber) {
        for (service, sources) in std::mem::take(&mut self.services) {
            let service = map.service(service);
            if service != OTHER {
                self.services.entry(service).or_default().merge(&sources);
            }
        }
    }

    /// Open incidents of a treatment.
    #[must_use]
    pub fn open(&self, treatment: Treatment) -> usize {
        self.incidents[treatment as usize].iter().map(|incidents| incidents.open).sum()
    }

    /// Open incidents by treatment and kind.
    #[must_use]
    pub fn open_by_kind(&self) -> [[usize; Kind::ALL.len()]; 2] {
        self.incidents.map(|kinds| kinds.map(|incidents| incidents.open))
    }

    /// Incidents that were opened, by treatment, direction and kind at that time.
    #[must_use]
    pub const fn openings(&self) -> [[[u64; Kind::ALL.len()]; 4]; 2] {
        self.openings
    }

    /// What of this is shown.
    #[must_use]
    pub fn statistics(
        &self,
        policy: &Policy,
        roles: Vec<RoleStatistics>,
        sources: SourceStatistics,
        ports: PortsStatistics,
        losses: Losses,
    ) -> Statistics {
        let direction = |direction: Direction| {
            let ledger = &self.directions[direction as usize];
            DirectionStatistics { sources: ledger.sources.estimate().rounded(), incidents: ledger.incidents }
        };
        let [vertical, horizontal, block, distributed, surge] = self.incidents[Treatment::Alert as usize];
        Statistics {
            roles,
            directions: DirectionsStatistics {
                lateral: direction(Direction::Lateral),
                outbound: direction(Direction::Outbound),
                inbound: direction(Direction::Inbound),
                transit: direction(Direction::Transit),
            },
            incidents: IncidentsStatistics {
                vertical,
                horizontal,
                block,
                distributed,
                surge,
                refused: self.refused,
            },
            services_from_outside: self.services_from_outside(policy),
            ports_from_outside: ports,
            sources,
            cells_dropped: self.cells_dropped,
            losses,
        }
    }

    /// The services most sources on the internet tried inside, most first.
    #[must_use]
    pub fn services_from_outside(&self, policy: &Policy) -> Vec<ServiceStatistics> {
        let named = self.services.iter().filter_map(|(id, sources)| Some((policy.service(*id)?, sources)));
        let mut services: Vec<_> = named
            .map(|(service, sources)| ServiceStatistics {
                name: service.name.clone(),
                sources: sources.estimate().rounded(),
            })
            .collect();
        // By name where equal, as the map is in the order of the configuration.
        services.sort_by(|a, b| b.sources.cmp(&a.sources).then_with(|| a.name.cmp(&b.name)));
        services.truncate(SERVICES_SHOWN);
        services
    }
}

/// What the engine counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// What each role covered.
    pub roles: Vec<RoleStatistics>,
    /// Sources and scans by direction, whether they become alerts or not.
    pub directions: DirectionsStatistics,
    /// Incidents with records, by kind.
    pub incidents: IncidentsStatistics,
    /// The services most sources on the internet tried inside, most first.
    pub services_from_outside: Vec<ServiceStatistics>,
    /// The ports that sources on the internet try where they do not serve, and those that serve few.
    pub ports_from_outside: PortsStatistics,
    /// Sources.
    pub sources: SourceStatistics,
    /// Cells given up because their source had too many.
    pub cells_dropped: u64,
    /// What the kernel could not hand over.
    pub losses: Losses,
}

/// By direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DirectionsStatistics {
    /// Inside to inside.
    pub lateral: DirectionStatistics,
    /// Inside to the internet.
    pub outbound: DirectionStatistics,
    /// The internet to inside.
    pub inbound: DirectionStatistics,
    /// The internet to the internet.
    pub transit: DirectionStatistics,
}

/// One direction since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DirectionStatistics {
    /// Distinct sources of probes.
    pub sources: u64,
    /// Scans found.
    pub incidents: u64,
}

/// Incidents with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentsStatistics {
    /// Vertical scans.
    pub vertical: IncidentStatistics,
    /// Horizontal scans.
    pub horizontal: IncidentStatistics,
    /// Block scans.
    pub block: IncidentStatistics,
    /// Scans by many sources.
    pub distributed: IncidentStatistics,
    /// Ports that many sources began to try.
    pub surge: IncidentStatistics,
    /// Scans of any treatment for which there was no room.
    pub refused: u64,
}

impl IncidentsStatistics {
    /// Open incidents of every kind.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.vertical.open + self.horizontal.open + self.block.open + self.distributed.open + self.surge.open
    }
}

/// One service as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceStatistics {
    /// Name of the service group.
    pub name: String,
    /// Distinct sources.
    pub sources: u64,
}

/// Ports as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortsStatistics {
    /// Ports that were tried, as far as that is remembered.
    pub tried: usize,
    /// The ports that most sources tried, most first.
    pub top: Vec<PortStatistics>,
    /// Ports on which machines inside answered the fewest sources: what is open, and hardly anybody knows of.
    pub rare_in_use: Vec<GuestStatistics>,
    /// Ports that rose together with so many others that no surge was told.
    pub rising_together: u64,
    /// Surges for which there was no room.
    pub surges_refused: u64,
}

/// One port that is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortStatistics {
    /// Transport and number, as `tcp/445`.
    pub port: String,
    /// Name of the service group it is in.
    pub service: Option<String>,
    /// Distinct sources in its busiest hour, fading by half a week.
    pub sources: u64,
}

/// One port that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuestStatistics {
    /// Transport and number, as `tcp/445`.
    pub port: String,
    /// Name of the service group it is in.
    pub service: Option<String>,
    /// Distinct sources that were answered since the start.
    pub answered: u64,
}

/// Sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SourceStatistics {
    /// Tracked now.
    pub tracked: usize,
    /// Given up or not taken for lack of room, since the start.
    pub dropped: u64,
}
