//! What the engine knows at this moment, for whoever asks: bounded, and nothing of it is kept.

use std::collections::BTreeMap;
use std::net::IpAddr;

use scanwatch_common::abi::{Outcome, Side};

use super::counts::Part;
use super::facts::union;
use super::incident::{Incident, IncidentId};
use super::record::{Action, Snapshot};
use super::scan::Kind;
use super::scene::Scene;
use super::source::{Source, SourceCell};
use super::statistics::{PortsStatistics, ServiceStatistics};
use super::time::Timestamp;
use super::window::Window;
use super::{Engine, Losses};
use crate::policy::{Policy, Treatment};

/// Services that are named of a source.
const SERVICES_MAX: usize = 5;
/// The window by which sources are more or less active.
const ACTIVE: Window = Window::TenMinutes;

/// Numbers that are cheap to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Sources that are remembered.
    pub sources: usize,
    /// Sources given up or not taken for lack of room, since the start.
    pub sources_dropped: u64,
    /// Pairs that are remembered, of all sources.
    pub pairs: usize,
    /// Cells given up because their source had too many, since the start.
    pub cells_dropped: u64,
    /// Open incidents by treatment and kind, in the order of their numbers.
    pub incidents_open: [[usize; Kind::ALL.len()]; 2],
    /// Incidents opened since the start by treatment, direction and kind, in the order of their numbers.
    pub incidents_opened: [[[u64; Kind::ALL.len()]; 4]; 2],
    /// Scans for which there was no room.
    pub incidents_refused: u64,
    /// What the kernel could not hand over.
    pub losses: Losses,
}

/// A source, as far as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceView {
    /// Address in full, the latest where several count as one.
    pub address: IpAddr,
    /// VLAN ids, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
    /// Link-layer address of its last probe.
    pub mac: Option<[u8; 6]>,
    /// Inside or outside.
    pub side: Side,
    /// Name of its zone.
    pub zone: String,
    /// Names of its roles.
    pub roles: Vec<String>,
    /// Name of the interface that saw its last probe.
    pub interface: Option<String>,
    /// What it did within each window, shortest first.
    pub windows: [WindowView; Window::ALL.len()],
    /// Services it tried within a day, most pairs first.
    pub services: Vec<String>,
    /// First seen, of what the windows show.
    pub first: Timestamp,
    /// Last seen.
    pub last: Timestamp,
    /// Incidents it is in.
    pub incidents: Vec<IncidentId>,
}

/// What a source did within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowView {
    /// The window.
    pub window: Window,
    /// Distinct hosts it tried.
    pub hosts: u64,
    /// Distinct ports it tried.
    pub ports: u64,
    /// Distinct pairs of host and port it tried, roles' work included.
    pub pairs: u64,
    /// Distinct pairs of these that a role covers.
    pub covered: u64,
    /// Distinct pairs that answered.
    pub answered: u64,
    /// Pairs that were refused or silent, of those that are remembered one by one.
    pub failed: u64,
}

/// An open incident.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentView {
    /// What becomes of it.
    pub treatment: Treatment,
    /// The incident at this moment.
    pub snapshot: Snapshot,
}

/// Ports and services, as outsiders try them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortsView {
    /// Ports.
    pub ports: PortsStatistics,
    /// The services most sources tried, most first.
    pub services: Vec<ServiceStatistics>,
}

impl Engine {
    /// Numbers that are cheap to read.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            sources: self.sources.len(),
            sources_dropped: self.sources.dropped,
            pairs: self.pairs,
            cells_dropped: self.ledger.cells_dropped,
            incidents_open: self.ledger.open_by_kind(),
            incidents_opened: self.ledger.openings(),
            incidents_refused: self.ledger.refused,
            losses: self.losses,
        }
    }

    /// The sources that tried most pairs within ten minutes, at most so many; of those that did nothing, the ones seen last.
    #[must_use]
    pub fn busiest_sources(&self, limit: usize, now: Timestamp) -> Vec<SourceView> {
        let rank = |source: &Source| (pairs_lately(source, now), source.last, source.profile.key);
        let all = self.sources.all().filter(|source| !source.cells.is_empty());
        let busiest = most(all.map(|source| (rank(source), source)), limit);
        busiest.into_iter().map(|source| self.source_view(source, now)).collect()
    }

    /// Open incidents, at most so many: alerts first, and those that grew last.
    #[must_use]
    pub fn open_incidents(&self, limit: usize, now: Timestamp) -> Vec<IncidentView> {
        let Self { policy, names, world, losses, .. } = self;
        let scene = Scene { policy, names, world, losses: *losses, now, ahead: self.ahead };
        let sources = self.watched.iter().filter_map(|key| self.sources.get(key));
        let all = sources.flat_map(|source| source.incidents.iter().map(move |incident| (source, incident)));
        let rank = |incident: &Incident| (incident.treatment == Treatment::Alert, incident.grew, incident.id);
        let chosen = most(all.map(|(source, incident)| (rank(incident), (source, incident))), limit);
        let view = |(source, incident): (&Source, &Incident)| IncidentView {
            treatment: incident.treatment,
            snapshot: scene.snapshot(Action::Updated, &source.profile, incident, incident.records),
        };
        let surges = self.open_surges(now).into_iter();
        let surges = surges.map(|snapshot| IncidentView { treatment: Treatment::Alert, snapshot });
        let views = surges.chain(chosen.into_iter().map(view));
        let rank = |view: &IncidentView| {
            (view.treatment == Treatment::Alert, view.snapshot.grew, view.snapshot.incident)
        };
        let mut views = most(views.map(|view| (rank(&view), view)), limit);
        for view in &mut views {
            view.snapshot.by_wall_clock(self.ahead);
        }
        views
    }

    /// What outsiders try, so many ports in each list.
    #[must_use]
    pub fn ports_from_outside(&self, limit: usize) -> PortsView {
        let services = self.ledger.services_from_outside(&self.policy);
        PortsView { ports: self.ports_statistics(limit), services }
    }

    fn source_view(&self, source: &Source, now: Timestamp) -> SourceView {
        let mut rolled = source.clone();
        rolled.roll(now);
        let profile = &source.profile;
        let roles = profile.roles.iter().filter_map(|id| id.of(&self.policy));
        SourceView {
            address: profile.address,
            vlan: profile.key.vlan,
            mac: (profile.mac != [0; 6]).then_some(profile.mac),
            side: profile.side,
            zone: self.policy.zone_name(profile.zone).to_owned(),
            roles: roles.map(|role| role.name.clone()).collect(),
            interface: self.names.name(profile.interface).map(str::to_owned),
            windows: Window::ALL.map(|window| self.window_view(&rolled, window, now)),
            services: services(&self.policy, &rolled),
            first: self.ahead.wall(source.cells.iter().map(|cell| cell.first).min().unwrap_or(source.last)),
            last: self.ahead.wall(source.last),
            incidents: source.incidents.iter().map(|incident| incident.id).collect(),
        }
    }

    /// What a source, rolled to now, did within a window.
    fn window_view(&self, source: &Source, window: Window, now: Timestamp) -> WindowView {
        let tried = || source.cells.iter().filter(|cell| cell.id.is_tried());
        let answered = source.cells.iter().filter(|cell| cell.id.outcome == Outcome::Answered);
        let counts = union(window, tried());
        let covered = union(window, tried().filter(|cell| cell.id.role.is_some()));
        let count = |part| counts.estimate(part).rounded();
        let start = window.start(now);
        let silence = self.policy.thresholds.silence;
        let has_failed = |pair: &&super::pairs::Pair| {
            let is_settled = pair.is_refused() || now.since(pair.first) >= silence;
            pair.is_tried() && pair.last >= start && !pair.is_answered() && is_settled
        };
        WindowView {
            window,
            hosts: count(Part::Hosts),
            ports: count(Part::Ports),
            pairs: count(Part::Pairs),
            covered: covered.estimate(Part::Pairs).rounded(),
            answered: union(window, answered).estimate(Part::Pairs).rounded(),
            failed: source.pairs.all().iter().filter(has_failed).count() as u64,
        }
    }
}

/// About how many pairs a source tried lately. Its windows were rolled when it was last seen, and not since.
fn pairs_lately(source: &Source, now: Timestamp) -> u32 {
    if now.apart(source.last) >= ACTIVE.length() {
        return 0;
    }
    source.cells.iter().filter(|cell| cell.id.is_tried()).map(pairs_of).sum()
}

fn pairs_of(cell: &SourceCell) -> u32 {
    cell.windowed.bits(ACTIVE, Part::Pairs)
}

/// The services a source tried, most pairs first; `other` for those in no group.
fn services(policy: &Policy, source: &Source) -> Vec<String> {
    let mut pairs: BTreeMap<&str, u32> = BTreeMap::new();
    for cell in source.cells.iter().filter(|cell| cell.id.is_tried()) {
        let name = policy.service(cell.id.service).map_or("other", |service| &service.name);
        *pairs.entry(name).or_default() += cell.windowed.bits(Window::LONGEST, Part::Pairs);
    }
    let mut names: Vec<(&str, u32)> = pairs.into_iter().collect();
    names.sort_by_key(|(_, pairs)| std::cmp::Reverse(*pairs));
    names.into_iter().take(SERVICES_MAX).map(|(name, _)| name.to_owned()).collect()
}

/// The `limit` of highest rank, highest first: in time that grows with their number alone, and in memory for twice as many as
/// are wanted.
fn most<K: Ord, T>(all: impl Iterator<Item = (K, T)>, limit: usize) -> Vec<T> {
    if limit == 0 {
        return Vec::new();
    }
    let highest_first = |a: &(K, T), b: &(K, T)| b.0.cmp(&a.0);
    let mut kept: Vec<(K, T)> = Vec::new();
    for ranked in all {
        kept.push(ranked);
        if kept.len() >= 2 * limit {
            kept.select_nth_unstable_by(limit - 1, highest_first);
            kept.truncate(limit);
        }
    }
    kept.sort_by(highest_first);
    kept.truncate(limit);
    kept.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_most_are_those_a_sort_would_choose(all in proptest::collection::vec(0..1_000u32, 0..200), limit in 0..50usize) {
            let chosen = most(all.iter().map(|n| (*n, *n)), limit);
            let mut sorted = all;
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            sorted.truncate(limit);
            prop_assert_eq!(chosen, sorted);
        }
    }
}
