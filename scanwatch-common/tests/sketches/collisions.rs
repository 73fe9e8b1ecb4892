//! What an attacker who has read all this, and does not know the key, can make collide.

use proptest::prelude::*;
use scanwatch_common::abi::{Address, DOOR_SETS_INTERNAL, Words, mapped};
use scanwatch_common::sketch::{DoorSet, Hasher, IndexLine, Knock, Seat, Sketch};

/// The key that the attacker knows.
const KNOWN: u64 = 1;
/// Others, any of which may be the real one.
const REAL: std::ops::Range<u64> = 2..10;

/// Addresses that forged packets may bear.
fn addresses() -> impl Iterator<Item = Address> {
    (0_u32..1 << 23).map(|n| mapped((n + (11 << 24)).to_be_bytes()))
}

/// The first `many` addresses whose hashes, under the key that the attacker knows, have these low bits zero.
fn colliding(bits: u64, many: usize) -> Vec<Address> {
    let hasher = Hasher::new(KNOWN);
    let found: Vec<Address> =
        addresses().filter(|address| hasher.endpoint(address).host() & bits == 0).take(many).collect();
    assert_eq!(found.len(), many);
    found
}

#[cfg(not(miri))]
#[test]
fn who_fills_one_set_of_the_doorkeeper_under_one_key_is_spread_over_all_under_another() {
    let mask = DOOR_SETS_INTERNAL as u64 - 1;
    let forged = colliding(mask, 1_024);
    let sets = |hasher: &Hasher| {
        let mut sets = vec![DoorSet::default(); DOOR_SETS_INTERNAL];
        for address in &forged {
            let who = hasher.endpoint(address).host();
            (0..2).for_each(|pair| {
                sets[(who & mask) as usize].knock(who, pair, 2);
            });
        }
        // Of all that are admitted, who is remembered?
        forged
            .iter()
            .filter(|address| {
                let who = hasher.endpoint(address).host();
                matches!(sets[(who & mask) as usize].clone().knock(who, 9, 2), Knock::Admitted)
            })
            .count()
    };
    assert!(sets(&Hasher::new(KNOWN)) <= 8);
    for real in REAL {
        let remembered = sets(&Hasher::new(real));
        assert_eq!(remembered, forged.len(), "under key {real}");
    }
}

#[cfg(not(miri))]
#[test]
fn hosts_that_are_one_to_a_sketch_under_one_key_are_counted_under_another() {
    // Block, register and bit are the same, and the rank is one.
    let hosts = colliding(0xffff | 1 << 63, 60);
    let count = |hasher: &Hasher| {
        let mut sketch = Sketch::EMPTY;
        for host in &hosts {
            sketch.insert(hasher.endpoint(host).host());
        }
        sketch.estimate().count
    };
    let (known, many) = (count(&Hasher::new(KNOWN)), hosts.len() as f64);
    assert!(known < 2.0, "{known} of {many}");
    for real in REAL {
        let counted = count(&Hasher::new(real));
        assert!((counted - many).abs() <= 4.0, "{counted} of {many} under key {real}");
    }
}

#[cfg(not(miri))]
#[test]
fn cells_that_crowd_one_line_of_the_index_under_one_key_find_room_under_another() {
    const CELLS: u32 = 16_384;
    let lines = IndexLine::lines_for(CELLS) as usize;
    // The lowest bit is the neighbour's, so both lines are theirs.
    let sources = colliding(lines as u64 - 2, 512);
    let seated = |hasher: &Hasher| {
        let mut index = vec![IndexLine::default(); lines];
        let seated = sources.iter().zip(0..).filter(|(source, cell)| {
            let hash = hasher.endpoint(source).host();
            [0, 1].into_iter().any(|neighbour| {
                let line = &mut index[(hash ^ neighbour) as usize & (lines - 1)];
                let Seat::Free(way) = line.look(hash) else { return false };
                line.seat(way, hash, *cell);
                true
            })
        });
        seated.count()
    };
    assert_eq!(seated(&Hasher::new(KNOWN)), 16);
    for real in REAL {
        assert_eq!(seated(&Hasher::new(real)), sources.len(), "under key {real}");
    }
}

/// Keys that are tried for each pair of inputs.
const KEYS: u64 = 8_192;
/// With 8 bits, 32 of these keys are expected to make two inputs collide, give or take 5.7; this is six times as far off.
const COLLISIONS_MAX: usize = 66;

fn collisions(alike: impl Fn(&Hasher) -> u64) -> [usize; 2] {
    let mut found = [0; 2];
    for key in 0..KEYS {
        let differ = alike(&Hasher::new(key));
        // The low bits choose a set and a register, the high ones are tag and rank.
        found[0] += usize::from(differ.trailing_zeros() >= 8);
        found[1] += usize::from(differ.leading_zeros() >= 8);
    }
    found
}

fn check(alike: impl Fn(&Hasher) -> u64) -> Result<(), TestCaseError> {
    let found = collisions(alike);
    prop_assert!(found.iter().all(|n| *n <= COLLISIONS_MAX), "{:?} collisions under {} keys", found, KEYS);
    Ok(())
}

/// Differences that mixers without a key in their multiplications let through, and any others.
fn difference() -> impl Strategy<Value = u128> {
    prop_oneof![
        (0..128_u32).prop_map(|bit| 1 << bit),
        (0..128_u32, 0..128_u32).prop_map(|(one, other)| 1 << one | 1 << other),
        // The highest bit of a word survives any multiplication by an odd number; where the next word is added by exclusive
        // or, its own difference takes it away again.
        Just(1 << 127 | 1 << 63 | 1 << 31),
        Just(1 << 63 | 1 << 31),
        any::<u32>().prop_map(u128::from),
        any::<u128>(),
    ]
    .prop_filter("two inputs", |difference| *difference != 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 0 } else { 48 }))]

    #[test]
    fn no_two_addresses_collide_under_more_keys_than_chance(one in any::<u128>(), difference in difference()) {
        let other = one ^ difference;
        check(|hasher| {
            let of = |n: u128| hasher.endpoint(&n.to_be_bytes()).host();
            of(one) ^ of(other)
        })?;
    }

    #[test]
    fn no_two_pairs_collide_under_more_keys_than_chance(
        one in any::<u128>(),
        difference in prop_oneof![Just(0), difference()],
        ports in (any::<u16>(), any::<u16>()),
    ) {
        prop_assume!(difference != 0 || ports.0 != ports.1);
        let other = one ^ difference;
        check(|hasher| {
            let of = |n: u128, port| hasher.endpoint(&n.to_be_bytes()).pair(hasher, port);
            of(one, ports.0) ^ of(other, ports.1)
        })?;
    }

    #[test]
    fn no_two_keys_of_cells_collide_under_more_keys_than_chance(
        one in any::<u128>(),
        address in prop_oneof![Just(0), difference()],
        words in (any::<u64>(), any::<u64>()),
    ) {
        prop_assume!(address != 0 || words.0 != words.1);
        let other = one ^ address;
        check(|hasher| {
            let of = |n: u128, word| hasher.endpoint(&n.to_be_bytes()).with(hasher, word);
            of(one, words.0) ^ of(other, words.1)
        })?;
    }

    #[test]
    fn no_two_flows_collide_under_more_keys_than_chance(
        (from, to) in (any::<u64>(), any::<u64>()),
        difference in difference(),
        port in any::<u16>(),
    ) {
        let of = |hasher: &Hasher, high: u64, low: u64| {
            let words = Words { high, low };
            hasher.endpoint_of(words).pair(hasher, port)
        };
        let (high, low) = ((difference >> 64) as u64, difference as u64);
        check(|hasher| {
            let here = of(hasher, from, to);
            let flow = |other: u64| here.wrapping_add(other);
            flow(of(hasher, to, from)) ^ flow(of(hasher, to ^ high, from ^ low))
        })?;
    }
}
