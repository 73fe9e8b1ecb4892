//! What the agent says of itself when it is asked: plain numbers, made into documents and metrics elsewhere.

use std::time::Duration;

use scanwatch_common::counters::{Class, Counter};

use crate::engine::{Action, Gauges, IncidentEvent, IncidentView, Record, Severity, SourceView, Timestamp};
use crate::policy::Direction;
use crate::sink;

/// All numbers that are cheap to read, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The moment.
    pub now: Timestamp,
    /// When the agent began to watch.
    pub began: Timestamp,
    /// Packets and what came of them since then, every counter.
    pub counters: Vec<(Counter, u64)>,
    /// How fast they came, in the last epoch that is over.
    pub rates: Rates,
    /// Cells of sources inside, and outside.
    pub cells: [CellsReading; 2],
    /// What the engine counts.
    pub engine: Gauges,
    /// Records handed to sinks.
    pub alerts: Alerts,
    /// Drains of the kernel's tables.
    pub drains: Drains,
    /// Interfaces.
    pub interfaces: Vec<InterfaceReading>,
    /// What became of the requests to read the configuration again.
    pub reloads: ReloadsReading,
    /// Sinks.
    pub sinks: Vec<sink::Reading>,
}

impl Reading {
    /// The total of all counters of a class.
    #[must_use]
    pub fn of_class(&self, class: Class) -> u64 {
        self.counters.iter().filter(|(counter, _)| counter.class() == class).map(|(_, n)| n).sum()
    }

    /// The value of one counter.
    #[must_use]
    pub fn counter(&self, wanted: Counter) -> u64 {
        self.counters.iter().filter(|(counter, _)| *counter == wanted).map(|(_, n)| n).sum()
    }
}

/// How fast packets came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// All packets, per second.
    pub packets: f64,
    /// Packets by which somebody tries something, per second.
    pub probes: f64,
    /// Contacts that told something new, per second.
    pub novelties: f64,
}

impl Rates {
    /// The rates between two readings of the counters that are so far apart.
    #[must_use]
    pub fn between(before: &[(Counter, u64)], after: &[(Counter, u64)], apart: Duration) -> Self {
        let total = |all: &[(Counter, u64)], is_wanted: &dyn Fn(Counter) -> bool| {
            all.iter().filter(|(counter, _)| is_wanted(*counter)).map(|(_, n)| n).sum::<u64>()
        };
        let rate = |is_wanted: &dyn Fn(Counter) -> bool| {
            let new = total(after, is_wanted).saturating_sub(total(before, is_wanted));
            if apart.is_zero() { 0.0 } else { new as f64 / apart.as_secs_f64() }
        };
        Self {
            packets: rate(&|counter| counter.class().is_of_packets()),
            probes: rate(&|counter| counter.class() == Class::Probe),
            novelties: rate(&|counter| counter == Counter::Novel),
        }
    }
}

/// Cells of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellsReading {
    /// In use when the last epoch was over.
    pub used: u64,
    /// Room in an epoch.
    pub capacity: u64,
}

/// Requests to read the configuration again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadsReading {
    /// Those after which what was read held.
    pub reloads: u64,
    /// Those after which the configuration stayed as it was.
    pub failures: u64,
    /// Why, where the last one failed.
    pub last_error: Option<String>,
}

/// An interface that is to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceReading {
    /// Name.
    pub name: String,
    /// The hook for what comes in; `None` where the interface is not watched now.
    pub mode: Option<String>,
    /// The hook for what goes out.
    pub egress: Option<String>,
}

/// Records handed to sinks since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// By action, direction and severity, in the order of their numbers.
    incidents: [[[u64; 4]; 4]; 3],
    /// Records of floods.
    pub floods: u64,
}

impl Alerts {
    /// Counts a record.
    pub fn note(&mut self, record: &Record) {
        match record {
            Record::Incident(event) => {
                let severity = place(&Severity::ALL, &event.snapshot.severity);
                let direction = event.snapshot.direction as usize;
                self.incidents[event.action as usize][direction][severity] += 1;
            }
            Record::Flood(_) => self.floods += 1,
        }
    }

    /// Every combination with its count.
    pub fn all(&self) -> impl Iterator<Item = (Action, Direction, Severity, u64)> {
        let actions = [Action::Detected, Action::Updated, Action::Ended].into_iter();
        actions.flat_map(move |action| {
            Direction::ALL.into_iter().flat_map(move |direction| {
                let counts = self.incidents[action as usize][direction as usize];
                let each = Severity::ALL.into_iter().zip(counts);
                each.map(move |(severity, count)| (action, direction, severity, count))
            })
        })
    }
}

fn place<T: PartialEq>(all: &[T], wanted: &T) -> usize {
    all.iter().position(|one| one == wanted).unwrap_or_default()
}

/// How long the kernel's tables took to drain.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drains {
    counts: [u64; Self::BOUNDS_S.len()],
    /// Drains.
    pub count: u64,
    /// Time they took together, seconds.
    pub sum_s: f64,
}

impl Drains {
    /// Upper bounds of the buckets, seconds: some 20 ms are a grace period, a full table takes a tenth of a second.
    pub const BOUNDS_S: [f64; 8] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

    /// Counts a drain.
    pub fn note(&mut self, took: Duration) {
        let took_s = took.as_secs_f64();
        self.count += 1;
        self.sum_s += took_s;
        if let Some(bucket) = Self::BOUNDS_S.iter().position(|bound| took_s <= *bound) {
            self.counts[bucket] += 1;
        }
    }

    /// The buckets, each with its upper bound and all drains up to it.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut so_far = 0;
        Self::BOUNDS_S.into_iter().zip(self.counts).map(move |(bound, count)| {
            so_far += count;
            (bound, so_far)
        })
    }
}

/// Incidents, for whoever asks.
#[derive(Clone, Debug, Default)]
pub struct IncidentsReading {
    /// The moment.
    pub now: Timestamp,
    /// Open ones.
    pub open: Vec<IncidentView>,
    /// How many are open.
    pub open_total: usize,
    /// Those that ended last, the last one first.
    pub ended: Vec<EndedIncident>,
}

/// An incident that is over.
pub type EndedIncident = IncidentEvent;

/// Sources, for whoever asks.
#[derive(Clone, Debug, Default)]
pub struct SourcesReading {
    /// The moment.
    pub now: Timestamp,
    /// How many are remembered.
    pub tracked: usize,
    /// The busiest of them.
    pub busiest: Vec<SourceView>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_is_in_its_bucket_and_in_all_above() {
        let mut drains = Drains::default();
        for took_ms in [20, 25, 26, 300, 9_000] {
            drains.note(Duration::from_millis(took_ms));
        }
        let buckets: Vec<u64> = drains.buckets().map(|(_, count)| count).collect();
        assert_eq!(buckets, [2, 3, 3, 3, 4, 4, 4, 4]);
        assert_eq!(drains.count, 5);
        assert!((drains.sum_s - 9.371).abs() < 1e-9);
    }

    #[test]
    fn rates_count_each_packet_once() {
        let before = [(Counter::ProbeSyn, 10), (Counter::Novel, 10), (Counter::TcpEstablished, 100)];
        let after = [(Counter::ProbeSyn, 30), (Counter::Novel, 15), (Counter::TcpEstablished, 200)];
        let rates = Rates::between(&before, &after, Duration::from_secs(10));
        assert_eq!(rates, Rates { packets: 12.0, probes: 2.0, novelties: 0.5 });
        assert_eq!(Rates::between(&before, &after, Duration::ZERO), Rates::default());
    }
}
