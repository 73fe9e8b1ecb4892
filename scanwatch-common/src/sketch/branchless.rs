//! Comparisons that are arithmetic.
//!
//! The kernel's verifier follows both ways of every branch; eight entries of a cache line, each compared three times,
//! would be millions of ways.

/// 1 for zero, 0 for anything else below 2⁶³.
#[inline(always)]
pub(super) const fn is_zero(value: u64) -> u32 {
    (value.wrapping_sub(1) >> 63) as u32
}

/// 1 where `a < b`, else 0; both below 2⁶³.
#[inline(always)]
pub(super) const fn is_below(a: u64, b: u64) -> u32 {
    (a.wrapping_sub(b) >> 63) as u32
}

/// Place of the lowest of eight bits.
///
/// Not `trailing_zeros`: the compiler would look that up in a table, and the verifier does not know that tables hold no
/// more than 7.
#[inline(always)]
pub(super) const fn lowest(bits: u32) -> usize {
    let bit = bits & bits.wrapping_neg();
    let one = bit >> 1 | bit >> 3 | bit >> 5 | bit >> 7;
    let two = bit >> 2 | bit >> 3 | bit >> 6 | bit >> 7;
    let four = bit >> 4 | bit >> 5 | bit >> 6 | bit >> 7;
    (one & 1 | (two & 1) << 1 | (four & 1) << 2) as usize
}
