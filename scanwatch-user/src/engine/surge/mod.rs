//! Scans that rise on a port nobody used to scan: often a vulnerability is about to become known there, or just has.
//!
//! Nobody is accused; what counts is how many sources outside try a port, against the port's own past. Time goes in slots
//! of an hour. A slot is high where at least so many sources try the port as are set, and several times as many as in the
//! busiest slot before; and where they try more than one host, as far as there are more: a flood of forged sources has one.
//! Several high slots in a row are a surge.
//!
//! Memory is that of the ports there are, 40 bytes each.

mod report;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;
use serde::{Deserialize, Serialize};

use super::record::Action;
use super::state::codec;
use super::time::Timestamp;
use crate::policy::SurgeLimit;
use table::{FADE_SLOTS, Table};

/// Ports that may rise at a time; those beyond are not looked at before the next slot.
const RISES_MAX: usize = 4_096;
/// Ports that may surge at a time: where more rise together, everything is scanned, and none of them tells anything.
const TOGETHER_MAX: usize = 32;
/// Ports with guests that are remembered.
const GUESTS_MAX: usize = 4_096;
/// Records of one incident are this far apart at least, detection and end apart.
const RECORD_PERIOD: Duration = Duration::from_mins(1);
/// Growth of the number of sources that is worth a record.
const GROWTH: f64 = 10.0;
/// Times that are late by less belong to the running slot: epochs are handed over when they are over.
const LATE: Duration = Duration::from_mins(10);
/// Slots between two searches for what has faded.
const SWEEP_SLOTS: u64 = 24;

/// A port whose last slots were high.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rise {
    /// Sources in its busiest slot before.
    pub usual: f64,
    /// High slots in a row that are over.
    pub slots: u32,
    /// Sources in the least of them.
    pub least: f64,
    /// Begin of the first.
    pub first: Timestamp,
    /// Last time anything new was seen of it.
    pub last: Timestamp,
    /// Everything since the first.
    #[serde(with = "codec::port_sketch")]
    pub total: PortSketch,
    /// Slots since the last high one.
    quiet: u32,
    /// The last high slot.
    high: u64,
    /// Counted among those that rise with too many others.
    is_withheld: bool,
    /// It found no room.
    is_refused: bool,
    incident: Option<Open>,
}

/// What was told of a rise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    records: u32,
    recorded: Timestamp,
    recorded_sources: f64,
}

/// Something to be told.
#[derive(Clone, Debug)]
pub struct News {
    /// What happened.
    pub action: Action,
    /// The port.
    pub key: PortKey,
    /// The rise at that moment.
    pub rise: Rise,
    /// Number of the record within the incident, from 1.
    pub sequence: u32,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Surges {
    table: Table,
    began: Option<Timestamp>,
    /// The latest time there was.
    latest: Timestamp,
    /// The running slot, counted from the one in which watching began.
    slot: u64,
    #[serde(with = "codec::by_port")]
    rises: BTreeMap<PortKey, Rise>,
    /// Sources outside that were answered, by port, since the start.
    #[serde(with = "codec::sketch_by_port")]
    guests: BTreeMap<PortKey, PortSketch>,
    /// Surges that were told.
    total: u64,
    /// Rises that were not told for too many others.
    withheld: u64,
    /// Rises that found no room.
    refused: u64,
    swept: u64,
}

impl Surges {
    /// Takes what outsiders did to a port within an epoch that began at this time.
    pub fn note(&mut self, key: PortKey, sketch: &PortSketch, at: Timestamp, limit: &SurgeLimit) {
        self.roll(at, limit);
        self.table.add(key, sketch);
        if sketch.answered().rounded() > 0
            && (self.guests.len() < GUESTS_MAX || self.guests.contains_key(&key))
        {
            self.guests.entry(key).or_default().merge(&sketch.guests());
        }
        if let Some(rise) = self.rises.get_mut(&key) {
            rise.total.merge(sketch);
            rise.last = rise.last.max(at);
        }
    }

    /// What is to be told by now. `has_room` says whether one more incident may be opened.
    pub fn judge(
        &mut self,
        now: Timestamp,
        limit: &SurgeLimit,
        mut has_room: impl FnMut() -> bool,
    ) -> Vec<News> {
        self.roll(now, limit);
        let mut news = Vec::new();
        let due = self.ripe(limit);
        let open = self.rises.values().filter(|rise| rise.incident.is_some()).count();
        let is_together = due.len() + open > TOGETHER_MAX;
        for key in due {
            let Some(rise) = self.rises.get_mut(&key) else { continue };
            if is_together {
                self.withheld += u64::from(!std::mem::replace(&mut rise.is_withheld, true));
            } else if has_room() {
                self.total += 1;
                news.push(rise.tell(Action::Detected, key, now));
            } else {
                self.refused += u64::from(!std::mem::replace(&mut rise.is_refused, true));
            }
        }
        for (key, rise) in &mut self.rises {
            if rise.is_update_due(now) {
                news.push(rise.tell(Action::Updated, *key, now));
            }
        }
        self.rises.retain(|key, rise| {
            let is_over = rise.incident.is_some() && rise.is_over(now, limit);
            if is_over {
                news.push(rise.tell(Action::Ended, *key, now));
            }
            !is_over
        });
        news
    }

    /// When there may be something to tell, if nothing new comes; `None` where there never will be.
    #[must_use]
    pub fn next_change(&self, limit: &SurgeLimit) -> Option<Timestamp> {
        let is_moving = !self.rises.is_empty() || self.table.all_tried().next().is_some();
        let slots = u32::try_from(self.slot).unwrap_or(u32::MAX).saturating_add(1);
        let slot_ends = self.began.filter(|_| is_moving)?.plus(limit.slot.saturating_mul(slots));
        let updates = self.rises.values().filter_map(Rise::next_update);
        updates.chain([slot_ends]).min()
    }

    /// The rises that were told and go on.
    #[must_use]
    pub fn told(&self) -> BTreeMap<PortKey, Rise> {
        let told = self.rises.iter().filter(|(_, rise)| rise.incident.is_some());
        told.map(|(key, rise)| (*key, rise.clone())).collect()
    }

    /// Makes these the only rises that were told.
    pub fn take_up(&mut self, told: BTreeMap<PortKey, Rise>) {
        self.rises.retain(|_, rise| rise.incident.is_none());
        self.rises.extend(told);
    }

    /// Ends every open incident.
    pub fn finish(&mut self, now: Timestamp) -> Vec<News> {
        let rises = std::mem::take(&mut self.rises).into_iter();
        let open = rises.filter(|(_, rise)| rise.incident.is_some());
        open.map(|(key, mut rise)| rise.tell(Action::Ended, key, now)).collect()
    }

    /// Ports that were high for long enough, the running slot included, and of which nothing was told.
    fn ripe(&self, limit: &SurgeLimit) -> Vec<PortKey> {
        let is_ripe = |(key, rise): &(&PortKey, &Rise)| {
            rise.incident.is_none()
                && (rise.slots >= limit.slots
                    || rise.slots + 1 == limit.slots
                        && self.is_high(&self.table.tried(**key), rise.usual, limit).is_some())
        };
        self.rises.iter().filter(is_ripe).map(|(key, _)| *key).collect()
    }

    /// The sources of the running slot, where they are enough to make it a high one.
    fn is_high(&self, tried: &PortSketch, usual: f64, limit: &SurgeLimit) -> Option<f64> {
        let sources = tried.sources().count;
        let is_many = sources >= f64::from(limit.sources) && sources >= f64::from(limit.growth) * usual;
        // As many hosts as a quarter of the sources find by chance, or a quarter of all.
        let is_broad = || 4.0 * tried.hosts().count >= sources.min(self.table.hosts());
        (is_many && is_broad()).then_some(sources)
    }

    /// Moves on to a time: slots that are over are closed.
    fn roll(&mut self, now: Timestamp, limit: &SurgeLimit) {
        let began = *self.began.get_or_insert(now);
        if self.latest.since(now) >= LATE {
            return self.begin_anew(now);
        }
        self.latest = self.latest.max(now);
        let length = limit.slot.as_nanos().max(1);
        let slot = u64::try_from(now.since(began).as_nanos() / length).unwrap_or(u64::MAX);
        if slot <= self.slot {
            return;
        }
        if slot - self.slot > FADE_SLOTS {
            // What was usual has faded meanwhile.
            return self.begin_anew(now);
        }
        self.close(began, limit);
        let skipped = u32::try_from(slot - self.slot - 1).unwrap_or(u32::MAX);
        if skipped > 0 {
            self.rises.retain(|_, rise| rise.fall(skipped));
        }
        self.slot = slot;
        if slot - self.swept >= SWEEP_SLOTS {
            self.table.sweep(slot);
            self.swept = slot;
        }
    }

    /// The clock was set, or nothing was watched for long: what was usual belongs to another time. Open incidents are over.
    pub fn begin_anew(&mut self, now: Timestamp) {
        self.table = Table::default();
        self.began = Some(now);
        self.latest = now;
        self.slot = 0;
        self.swept = 0;
        self.rises.retain(|_, rise| rise.fall(u32::MAX));
    }

    /// Closes the running slot: what was high in it rises, and everything is remembered.
    fn close(&mut self, began: Timestamp, limit: &SurgeLimit) {
        let slot = self.slot;
        let first = began.plus(limit.slot.saturating_mul(u32::try_from(slot).unwrap_or(u32::MAX)));
        let is_learning = first.since(began) < limit.learning;
        let tried: Vec<(PortKey, PortSketch)> =
            self.table.all_tried().map(|(key, sketch)| (key, *sketch)).collect();
        for (key, sketch) in tried {
            let known = self.rises.get(&key).map(|rise| rise.usual);
            let usual = known.unwrap_or_else(|| self.table.usual(key, slot));
            if let Some(sources) = self.is_high(&sketch, usual, limit).filter(|_| !is_learning) {
                self.rise(key, &sketch, (usual, sources), first);
            }
            self.table.remember(key, sketch.sources().count, slot);
        }
        self.rises.retain(|_, rise| rise.high == slot || rise.fall(1));
        self.table.clear();
    }

    fn rise(&mut self, key: PortKey, sketch: &PortSketch, (usual, sources): (f64, f64), first: Timestamp) {
        if let Some(rise) = self.rises.get_mut(&key) {
            rise.slots = rise.slots.saturating_add(1);
            rise.least = rise.least.min(sources);
            rise.quiet = 0;
            rise.high = self.slot;
        } else if self.rises.len() < RISES_MAX {
            let rise = Rise {
                usual,
                slots: 1,
                least: sources,
                first,
                last: first,
                total: *sketch,
                quiet: 0,
                high: self.slot,
                is_withheld: false,
                is_refused: false,
                incident: None,
            };
            self.rises.insert(key, rise);
        }
    }

    /// Bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let entries = self.rises.len() * size_of::<(PortKey, Rise)>();
        let guests = self.guests.len() * size_of::<(PortKey, PortSketch)>();
        size_of::<Self>() + self.table.heap_bytes() + entries + guests
    }
}

impl Rise {
    /// Notes slots that were not high. False where nothing is left of it: nothing was told.
    fn fall(&mut self, slots: u32) -> bool {
        self.quiet = self.quiet.saturating_add(slots);
        self.incident.is_some()
    }

    /// True where it was quiet for as long as it had to be high, or went on for so long that it is usual now.
    fn is_over(&self, now: Timestamp, limit: &SurgeLimit) -> bool {
        let long = limit.slot.saturating_mul(FADE_SLOTS as u32);
        self.quiet >= limit.slots || now.since(self.first) >= long
    }

    fn is_update_due(&self, now: Timestamp) -> bool {
        self.grown().is_some_and(|open| now.apart(open.recorded) >= RECORD_PERIOD)
    }

    fn next_update(&self) -> Option<Timestamp> {
        self.grown().map(|open| open.recorded.plus(RECORD_PERIOD))
    }

    /// What was told of it, where it has grown since by so much that it is worth another record.
    fn grown(&self) -> Option<Open> {
        self.incident.filter(|open| self.total.sources().count >= GROWTH * open.recorded_sources)
    }

    fn tell(&mut self, action: Action, key: PortKey, now: Timestamp) -> News {
        let sequence = self.incident.map_or(0, |open| open.records) + 1;
        let recorded_sources = self.total.sources().count;
        self.incident = Some(Open { records: sequence, recorded: now, recorded_sources });
        News { action, key, rise: self.clone(), sequence }
    }
}
