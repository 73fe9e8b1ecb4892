//! What an engine remembers, to be taken up by the next one: an upgrade or a restart ends no scan.
//!
//! There are two extents. What is *open* is small, and is all that incidents need to go on with their identities: they,
//! the sources they are about with their windows and pairs, what ended ones were about, floods, and what was counted.
//! *Everything* is besides all other sources, who serves and forwards, who tries which host, and what is usual on ports.
//!
//! Zones, service groups and roles are numbered by the configuration, interfaces by the kernel; so their names are
//! remembered, too, and numbers are translated when the state is taken up (see [`super::renumber`]).

pub mod codec;
mod pair;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use scanwatch_common::ports::PortKey;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::flood::Flood;
use super::renumber::{Numbering, Renumber};
use super::role::Coverage;
use super::scan::Kind;
use super::source::Source;
use super::statistics::Ledger;
use super::surge::{Rise, Surges};
use super::targets::Targets;
use super::time::{Ahead, Timestamp};
use super::window::Window;
use super::world::World;
use crate::policy::Treatment;

/// Sources that are remembered besides those of incidents, and pairs of all together: some 25 MB as they are written, and
/// some 40 ms to copy.
const SOURCES_MAX: usize = 4_096;
const PAIRS_MAX: usize = 65_536;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What incidents need to go on.
    Open,
    /// All there is, within bounds.
    Everything,
}

/// What an engine remembers. It is written by serde, and its form is not for others to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EngineState {
    /// The present, as the engine knew it. It is written apart, so that where nothing changes the same is written.
    #[serde(skip)]
    at: Timestamp,
    /// A hash of nothing, by which the key of all that is counted here is known.
    under: u64,
    /// What the wall clock said beyond that.
    #[serde(default)]
    ahead: Ahead,
    numbering: Numbering,
    /// Names of interfaces by index.
    interfaces: BTreeMap<u32, String>,
    sources: Vec<Source>,
    coverage: Coverage,
    ledger: Ledger,
    flood: Flood,
    /// Surges that were told.
    #[serde(with = "codec::by_port")]
    rises: BTreeMap<PortKey, Rise>,
    rest: Option<Rest>,
}

/// What incidents can do without.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rest {
    began: Option<Timestamp>,
    tended: Timestamp,
    swept: Timestamp,
    world: World,
    targets: Targets,
    surges: Surges,
    /// Length of the surges' slots.
    slot: Duration,
}

impl EngineState {
    /// The same, of this time.
    #[must_use]
    pub fn as_of(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }

    /// The time of which this is the state.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// How far the wall clock was ahead of that time.
    #[must_use]
    pub const fn ahead(&self) -> Ahead {
        self.ahead
    }

    /// Incidents that go on.
    #[must_use]
    pub fn incidents(&self) -> usize {
        self.sources.iter().map(|source| source.incidents.len()).sum::<usize>() + self.rises.len()
    }
}

impl Engine {
    /// What is to be remembered, as of the last call that told the time.
    #[must_use]
    pub fn state(&self, extent: Extent) -> EngineState {
        let rest = || Rest {
            began: self.began,
            tended: self.tended,
            swept: self.swept,
            world: self.world.clone(),
            targets: self.targets.remembered(),
            surges: self.surges.clone(),
            slot: self.slot_of_surges(),
        };
        EngineState {
            at: self.now,
            under: self.hash_of_nothing(),
            ahead: self.ahead,
            numbering: Numbering::of(&self.policy),
            interfaces: self.names.all().map(|(index, name)| (index, name.to_owned())).collect(),
            sources: self.sources_to_remember(extent),
            coverage: self.coverage.clone(),
            ledger: self.ledger.clone(),
            flood: self.flood.clone(),
            rises: self.surges.told(),
            rest: (extent == Extent::Everything).then(rest),
        }
    }

    /// Those of incidents come first, then those whose incidents have ended, then sources inside, each the latest first:
    /// in this order there is room for their pairs. Where there is none for those of a source, its incidents are remembered,
    /// and nothing else of it: its cells without its pairs would look as if records were lost.
    fn sources_to_remember(&self, extent: Extent) -> Vec<Source> {
        let rank = |source: &Source| {
            let outside = source.profile.side == scanwatch_common::abi::Side::External;
            let others = (source.incidents.is_empty(), source.ended.is_empty(), outside);
            (others, std::cmp::Reverse(source.last), source.profile.key)
        };
        let is_needed = |source: &Source| !source.incidents.is_empty() || !source.ended.is_empty();
        let mut sources: Vec<&Source> =
            self.sources.all().filter(|source| extent == Extent::Everything || is_needed(source)).collect();
        sources.sort_by_cached_key(|source| rank(source));
        let needed = sources.partition_point(|source| is_needed(source));
        sources.truncate(needed + SOURCES_MAX);
        let mut room = PAIRS_MAX;
        let keep = |source: &Source| {
            let has_room = source.pairs.all().len() <= room;
            room -= if has_room { source.pairs.all().len() } else { 0 };
            if has_room { Some(source.clone()) } else { is_needed(source).then(|| source.incidents_alone()) }
        };
        sources.into_iter().filter_map(keep).collect()
    }

    /// True where what a state counts can be merged with what this engine counts: hashed under the same key.
    #[must_use]
    pub fn can_take_up(&self, state: &EngineState) -> bool {
        state.under == self.hash_of_nothing()
    }

    fn hash_of_nothing(&self) -> u64 {
        self.hasher.endpoint(&[0; 16]).host()
    }

    /// Takes up what an engine remembered, hashed under the same key ([`Self::can_take_up`]); `now` is the present, later than
    /// that by as long as nobody watched. What this one knows of incidents is replaced, what it knows of sources and of
    /// anything else as far as the state says anything of it. To be called before there is traffic, and after
    /// [`Self::set_interface`].
    pub fn restore(&mut self, state: EngineState, now: Timestamp) {
        let map = Renumber::new(&state.numbering, &self.policy);
        let is_gap = now > state.at;
        self.now = now;
        for known in self.sources.all_mut() {
            known.incidents.clear();
            known.ended.clear();
        }
        for mut source in state.sources {
            source.renumber(&map, &self.policy);
            let interface = state.interfaces.get(&source.profile.interface);
            source.profile.interface = interface.map_or(0, |name| self.names.index_of(name));
            if is_gap {
                source.pairs.miss(state.at, self.policy.thresholds.silence);
            }
            self.sources.dropped += u64::from(!self.sources.put(source));
        }
        self.coverage = state.coverage;
        self.coverage.renumber(&map, &self.policy);
        self.ledger = state.ledger;
        self.ledger.renumber(&map);
        self.flood = state.flood;
        if let Some(rest) = state.rest {
            self.restore_rest(rest, &map, state.at, now);
        }
        self.surges.take_up(state.rises);
        self.count_anew();
    }

    fn restore_rest(&mut self, rest: Rest, map: &Renumber, at: Timestamp, now: Timestamp) {
        self.world.restore(rest.world);
        self.world.renumber(map);
        self.targets = rest.targets;
        self.surges = rest.surges;
        if rest.slot != self.slot_of_surges() {
            self.surges.begin_anew(now);
        }
        // Who was away for a day knows nobody any more.
        if now.apart(at) < Window::LONGEST.length() {
            self.began = rest.began;
            self.tended = rest.tended;
            self.swept = rest.swept;
        }
    }

    /// Counts what follows from the sources there are.
    pub(super) fn count_anew(&mut self) {
        self.pairs = self.sources.pairs();
        self.due.clear();
        let mut dirty = BTreeSet::new();
        self.watched.clear();
        self.ledger.close_all();
        for source in self.sources.all() {
            let key = source.profile.key;
            self.due.extend(source.due.map(|due| (due, key)));
            if source.dirty {
                dirty.insert(key);
            }
            for incident in &source.incidents {
                self.watched.insert(key);
                self.ledger.reopened(incident.treatment, incident.scope.kind);
            }
        }
        // In the order of their keys, for that of the map is another one each time.
        self.dirty = dirty.into_iter().collect();
        for _ in 0..self.surges.told().len() {
            self.ledger.reopened(Treatment::Alert, Kind::Surge);
        }
    }
}
