//! The pairs a source tried, one by one: what a verdict at small numbers needs, and what a sketch cannot tell.
//!
//! Bounded. Every source remembers a few pairs, so that nothing is lost when it comes near a threshold; a suspect
//! remembers many. Where there is no room, pairs of the past go first, then the ones seen longest ago; the sketches
//! go on counting.

use std::time::Duration;

use scanwatch_common::abi::{Address, Technique};

use super::probe::Probe;
use super::time::Timestamp;
use super::window::Window;
use crate::policy::{ServiceId, ZoneId};

/// Pairs of an ordinary source.
pub const ROOM: usize = 32;
/// Pairs of a suspect.
pub const ROOM_SUSPECT: usize = 1_024;
/// A source whose [`ROOM`] fills within this time is a suspect at once.
const FAST: Duration = Duration::from_mins(1);
/// Share of a full table that makes room at a time.
const EVICTED_SHARE: usize = 8;

/// A target and a port, by one technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Target.
    pub target: Address,
    /// First seen.
    pub first: Timestamp,
    /// Last seen.
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
}

impl Pair {
    /// The pair of a probe.
    #[must_use]
    pub fn of(probe: &Probe) -> Self {
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
        }
    }

    fn key(&self) -> (Technique, Address, u16) {
        (self.technique, self.target, self.port)
    }
}

/// The pairs of a source, in the order of technique, target and port.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    sorted: Vec<Pair>,
}

impl Pairs {
    /// Remembers a pair seen once more, or for the first time.
    pub fn insert(&mut self, pair: Pair, suspect: bool) {
        match self.find(&pair) {
            Ok(at) => {
                let known = &mut self.sorted[at];
                known.first = known.first.min(pair.first);
                known.last = known.last.max(pair.last);
                known.attempts = known.attempts.saturating_add(1);
            }
            Err(at) => {
                let at = if self.make_room(pair.last, suspect) {
                    self.find(&pair).unwrap_or_else(|at| at)
                } else {
                    at
                };
                if self.sorted.len() == self.sorted.capacity() {
                    self.sorted.reserve_exact((self.sorted.len() / 2).max(4));
                }
                self.sorted.insert(at, pair);
            }
        }
    }

    fn find(&self, pair: &Pair) -> Result<usize, usize> {
        self.sorted.binary_search_by_key(&pair.key(), Pair::key)
    }

    /// Makes room for one more pair. True where any had to go.
    fn make_room(&mut self, now: Timestamp, suspect: bool) -> bool {
        let full = |len: usize, suspect: bool| len >= if suspect { ROOM_SUSPECT } else { ROOM };
        if !full(self.sorted.len(), suspect) {
            return false;
        }
        let before = self.sorted.len();
        self.forget(now);
        let fast = self.sorted.iter().all(|pair| now.apart(pair.last) < FAST);
        if full(self.sorted.len(), suspect || fast) {
            self.evict();
        }
        self.sorted.len() < before
    }

    /// Drops the pairs that every window has passed.
    pub fn forget(&mut self, now: Timestamp) {
        self.sorted.retain(|pair| now.apart(pair.last) < Window::LONGEST.length());
        if self.sorted.capacity() > 2 * self.sorted.len().max(ROOM) {
            self.sorted.shrink_to(self.sorted.len());
        }
    }

    /// Drops the pairs that were seen longest ago.
    fn evict(&mut self) {
        let mut surplus = (self.sorted.len() / EVICTED_SHARE).max(1);
        let mut times: Vec<Timestamp> = self.sorted.iter().map(|pair| pair.last).collect();
        let (_, newest_to_go, _) = times.select_nth_unstable(surplus - 1);
        let newest_to_go = *newest_to_go;
        self.sorted.retain(|pair| {
            let goes = surplus > 0 && pair.last <= newest_to_go;
            surplus -= usize::from(goes);
            !goes
        });
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

#[cfg(test)]
mod tests {
    use super::*;
    use scanwatch_common::abi::mapped;

    fn second(s: u64) -> Timestamp {
        Timestamp::from_ns((1_800_000_000 + s) * 1_000_000_000)
    }

    fn pair(port: u16, at: Timestamp) -> Pair {
        Pair {
            target: mapped([10, 0, 0, 1]),
            first: at,
            last: at,
            port,
            attempts: 1,
            length: 40,
            technique: Technique::Syn,
            zone: 1,
            service: 0,
        }
    }

    fn ports(pairs: &Pairs) -> Vec<u16> {
        pairs.all().iter().map(|pair| pair.port).collect()
    }

    #[test]
    fn a_pair_is_kept_once_with_its_first_and_last_time() {
        let mut pairs = Pairs::default();
        pairs.insert(pair(80, second(0)), false);
        pairs.insert(pair(80, second(9)), false);
        let [only] = pairs.all() else { panic!("{pairs:?}") };
        assert_eq!((only.first, only.last, only.attempts), (second(0), second(9), 2));
    }

    #[test]
    fn nothing_is_lost_when_a_fast_source_fills_its_room() {
        let mut pairs = Pairs::default();
        (0..500).for_each(|port| pairs.insert(pair(port, second(u64::from(port) / 20)), false));
        assert_eq!(ports(&pairs), (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn a_slow_source_keeps_its_latest_pairs_and_a_suspect_all() {
        let (mut ordinary, mut suspect) = (Pairs::default(), Pairs::default());
        for port in 0..100 {
            ordinary.insert(pair(port, second(5 * u64::from(port))), false);
            suspect.insert(pair(port, second(5 * u64::from(port))), true);
        }
        assert!(ordinary.all().len() <= ROOM);
        assert_eq!(ports(&ordinary).last(), Some(&99));
        assert!(ports(&ordinary)[0] >= 100 - ROOM as u16);
        assert_eq!(suspect.all().len(), 100);
    }

    #[test]
    fn the_table_never_exceeds_its_bound_even_at_one_instant() {
        let mut pairs = Pairs::default();
        (0..20_000).for_each(|port| pairs.insert(pair(port, second(0)), true));
        assert!(pairs.all().len() <= ROOM_SUSPECT);
        assert!(pairs.heap_bytes() <= 2 * ROOM_SUSPECT * size_of::<Pair>());
        assert!(pairs.all().is_sorted_by_key(Pair::key));
    }

    #[test]
    fn pairs_of_the_past_and_their_memory_are_given_back() {
        let mut pairs = Pairs::default();
        (0..1_000).for_each(|port| pairs.insert(pair(port, second(0)), true));
        pairs.insert(pair(7, second(599)), true);
        pairs.forget(second(600));
        assert_eq!(ports(&pairs), [7]);
        assert!(pairs.heap_bytes() <= 2 * ROOM * size_of::<Pair>());
    }
}
