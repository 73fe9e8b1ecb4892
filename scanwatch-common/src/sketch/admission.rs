//! The doorkeeper: a source is worth a cell once it has shown several distinct pairs.
//!
//! After TinyLFU's doorkeeper (Einziger et al., 2017). A flood of forged sources, one packet each, stays in a small
//! array of cache lines and never reaches the cell maps; it costs one line a packet and evicts no scanner.

/// Sources remembered in one cache line.
const WAYS: usize = 8;
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
    /// Notes that a source tried a pair, and tells whether the source has by now tried `need` distinct ones.
    ///
    /// `source` chooses the entry (its low bits chose the set already, so the tag is taken from the high ones).
    /// Two pairs share one of 32 bits now and then, and a source is then admitted one pair later. A full set gives
    /// up an entry that was not admitted yet, where it has one.
    #[inline(always)]
    pub fn knock(&mut self, source: u64, pair: u64, need: u8) -> bool {
        // Zero marks a free entry, so no tag is zero.
        let tag = (source >> TAG_SHIFT) | 1;
        let bit = 1u64 << (pair & 31);
        let first = (pair >> 32) as usize % WAYS;
        let mut victim = first;
        let mut victim_count = COUNT_MASK + 1;
        for way in 0..WAYS {
            let way = (first + way) % WAYS;
            let entry = self.entries[way];
            let count = (entry >> COUNT_SHIFT) & COUNT_MASK;
            if entry >> TAG_SHIFT == tag {
                return self.again(way, entry, count, bit, need);
            }
            let rank = if entry == 0 { 0 } else { 1 + u64::from(count >= u64::from(need)) };
            if rank < victim_count {
                victim = way;
                victim_count = rank;
            }
        }
        self.entries[victim] = tag << TAG_SHIFT | 1 << COUNT_SHIFT | bit;
        need <= 1
    }

    #[inline(always)]
    fn again(&mut self, way: usize, entry: u64, count: u64, bit: u64, need: u8) -> bool {
        if count >= u64::from(need) {
            return true;
        }
        if entry & bit != 0 {
            return false;
        }
        self.entries[way] = (entry | bit) + (1 << COUNT_SHIFT);
        count + 1 >= u64::from(need)
    }
}
