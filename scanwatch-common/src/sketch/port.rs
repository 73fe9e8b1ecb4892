//! Who tries a port, in half a cache line.
//!
//! Distinct sources are counted by HyperLogLog (Flajolet et al., 2007) with 48 registers of four bits: a standard error of
//! 1.04/√48 = 15 % where they count alone. Up to two for each register it is the empty registers that count (Whang
//! et al., 1990), with an error of 10 % at 10 sources and 11 % at 50: numbers that differ by a factor are told apart at
//! any size. Four bits end at rank 15: beyond half a million sources an epoch the count is low. A register is chosen by the
//! lower half of the hash, and ranks what stands at its top.
//!
//! Two bitmaps of 32 bits stand beside the registers: hosts that were tried, and sources that were answered. They tell
//! one from several and from many: with n in 32 bits the error is 10 % at 5 and 13 % at 50, and 98 is the most they say.
//!
//! Merging is register maximum and bitwise or: commutative, associative, idempotent. Two registers share a byte, so of two
//! processors that raise both at the same moment one may lose what it saw.

use super::branchless::is_zero;
use super::estimate::{Estimate, coupons, raw};

/// Registers of sources.
const REGISTERS: usize = 48;
/// Bits of each bitmap.
const BITS: usize = 32;
/// Highest rank.
const RANK_MAX: usize = 15;
/// Standard error of the registers, 1.04/√48.
const REGISTERS_ERROR: f64 = 0.150_111;
/// Empty registers from which on they count: with fewer, their number errs more than the ranks do.
const EMPTY_MIN: usize = 6;

/// Elements by the number of registers that are not empty.
const BY_REGISTERS: [f64; REGISTERS] = coupons();
/// Elements by the number of bits that are set.
const BY_BITS: [f64; BITS] = coupons();

/// Distinct sources of probes of one port, with the hosts they tried and the sources that were answered.
#[repr(C, align(32))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSketch {
    registers: [u8; REGISTERS / 2],
    hosts: [u8; BITS / 8],
    answered: [u8; BITS / 8],
}

const _: () = assert!(size_of::<PortSketch>() == 32);

impl Default for PortSketch {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PortSketch {
    /// A sketch that has seen nothing; all its bytes are zero.
    pub const EMPTY: Self =
        Self { registers: [0; REGISTERS / 2], hosts: [0; BITS / 8], answered: [0; BITS / 8] };

    /// The most that the bitmaps of hosts and of answered sources can say.
    pub const BITMAP_MOST: f64 = BY_BITS[BITS - 1];

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (registers, bitmaps) = bytes.split_at_mut(REGISTERS / 2);
        let (hosts, answered) = bitmaps.split_at_mut(BITS / 8);
        registers.copy_from_slice(&self.registers);
        hosts.copy_from_slice(&self.hosts);
        answered.copy_from_slice(&self.answered);
        bytes
    }

    /// The sketch of these bytes; any bytes are one.
    #[must_use]
    pub fn of(bytes: [u8; 32]) -> Self {
        let mut sketch = Self::EMPTY;
        let (registers, bitmaps) = bytes.split_at(REGISTERS / 2);
        let (hosts, answered) = bitmaps.split_at(BITS / 8);
        sketch.registers.copy_from_slice(registers);
        sketch.hosts.copy_from_slice(hosts);
        sketch.answered.copy_from_slice(answered);
        sketch
    }

    /// True where [`Self::insert`] would write.
    #[inline(always)]
    #[must_use]
    pub fn is_news(&self, source: u64, host: u64) -> bool {
        let (at, shift) = register_of(source);
        let Some(pair) = self.registers.get(at) else { return false };
        let (byte, bit) = place_of(host);
        (is_raised(source, pair >> shift & 15) | is_zero(u64::from(self.hosts[byte] & bit))) != 0
    }

    /// Adds a source that tries a host, by the hashes of both. True where the sketch changed: only then was anything
    /// written.
    #[inline(always)]
    pub fn insert(&mut self, source: u64, host: u64) -> bool {
        let (at, shift) = register_of(source);
        let Some(pair) = self.registers.get_mut(at) else { return false };
        let raised = is_raised(source, *pair >> shift & 15);
        let (byte, bit) = place_of(host);
        let byte = &mut self.hosts[byte];
        let unset = is_zero(u64::from(*byte & bit));
        // Before the branches, or the kernel's verifier would follow what came of each of them.
        let novel = raised | unset;
        if raised != 0 {
            let rank = ranked(source).leading_zeros() as u8 + 1;
            *pair = *pair & !(15 << shift) | rank << shift;
        }
        if unset != 0 {
            *byte |= bit;
        }
        novel != 0
    }

    /// True where the source is not yet among those that were answered.
    #[inline(always)]
    #[must_use]
    pub fn is_new_guest(&self, source: u64) -> bool {
        let (byte, bit) = place_of(source);
        self.answered[byte] & bit == 0
    }

    /// Adds a source that was answered.
    #[inline(always)]
    pub fn answer(&mut self, source: u64) {
        let (byte, bit) = place_of(source);
        self.answered[byte] |= bit;
    }

    /// Adds all that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.registers.iter_mut().zip(other.registers) {
            *mine = (*mine & 0x0f).max(theirs & 0x0f) | (*mine & 0xf0).max(theirs & 0xf0);
        }
        for (mine, theirs) in self.hosts.iter_mut().zip(other.hosts) {
            *mine |= theirs;
        }
        for (mine, theirs) in self.answered.iter_mut().zip(other.answered) {
            *mine |= theirs;
        }
    }

    /// True where nothing was ever added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// Distinct sources that tried the port.
    #[must_use]
    pub fn sources(&self) -> Estimate {
        let mut histogram = [0; RANK_MAX + 1];
        for pair in self.registers {
            histogram[usize::from(pair & 15)] += 1;
            histogram[usize::from(pair >> 4)] += 1;
        }
        let empty = histogram[0] as usize;
        if empty >= EMPTY_MIN {
            let used = REGISTERS - empty;
            return Estimate::linear(BY_REGISTERS[used], used, REGISTERS);
        }
        Estimate { count: raw(&histogram, REGISTERS), relative_error: REGISTERS_ERROR }
    }

    /// Distinct hosts that were tried; where that is more than the bitmap can say, the most it can say.
    #[must_use]
    pub fn hosts(&self) -> Estimate {
        bits(self.hosts)
    }

    /// Distinct sources that were answered; where that is more than the bitmap can say, the most it can say.
    #[must_use]
    pub fn answered(&self) -> Estimate {
        bits(self.answered)
    }

    /// The sources that were answered, and nothing else.
    #[must_use]
    pub fn guests(&self) -> Self {
        Self { answered: self.answered, ..Self::EMPTY }
    }
}

/// Byte of a source's register, and by how many bits it is shifted there.
#[inline(always)]
const fn register_of(source: u64) -> (usize, u8) {
    let register = (((source & 0xffff_ffff) * REGISTERS as u64) >> 32) as usize;
    (register >> 1, (register as u8 & 1) << 2)
}

/// What is ranked by its leading zeros, of which it has no more than a rank can say.
#[inline(always)]
const fn ranked(source: u64) -> u64 {
    source | 1 << (64 - RANK_MAX)
}

/// 1 where the source's rank is above a register, told without counting zeros: as many leading bits as the register says
/// are zero.
#[inline(always)]
const fn is_raised(source: u64, register: u8) -> u32 {
    is_zero((ranked(source) >> 1).wrapping_shr(63u32.wrapping_sub(register as u32)))
}

/// Byte and bit of an element in a bitmap.
#[inline(always)]
const fn place_of(hash: u64) -> (usize, u8) {
    ((hash >> 3 & 3) as usize, 1 << (hash & 7))
}

fn bits(bitmap: [u8; BITS / 8]) -> Estimate {
    let set = (u32::from_ne_bytes(bitmap).count_ones() as usize).min(BITS - 1);
    Estimate::linear(BY_BITS[set], set, BITS)
}
