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
