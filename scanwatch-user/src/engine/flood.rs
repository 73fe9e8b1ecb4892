//! A flood of scans: an outbreak that begins more of them than anybody reads one by one.
//!
//! So many incidents a minute are opened, and so many at a time; what is beyond is gathered here, announced at once and
//! then every minute, and counted. A gathered scan that goes on gets an incident of its own as soon as there is room.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use scanwatch_common::sketch::{Estimate, Sketch};
use serde::{Deserialize, Serialize};

use super::Losses;
use super::incident::IncidentId;
use super::record::Action;
use super::scan::Kind;
use super::severity::Severity;
use super::source::{Profile, SourceKey};
use super::state::codec;
use super::time::Timestamp;
use super::verdict::Finding;
use crate::policy::{Direction, Policy};

/// The time in which openings are counted, and between two records of a flood.
const PERIOD: Duration = Duration::from_mins(1);
/// Sources that are named.
const SAMPLE_MAX: usize = 16;
/// Services that are named.
const SERVICES_MAX: usize = 8;

/// What is known of a flood at one moment: a record to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct FloodEvent {
    /// What happened to it.
    pub action: Action,
    /// The moment.
    pub at: Timestamp,
    /// Identity of the flood.
    pub id: IncidentId,
    /// Number of this record within the flood, from 1.
    pub sequence: u32,
    /// Scans that were gathered, each once.
    pub scans: u64,
    /// Distinct sources of them.
    pub sources: Estimate,
    /// Some of the sources.
    pub sample: Vec<IpAddr>,
    /// Scans by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Scans by direction.
    pub directions: BTreeMap<Direction, u64>,
    /// Scans by service, most first.
    pub services: Vec<(String, u64)>,
    /// First of them.
    pub first: Timestamp,
    /// Last of them.
    pub last: Timestamp,
    /// Severity.
    pub severity: Severity,
    /// What is lost since the start.
    pub losses: Losses,
    /// One sentence for a person.
    pub reason: String,
}

/// What is gathered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Gathered {
    scans: u64,
    #[serde(with = "codec::sketch")]
    sources: Sketch,
    sample: BTreeSet<IpAddr>,
    kinds: [u64; Kind::ALL.len()],
    directions: BTreeMap<Direction, u64>,
    services: BTreeMap<String, u64>,
    first: Timestamp,
    last: Timestamp,
    records: u32,
    recorded: Timestamp,
    /// Scans told by the last record.
    told: u64,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Flood {
    /// When the running minute began, and incidents opened in it.
    minute: Timestamp,
    opened: u32,
    gathered: Option<Gathered>,
}

impl Flood {
    /// True where another incident may be opened now.
    #[must_use]
    pub fn has_room(&self, now: Timestamp, per_minute: u32) -> bool {
        now.apart(self.minute) >= PERIOD || self.opened < per_minute
    }

    /// Counts an incident that was opened.
    pub fn opened(&mut self, now: Timestamp) {
        if now.apart(self.minute) >= PERIOD {
            self.minute = now;
            self.opened = 0;
        }
        self.opened += 1;
    }

    /// Takes a scan that found no room; `who` is its source's hash.
    pub fn gather(
        &mut self,
        policy: &Policy,
        now: Timestamp,
        profile: &Profile,
        who: u64,
        finding: &Finding,
    ) {
        let gathered = self.gathered.get_or_insert_with(|| Gathered {
            scans: 0,
            sources: Sketch::default(),
            sample: BTreeSet::new(),
            kinds: Default::default(),
            directions: BTreeMap::new(),
            services: BTreeMap::new(),
            first: now,
            last: now,
            records: 0,
            recorded: now,
            told: 0,
        });
        gathered.scans += 1;
        gathered.last = now;
        gathered.sources.insert(who);
        if gathered.sample.len() < SAMPLE_MAX {
            gathered.sample.insert(profile.address);
        }
        gathered.kinds[finding.scope.kind as usize] += 1;
        *gathered.directions.entry(finding.scope.direction).or_default() += 1;
        let named = finding.scope.lanes.iter().filter_map(|lane| policy.service(lane.service));
        for name in named.map(|service| service.name.as_str()).collect::<BTreeSet<_>>() {
            *gathered.services.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// The record that is due, if any: at once, then every minute as long as there is news, and at the end.
    pub fn tend(&mut self, now: Timestamp, losses: Losses) -> Option<FloodEvent> {
        let gathered = self.gathered.as_mut()?;
        let action = if gathered.records == 0 {
            Action::Detected
        } else if now.apart(gathered.recorded) < PERIOD {
            return None;
        } else if gathered.scans > gathered.told {
            Action::Updated
        } else {
            Action::Ended
        };
        let event = gathered.event(action, now, losses);
        if action == Action::Ended {
            self.gathered = None;
        }
        Some(event)
    }

    /// When a record will be due; `None` where nothing is gathered.
    #[must_use]
    pub fn next_change(&self) -> Option<Timestamp> {
        let gathered = self.gathered.as_ref()?;
        Some(if gathered.records == 0 { gathered.first } else { gathered.recorded.plus(PERIOD) })
    }

    /// The last record of a flood that goes on.
    pub fn finish(&mut self, now: Timestamp, losses: Losses) -> Option<FloodEvent> {
        self.gathered.take().map(|mut gathered| gathered.event(Action::Ended, now, losses))
    }
}

impl Gathered {
    fn event(&mut self, action: Action, now: Timestamp, losses: Losses) -> FloodEvent {
        self.records += 1;
        self.recorded = now;
        self.told = self.scans;
        let mut services: Vec<(String, u64)> =
            self.services.iter().map(|(name, scans)| (name.clone(), *scans)).collect();
        services.sort_by_key(|(_, scans)| std::cmp::Reverse(*scans));
        services.truncate(SERVICES_MAX);
        let kinds = Kind::ALL.into_iter().map(|kind| (kind.name(), self.kinds[kind as usize]));
        let by_insiders = [Direction::Lateral, Direction::Outbound];
        let is_inside = by_insiders.iter().any(|direction| self.directions.contains_key(direction));
        let mut event = FloodEvent {
            action,
            at: now,
            id: IncidentId::new(&SourceKey::MIN, Direction::Lateral, Kind::Block, self.first, 0),
            sequence: self.records,
            scans: self.scans,
            sources: self.sources.estimate(),
            sample: self.sample.iter().copied().collect(),
            kinds: kinds.filter(|(_, scans)| *scans > 0).collect(),
            directions: self.directions.clone(),
            services,
            first: self.first,
            last: self.last,
            severity: if is_inside { Severity::Critical } else { Severity::Medium },
            losses,
            reason: String::new(),
        };
        event.reason = reason(&event);
        event
    }
}

fn reason(event: &FloodEvent) -> String {
    let mostly = event.services.first().map_or_else(String::new, |(name, _)| format!(", mostly on {name}"));
    let how_many = format!("{} (distinct sources: {}{mostly})", event.scans, event.sources.rounded());
    match event.action {
        Action::Detected => {
            format!(
                "A flood of scans: more begin than are reported one by one; gathered here so far: {how_many}."
            )
        }
        Action::Updated => {
            format!("The flood of scans goes on; without a record of their own so far: {how_many}.")
        }
        Action::Ended => format!("The flood of scans is over; without a record when they began: {how_many}."),
    }
}
