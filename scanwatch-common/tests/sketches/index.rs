//! The index in front of the cells.

use crate::inputs::Walk;
use proptest::prelude::*;
use scanwatch_common::sketch::{IndexLine, Seat};
use std::collections::HashMap;

/// A hash whose tag is this number.
const fn tagged(tag: u32) -> u64 {
    (tag as u64) << 32
}

#[test]
fn a_cell_is_found_where_it_was_seated_and_nowhere_else() {
    let mut line = IndexLine::default();
    assert_eq!(line.look(tagged(7)), Seat::Free(0));
    line.seat(0, tagged(7), 41);
    assert_eq!(line.look(tagged(7)), Seat::Taken(41));
    assert_eq!(line.look(tagged(8)), Seat::Free(1));
}

#[test]
fn the_first_cell_and_a_tag_of_zero_are_told_from_what_is_free() {
    let mut line = IndexLine::default();
    line.seat(0, tagged(0), 0);
    assert_eq!(line.look(tagged(0)), Seat::Taken(0));
    assert_eq!(line.look(tagged(1)), Seat::Free(1));
}

#[test]
fn a_full_line_says_so_and_still_knows_all_it_has() {
    let mut line = IndexLine::default();
    for tag in 0..8 {
        let Seat::Free(way) = line.look(tagged(tag)) else { panic!("{tag} has no place") };
        line.seat(way, tagged(tag), tag);
    }
    assert_eq!(line.look(tagged(8)), Seat::Full);
    for tag in 0..8 {
        assert_eq!(line.look(tagged(tag)), Seat::Taken(tag));
    }
}

#[test]
fn an_index_has_four_entries_a_cell_and_two_lines_at_least() {
    let lines = [(0, 2), (1, 2), (4, 2), (5, 4), (8_192, 4_096), (16_384, 8_192), (1_048_576, 524_288)];
    for (cells, expected) in lines {
        assert_eq!(IndexLine::lines_for(cells), expected, "{cells} cells");
    }
}

/// Seats as many cells as there are, as the data plane does, and returns how many found no place.
fn refused(cells: u32, hashes: impl Iterator<Item = u64>) -> u32 {
    let lines = IndexLine::lines_for(cells) as usize;
    let mut index = vec![IndexLine::default(); lines];
    let mut refused = 0;
    for (hash, cell) in hashes.zip(0..cells) {
        let place = [0, 1].into_iter().find_map(|neighbour| {
            let line = (hash ^ neighbour) as usize & (lines - 1);
            match index[line].look(hash) {
                Seat::Free(way) => Some((line, way)),
                _ => None,
            }
        });
        match place {
            Some((line, way)) => index[line].seat(way, hash, cell),
            None => refused += 1,
        }
    }
    refused
}

#[cfg(not(miri))]
#[test]
fn two_lines_have_room_for_all_cells_there_are() {
    let all: u32 = (0..20).map(|seed| refused(16_384, Walk::Hosts.hashes(seed))).sum();
    assert!(all <= 2, "{all} of {} cells", 20 * 16_384);
}

proptest! {
    #[test]
    fn a_line_is_a_small_map(operations in proptest::collection::vec((0_u32..12, any::<u32>()), 0..40)) {
        let (mut line, mut model) = (IndexLine::default(), HashMap::new());
        for (tag, cell) in operations {
            let cell = cell % 1_000_000;
            match line.look(tagged(tag)) {
                Seat::Taken(found) => prop_assert_eq!(Some(&found), model.get(&tag)),
                Seat::Free(way) => {
                    prop_assert_eq!(way, model.len());
                    line.seat(way, tagged(tag), cell);
                    model.insert(tag, cell);
                }
                Seat::Full => prop_assert_eq!(model.len(), 8),
            }
        }
    }
}
