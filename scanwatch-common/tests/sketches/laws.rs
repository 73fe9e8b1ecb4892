//! What merging and inserting must obey for epochs, CPUs and sensors to be added up in any order.

use crate::inputs::Walk;
use proptest::prelude::*;
use scanwatch_common::sketch::Sketch;

fn sketch(hashes: &[u64]) -> Sketch {
    let mut sketch = Sketch::EMPTY;
    for hash in hashes {
        sketch.insert(*hash);
    }
    sketch
}

fn merged(a: &Sketch, b: &Sketch) -> Sketch {
    let mut both = *a;
    both.merge(b);
    both
}

/// Few to many elements, with leading zeros more often than chance has them.
fn hashes() -> impl Strategy<Value = Vec<u64>> {
    let hash = (any::<u64>(), 0..64_u32)
        .prop_map(|(hash, zeros)| if zeros > 40 { hash >> (zeros - 40) } else { hash });
    prop::collection::vec(hash, 0..600)
}

/// The sketch by its definition: no shortcut, any number of leading zeros.
fn defined(hashes: &[u64]) -> Sketch {
    let mut sketch = Sketch::EMPTY;
    for hash in hashes {
        let block = &mut sketch.blocks[(hash & 7) as usize];
        let register = &mut block.registers[(hash >> 3 & 31) as usize];
        *register = (*register).max((hash >> 16).leading_zeros() as u8 - 16 + 1);
        block.bitmap[(hash >> 8 & 31) as usize] |= 1 << (hash >> 13 & 7);
    }
    sketch
}

proptest! {
    #[test]
    fn a_sketch_is_what_its_definition_says(
        // Four registers, so that elements of every rank meet.
        elements in prop::collection::vec((any::<u64>(), 0..=48_u32, 0..4_u64), 0..200),
    ) {
        let hashes: Vec<u64> = elements
            .iter()
            .map(|(hash, zeros, low)| hash.checked_shr(16 + zeros).unwrap_or(0) << 16 | low << 3)
            .collect();
        prop_assert_eq!(sketch(&hashes), defined(&hashes));
    }

    #[test]
    fn merging_is_commutative(a in hashes(), b in hashes()) {
        let (a, b) = (sketch(&a), sketch(&b));
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
    }

    #[test]
    fn merging_is_associative(a in hashes(), b in hashes(), c in hashes()) {
        let (a, b, c) = (sketch(&a), sketch(&b), sketch(&c));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn merging_is_idempotent(a in hashes(), b in hashes()) {
        let (a, b) = (sketch(&a), sketch(&b));
        prop_assert_eq!(merged(&a, &a), a);
        prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
    }

    #[test]
    fn nothing_merged_in_is_nothing(a in hashes()) {
        let a = sketch(&a);
        prop_assert_eq!(merged(&a, &Sketch::EMPTY), a);
        prop_assert_eq!(merged(&Sketch::EMPTY, &a), a);
    }

    #[test]
    fn a_merger_is_the_sketch_of_all_elements(a in hashes(), b in hashes()) {
        prop_assert_eq!(merged(&sketch(&a), &sketch(&b)), sketch(&[a, b].concat()));
    }

    #[test]
    fn the_order_of_elements_does_not_matter(a in hashes()) {
        let backwards: Vec<u64> = a.iter().rev().copied().collect();
        prop_assert_eq!(sketch(&a), sketch(&backwards));
    }

    #[test]
    fn insert_says_whether_it_wrote(a in hashes()) {
        let mut sketch = Sketch::EMPTY;
        for hash in a {
            let before = sketch;
            prop_assert_eq!(sketch.insert(hash), sketch != before);
            prop_assert!(!sketch.insert(hash));
        }
    }

    #[test]
    fn an_insert_writes_to_one_block_alone(a in hashes(), hash: u64) {
        let before = sketch(&a);
        let mut after = before;
        after.insert(hash);
        let changed = before.blocks.iter().zip(&after.blocks).filter(|(b, a)| b != a).count();
        prop_assert!(changed <= 1);
    }

    #[test]
    fn counts_never_fall_while_the_bitmap_counts(a in hashes(), b in hashes()) {
        let (a, both) = (sketch(&a), merged(&sketch(&a), &sketch(&b)));
        prop_assert!(both.estimate().count >= a.estimate().count);
    }

    #[test]
    fn only_the_empty_sketch_is_empty(a in hashes()) {
        prop_assert_eq!(sketch(&a).is_empty(), a.is_empty());
    }

    #[test]
    fn any_bytes_give_a_number(registers: u8, bits: u8) {
        // As a map of another version would leave them.
        let mut sketch = Sketch::EMPTY;
        for block in &mut sketch.blocks {
            block.registers = [registers; 32];
            block.bitmap = [bits; 32];
        }
        let estimate = sketch.estimate();
        prop_assert!(estimate.count.is_finite() && estimate.count >= 0.0);
        prop_assert!(estimate.relative_error.is_finite() && estimate.relative_error >= 0.0);
    }
}

#[cfg(not(miri))]
#[test]
fn the_elements_that_changed_a_sketch_make_the_same_sketch() {
    for walk in Walk::ALL {
        let mut whole = Sketch::EMPTY;
        let novel: Vec<u64> = walk.hashes(1).filter(|hash| whole.insert(*hash)).collect();
        assert!(novel.len() < 4_000, "{} novelties of 65,536", novel.len());
        assert_eq!(sketch(&novel), whole, "{walk:?}");
    }
}
