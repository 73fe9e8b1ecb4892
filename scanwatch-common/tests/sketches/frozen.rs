//! Stored bytes keep their meaning: these values change only together with `abi::VERSION`.

use crate::inputs::Walk;
use scanwatch_common::abi::{Settings, VERSION, mapped, port_bucket};
use scanwatch_common::sketch::{Hasher, Sketch};

#[test]
fn hashes_are_those_of_version_6() {
    let hasher = Hasher::new(Settings::SEED);
    let server = hasher.endpoint(&mapped([10, 0, 1, 7]));
    let v6 = hasher.endpoint(&0x2001_0db8_0000_0000_0000_0000_0000_0001_u128.to_be_bytes());
    assert_eq!(VERSION, 6);
    assert_eq!(
        [
            server.host(),
            server.pair(&hasher, 0),
            server.pair(&hasher, 445),
            v6.host(),
            v6.pair(&hasher, 445),
            hasher.port(445)
        ],
        [
            16_333_503_686_471_739_335,
            17_046_079_528_699_483_547,
            2_828_349_978_154_285_587,
            1_488_253_992_908_036_866,
            12_389_278_032_214_762_457,
            7_198_752_851_358_083_217,
        ],
    );
}

#[test]
fn a_sketch_is_as_in_version_6() {
    let mut sketch = Sketch::EMPTY;
    for hash in Walk::Hosts.hashes(7).take(1000) {
        sketch.insert(hash);
    }
    let mut sum = 0_u64;
    for byte in sketch.blocks.iter().flat_map(|block| block.registers.iter().chain(&block.bitmap)) {
        sum = sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
    }
    assert_eq!(sum, 13_473_521_545_935_976_452);
}

/// DataSketches' HLL_8 keeps in each register the number of leading zeros plus one, which is told here bit by bit.
#[test]
fn a_register_is_one_more_than_the_leading_zeros_of_its_highest_element() {
    for zeros in 0..=48_u32 {
        let hash = if zeros == 48 { 0 } else { 1_u64 << (63 - zeros) };
        for low in [0, 0x1234, 0xffff] {
            let hash = hash | low;
            let mut sketch = Sketch::EMPTY;
            assert!(sketch.insert(hash));
            let block = &sketch.blocks[(low & 7) as usize];
            assert_eq!(u32::from(block.registers[(low >> 3 & 31) as usize]), zeros + 1);
            assert_eq!(block.bitmap[(low >> 8 & 31) as usize], 1 << (low >> 13 & 7));
        }
    }
}

#[test]
fn slices_of_unnamed_ports_are_equally_wide() {
    let mut widths = [0; 16];
    for port in 0..=65_535 {
        widths[usize::from(port_bucket(port))] += 1;
    }
    assert!(widths.iter().all(|width| *width == 4096), "{widths:?}");
}

#[cfg(not(miri))]
#[test]
fn hashes_of_neighbours_differ_in_half_of_their_bits() {
    let hasher = Hasher::new(Settings::SEED);
    let pairs: Vec<u64> = Walk::Hosts.hashes(3).chain(Walk::Ports.hashes(3)).collect();
    let mut flips = [0_u32; 64];
    for window in pairs.windows(2) {
        for (bit, flips) in flips.iter_mut().enumerate() {
            *flips += ((window[0] ^ window[1]) >> bit & 1) as u32;
        }
    }
    let expected = pairs.len() as f64 / 2.0;
    for (bit, flips) in flips.iter().enumerate() {
        let share = f64::from(*flips) / expected;
        assert!((0.98..1.02).contains(&share), "bit {bit} flips {share:.3} times as often as it should");
    }
    assert_ne!(hasher.port(0), hasher.port(1));
}

#[test]
fn other_seeds_give_other_hashes() {
    let of = |seed| {
        let hasher = Hasher::new(seed);
        hasher.endpoint(&mapped([10, 0, 1, 7])).pair(&hasher, 445)
    };
    assert_ne!(of(1), of(2));
    assert_ne!(of(Settings::SEED), of(Settings::SEED + 1));
}
