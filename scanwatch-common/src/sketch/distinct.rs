//! Distinct counting: HyperLogLog for the large, a bitmap for the small, one cache line a write.
//!
//! HyperLogLog (Flajolet et al., 2007) with 256 registers has a standard error of 1.04/√256 = 6.5 % at any size,
//! but verdicts fall between 10 and 1,000, where that is too coarse: at 32 two elements share a register twice, and
//! the count is off by more than 2 in one trial out of eight. So 2,048 bits of linear counting (Whang et al., 1990)
//! stand beside the registers. With n elements in m bits, t = n/m, the standard error is √(m(eᵗ − t − 1))/n:
//! 1.6 % up to 500, 1.9 % at 2,000, 2.5 % at 5,000. From there on it gives way to the registers, 3.7 % at 8,000, which
//! count alone from 11,000 on.
//!
//! Both parts of an element fall into one [`Block`] of 64 bytes, chosen by three bits of its hash, so an update
//! touches one cache line, as plain HyperLogLog would. The registers alone are those of an HLL with lgK = 8: rank is
//! the number of leading zeros plus one, the order of the registers is block-major.
//!
//! Merging is register maximum and bitwise or: commutative, associative, idempotent.

use super::branchless::is_zero;

/// Blocks of a sketch.
const BLOCKS: usize = 8;
/// Registers of a block.
const REGISTERS: usize = 32;
/// Bytes of bitmap of a block.
const BITMAP: usize = 32;
/// Registers of a sketch.
pub(super) const M: usize = BLOCKS * REGISTERS;
/// Bits of a sketch's bitmap.
pub(super) const BITS: usize = BLOCKS * BITMAP * 8;
/// Bits of the hash that choose block (3), register (5) and bit (8).
const INDEX_BITS: u32 = 16;
/// Highest rank: all other bits of the hash zero.
pub(super) const RANK_MAX: u8 = (64 - INDEX_BITS + 1) as u8;
/// One cache line of a sketch.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Highest rank seen by each register.
    pub registers: [u8; REGISTERS],
    /// Bits of linear counting.
    pub bitmap: [u8; BITMAP],
}

/// A mergeable count of distinct elements in 512 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// The sketch's cache lines.
    pub blocks: [Block; BLOCKS],
}

impl Default for Sketch {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Sketch {
    /// A sketch that has seen nothing; all its bytes are zero.
    pub const EMPTY: Self =
        Self { blocks: [Block { registers: [0; REGISTERS], bitmap: [0; BITMAP] }; BLOCKS] };

    /// Adds an element by its hash. True where the sketch changed: only then was anything written.
    #[inline(always)]
    pub fn insert(&mut self, hash: u64) -> bool {
        let block = &mut self.blocks[(hash & 7) as usize];
        let register = &mut block.registers[((hash >> 3) & 31) as usize];
        let byte = &mut block.bitmap[((hash >> 8) & 31) as usize];
        let bit = 1u8 << ((hash >> 13) & 7);
        // rank > register, told without counting zeros: as many leading bits as the register says are zero. A register
        // never says more than RANK_MAX, and the low bits of what is ranked are ones.
        let ranked = hash | ((1 << INDEX_BITS) - 1);
        let leading = (ranked >> 1).wrapping_shr(63u32.wrapping_sub(u32::from(*register)));
        let (unset, raised) = (is_zero(u64::from(*byte & bit)), is_zero(leading));
        // Before the branches, or the kernel's verifier would follow what came of each of them.
        let novel = unset | raised;
        if unset != 0 {
            *byte |= bit;
        }
        if raised != 0 {
            *register = ranked.leading_zeros() as u8 + 1;
        }
        novel != 0
    }

    /// Adds all elements of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.blocks.iter_mut().zip(&other.blocks) {
            for (a, b) in mine.registers.iter_mut().zip(theirs.registers) {
                *a = (*a).max(b);
            }
            for (a, b) in mine.bitmap.iter_mut().zip(theirs.bitmap) {
                *a |= b;
            }
        }
    }

    /// True where nothing was ever added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.iter().all(|b| b.bitmap.iter().all(|byte| *byte == 0))
    }
}
