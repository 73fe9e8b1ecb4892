//! Who tries a port: laws, errors, and the ends of what half a cache line can say.

use crate::inputs::Walk;
use proptest::prelude::*;
use scanwatch_common::ports::{PortKey, Ports};
use scanwatch_common::sketch::PortSketch;

const TRIALS: u64 = 1_000;

fn sketch(contacts: &[(u64, u64)]) -> PortSketch {
    let mut sketch = PortSketch::EMPTY;
    for (source, host) in contacts {
        sketch.insert(*source, *host);
    }
    sketch
}

fn merged(a: &PortSketch, b: &PortSketch) -> PortSketch {
    let mut both = *a;
    both.merge(b);
    both
}

/// Few to many contacts, with leading zeros more often than chance has them; the last hash is a source that is answered.
fn contacts() -> impl Strategy<Value = PortSketch> {
    let hash = (any::<u64>(), 0..40_u32).prop_map(|(hash, zeros)| hash & (u64::MAX >> zeros));
    let contacts = prop::collection::vec((hash, any::<u64>()), 0..200);
    (contacts, prop::collection::vec(any::<u64>(), 0..40)).prop_map(|(contacts, guests)| {
        let mut sketch = sketch(&contacts);
        for guest in guests {
            sketch.answer(guest);
        }
        sketch
    })
}

proptest! {
    #[test]
    fn merging_is_commutative_associative_and_idempotent(a in contacts(), b in contacts(), c in contacts()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
        prop_assert_eq!(merged(&a, &PortSketch::EMPTY), a);
    }

    #[test]
    fn a_merger_is_the_sketch_of_all_contacts(
        a in prop::collection::vec((any::<u64>(), any::<u64>()), 0..200),
        b in prop::collection::vec((any::<u64>(), any::<u64>()), 0..200),
    ) {
        prop_assert_eq!(merged(&sketch(&a), &sketch(&b)), sketch(&[a, b].concat()));
    }

    #[test]
    fn insert_says_whether_it_wrote_and_is_news_says_it_before(before in contacts(), source: u64, host: u64) {
        let mut after = before;
        let news = before.is_news(source, host);
        prop_assert_eq!(after.insert(source, host), news);
        prop_assert_eq!(after != before, news);
        prop_assert!(!after.is_news(source, host));
        prop_assert!(!after.is_empty());
    }

    #[test]
    fn a_guest_is_new_until_it_was_answered_and_is_no_source(before in contacts(), guest: u64) {
        let mut after = before;
        after.answer(guest);
        prop_assert!(!after.is_new_guest(guest));
        prop_assert_eq!(after != before, before.is_new_guest(guest));
        prop_assert_eq!(after.sources(), before.sources());
        prop_assert_eq!(after.guests().answered(), after.answered());
        prop_assert_eq!(after.guests().sources().rounded(), 0);
    }

    #[test]
    fn estimates_are_numbers_whatever_was_added(any in contacts()) {
        for estimate in [any.sources(), any.hosts(), any.answered()] {
            prop_assert!(estimate.count.is_finite() && estimate.count >= 0.0);
            prop_assert!(estimate.relative_error.is_finite() && estimate.relative_error >= 0.0);
        }
    }

    #[test]
    fn a_port_is_found_again_by_its_place(udp: bool, port: u16) {
        let key = PortKey { transport: if udp { Ports::Udp } else { Ports::Tcp }, port };
        prop_assert_eq!(PortKey::at(key.page(), key.place()), key);
    }
}

/// Root of the mean square of the errors, as a share, and their mean.
fn errors(walk: Walk, size: usize) -> (f64, f64, f64) {
    let (mut squares, mut sum, mut claimed) = (0.0, 0.0, 0.0);
    for trial in 0..TRIALS {
        let contacts: Vec<(u64, u64)> = walk.hashes(trial).take(size).map(|source| (source, 1)).collect();
        let estimate = sketch(&contacts).sources();
        let error = estimate.count / size as f64 - 1.0;
        squares += error * error;
        sum += error;
        claimed += estimate.relative_error;
    }
    let trials = TRIALS as f64;
    ((squares / trials).sqrt(), sum / trials, claimed / trials)
}

#[cfg(not(miri))]
#[test]
fn sources_are_counted_within_16_of_100_at_any_size_and_the_error_is_told() {
    println!("{:>6} {:>9} {:>9} {:>9}", "n", "error", "bias", "claimed");
    for walk in [Walk::Hosts, Walk::Networks, Walk::Random] {
        for size in [1, 5, 10, 20, 50, 80, 100, 120, 200, 500, 2_000, 20_000] {
            let (error, bias, claimed) = errors(walk, size);
            println!(
                "{size:>6} {:>8.1}% {:>8.1}% {:>8.1}% {walk:?}",
                error * 100.0,
                bias * 100.0,
                claimed * 100.0
            );
            assert!(error <= 0.165, "{size} of {walk:?}: {error:.3}");
            assert!(bias.abs() <= 0.04, "{size} of {walk:?}: bias {bias:.3}");
            assert!(error <= 1.4 * claimed + 0.01, "{size} of {walk:?}: {error:.3}, claimed {claimed:.3}");
        }
    }
}

#[test]
fn beyond_what_registers_say_the_count_is_low_and_not_nothing() {
    let mut sketch = PortSketch::EMPTY;
    assert_eq!(sketch.sources().rounded(), 0);
    // All zero but for the register: as high a rank as there is.
    for register in 0..48_u64 {
        sketch.insert((register * (1 << 32)).div_ceil(48), register);
    }
    let most = sketch.sources().count;
    assert!((400_000.0..2_000_000.0).contains(&most), "{most}");
    assert!(!sketch.is_news(0, 0), "saturated registers are written no more");
}

#[test]
fn hosts_are_told_apart_one_from_several_from_many() {
    let hosts = |count: usize| -> f64 {
        let contacts: Vec<(u64, u64)> = Walk::Hosts.hashes(3).take(count).map(|host| (1, host)).collect();
        let sketch = sketch(&contacts);
        assert_eq!(sketch.sources().rounded(), 1);
        sketch.hosts().count
    };
    assert!((hosts(1) - 1.0).abs() < 0.01);
    assert!((hosts(4) - 4.0).abs() < 1.5);
    assert!((14.0..28.0).contains(&hosts(20)));
    assert!((90.0..110.0).contains(&hosts(5_000)), "the most it can say");
}
