//! The doorkeeper: a source is worth a cell once it has shown several distinct pairs.
//!
//! After TinyLFU's doorkeeper (Einziger et al., 2017). A flood of forged sources, one packet each, stays in a small
//! array of cache lines and never reaches the cell maps; it costs one line a packet and evicts no scanner.

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
        let bit = 1u64 << (pair & 31);
        let first = (pair >> 32) as usize % WAYS;
        let way = match self.find(source) {
            Found::Source(way, entry) => {
                let count = count_of(entry);
                if count >= u64::from(need) {
                    return Knock::Admitted;
                }
                if entry & bit != 0 {
                    return Knock::Waiting;
                }
                self.entries[way % WAYS] = (entry | bit) + (1 << COUNT_SHIFT);
                return if count + 1 >= u64::from(need) { Knock::Newly(way) } else { Knock::Waiting };
            }
            Found::Free(way) => way,
            // From a place that the pair chooses, or the first entry of a set would never grow old.
            Found::Nothing => self.waiting_from(first, need),
        };
        self.entries[way % WAYS] = tag_of(source) << TAG_SHIFT | 1 << COUNT_SHIFT | bit;
        if need <= 1 { Knock::Admitted } else { Knock::First(way) }
    }

    /// True where the source was admitted. Nothing is written.
    #[inline(always)]
    #[must_use]
    pub fn knows(&self, source: u64, need: u8) -> bool {
        matches!(self.find(source), Found::Source(_, entry) if count_of(entry) >= u64::from(need))
    }

    /// Entries are used from the first on, and never freed.
    #[inline(always)]
    fn find(&self, source: u64) -> Found {
        let tag = tag_of(source);
        for (way, entry) in self.entries.iter().enumerate() {
            if entry >> TAG_SHIFT == tag {
                return Found::Source(way, *entry);
            }
            if *entry == 0 {
                return Found::Free(way);
            }
        }
        Found::Nothing
    }

    /// The first entry of a source that is not admitted, from this place on and around; this place where there is none.
    #[inline(always)]
    fn waiting_from(&self, first: usize, need: u8) -> usize {
        for step in 0..WAYS {
            let way = (first + step) % WAYS;
            if count_of(self.entries[way]) < u64::from(need) {
                return way;
            }
        }
        first
    }
}

/// What a set says of a source.
enum Found {
    /// It has this entry, in this place.
    Source(usize, u64),
    /// It has none; this place is free.
    Free(usize),
    /// It has none, and no place is free.
    Nothing,
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
    pub reserved: [u8; 3],
    /// Link-layer source: whoever sends the second packet may have forged it.
    pub mac: [u8; 6],
}

const _: () = assert!(size_of::<FirstContact>() == 40);
