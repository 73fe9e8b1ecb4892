//! The one hash of scanwatch.
//!
//! Words are folded in by multiplication with an odd constant and a shift, and the result is finished with
//! MurmurHash3's 64-bit mixer (Appleby, 2011), whose every output bit depends on every input bit. BPF has 64-bit
//! multiplication and no wider, which rules out the folded-multiply family.

use crate::abi::{Address, Words};

const FOLD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hash of an address and of an address with a port.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    state: u64,
}

/// Makes hashes under one seed.
#[derive(Clone, Copy, Debug)]
pub struct Hasher {
    seed: u64,
}

impl Hasher {
    /// A hasher under this seed; equal seeds give equal hashes on every machine.
    #[inline(always)]
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The state from which [`Endpoint::host`] and [`Endpoint::pair`] are finished.
    #[inline(always)]
    #[must_use]
    pub fn endpoint(self, address: &Address) -> Endpoint {
        self.endpoint_of(Words::of(address))
    }

    /// The same of an address in words.
    #[inline(always)]
    #[must_use]
    pub fn endpoint_of(self, address: Words) -> Endpoint {
        Endpoint { state: fold(fold(self.seed, address.high), address.low) }
    }

    /// Hash of a port alone.
    #[inline(always)]
    #[must_use]
    pub fn port(self, port: u16) -> u64 {
        finish(fold(self.seed, u64::from(port) | 1 << 32))
    }
}

impl Endpoint {
    /// Hash of the address.
    #[inline(always)]
    #[must_use]
    pub fn host(self) -> u64 {
        finish(self.state)
    }

    /// Hash of the address with a word.
    #[inline(always)]
    #[must_use]
    pub fn with(self, word: u64) -> u64 {
        finish(fold(self.state, word))
    }

    /// Hash of the address with a port.
    #[inline(always)]
    #[must_use]
    pub fn pair(self, port: u16) -> u64 {
        self.with(u64::from(port) | 1 << 32)
    }
}

#[inline(always)]
const fn fold(state: u64, word: u64) -> u64 {
    let x = (state ^ word).wrapping_mul(FOLD);
    x ^ (x >> 32)
}

#[inline(always)]
const fn finish(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}
