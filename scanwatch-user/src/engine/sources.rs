//! All sources, bounded: who is idle longest goes first, sources outside before sources inside.

use std::collections::HashMap;

use scanwatch_common::abi::Side;

use super::source::{Source, SourceKey};
use super::time::Timestamp;
use super::window::Window;
use crate::policy::Treatment;

/// Share of all sources that makes room at a time.
const EVICTED_SHARE: usize = 16;

/// The tracked sources.
#[derive(Debug)]
pub struct Sources {
    map: HashMap<SourceKey, Source>,
    limit: usize,
    /// Nobody may go for a source of this side; until something changes there is no use in looking again.
    is_full: [bool; 2],
    /// Sources given up or not taken for lack of room.
    pub dropped: u64,
}

impl Sources {
    /// No sources yet; `limit` is the most of them.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { map: HashMap::new(), limit, is_full: [false; 2], dropped: 0 }
    }

    /// The source with this key.
    pub fn get_mut(&mut self, key: &SourceKey) -> Option<&mut Source> {
        self.map.get_mut(key)
    }

    /// The source with this key, to be read.
    #[must_use]
    pub fn get(&self, key: &SourceKey) -> Option<&Source> {
        self.map.get(key)
    }

    /// All sources, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Source> {
        self.map.values()
    }

    /// Pairs remembered of all sources.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.map.values().map(|source| source.pairs.all().len()).sum()
    }

    /// The source with this key, made where there is none. `None` where there is no room and nobody may go.
    ///
    /// Sources that are given up are handed to `evicted`.
    pub fn get_or_insert(
        &mut self,
        key: SourceKey,
        side: Side,
        make: impl FnOnce() -> Source,
        evicted: impl FnMut(Source),
    ) -> Option<&mut Source> {
        if !self.map.contains_key(&key) {
            if self.map.len() >= self.limit && !self.evict(side, evicted) {
                self.dropped += 1;
                return None;
            }
            self.map.insert(key, make());
        }
        self.map.get_mut(&key)
    }

    /// Makes room for a source of this side. True where anybody went.
    fn evict(&mut self, side: Side, mut evicted: impl FnMut(Source)) -> bool {
        if self.is_full[side as usize] {
            return false;
        }
        let may_go = |source: &Source| {
            (side == Side::Internal || source.profile.side == Side::External)
                && source.incidents.iter().all(|incident| incident.treatment == Treatment::Statistics)
        };
        let rank = |source: &Source| (source.profile.side == Side::Internal, source.last, source.profile.key);
        let mut ranks: Vec<_> = self.map.values().filter(|source| may_go(source)).map(rank).collect();
        if ranks.is_empty() {
            self.is_full[side as usize] = true;
            return false;
        }
        let surplus = (self.limit / EVICTED_SHARE).clamp(1, ranks.len());
        ranks.select_nth_unstable(surplus - 1);
        for (_, _, key) in &ranks[..surplus] {
            self.map.remove(key).into_iter().for_each(&mut evicted);
        }
        self.dropped += surplus as u64;
        true
    }

    /// Puts a source in the place of the one with its key. False where there is no room.
    pub fn put(&mut self, source: Source) -> bool {
        let has_room = self.map.len() < self.limit || self.map.contains_key(&source.profile.key);
        if has_room {
            self.map.insert(source.profile.key, source);
        }
        has_room
    }

    /// All sources, to be changed, in no order.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Source> {
        self.map.values_mut()
    }

    /// Sets the most there may be. Those that are too many go as others come.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.is_full = [false; 2];
    }

    /// Drops the sources of which no window shows anything any more.
    pub fn sweep(&mut self, now: Timestamp) {
        self.map.retain(|_, source| {
            // Those seen lately are rolled when they are judged.
            if now.apart(source.last) < Window::LONGEST.length() {
                return true;
            }
            source.roll(now);
            !source.is_idle()
        });
        self.is_full = [false; 2];
    }

    /// Number of sources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Bytes of all sources, incidents left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.map.values().map(Source::bytes).sum()
    }
}
