//! The doorkeeper: a source is worth a cell once it has shown several distinct pairs.
//!
//! After TinyLFU's doorkeeper (Einziger et al., 2017). A flood of forged sources, one packet each, stays in a small
//! array of cache lines and never reaches the cell maps; it costs one line a packet and evicts no scanner.

use super::branchless::{is_below, is_zero, lowest};

/// Sources remembered in one cache line.
pub(crate) const WAYS: usize = 8;
const TAG_SHIFT: u32 = 36;
const COUNT_SHIFT: u32 = 32;
const COUNT_MASK: u64 = 15;

/// One set of the doorkeeper: eight entries of tag (28 bits), count (4 bits), and a bitmap of pairs (32 bits).
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DoorSet {
    entries: [u64; WAYS],
}

impl DoorSet {
    /// Notes that a source tried a pair, and tells where the source stands: it is admitted once it has tried `need`
    /// distinct ones.
    ///
    /// `source` chooses the entry (its low bits chose the set already, so the tag is taken from the high ones).
    /// Two pairs share one of 32 bits now and then, and a source is then admitted one pair later. A full set gives
    /// up an entry that was not admitted yet, where it has one.
    #[inline(always)]
    pub fn knock(&mut self, source: u64, pair: u64, need: u8) -> Knock {
        let found = self.survey(source, need);
        let bit = 1u64 << (pair & 31);
        if found.mine != 0 {
            let way = lowest(found.mine);
            if found.mine & found.admitted != 0 {
                return Knock::Admitted;
            }
            let entry = self.entries[way];
            if entry & bit != 0 {
                return Knock::Waiting;
            }
            self.entries[way] = (entry | bit) + (1 << COUNT_SHIFT);
            return if count_of(entry) + 1 >= u64::from(need) { Knock::Newly(way) } else { Knock::Waiting };
        }
        let first = (pair >> 32) as u32 % WAYS as u32;
        let way = match (found.free, !found.admitted & ALL_WAYS) {
            (0, 0) => first as usize,
            // From a place that the pair chooses, or the first entry of a set would never grow old.
            (0, waiting) => (lowest(turn(waiting, first)) + first as usize) % WAYS,
            (free, _) => lowest(free),
        };
        self.entries[way] = tag_of(source) << TAG_SHIFT | 1 << COUNT_SHIFT | bit;
        if need <= 1 { Knock::Admitted } else { Knock::First(way) }
    }

    /// True where the source was admitted. Nothing is written.
    #[inline(always)]
    #[must_use]
    pub fn knows(&self, source: u64, need: u8) -> bool {
        let found = self.survey(source, need);
        found.mine & found.admitted != 0
    }

    /// Looks at all entries without a branch: the kernel's verifier would follow every combination of them.
    #[inline(always)]
    fn survey(&self, source: u64, need: u8) -> Survey {
        let tag = tag_of(source);
        let mut found = Survey { mine: 0, free: 0, admitted: 0 };
        for (way, entry) in self.entries.iter().enumerate() {
            found.mine |= is_zero((entry >> TAG_SHIFT) ^ tag) << way;
            // A used entry has a tag, and that is not zero.
            found.free |= is_zero(entry >> TAG_SHIFT) << way;
            found.admitted |= is_below(u64::from(need), count_of(*entry) + 1) << way;
        }
        found
    }
}

/// Entries of a set, one bit each.
struct Survey {
    /// With the source's tag.
    mine: u32,
    /// Never used.
    free: u32,
    /// Of an admitted source.
    admitted: u32,
}

const ALL_WAYS: u32 = (1 << WAYS) - 1;

/// The ways, turned so that way `first` comes lowest.
#[inline(always)]
const fn turn(ways: u32, first: u32) -> u32 {
    (ways >> first | ways << (WAYS as u32 - first)) & ALL_WAYS
}

/// Where a source stands with the doorkeeper. The number is the entry's place in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    /// Not known before.
    First(usize),
    /// Known, and not admitted yet.
    Waiting,
    /// Admitted by this very pair.
    Newly(usize),
    /// Admitted before.
    Admitted,
}

/// Zero marks a free entry, so no tag is zero.
#[inline(always)]
const fn tag_of(source: u64) -> u64 {
    (source >> TAG_SHIFT) | 1
}

#[inline(always)]
const fn count_of(entry: u64) -> u64 {
    (entry >> COUNT_SHIFT) & COUNT_MASK
}

/// What an internal source tried first, kept until it tries something else: small scans are counted whole.
///
/// Forged sources try once, so an external source's first pairs are given up.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FirstContact {
    /// Hash of the source; the doorkeeper's tag alone is too short to accuse anyone.
    pub source: u64,
    /// Target.
    pub target: crate::abi::Address,
    /// Destination port.
    pub target_port: u16,
    /// Source port.
    pub source_port: u16,
    /// IP length, bytes.
    pub length: u16,
    /// Technique and outcome, as in [`crate::abi::CellKey::contact`].
    pub contact: u8,
    /// Zero; keeps the layout free of padding.
    pub reserved: u8,
}

const _: () = assert!(size_of::<FirstContact>() == 32);
