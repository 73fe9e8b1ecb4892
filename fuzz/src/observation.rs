//! Frames through the whole decision on the host: by the short way and by the long one, which must come to the same.

use std::cell::RefCell;

use scanwatch_common::counters::{Class, Counter};
use scanwatch_common::observe::{Passage, observe, observe_by_the_long_way};

use crate::frames::{self, Step};
use crate::packets;
use crate::tables::{Drained, Tracked};

const INTERFACE: u32 = 7;

thread_local! {
    static PLANES: RefCell<[Tracked; 2]> = RefCell::new([Tracked::new(), Tracked::new()]);
}

/// Shows a sequence of frames to both ways.
///
/// # Panics
/// Where a frame leaves by no way or by two, where a record or a count is missing, or where the ways differ.
pub fn check(input: &[u8]) {
    let (settings, steps) = frames::read(input);
    PLANES.with_borrow_mut(|[short, long]| {
        short.begin_anew(settings);
        long.begin_anew(settings);
        let before = short.counters();
        assert_eq!(long.counters(), before, "both have seen the same so far");
        let mut sums = Sums::default();
        for step in &steps {
            compare(step, short, long, &mut sums);
        }
        assert_eq!(short.memory(), long.memory(), "doors and flows");
        let (left, of_long) = (short.drain(), long.drain());
        assert!(left == of_long, "cells and ports");
        sums.add_drained(&left);
        sums.check(&before, &short.counters());
    });
}

fn compare(step: &Step<'_>, short: &mut Tracked, long: &mut Tracked, sums: &mut Sums) {
    if step.ends_epoch {
        let (left, of_long) = (short.drain(), long.drain());
        assert!(left == of_long, "cells and ports");
        sums.add_drained(&left);
    }
    let passage = if step.through { Passage::THROUGH } else { Passage::IN };
    let before = short.counters();
    for plane in [&mut *short, &mut *long] {
        plane.tables.control.clock_ns += step.wait_ns;
    }
    observe(step.frame, INTERFACE, passage, short);
    observe_by_the_long_way(step.frame, INTERFACE, passage, long);
    let raised = raised(&before, &short.counters());
    assert_eq!(raised, self::raised(&before, &long.counters()), "by both ways: {step:02x?}");
    leaves_once(&raised, step);
    let records = short.records();
    assert_eq!(records, long.records(), "records by both ways: {step:02x?}");
    sums.records += records.len() as u64;
}

/// Each frame is in one counter of packets; a contact in one more that says what came of it.
fn leaves_once(raised: &[(Counter, u64)], step: &Step<'_>) {
    let of = |is_of: fn(Class) -> bool| -> u64 {
        raised.iter().filter(|(counter, _)| is_of(counter.class())).map(|(_, times)| times).sum()
    };
    assert_eq!(of(Class::is_of_packets), 1, "ways out of {step:02x?}: {raised:?}");
    let refused = raised.iter().any(|(counter, _)| *counter == Counter::CellRefused);
    let contacts = of(|class| class == Class::Contact);
    assert!(contacts <= 1, "outcomes of {step:02x?}: {raised:?}");
    let is_contact = of(|class| matches!(class, Class::Probe)) == 1;
    assert!(!is_contact || contacts == 1 || refused, "no outcome of {step:02x?}: {raised:?}");
}

fn raised(before: &[u64; Counter::COUNT], after: &[u64; Counter::COUNT]) -> Vec<(Counter, u64)> {
    let both = Counter::ALL.iter().zip(before).zip(after);
    both.filter(|((_, before), after)| after > before)
        .map(|((c, before), after)| (*c, after - before))
        .collect()
}

/// What cells, records and counters say of the same thing.
#[derive(Default)]
struct Sums {
    cells: u64,
    novelties: u64,
    records: u64,
}

impl Sums {
    fn add_drained(&mut self, (cells, _): &Drained) {
        self.cells += cells.len() as u64;
        self.novelties += cells.iter().map(|(_, _, cell)| u64::from(cell.facts.novelties)).sum::<u64>();
    }

    fn check(&self, before: &[u64; Counter::COUNT], after: &[u64; Counter::COUNT]) {
        let count = |counter: Counter| after[counter as usize] - before[counter as usize];
        assert_eq!(self.cells, count(Counter::CellCreated), "cells and their counter");
        let told = count(Counter::Novel) + count(Counter::FirstNovel);
        assert_eq!(self.novelties, told, "novelties of the cells and their counters");
        assert_eq!(self.records, told - count(Counter::RingLost), "records and novelties");
    }
}

/// Every fixture by itself, many of them behind each other, and scans that fill the tables.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let fixtures: Vec<Vec<u8>> = packets::all().into_iter().map(|fixture| fixture.frame).collect();
    let mut seeds: Vec<Vec<u8>> =
        fixtures.iter().step_by(5).map(|frame| frames::write(1, [(0, &frame[..])])).collect();
    for (number, some) in fixtures.chunks(24).enumerate() {
        let how = [0, 4, 1, 8, 2, 12];
        let steps = some.iter().enumerate().map(|(at, frame)| (how[at % how.len()], &frame[..]));
        seeds.push(frames::write(number as u8, steps));
    }
    seeds
}
