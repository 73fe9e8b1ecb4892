//! How far off the counts are. `cargo test -p scanwatch-common --test sketches error -- --nocapture` prints the tables.

use crate::inputs::Walk;
use scanwatch_common::abi::{Settings, mapped};
use scanwatch_common::sketch::{Estimate, Hasher, Sketch};

const SMALL_TRIALS: u64 = 3_000;
const LARGE_TRIALS: u64 = 1_000;
/// Dense where the registers come in beside the bitmap.
const LARGE: [usize; 13] =
    [500, 1_000, 2_000, 4_000, 6_000, 8_000, 9_500, 10_000, 11_000, 12_000, 16_000, 40_000, 65_535];

/// Errors of many trials at one size, as shares of that size.
#[derive(Clone, Copy, Default)]
struct Errors {
    sum: f64,
    squares: f64,
    claimed: f64,
    trials: f64,
}

impl Errors {
    fn add(&mut self, estimate: Estimate, size: usize) {
        let error = estimate.count / size as f64 - 1.0;
        self.sum += error;
        self.squares += error * error;
        self.claimed += estimate.relative_error;
        self.trials += 1.0;
    }

    fn bias(&self) -> f64 {
        self.sum / self.trials
    }

    /// Root of the mean square: what bias and scatter make together.
    fn standard(&self) -> f64 {
        (self.squares / self.trials).sqrt()
    }

    fn claimed(&self) -> f64 {
        self.claimed / self.trials
    }
}

#[test]
fn up_to_32_elements_are_off_by_more_than_2_in_less_than_1_of_100_trials_each() {
    println!("{:>3} {:>9} {:>9} {:>9} {:>9} {:>9}", "n", "hosts", "ports", "networks", "block", "random");
    let mut off = [[0_u32; 5]; 33];
    for (column, walk) in Walk::ALL.into_iter().enumerate() {
        for trial in 0..SMALL_TRIALS {
            let mut sketch = Sketch::EMPTY;
            assert_eq!(sketch.estimate().rounded(), 0);
            for (hash, size) in walk.hashes(trial).zip(1..=32_u64) {
                sketch.insert(hash);
                let far = sketch.estimate().rounded().abs_diff(size) > 2;
                off[size as usize][column] += u32::from(far);
            }
        }
    }
    for (size, columns) in off.iter().enumerate().skip(1) {
        print!("{size:>3}");
        for count in columns {
            print!(" {:>8.2}%", f64::from(*count) * 100.0 / SMALL_TRIALS as f64);
        }
        println!();
    }
    for (size, columns) in off.iter().enumerate() {
        for (walk, count) in Walk::ALL.iter().zip(columns) {
            assert!(
                u64::from(*count) * 100 < SMALL_TRIALS,
                "{size} of {walk:?}: off in {count} of {SMALL_TRIALS}"
            );
        }
    }
}

fn measure(walk: Walk) -> [Errors; LARGE.len()] {
    let mut errors = [Errors::default(); LARGE.len()];
    for trial in 0..LARGE_TRIALS {
        let mut sketch = Sketch::EMPTY;
        let mut hashes = walk.hashes(trial);
        let mut inserted = 0;
        for (errors, size) in errors.iter_mut().zip(LARGE) {
            for hash in hashes.by_ref().take(size - inserted) {
                sketch.insert(hash);
            }
            inserted = size;
            errors.add(sketch.estimate(), size);
        }
    }
    errors
}

/// Measures one walk, prints its table, and holds it to what is promised.
fn check(walk: Walk) {
    let errors = measure(walk);
    let lines: Vec<String> = LARGE
        .iter()
        .zip(&errors)
        .map(|(size, e)| {
            let [bias, standard, claimed] = [e.bias(), e.standard(), e.claimed()].map(|share| share * 100.0);
            format!("{size:>6} {bias:>+8.2}% {standard:>8.2}% {claimed:>8.2}%")
        })
        .collect();
    println!("{walk:?}\n{:>6} {:>9} {:>9} {:>9}\n{}", "n", "bias", "error", "claimed", lines.join("\n"));
    for (size, e) in LARGE.iter().zip(errors) {
        assert!(e.standard() <= 0.07, "{size} of {walk:?}: standard error {:.4}", e.standard());
        assert!(e.bias().abs() <= 0.015, "{size} of {walk:?}: bias {:.4}", e.bias());
        let honesty = e.standard() / e.claimed();
        assert!(
            (1.0 / 1.5..=1.5).contains(&honesty),
            "{size} of {walk:?}: {honesty:.2} times what was claimed"
        );
    }
}

#[test]
fn addresses_in_order_are_counted_within_7_of_100() {
    check(Walk::Hosts);
}

#[test]
fn ports_in_order_are_counted_within_7_of_100() {
    check(Walk::Ports);
}

#[test]
fn networks_in_order_are_counted_within_7_of_100() {
    check(Walk::Networks);
}

#[test]
fn a_block_of_hosts_and_ports_is_counted_within_7_of_100() {
    check(Walk::Block);
}

#[test]
fn random_pairs_are_counted_within_7_of_100() {
    check(Walk::Random);
}

#[test]
fn the_error_of_nothing_is_nothing_and_small_counts_are_almost_exact() {
    assert_eq!(Sketch::EMPTY.estimate(), Estimate { count: 0.0, relative_error: 0.0 });
    let mut sketch = Sketch::EMPTY;
    sketch.insert(0x0123_4567_89ab_cdef);
    assert!((sketch.estimate().count - 1.0).abs() < 1e-9);
    assert!(sketch.estimate().relative_error < 0.03);
}

/// Ports by themselves leave no room for chance: their hashes are fixed by the seed.
#[test]
fn the_ports_of_common_scans_are_counted_right() {
    let hasher = Hasher::new(Settings::SEED);
    for (last, off_max) in [(100, 3.0), (1_000, 30.0), (1_024, 30.0), (10_000, 700.0), (65_535, 4_500.0)] {
        let mut sketch = Sketch::EMPTY;
        for port in 1..=last {
            sketch.insert(hasher.port(port));
        }
        let count = sketch.estimate().count;
        println!("ports 1 to {last}: {count:.0}");
        assert!((count - f64::from(last)).abs() <= off_max, "ports 1 to {last} are counted as {count:.0}");
    }
}

/// The hash of the element of this number in a row.
type Row = fn(&Hasher, u32) -> u64;

fn host(hasher: &Hasher, number: u32) -> u64 {
    hasher.endpoint(&mapped(0x0a02_0000_u32.wrapping_add(number).to_be_bytes())).host()
}

/// What watches draws its key at random: what holds under the key of the other tests must hold under any.
#[test]
fn rows_are_counted_as_well_as_chance_would_whatever_the_key() {
    const KEYS: u64 = 5_000;
    let rows: [(&str, Row); 3] = [
        ("hosts", host),
        ("every 256th host", |hasher, number| host(hasher, number << 8)),
        ("ports", |hasher, number| hasher.port(number as u16)),
    ];
    for (name, hash) in rows {
        for size in [20, 40, 256, 1_000] {
            let mut errors = Errors::default();
            let mut worst = 0.0_f64;
            for key in 0..KEYS {
                let hasher = Hasher::new(key);
                let mut sketch = Sketch::EMPTY;
                for number in 1..=size {
                    sketch.insert(hash(&hasher, number));
                }
                let estimate = sketch.estimate();
                errors.add(estimate, size as usize);
                worst = worst.max((estimate.count - f64::from(size)).abs());
            }
            let (standard, claimed) = (errors.standard(), errors.claimed());
            println!(
                "{name}, {size}: {standard:.4}, claimed {claimed:.4}, bias {:+.4}, worst {worst:.1}",
                errors.bias()
            );
            assert!(standard < 1.1 * claimed, "{name}, {size}: {standard:.4}, claimed {claimed:.4}");
            // Of a few, chance has two or three more in one place than five standard errors say.
            assert!(worst < 5.0 * claimed * f64::from(size) + 2.0, "{name}, {size}: {worst:.1} off");
        }
    }
}
