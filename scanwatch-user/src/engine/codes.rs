//! A few elements of sketches as a list of numbers: a code for each bit that is set, and for each register its rank.
//!
//! A list of one element needs no memory of its own, for that is what most cells of most sources hold.

use scanwatch_common::sketch::Sketch;

use super::counts::Part;

/// Bits of linear counting in a sketch: codes 0 to 2,047 of a part.
const BITMAP: u16 = 2_048;
/// Codes of one register, one for each rank; a register is listed once, with its highest rank.
const RANKS: u16 = 64;
/// Registers of a sketch.
const REGISTERS: u16 = 256;
/// Codes of a part: three parts fit in 16 bits.
const CODES: u16 = BITMAP + REGISTERS * RANKS;
/// Codes by which a list grows: small lists are what memory goes to.
const STEP: usize = 2;
/// Codes that are held in place: one element, which is two codes in each of three parts, and one code more, as many as leave a
/// list no larger than a vector.
const FEW: usize = 7;

/// Codes, ascending.
#[derive(Clone, Debug)]
pub enum Codes {
    /// In place.
    Few {
        /// How many there are.
        len: u8,
        /// They, and zeros behind them.
        codes: [u16; FEW],
    },
    /// On the heap.
    Many(Vec<u16>),
}

impl Default for Codes {
    fn default() -> Self {
        Self::Few { len: 0, codes: [0; FEW] }
    }
}

impl Codes {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[u16] {
        match self {
            Self::Few { len, codes } => &codes[..usize::from(*len)],
            Self::Many(codes) => codes,
        }
    }

    fn all_mut(&mut self) -> &mut [u16] {
        match self {
            Self::Few { len, codes } => &mut codes[..usize::from(*len)],
            Self::Many(codes) => codes,
        }
    }

    /// Adds a code. True where the list changed.
    pub fn add(&mut self, code: u16) -> bool {
        match find(self.all(), code) {
            Ok(at) => {
                let known = &mut self.all_mut()[at];
                let is_higher = *known < code;
                *known = code.max(*known);
                is_higher
            }
            Err(at) => {
                self.insert(at, code);
                true
            }
        }
    }

    fn insert(&mut self, at: usize, code: u16) {
        match self {
            Self::Few { len, codes } if usize::from(*len) < FEW => {
                codes.copy_within(at..usize::from(*len), at + 1);
                codes[at] = code;
                *len += 1;
            }
            Self::Few { codes, .. } => {
                let mut many = Vec::with_capacity(FEW + STEP);
                many.extend_from_slice(codes);
                many.insert(at, code);
                *self = Self::Many(many);
            }
            Self::Many(codes) => {
                if codes.len() == codes.capacity() {
                    codes.reserve_exact(STEP);
                }
                codes.insert(at, code);
            }
        }
    }

    /// True where it holds a code, or a higher rank of its register.
    #[must_use]
    pub fn holds(&self, code: u16) -> bool {
        find(self.all(), code).is_ok_and(|at| self.all()[at] >= code)
    }

    /// Takes out what `other` holds.
    pub fn subtract(&mut self, other: &Self) {
        if !self.all().iter().any(|code| other.holds(*code)) {
            return;
        }
        let left: Vec<u16> = self.all().iter().copied().filter(|code| !other.holds(*code)).collect();
        *self = match left.len() {
            len @ 0..=FEW => {
                let mut codes = [0; FEW];
                codes[..len].copy_from_slice(&left);
                Self::Few { len: len as u8, codes }
            }
            _ => Self::Many(left.into_boxed_slice().into_vec()),
        };
    }

    /// The codes of one part.
    #[must_use]
    pub fn of(&self, part: Part) -> &[u16] {
        let codes = self.all();
        let from = codes.partition_point(|code| *code < first_code(part));
        let to = codes.partition_point(|code| *code < first_code(part) + CODES);
        &codes[from..to]
    }

    /// Set bits of linear counting of one part.
    #[must_use]
    pub fn bits(&self, part: Part) -> u32 {
        self.of(part).partition_point(|code| code - first_code(part) < BITMAP) as u32
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Few { .. } => 0,
            Self::Many(codes) => codes.capacity() * size_of::<u16>(),
        }
    }
}

const fn first_code(part: Part) -> u16 {
    part as u16 * CODES
}

/// What [`Sketch::insert`] sets for a hash: a bit, and a register's rank.
#[must_use]
pub fn codes_of(part: Part, hash: u64) -> [u16; 2] {
    let block = (hash & 7) as u16;
    let register = block * 32 + ((hash >> 3) & 31) as u16;
    let bit = block * 256 + ((hash >> 8) & 31) as u16 * 8 + ((hash >> 13) & 7) as u16;
    let rank = (hash | 0xffff).leading_zeros() as u16 + 1;
    [first_code(part) + bit, first_code(part) + BITMAP + register * RANKS + rank]
}

/// All codes of a sketch.
pub fn codes_of_sketch(part: Part, sketch: &Sketch) -> impl Iterator<Item = u16> {
    let first = first_code(part);
    sketch.blocks.iter().zip(0u16..).flat_map(move |(block, at)| {
        let bits = block.bitmap.iter().zip(0u16..).flat_map(move |(byte, i)| {
            (0..8).filter(move |bit| byte & (1 << bit) != 0).map(move |bit| first + at * 256 + i * 8 + bit)
        });
        let ranks = block.registers.iter().zip(0u16..).filter(|(rank, _)| **rank > 0);
        bits.chain(ranks.map(move |(rank, i)| first + BITMAP + (at * 32 + i) * RANKS + u16::from(*rank)))
    })
}

/// The least code of the same register, for the code of a rank.
fn register_of(code: u16) -> u16 {
    code - (code % CODES - BITMAP) % RANKS
}

/// Where a code stands or would stand, and the code there that it has to do with: itself, or its register's rank.
fn find(list: &[u16], code: u16) -> Result<usize, usize> {
    if code % CODES < BITMAP {
        return list.binary_search(&code);
    }
    let register = register_of(code);
    let at = list.partition_point(|other| *other < register);
    if list.get(at).is_some_and(|other| *other < register + RANKS) { Ok(at) } else { Err(at) }
}

/// Sets what a code of the part says. True where the sketch changed.
pub fn set(part: Part, sketch: &mut Sketch, code: u16) -> bool {
    let code = code - first_code(part);
    if code < BITMAP {
        let byte = &mut sketch.blocks[usize::from(code / 256)].bitmap[usize::from(code % 256 / 8)];
        let bit = 1 << (code % 8);
        let changed = *byte & bit == 0;
        *byte |= bit;
        return changed;
    }
    let (register, rank) = ((code - BITMAP) / RANKS, ((code - BITMAP) % RANKS) as u8);
    let mine = &mut sketch.blocks[usize::from(register / 32)].registers[usize::from(register % 32)];
    let changed = *mine < rank;
    *mine = (*mine).max(rank);
    changed
}
