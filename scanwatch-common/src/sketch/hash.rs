//! The one hash of scanwatch, under a key that attackers do not know.
//!
//! What is hashed is cut into words of 32 bits. Each is multiplied by a word of 64 bits of the key, and the sum's upper
//! half is taken: multilinear hashing (Carter and Wegman, 1979; Dietzfelbinger, 1996; Lemire and Kaser, *Strongly universal
//! string hashing is fast*, 2014), which is strongly universal. Two such sums make 64 bits. So of any two different
//! inputs, chosen by somebody who does not know the key, any N bits of the hashes are equal with a probability of 2⁻ᴺ, and
//! no two are more likely to be than any others: collisions are not to be had by reading this. BPF has 64-bit
//! multiplication and no wider, which is all that this takes.
//!
//! A sum of products keeps the order of addresses in a row, which counting by leading zeros must not see. So the result
//! is finished with MurmurHash3's 64-bit mixer (Appleby, 2011), whose every output bit depends on every input bit. It is a
//! permutation, and takes nothing from the above.

use core::fmt;

use crate::abi::{Address, Words};

/// The lower half of a word.
const LOW: u64 = 0xffff_ffff;

/// Words of a key.
pub const KEY_WORDS: usize = 2 * (ADDRESS_WORDS + WORD_WORDS);
/// Those of a sum over an address: a constant, and one for each 32 bits.
const ADDRESS_WORDS: usize = 5;
/// Those of a sum over a word of 64 bits.
const WORD_WORDS: usize = 3;

/// Hash of an address and of an address with a port.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    state: u64,
}

/// Makes hashes under one key; equal keys give equal hashes on every machine. As it lies in the settings of the kernel
/// programs.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hasher {
    address: [[u64; ADDRESS_WORDS]; 2],
    word: [[u64; WORD_WORDS]; 2],
}

const _: () = assert!(size_of::<Hasher>() == 8 * KEY_WORDS);

/// Without the key: it is a secret.
impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher { .. }")
    }
}

impl Hasher {
    /// A hasher under a key that can be told from nothing else: what is to hold against attackers draws every word at random.
    #[must_use]
    pub const fn keyed(key: [u64; KEY_WORDS]) -> Self {
        let (mut address, mut word) = ([[0; ADDRESS_WORDS]; 2], [[0; WORD_WORDS]; 2]);
        let mut at = 0;
        while at < KEY_WORDS {
            match at.checked_sub(2 * ADDRESS_WORDS) {
                None => address[at / ADDRESS_WORDS][at % ADDRESS_WORDS] = key[at],
                Some(at_word) => word[at_word / WORD_WORDS][at_word % WORD_WORDS] = key[at],
            }
            at += 1;
        }
        Self { address, word }
    }

    /// A hasher whose key follows from a seed (SplitMix64: Steele and others, 2014), the same for everybody: for replays and
    /// tests, whose results are to be the same each time.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let mut key = [0; KEY_WORDS];
        let (mut state, mut at) = (seed, 0);
        while at < KEY_WORDS {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let x = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            key[at] = x ^ x >> 31;
            at += 1;
        }
        Self::keyed(key)
    }

    /// The state from which [`Endpoint::host`] and [`Endpoint::pair`] are finished.
    #[inline(always)]
    #[must_use]
    pub fn endpoint(&self, address: &Address) -> Endpoint {
        self.endpoint_of(Words::of(address))
    }

    /// The same of an address in words.
    #[inline(always)]
    #[must_use]
    pub fn endpoint_of(&self, address: Words) -> Endpoint {
        let sum = |[constant, a, b, c, d]: &[u64; ADDRESS_WORDS]| {
            constant
                .wrapping_add(a.wrapping_mul(address.high >> 32))
                .wrapping_add(b.wrapping_mul(address.high & LOW))
                .wrapping_add(c.wrapping_mul(address.low >> 32))
                .wrapping_add(d.wrapping_mul(address.low & LOW))
        };
        Endpoint { state: upper_halves(sum(&self.address[0]), sum(&self.address[1])) }
    }

    /// Hash of a port alone.
    #[inline(always)]
    #[must_use]
    pub fn port(&self, port: u16) -> u64 {
        finish(self.word(of_port(port)))
    }

    #[inline(always)]
    const fn word(&self, word: u64) -> u64 {
        let [first, second] = &self.word;
        upper_halves(sum_of_word(first, word), sum_of_word(second, word))
    }
}

impl Endpoint {
    /// Hash of the address.
    #[inline(always)]
    #[must_use]
    pub fn host(self) -> u64 {
        finish(self.state)
    }

    /// Hash of the address with a word, by the hasher that the endpoint is of. The words of the key that it is multiplied by
    /// are others than the address's, so both together are as strongly universal as each.
    #[inline(always)]
    #[must_use]
    pub fn with(self, hasher: &Hasher, word: u64) -> u64 {
        finish(self.state ^ hasher.word(word))
    }

    /// Hash of the address with a port, by the hasher that the endpoint is of.
    #[inline(always)]
    #[must_use]
    pub fn pair(self, hasher: &Hasher, port: u16) -> u64 {
        self.with(hasher, of_port(port))
    }
}

/// A port as a word that is never zero.
#[inline(always)]
const fn of_port(port: u16) -> u64 {
    port as u64 | 1 << 32
}

#[inline(always)]
const fn sum_of_word([constant, a, b]: &[u64; WORD_WORDS], word: u64) -> u64 {
    constant.wrapping_add(a.wrapping_mul(word >> 32)).wrapping_add(b.wrapping_mul(word & LOW))
}

/// The upper halves of two sums.
#[inline(always)]
const fn upper_halves(first: u64, second: u64) -> u64 {
    first & !LOW | second >> 32
}

#[inline(always)]
const fn finish(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}
