//! A source's fan-out over time: what is usual for it, and what is held back until polling is told from scanning.

use std::collections::BTreeSet;
use std::time::Duration;

use scanwatch_common::abi::Address;
use serde::{Deserialize, Serialize};

use super::renumber::Renumber;
use super::scan::Lane;
use super::time::Timestamp;
use super::window::Window;

/// Length of a slot.
const SLOT: Duration = Window::TenMinutes.length();
/// Slots in a week, for which the usual is remembered.
const WEEK: u64 = 7 * 144;
/// Lanes of which the usual is remembered.
const LANES_MAX: usize = 8;
/// Slots remembered of a lane; the leanest goes first.
const SLOTS_MAX: usize = 96;
/// New hosts in a slot below which it is not worth remembering: five times as many are below every limit.
const HOSTS_MIN: u32 = 5;
/// Hosts of a fan-out whose next contact is waited for; a sample is enough for a share.
const HELD_MAX: usize = 256;

/// New hosts on one lane, by slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Usual {
    lane: Lane,
    slots: Vec<(u64, u32)>,
}

/// A fan-out that is held back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Held {
    /// Where.
    pub lane: Lane,
    /// In which window.
    pub window: Window,
    /// The count that was reached.
    pub limit: u64,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Its hosts, or many of them.
    pub hosts: BTreeSet<Address>,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FanOut {
    usual: Vec<Usual>,
    held: Vec<Held>,
}

impl FanOut {
    /// Notes how many hosts were new on a lane in the slot of `now`.
    pub fn note(&mut self, lane: Lane, now: Timestamp, hosts: u32) {
        if hosts < HOSTS_MIN {
            return;
        }
        let slot = slot_of(now);
        let at = self.usual.iter().position(|usual| usual.lane == lane);
        let at = at.unwrap_or_else(|| {
            if self.usual.len() >= LANES_MAX {
                self.usual.remove(0);
            }
            self.usual.push(Usual { lane, slots: Vec::new() });
            self.usual.len() - 1
        });
        let slots = &mut self.usual[at].slots;
        slots.retain(|(old, _)| slot.abs_diff(*old) < WEEK);
        if let Some((_, count)) = slots.iter_mut().find(|(known, _)| *known == slot) {
            *count = (*count).max(hosts);
            return;
        }
        if slots.len() >= SLOTS_MAX
            && let Some(leanest) = (0..slots.len()).min_by_key(|at| slots[*at].1)
        {
            slots.remove(leanest);
        }
        slots.push((slot, hosts));
    }

    /// The most new hosts on a lane in any past time as long as the window, within a week.
    #[must_use]
    pub fn usual(&self, lane: Lane, window: Window, now: Timestamp) -> u64 {
        let length = window.length().as_secs() / SLOT.as_secs();
        let Some(usual) = self.usual.iter().find(|usual| usual.lane == lane) else { return 0 };
        let end = slot_of(now).saturating_sub(length);
        let from = |start: u64| -> u64 {
            let within = usual.slots.iter().filter(|(slot, _)| (start..start + length).contains(slot));
            within.map(|(_, count)| u64::from(*count)).sum()
        };
        usual.slots.iter().filter(|(slot, _)| *slot < end).map(|(slot, _)| from(*slot)).max().unwrap_or(0)
    }

    /// True where a fan-out on the lane is held back in the window.
    #[must_use]
    pub fn holds(&self, lane: Lane, window: Window) -> bool {
        self.held.iter().any(|held| held.lane == lane && held.window == window)
    }

    /// Holds a fan-out back.
    pub fn hold(&mut self, mut held: Held) {
        while held.hosts.len() > HELD_MAX {
            held.hosts.pop_last();
        }
        if self.held.len() < LANES_MAX * Window::ALL.len() {
            self.held.push(held);
        }
    }

    /// Takes out what was held back for long enough.
    pub fn due(&mut self, now: Timestamp) -> Vec<Held> {
        self.held.extract_if(.., |held| held.until <= now).collect()
    }

    /// When something is due next.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.held.iter().map(|held| held.until).min()
    }

    /// Takes lanes by the numbers of another policy; of two that are one now, the first is remembered.
    pub fn renumber(&mut self, map: &Renumber) {
        for usual in std::mem::take(&mut self.usual) {
            let lane = map.lane(usual.lane);
            if self.usual.iter().all(|known| known.lane != lane) {
                self.usual.push(Usual { lane, ..usual });
            }
        }
        self.held.iter_mut().for_each(|held| held.lane = map.lane(held.lane));
    }

    /// True where nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.usual.is_empty() && self.held.is_empty()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let slots: usize =
            self.usual.iter().map(|usual| usual.slots.capacity() * size_of::<(u64, u32)>()).sum();
        let hosts: usize = self.held.iter().map(|held| held.hosts.len() * size_of::<Address>()).sum();
        slots + hosts + self.usual.capacity() * size_of::<Usual>() + self.held.capacity() * size_of::<Held>()
    }
}

fn slot_of(at: Timestamp) -> u64 {
    at.as_ns() / SLOT.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use scanwatch_common::abi::Technique;

    const LANE: Lane = Lane { technique: Technique::Syn, service: 1, port: None };

    fn slot(n: u64) -> Timestamp {
        Timestamp::from_ns(1_800_000_000_000_000_000 + n * SLOT.as_nanos() as u64)
    }

    #[test]
    fn the_usual_is_the_most_of_any_past_window() {
        let mut fan = FanOut::default();
        for (at, hosts) in [(0, 40), (1, 60), (2, 50), (20, 90), (21, 6)] {
            fan.note(LANE, slot(at), hosts);
        }
        assert_eq!(fan.usual(LANE, Window::TenMinutes, slot(30)), 90);
        assert_eq!(fan.usual(LANE, Window::Hour, slot(30)), 150);
        assert_eq!(fan.usual(LANE, Window::TenMinutes, slot(3)), 60, "the running slot is not past");
        assert_eq!(fan.usual(LANE, Window::Day, slot(30)), 0, "no day is past yet");
        assert_eq!(fan.usual(Lane { service: 2, ..LANE }, Window::Hour, slot(30)), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut fan = FanOut::default();
        for at in 0..20_000 {
            fan.note(Lane { service: (at % 40) as u8, ..LANE }, slot(at), 50);
        }
        assert!(fan.heap_bytes() < 32_768, "{}", fan.heap_bytes());
    }
}
