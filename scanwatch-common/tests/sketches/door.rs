//! The doorkeeper.

use crate::inputs::SplitMix;
use proptest::prelude::*;
use scanwatch_common::abi::{DOOR_SETS_EXTERNAL, DOOR_SETS_INTERNAL};
use scanwatch_common::sketch::{DoorSet, Knock};
use std::collections::HashSet;

const WAYS: u64 = 8;
const SETS: usize = DOOR_SETS_EXTERNAL;

/// A source whose hash is made of its number: tags differ, as they are the hash's high bits.
fn source(number: u64) -> u64 {
    (number * 2) << 36
}

/// Pairs that the doorkeeper tells apart.
fn pairs(many: u64) -> impl Iterator<Item = u64> {
    0..many
}

/// True where the source is admitted, by this pair or before.
fn knock(set: &mut DoorSet, who: u64, pair: u64, need: u8) -> bool {
    let known = set.knows(who, need);
    let admitted = match set.knock(who, pair, need) {
        Knock::Admitted => known || need <= 1,
        Knock::Newly(_) => !known,
        Knock::First(_) | Knock::Waiting => {
            assert!(!known, "an admitted source waits");
            return false;
        }
    };
    assert!(admitted, "the doorkeeper contradicts itself");
    admitted
}

fn admit(set: &mut DoorSet, who: u64, need: u8) {
    for pair in pairs(u64::from(need)) {
        knock(set, who, pair, need);
    }
    assert!(knock(set, who, 0, need));
}

#[test]
fn a_source_is_admitted_at_its_last_needed_pair_and_stays_so() {
    for need in 1..=15 {
        let mut set = DoorSet::default();
        for pair in 0..u64::from(need) - 1 {
            assert!(!knock(&mut set, source(1), pair, need), "pair {pair} of {need}");
        }
        assert!(knock(&mut set, source(1), u64::from(need) - 1, need));
        for pair in 0..100 {
            let before = set;
            assert!(knock(&mut set, source(1), pair, need));
            assert_eq!(set, before);
        }
    }
}

#[test]
fn a_pair_seen_before_writes_nothing() {
    let mut set = DoorSet::default();
    knock(&mut set, source(1), 5, 4);
    let before = set;
    assert!(!knock(&mut set, source(1), 5, 4));
    assert_eq!(set, before);
}

#[test]
fn each_step_towards_admission_is_told_apart_and_names_the_place_of_the_source() {
    let mut set = DoorSet::default();
    for who in 1..=WAYS {
        assert_eq!(set.knock(source(who), 5, 3), Knock::First(who as usize - 1));
        assert_eq!(set.knock(source(who), 5, 3), Knock::Waiting);
        assert_eq!(set.knock(source(who), 6, 3), Knock::Waiting);
    }
    for who in 1..=WAYS {
        assert!(!set.knows(source(who), 3));
        assert_eq!(set.knock(source(who), 7, 3), Knock::Newly(who as usize - 1));
        assert_eq!(set.knock(source(who), 7, 3), Knock::Admitted);
        assert!(set.knows(source(who), 3));
    }
}

#[test]
fn a_source_that_needs_one_pair_is_admitted_at_once() {
    let mut set = DoorSet::default();
    assert!(!set.knows(source(1), 1));
    assert_eq!(set.knock(source(1), 5, 1), Knock::Admitted);
    assert!(set.knows(source(1), 1));
    assert!(!set.knows(source(2), 1));
}

#[test]
fn asking_whether_a_source_is_known_writes_nothing_and_knows_nobody_new() {
    let set = DoorSet::default();
    for who in 1..100 {
        assert!(!set.knows(source(who), 1));
    }
    assert_eq!(set, DoorSet::default());
}

#[test]
fn eight_sources_are_counted_beside_each_other() {
    let mut set = DoorSet::default();
    for pair in pairs(4) {
        for who in 1..=WAYS {
            assert_eq!(knock(&mut set, source(who), pair, 4), pair == 3);
        }
    }
}

#[cfg(not(miri))]
#[test]
fn a_flood_evicts_no_admitted_source_while_another_place_is_left() {
    for admitted in 1..WAYS {
        let mut set = DoorSet::default();
        for who in 1..=admitted {
            admit(&mut set, source(who), 4);
        }
        let mut random = SplitMix(admitted);
        for _ in 0..100_000 {
            knock(&mut set, source(1000 + (random.next() >> 40)), random.next(), 4);
        }
        for who in 1..=admitted {
            assert!(knock(&mut set, source(who), 0, 4), "{who} of {admitted} was evicted");
        }
    }
}

#[cfg(not(miri))]
#[test]
fn where_all_eight_are_admitted_a_flood_evicts_one_and_then_itself() {
    let mut set = DoorSet::default();
    for who in 1..=WAYS {
        admit(&mut set, source(who), 4);
    }
    let mut random = SplitMix(9);
    for _ in 0..10_000 {
        knock(&mut set, source(1000 + (random.next() >> 40)), random.next(), 4);
    }
    // The pair is new to nobody admitted, so this evicts no one.
    let left = (1..=WAYS).filter(|who| knock(&mut set.clone(), source(*who), 0, 4)).count();
    assert_eq!(left, 7);
}

/// Forged sources, one pair each, through as many sets as the kernel has for external sources.
#[cfg(not(miri))]
#[test]
fn false_admissions_are_rarer_than_one_in_100_000() {
    for (need, at_most) in [(4, 0), (2, 10)] {
        let mut sets = vec![DoorSet::default(); SETS];
        let mut random = SplitMix(1);
        let mut admitted = 0_u32;
        for _ in 0..1_000_000 {
            let who = random.next();
            admitted += u32::from(knock(&mut sets[who as usize & (SETS - 1)], who, random.next(), need));
        }
        println!("needing {need} pairs: {admitted} of 1,000,000 forged sources admitted");
        assert!(admitted <= at_most, "{admitted} admitted of 1,000,000 that need {need}");
    }
}

/// Four forged sources a set between any two probes: at ten probes a second, a flood of 650,000 packets a second.
#[cfg(not(miri))]
#[test]
fn a_scanner_is_admitted_in_the_midst_of_a_flood() {
    let mut random = SplitMix(2);
    let mut needed = Vec::new();
    for _ in 0..10 {
        let mut sets = vec![DoorSet::default(); SETS];
        let scanner = random.next();
        let admitted_at = (1..=200).find(|_| {
            for _ in 0..4 * SETS {
                let who = random.next();
                knock(&mut sets[who as usize & (SETS - 1)], who, random.next(), 4);
            }
            knock(&mut sets[scanner as usize & (SETS - 1)], scanner, random.next(), 4)
        });
        needed.push(admitted_at.expect("a scanner of 200 pairs is admitted"));
    }
    println!("admitted in the midst of a flood after {needed:?} pairs");
}

/// After how many pairs, 200 at most, a source that nobody knew is admitted inside, where sources with two pairs each have
/// filled every set, and so many new ones a set, of one pair, come between any two of its own. Sets do not touch each other.
#[cfg(not(miri))]
fn needed_where_all_are_full(newcomers_a_set: u64, trial: u64) -> Option<usize> {
    let mut set = DoorSet::default();
    (1..=WAYS).for_each(|who| admit(&mut set, source(who), 2));
    let mut random = SplitMix(trial);
    (1..=200).find(|_| {
        // Which of the packets fall into this set is chance.
        for _ in 0..2 * newcomers_a_set {
            if random.next() & 1 == 1 {
                knock(&mut set, source(1000 + (random.next() >> 40)), random.next(), 2);
            }
        }
        knock(&mut set, source(999), random.next(), 2)
    })
}

/// 32,768 forged sources inside, of two packets each and some more, fill the doorkeeper: then one place a set is left for
/// all others.
#[cfg(not(miri))]
#[test]
fn where_all_are_full_a_newcomer_needs_two_pairs_between_which_nobody_else_comes() {
    let of = |newcomers| {
        let needed = (0..100).map(|trial| needed_where_all_are_full(newcomers, trial));
        let mut needed: Vec<usize> = needed.map(|needed| needed.unwrap_or(usize::MAX)).collect();
        needed.sort_unstable();
        (needed[50], needed[99])
    };
    let (nobody, one, eight) = (of(0), of(1), of(8));
    println!(
        "pairs needed, median and most: {nobody:?} alone, {one:?} beside one a set, {eight:?} beside eight a set"
    );
    assert!(nobody.1 <= 4, "{nobody:?}");
    assert!(one.0 <= 8 && one.1 <= 100, "{one:?}");
    // One packet a set between two probes, at a probe a second, is 4,096 packets a second.
    assert_eq!(DOOR_SETS_INTERNAL, 4_096);
    assert!(eight.0 > 100, "{eight:?}");
}

proptest! {
    #[test]
    fn nobody_is_admitted_before_the_last_needed_pair(
        knocks in prop::collection::vec((0..12_u64, 0..40_u64), 0..200),
        need in 1..=15_u8,
    ) {
        let mut set = DoorSet::default();
        let mut tried: Vec<HashSet<u64>> = vec![HashSet::new(); 12];
        for (who, pair) in knocks {
            tried[who as usize].insert(pair);
            if knock(&mut set, source(who), pair, need) {
                prop_assert!(tried[who as usize].len() >= usize::from(need));
            }
        }
    }

    #[test]
    fn any_bytes_and_any_knock_are_no_panic(knocks in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u8>()), 0..200)) {
        let mut set = DoorSet::default();
        for (who, pair, need) in knocks {
            knock(&mut set, who, pair, need);
        }
    }
}
