//! Cells: whose they are, and what is counted in them.

use super::{Address, Outcome, Technique};
use crate::sketch::Sketch;

/// Identity of a cell: what one source does to one service of one zone by one technique.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellKey {
    /// Source, IPv6 cut to the configured prefix.
    pub source: Address,
    /// VLAN ids, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
    /// Zone of the destination, 0 is the internet.
    pub zone: u8,
    /// Service group of the destination port, 0 is none.
    pub service: u8,
    /// Slice of the ports that are in no group (see [`port_bucket`]), 0 otherwise.
    pub bucket: u8,
    /// Number of the [`Technique`], and in the high four bits that of the [`Outcome`]: read by [`CellKey::technique`]
    /// and [`CellKey::outcome`].
    pub contact: u8,
}

impl CellKey {
    /// A key that no contact has.
    pub const NOBODY: Self =
        Self { source: [0; 16], vlan: [0; 2], zone: 0, service: 0, bucket: 0, contact: 0 };

    /// The key as three words, which compare faster than bytes.
    #[inline(always)]
    #[must_use]
    pub const fn words(&self) -> [u64; 3] {
        let source = u128::from_le_bytes(self.source);
        let vlan = self.vlan[0] as u64 | (self.vlan[1] as u64) << 16;
        let rest = u32::from_le_bytes([self.zone, self.service, self.bucket, self.contact]) as u64;
        [source as u64, (source >> 64) as u64, vlan | rest << 32]
    }

    /// The key of these words.
    #[inline(always)]
    #[must_use]
    pub const fn of_words([first, second, third]: [u64; 3]) -> Self {
        let source = (first as u128 | (second as u128) << 64).to_le_bytes();
        let [zone, service, bucket, contact] = ((third >> 32) as u32).to_le_bytes();
        Self { source, vlan: [third as u16, (third >> 16) as u16], zone, service, bucket, contact }
    }

    /// The byte that stands for a technique with an outcome.
    #[inline(always)]
    #[must_use]
    pub const fn contact_of(technique: Technique, outcome: Outcome) -> u8 {
        technique as u8 | (outcome as u8) << 4
    }

    /// The technique, `None` for a number that none has.
    #[must_use]
    pub const fn technique(&self) -> Option<Technique> {
        Technique::from_number(self.contact & 0x0f)
    }

    /// The outcome, `None` for a number that none has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        let number = (self.contact >> 4) as usize;
        if number < Outcome::ALL.len() { Some(Outcome::ALL[number]) } else { None }
    }
}

/// The service group of ports that are in no group.
pub const OTHER_SERVICE: u8 = 0;

/// Slices into which ports outside all service groups are spread, so that a sweep of one unnamed port does not blur
/// with everything else its source does.
pub const PORT_BUCKETS: u8 = 16;

/// The slice of a port that is in no service group: the high bits of Fibonacci hashing (Knuth, TAOCP 3, 6.4).
#[inline(always)]
#[must_use]
pub const fn port_bucket(port: u16) -> u8 {
    (port.wrapping_mul(40_503) >> 12) as u8
}

/// What is known of a cell besides its sketches. With the cell's key it fills a cache line.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CellFacts {
    /// Time of the first novelty, nanoseconds of the kernel's monotonic clock (of the capture's clock in a replay).
    pub first_ns: u64,
    /// Sum of the squares of the IP lengths of the novel probes, bytes squared.
    pub size_squares: u64,
    /// Sum of these lengths, bytes: an unbiased sample of all probes.
    pub size_sum: u32,
    /// From the first novelty to the last, microseconds.
    pub lasted_us: u32,
    /// Index of the interface that saw the last novelty.
    pub interface: u32,
    /// Novel probes. The sketches change 43,776 times at most, and the lengths of so many fit their sum.
    pub novelties: u16,
    /// Link-layer source of the last novelty.
    pub mac: [u8; 6],
    /// Hop limit of the last novelty.
    pub ttl: u8,
    /// Zero; keeps the layout free of padding.
    pub reserved: [u8; 3],
}

impl CellFacts {
    /// Nothing known.
    pub const NOTHING: Self = Self {
        first_ns: 0,
        size_squares: 0,
        size_sum: 0,
        lasted_us: 0,
        interface: 0,
        novelties: 0,
        mac: [0; 6],
        ttl: 0,
        reserved: [0; 3],
    };

    /// Time of the last novelty, on the clock of [`Self::first_ns`], to the microsecond.
    #[must_use]
    pub const fn last_ns(&self) -> u64 {
        self.first_ns + self.lasted_us as u64 * 1_000
    }
}

/// What a source did, counted.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// All but the sketches.
    pub facts: CellFacts,
    /// Distinct (host, port) pairs probed.
    pub pairs: Sketch,
    /// Distinct hosts probed.
    pub hosts: Sketch,
    /// Distinct ports probed; for [`Technique::Proto`] protocols.
    pub ports: Sketch,
}

impl Cell {
    /// A cell that has seen nothing; all its bytes are zero.
    pub const EMPTY: Self =
        Self { facts: CellFacts::NOTHING, pairs: Sketch::EMPTY, hosts: Sketch::EMPTY, ports: Sketch::EMPTY };
}

/// A cell with its key, as it lies in memory: 25 cache lines, of which a probe that is no news reads four.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedCell {
    /// Whose cell it is.
    pub key: CellKey,
    /// What is counted.
    pub cell: Cell,
}

/// How many cells of one side and copy are in use, from the first on: a cache line of its own, for processors count in it.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CellsUsed {
    /// Cells that were asked for; may be more than there are.
    pub asked: u64,
    /// Zero; keeps the layout free of padding.
    pub reserved: [u64; 7],
}

const _: () = assert!(size_of::<CellKey>() == 24);
const _: () = assert!(size_of::<CellFacts>() == 40);
const _: () = assert!(size_of::<KeyedCell>() == 64 + 3 * 512);
