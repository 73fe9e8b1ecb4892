//! From a sketch to a number, and how far off that number may be.

use super::distinct::{BITS, M, RANK_MAX, Sketch};

/// Counts between which linear counting, whose error grows from 2.5 % to 6.2 % here, gives way to the registers.
const GIVES_WAY: [f64; 2] = [5_000.0, 11_000.0];

/// Standard error of the registers, 1.04/√256.
const REGISTERS_ERROR: f64 = 1.04 / 16.0;

/// 1/(2 ln 2), the constant of Ertl's estimator. With few registers its bias of 1.079/m shows (Flajolet et al., 2007,
/// figure 3).
const ALPHA: f64 = 0.721_347_520_444_481_7;

const COUPONS: [f64; BITS] = coupons();

/// Expected elements until `v` of all `M` bits are set, the coupon collector's m(H(m) − H(m − v)): linear counting's
/// −m ln(1 − v/m) without a logarithm, which `core` lacks.
pub(super) const fn coupons<const M: usize>() -> [f64; M] {
    let mut table = [0.0; M];
    let mut set = 1;
    while set < M {
        table[set] = table[set - 1] + M as f64 / (M - set + 1) as f64;
        set += 1;
    }
    table
}

/// A distinct count read from a sketch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Distinct elements.
    pub count: f64,
    /// Standard error as a share of `count`.
    pub relative_error: f64,
}

impl Estimate {
    /// The count as a whole number.
    #[must_use]
    pub fn rounded(&self) -> u64 {
        // Counts are finite and not negative, and the cast saturates.
        #[allow(clippy::cast_sign_loss)]
        let whole = (self.count + 0.5) as u64;
        whole
    }

    /// What linear counting says that has `set` of `bits` set.
    pub(super) fn linear(count: f64, set: usize, bits: usize) -> Self {
        Self { count, relative_error: linear_error(count, set, bits) }
    }
}

impl Sketch {
    /// Distinct elements added.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let set: u32 = self.blocks.iter().flat_map(|b| b.bitmap).map(u8::count_ones).sum();
        let Some(&linear) = COUPONS.get(set as usize) else {
            return Estimate { count: self.hyperloglog(), relative_error: REGISTERS_ERROR };
        };
        let linear_error = linear_error(linear, set as usize, BITS);
        // By degrees: a change at some number of bits would prefer bitmaps that are emptier than they should be, a
        // bias of 1.6 %.
        let [from, to] = GIVES_WAY;
        let share = ((linear - from) / (to - from)).clamp(0.0, 1.0);
        if share == 0.0 {
            return Estimate { count: linear, relative_error: linear_error };
        }
        let (a, b) = ((1.0 - share) * linear_error, share * REGISTERS_ERROR);
        Estimate {
            count: (1.0 - share) * linear + share * self.hyperloglog(),
            relative_error: square_root(a * a + b * b),
        }
    }

    fn hyperloglog(&self) -> f64 {
        let mut histogram = [0u32; RANK_MAX as usize + 1];
        for register in self.blocks.iter().flat_map(|b| b.registers) {
            histogram[usize::from(register.min(RANK_MAX))] += 1;
        }
        raw(&histogram, M)
    }
}

/// Ertl's improved raw estimator (arXiv:1702.01284, algorithm 6), for all sizes without tables: how many of `m` registers
/// have each rank.
pub(super) fn raw(histogram: &[u32], m: usize) -> f64 {
    let registers = m as f64;
    // τ of the saturated registers is left out: so many elements are out of reach.
    let mut z = 0.0;
    for count in histogram[1..].iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += registers * sigma(f64::from(histogram[0]) / registers);
    ALPHA / (1.0 + 1.079 / registers) * registers * registers / z
}

/// σ(x) = x + Σ x^(2^k) 2^(k−1), the correction for registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    let mut y = 1.0;
    let mut z = x;
    // x < 1 here, for the bitmap is nearly full; 64 squarings leave nothing of it.
    for _ in 0..64 {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            break;
        }
    }
    z
}

/// √(m(eᵗ − t − 1))/n with t = n/m; eᵗ is m/(m − v) (Whang et al., 1990, theorem 2).
fn linear_error(count: f64, set: usize, bits: usize) -> f64 {
    if set == 0 {
        return 0.0;
    }
    let m = bits as f64;
    let variance = m * (m / (bits - set) as f64 - count / m - 1.0);
    square_root(variance.max(0.0)) / count
}

/// Newton's iteration; `core` has no square root.
fn square_root(x: f64) -> f64 {
    let mut root = x.max(1.0);
    for _ in 0..40 {
        root = 0.5 * (root + x / root);
    }
    root
}
