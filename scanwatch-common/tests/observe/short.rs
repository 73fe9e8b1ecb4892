//! The short way of plain frames tells what the long way tells.

use crate::packets;
use crate::world::{INTERFACE, World};
use proptest::prelude::*;
use scanwatch_common::abi::Side;
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe, observe_by_the_long_way};

/// Shows frames to both ways, and holds all that they leave behind together.
fn compare(frames: &[Vec<u8>], passage: Passage) {
    let (mut short, mut long) = (World::admitting(), World::admitting());
    for frame in frames {
        observe(&frame[..], INTERFACE, passage, &mut short.tables);
        observe_by_the_long_way(&frame[..], INTERFACE, passage, &mut long.tables);
        for counter in Counter::ALL {
            assert_eq!(short.count(*counter), long.count(*counter), "{} after {frame:02x?}", counter.name());
        }
        assert_eq!(short.records(), long.records(), "records after {frame:02x?}");
    }
    for side in [Side::Internal, Side::External] {
        assert_eq!(short.tables.door_sets(side), long.tables.door_sets(side));
    }
    assert_eq!(short.tables.flow_lines(), long.tables.flow_lines());
    assert!(short.tables.end_epoch() == long.tables.end_epoch());
}

#[test]
fn both_ways_tell_the_same_of_every_fixture() {
    let frames: Vec<Vec<u8>> = packets::all().into_iter().map(|fixture| fixture.frame).collect();
    assert!(frames.len() > if cfg!(miri) { 10 } else { 100 }, "{} fixtures", frames.len());
    compare(&frames, Passage::IN);
    compare(&frames, Passage::THROUGH);
}

#[test]
fn both_ways_tell_the_same_of_every_fixture_cut_short() {
    // Each makes tables of its own, which an interpreter fills for seconds.
    let every = if cfg!(miri) { 40 } else { 1 };
    for fixture in packets::all().into_iter().step_by(every) {
        let lengths = 0..fixture.frame.len();
        compare(&lengths.map(|length| fixture.frame[..length].to_vec()).collect::<Vec<_>>(), Passage::IN);
    }
}

proptest! {
    /// One to three bytes of headers are anything: versions, lengths, fragments, flags, numbers of zero, protocols.
    #[test]
    fn both_ways_tell_the_same_of_mutated_fixtures(
        mutations in proptest::collection::vec((any::<usize>(), proptest::collection::vec((0_usize..60, any::<u8>()), 1..4)), 1..60),
    ) {
        let fixtures = packets::all();
        let frames: Vec<Vec<u8>> = mutations
            .into_iter()
            .map(|(which, changes)| {
                let mut frame = fixtures[which % fixtures.len()].frame.clone();
                for (at, value) in changes {
                    if let Some(byte) = frame.get_mut(at) {
                        *byte = value;
                    }
                }
                frame
            })
            .collect();
        compare(&frames, Passage::IN);
    }
}
