//! The pairs a source tried, one by one, and what became of each: what a verdict at small numbers needs, and what a
//! sketch cannot tell.
//!
//! Bounded. Every source remembers a few pairs; one whose contacts fail, or that meets many hosts inside, remembers many
//! ([`ROOM_SUSPECT`]). Where there is no room, pairs of the past go first, then the ones tried longest ago, whatever their
//! outcome, so that shares stay true; but not for younger ones before their outcome can be known. The sketches go on
//! counting.

#[cfg(test)]
mod tests;

use std::time::Duration;

use scanwatch_common::abi::{Address, Technique};
use serde::{Deserialize, Deserializer, Serialize};

use super::probe::Probe;
use super::time::Timestamp;
use super::tool::Tool;
use super::window::Window;
use crate::policy::{Direction, ServiceId, ZoneId};

/// Pairs of an ordinary source.
pub const ROOM: usize = 32;
/// Pairs of a suspect.
pub const ROOM_SUSPECT: usize = 1_024;
/// Pairs that failed, or lie inside, from which a source is a suspect.
const SUSPICIOUS: usize = 4;
const INSIDE: usize = 24;
/// Time in which a pair gets its outcome, and is not given up for a younger one.
const YOUNG: Duration = Duration::from_secs(10);
/// Two contacts within this time are a retry.
const RETRY: Duration = Duration::from_secs(5);
/// Share of a full table that makes room at a time.
const EVICTED_SHARE: usize = 8;

/// What is known of a pair, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks(u8);

impl Marks {
    /// The source tried it: other pairs are known by their answers alone.
    pub const TRIED: Self = Self(1);
    /// It answered.
    pub const ANSWERED: Self = Self(2);
    /// It was refused.
    pub const REFUSED: Self = Self(4);
    /// The source went on with the conversation.
    pub const CONTINUED: Self = Self(8);
    /// The source tried it again within seconds.
    pub const RETRIED: Self = Self(16);
    /// Nobody looked when its outcome would have come by.
    pub const MISSED: Self = Self(32);
    /// The source completed its handshake, as only who reads its answers can.
    pub const COMPLETED: Self = Self(64);

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True where all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A target and a port, by one technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Target.
    pub target: Address,
    /// First tried.
    pub first: Timestamp,
    /// Last tried; of a pair that was not, the last that is known of it.
    pub last: Timestamp,
    /// Destination port, protocol number, or 0.
    pub port: u16,
    /// Times the kernel named it: once an epoch at most, however often it was tried.
    pub attempts: u16,
    /// IP length of the first probe, bytes.
    pub length: u16,
    /// Technique.
    pub technique: Technique,
    /// Zone of the target.
    pub zone: ZoneId,
    /// Service group of the port.
    pub service: ServiceId,
    /// Direction.
    pub direction: Direction,
    /// What is known of it.
    pub marks: Marks,
    /// The tool whose mark the first probe bears.
    pub tool: Tool,
}

// Memory of all sources is this, mostly.
const _: () = assert!(size_of::<Pair>() == 48);

impl Pair {
    /// The pair of a probe.
    #[must_use]
    pub fn of(probe: &Probe, marks: Marks) -> Self {
        Self {
            target: probe.target,
            first: probe.at,
            last: probe.at,
            port: probe.port,
            attempts: 1,
            length: probe.length,
            technique: probe.technique,
            zone: probe.zone,
            service: probe.service,
            direction: probe.direction,
            marks,
            tool: probe.tool,
        }
    }

    /// True where the source tried it.
    #[must_use]
    pub const fn is_tried(&self) -> bool {
        self.marks.has(Marks::TRIED)
    }

    /// True where it answered, seen or inferred.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        self.marks.has(Marks::ANSWERED) || (self.is_tried() && self.marks.has(Marks::CONTINUED))
    }

    /// True where it was refused, and never answered.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.marks.has(Marks::REFUSED) && !self.is_answered()
    }

    /// True where nothing is known of its outcome, for nobody looked.
    #[must_use]
    pub const fn is_missed(&self) -> bool {
        self.marks.has(Marks::MISSED) && !self.is_answered() && !self.is_refused()
    }

    const fn key(&self) -> (Technique, Address, u16) {
        (self.technique, self.target, self.port)
    }
}

/// The pairs of a source, in the order of technique, target and port.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pairs {
    #[serde(deserialize_with = "sorted")]
    sorted: Vec<Pair>,
    /// The table is full, and until then all of it is too young to go.
    full_until: Timestamp,
}

impl Pairs {
    /// Remembers a pair tried once more, or for the first time. `may_grow` is false where all sources together have too
    /// many.
    pub fn insert(&mut self, pair: Pair, may_grow: bool) {
        match self.find(&pair.key()) {
            Ok(at) => {
                let known = &mut self.sorted[at];
                if pair.is_tried() {
                    if !known.is_tried() || known.is_missed() {
                        known.marks = Marks(known.marks.0 & !Marks::MISSED.0);
                        known.first = pair.first;
                        known.last = pair.last;
                        known.length = pair.length;
                    }
                    let apart = pair.first.since(known.last);
                    if !apart.is_zero() && apart <= RETRY {
                        known.marks = known.marks.and(Marks::RETRIED);
                    }
                    known.first = known.first.min(pair.first);
                    known.last = known.last.max(pair.last);
                    known.attempts = known.attempts.saturating_add(1);
                }
                known.marks = known.marks.and(pair.marks);
            }
            Err(at) => {
                let len = self.sorted.len();
                if !self.make_room(pair.last, may_grow) {
                    return;
                }
                let at = if self.sorted.len() == len {
                    at
                } else {
                    self.find(&pair.key()).unwrap_or_else(|at| at)
                };
                if self.sorted.len() == self.sorted.capacity() {
                    let more = (self.sorted.len() / 2).max(4);
                    let room = ROOM.saturating_sub(self.sorted.len());
                    self.sorted.reserve_exact(if room > 0 { more.min(room) } else { more });
                }
                self.sorted.insert(at, pair);
            }
        }
    }

    /// Notes what became of a pair that is remembered. False where it is not.
    pub fn mark(&mut self, technique: Technique, target: &Address, port: u16, marks: Marks) -> bool {
        let Ok(at) = self.find(&(technique, *target, port)) else { return false };
        let known = &mut self.sorted[at];
        known.marks = known.marks.and(marks);
        true
    }

    /// The pair of this technique, target and port, where it is remembered.
    #[must_use]
    pub fn get(&self, technique: Technique, target: &Address, port: u16) -> Option<&Pair> {
        self.find(&(technique, *target, port)).ok().map(|at| &self.sorted[at])
    }

    fn find(&self, key: &(Technique, Address, u16)) -> Result<usize, usize> {
        self.sorted.binary_search_by_key(key, Pair::key)
    }

    /// Makes room for one more pair. False where there is none.
    fn make_room(&mut self, now: Timestamp, may_grow: bool) -> bool {
        if self.sorted.len() < ROOM {
            return true;
        }
        if self.sorted.len() < ROOM_SUSPECT && may_grow && self.is_suspicious(now) {
            return true;
        }
        // Where the clock was set back it is looked at again.
        if now < self.full_until && now.plus(YOUNG) >= self.full_until {
            return false;
        }
        self.forget(now);
        if self.sorted.len() < ROOM {
            return true;
        }
        // A suspect that calms down keeps what it has, and makes room one by one.
        self.evict(now)
    }

    /// True where so many contacts failed, lie inside or are too young to tell that each pair counts.
    fn is_suspicious(&self, now: Timestamp) -> bool {
        let failed =
            |pair: &&Pair| !pair.is_answered() && pair.last.since(pair.first) < Window::LONGEST.length();
        let mut suspicious = 0;
        let mut inside = 0;
        for pair in &self.sorted {
            suspicious += usize::from(failed(&pair) && now.apart(pair.last) >= YOUNG || pair.is_refused());
            inside += usize::from(
                matches!(pair.direction, Direction::Lateral)
                    || now.apart(pair.first) < Duration::from_mins(1),
            );
            if suspicious >= SUSPICIOUS || inside >= INSIDE {
                return true;
            }
        }
        false
    }

    /// Drops the pairs that every window has passed.
    pub fn forget(&mut self, now: Timestamp) {
        self.sorted.retain(|pair| now.apart(pair.last) < Window::LONGEST.length());
        if self.sorted.capacity() > 2 * self.sorted.len().max(ROOM) {
            self.sorted.shrink_to(self.sorted.len());
        }
    }

    /// Drops the pairs that were tried longest ago. False where all are too young.
    fn evict(&mut self, now: Timestamp) -> bool {
        let mut surplus = (self.sorted.len() / EVICTED_SHARE).max(1);
        let mut times: Vec<Timestamp> = self.sorted.iter().map(|pair| pair.last).collect();
        let (_, newest_to_go, _) = times.select_nth_unstable(surplus - 1);
        let newest_to_go = *newest_to_go;
        let before = self.sorted.len();
        self.sorted.retain(|pair| {
            let goes = surplus > 0 && pair.last <= newest_to_go && now.apart(pair.last) >= YOUNG;
            surplus -= usize::from(goes);
            !goes
        });
        if self.sorted.len() < before {
            return true;
        }
        self.full_until = times.into_iter().min().unwrap_or(now).plus(YOUNG);
        false
    }

    /// Notes that nobody looked after a time: what had no outcome then may have got one.
    pub fn miss(&mut self, then: Timestamp, silence: Duration) {
        for pair in &mut self.sorted {
            if pair.is_tried() && then.since(pair.first) < silence {
                pair.marks = pair.marks.and(Marks::MISSED);
            }
        }
    }

    /// Changes every pair, but for its technique, target and port.
    pub fn change(&mut self, change: impl FnMut(&mut Pair)) {
        self.sorted.iter_mut().for_each(change);
    }

    /// All pairs, in order.
    #[must_use]
    pub fn all(&self) -> &[Pair] {
        &self.sorted
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.sorted.capacity() * size_of::<Pair>()
    }
}

/// Pairs in their order, however they were written.
fn sorted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pair>, D::Error> {
    let mut pairs = Vec::<Pair>::deserialize(deserializer)?;
    pairs.sort_unstable_by_key(Pair::key);
    pairs.dedup_by_key(|pair| pair.key());
    pairs.truncate(ROOM_SUSPECT);
    Ok(pairs)
}
