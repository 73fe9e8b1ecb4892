//! Counts over the last minute, ten minutes, hour and day, in constant memory.
//!
//! Each window is two halves, the running one and the one before, merged by union; it so reaches back by half its
//! length at least and its whole length at most. An element is kept in one place only: in the half of the shortest
//! window, from which it moves on to the half of the next longer one when the shorter window has passed it. A window is
//! then the union of its own halves and those of all shorter ones. Where it came again, the older place is given up, as far
//! as it is a short list.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Part};
use super::time::Timestamp;

/// A window over which a source is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Window {
    /// One minute.
    Minute,
    /// Ten minutes.
    TenMinutes,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Window {
    /// All windows, shortest first. The half of each is a multiple of the half before it.
    pub const ALL: [Self; 4] = [Self::Minute, Self::TenMinutes, Self::Hour, Self::Day];
    /// The longest window: how long a source's counts are kept.
    pub const LONGEST: Self = Self::ALL[Self::ALL.len() - 1];

    /// Length of the window.
    #[must_use]
    pub const fn length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_mins(1),
            Self::TenMinutes => Duration::from_mins(10),
            Self::Hour => Duration::from_hours(1),
            Self::Day => Duration::from_hours(24),
        }
    }

    /// When the window begins that ends at `now`: with the half before the running one.
    #[must_use]
    pub fn start(self, now: Timestamp) -> Timestamp {
        let half_ns = self.length().as_nanos() as u64 / 2;
        let half = now.as_ns().saturating_sub(1) / half_ns;
        Timestamp::from_ns(half.saturating_sub(1) * half_ns)
    }

    /// Number of the half in which `at` lies.
    fn half_of(self, at: Timestamp) -> u32 {
        let half_s = self.length().as_secs() / 2;
        u32::try_from(at.as_secs().cast_unsigned() / half_s).unwrap_or(u32::MAX)
    }
}

/// Counts of one half of one window.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Half {
    /// The window; its number is the order of the halves.
    window: Window,
    /// Number of the half.
    number: u32,
    /// Something was added since the last look at what older halves hold of it.
    is_fresh: bool,
    counts: Counts,
}

// Most sources have some dozens.
const _: () = assert!(size_of::<Half>() == 32);

/// The counts of all windows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Windowed {
    halves: Box<[Half]>,
}

impl Windowed {
    /// Where elements of this time are added; `now` is the present.
    pub fn at(&mut self, at: Timestamp, now: Timestamp) -> &mut Counts {
        let (window, number) = (Window::ALL[0], Window::ALL[0].half_of(at));
        let find =
            |halves: &[Half]| halves.iter().position(|half| half.window == window && half.number == number);
        let index = find(&self.halves).unwrap_or_else(|| {
            // So that memory is constant however seldom anybody looks.
            self.roll(now);
            let mut halves = std::mem::take(&mut self.halves).into_vec();
            let index = place(&mut halves, window, number);
            self.halves = halves.into_boxed_slice();
            index
        });
        let half = &mut self.halves[index];
        half.is_fresh = true;
        &mut half.counts
    }

    /// Moves what a window has passed on to the next longer one, and drops what the longest has passed.
    pub fn roll(&mut self, now: Timestamp) {
        let mut halves = std::mem::take(&mut self.halves).into_vec();
        for (index, window) in Window::ALL.into_iter().enumerate() {
            let current = window.half_of(now);
            // Of the future, too, where the clock was set back.
            let is_past = |half: &Half| half.window == window && half.number.abs_diff(current) > 1;
            while let Some(at) = halves.iter().position(is_past) {
                let passed = halves.swap_remove(at);
                if let Some(next) = Window::ALL.get(index + 1) {
                    let ratio = (next.length().as_secs() / window.length().as_secs()) as u32;
                    let place = place(&mut halves, *next, passed.number / ratio);
                    halves[place].counts.merge(&passed.counts);
                    halves[place].is_fresh = true;
                }
            }
        }
        give_up_older(&mut halves);
        self.halves = halves.into_boxed_slice();
    }

    /// Adds everything within a window to `union`. As of the last [`Self::roll`].
    pub fn add_to(&self, window: Window, union: &mut Counts) {
        for half in self.halves.iter().filter(|half| half.window <= window) {
            union.merge(&half.counts);
        }
    }

    /// Set bits of linear counting within a window, those of both halves counted twice: no fewer than the union has.
    #[must_use]
    pub fn bits(&self, window: Window, part: Part) -> u32 {
        self.halves.iter().filter(|half| half.window <= window).map(|half| half.counts.bits(part)).sum()
    }

    /// Adds everything that other windows hold.
    pub fn merge(&mut self, other: Self) {
        let mut halves = std::mem::take(&mut self.halves).into_vec();
        for half in other.halves {
            let place = place(&mut halves, half.window, half.number);
            halves[place].counts.merge(&half.counts);
            halves[place].is_fresh = true;
        }
        self.halves = halves.into_boxed_slice();
    }

    /// True where nothing is left of any window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.halves.is_empty()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let lists: usize = self.halves.iter().map(|half| half.counts.heap_bytes()).sum();
        self.halves.len() * size_of::<Half>() + lists
    }
}

/// The place of a half, made where there is none.
fn place(halves: &mut Vec<Half>, window: Window, number: u32) -> usize {
    if let Some(index) = halves.iter().position(|half| half.window == window && half.number == number) {
        return index;
    }
    halves.reserve_exact(1);
    halves.push(Half { window, number, is_fresh: true, counts: Counts::default() });
    halves.len() - 1
}

/// Takes out of older halves what is in newer ones: it leaves every window later than they do.
fn give_up_older(halves: &mut Vec<Half>) {
    if !halves.iter().any(|half| half.is_fresh) {
        return;
    }
    // Newest first.
    halves.sort_unstable_by_key(|half| (half.window, std::cmp::Reverse(half.number)));
    for at in 0..halves.len() {
        let (newer, older) = halves.split_at_mut(at + 1);
        if std::mem::take(&mut newer[at].is_fresh) {
            for half in older {
                half.counts.subtract(&newer[at].counts);
            }
        }
    }
    halves.retain(|half| !half.counts.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;
    use scanwatch_common::sketch::Hasher;

    const START_S: u64 = 1_800_000_000;

    fn second(s: u64) -> Timestamp {
        Timestamp::from_ns((START_S + s) * 1_000_000_000)
    }

    fn hash(n: u64) -> u64 {
        Hasher::new(1).endpoint(&u128::from(n).to_be_bytes()).host()
    }

    fn count(windowed: &Windowed, window: Window) -> u64 {
        let mut union = Counts::default();
        windowed.add_to(window, &mut union);
        union.estimate(Part::Hosts).rounded()
    }

    #[test]
    fn halves_of_a_window_are_whole_numbers_of_the_halves_before() {
        for pair in Window::ALL.windows(2) {
            assert_eq!(pair[1].length().as_secs() % pair[0].length().as_secs(), 0);
        }
    }

    #[test]
    fn an_element_is_in_a_window_for_half_its_length_at_least_and_its_length_at_most() {
        for offset in [0, 1, 29, 30, 59, 299, 300, 599] {
            let mut windowed = Windowed::default();
            windowed.at(second(offset), second(offset)).insert(Part::Hosts, hash(1));
            let mut left = [None; 2];
            for age in 0..700 {
                windowed.roll(second(offset + age));
                for (window, left) in Window::ALL.into_iter().zip(&mut left) {
                    if count(&windowed, window) == 0 {
                        left.get_or_insert(age);
                    }
                }
            }
            for (window, left) in Window::ALL.into_iter().zip(left) {
                let length = window.length().as_secs();
                let left: u64 = left.expect("every window ends");
                assert!((length / 2..=length).contains(&left), "{window:?} from {offset} s: {left} s");
            }
            windowed.roll(second(offset + 86_401));
            assert!(windowed.is_empty());
        }
    }

    #[test]
    fn a_longer_window_holds_what_the_shorter_ones_hold() {
        let mut windowed = Windowed::default();
        for n in 0..600 {
            windowed.at(second(n), second(n)).insert(Part::Hosts, hash(n));
            windowed.roll(second(n));
        }
        assert!(
            (58..=62).contains(&count(&windowed, Window::Minute)),
            "{}",
            count(&windowed, Window::Minute)
        );
        assert!((580..=620).contains(&count(&windowed, Window::TenMinutes)));
        assert!(windowed.bits(Window::TenMinutes, Part::Hosts) >= 500);
    }

    #[test]
    fn late_elements_count_in_the_window_they_belong_to() {
        let mut windowed = Windowed::default();
        windowed.at(second(0), second(0)).insert(Part::Hosts, hash(1));
        windowed.roll(second(200));
        assert_eq!((count(&windowed, Window::Minute), count(&windowed, Window::TenMinutes)), (0, 1));
        windowed.roll(second(40_000_000));
        assert!(windowed.is_empty());
    }

    #[test]
    fn what_comes_again_and_again_is_in_every_window_and_in_few_halves() {
        let mut windowed = Windowed::default();
        for n in 0..2_000 {
            let now = second(20 * n);
            windowed.at(now, now).insert(Part::Hosts, hash(1));
            windowed.roll(now);
            for window in Window::ALL {
                assert_eq!(count(&windowed, window), 1, "{window:?} after {} s", 20 * n);
            }
            assert!(windowed.heap_bytes() <= 2 * size_of::<Half>(), "{} bytes", windowed.heap_bytes());
        }
    }

    #[test]
    fn memory_does_not_grow_with_time() {
        let mut windowed = Windowed::default();
        let mut most = 0;
        for n in 0..20_000 {
            windowed.at(second(n), second(n)).insert(Part::Hosts, hash(n % 10));
            windowed.roll(second(n));
            most = most.max(windowed.heap_bytes());
        }
        assert!(most < 1_000, "{most} bytes");
    }
}
