//! Anything may arrive.

use crate::packets::{self, outcome};
use crate::world::World;
use proptest::prelude::*;
use scanwatch_common::counters::Counter;

/// How often a frame left, by the counters it raised: what comes of a contact is counted beside what it is.
fn ways_out(raised: &[Counter]) -> usize {
    let is_end = |counter: &&Counter| {
        (Counter::Forwarded..=Counter::Novel).contains(*counter) || **counter == Counter::CellRefused
    };
    match raised.iter().filter(is_end).count() {
        0 => raised.len(),
        ends => ends,
    }
}

/// Observes frames, and checks that each leaves by exactly one way.
fn observed(frames: &[Vec<u8>]) -> Result<(), TestCaseError> {
    for mut world in [World::new(), World::admitting()] {
        for frame in frames {
            let raised = world.see(frame);
            prop_assert_eq!(ways_out(&raised), 1, "{:?} by {:02x?}", raised, frame);
            if let Err(reason) = outcome(frame) {
                prop_assert_eq!(raised, vec![reason]);
            }
        }
        let novelties: u64 =
            world.tables.end_epoch().iter().map(|(_, _, cell)| u64::from(cell.facts.novelties)).sum();
        prop_assert_eq!(novelties, world.count(Counter::Novel) + world.count(Counter::FirstNovel));
        prop_assert_eq!(world.records().len() as u64, novelties - world.count(Counter::RingLost));
    }
    Ok(())
}

/// Bytes that begin like a frame of a known type, so that the parsers behind it are reached.
fn typed() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(vec![
        vec![0x08, 0x00, 0x45],
        vec![0x08, 0x00, 0x4f],
        vec![0x86, 0xdd, 0x60],
        vec![0x88, 0x64, 0x11, 0x00, 0x12, 0x34, 0x00, 0x40, 0x00, 0x21, 0x45],
        vec![0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04],
        vec![0x81, 0x00, 0x00, 0x01, 0x08, 0x00, 0x46],
        vec![0x88, 0xa8, 0x00, 0x01, 0x81, 0x00, 0x00, 0x02, 0x86, 0xdd, 0x60],
    ]);
    (prop::collection::vec(any::<u8>(), 12), kinds, prop::collection::vec(any::<u8>(), 0..160))
        .prop_map(|(macs, kind, rest)| [macs, kind, rest].concat())
}

/// A fixture with some bytes changed and its end cut off.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<Vec<u8>> = packets::all().into_iter().map(|fixture| fixture.frame).collect();
    let changes = prop::collection::vec((0..120_usize, any::<u8>()), 0..6);
    (prop::sample::select(all), changes, 0..200_usize).prop_map(|(mut frame, changes, length)| {
        for (at, value) in changes {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        if length < 100 {
            frame.truncate(length);
        }
        frame
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 64 }, ..ProptestConfig::default() })]

    // In an interpreter each takes more than a minute, and the last reaches what these reach.
    #[cfg(not(miri))]
    #[test]
    fn random_bytes_leave_by_one_way(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 32)
    ) {
        observed(&frames)?;
    }

    #[cfg(not(miri))]
    #[test]
    fn random_bytes_behind_known_types_leave_by_one_way(frames in prop::collection::vec(typed(), 64)) {
        observed(&frames)?;
    }

    #[test]
    fn mutated_packets_leave_by_one_way(frames in prop::collection::vec(mutated(), 64)) {
        observed(&frames)?;
    }
}
