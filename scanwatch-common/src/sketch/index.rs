//! Finding a cell by its key: a set-associative index of tags in front of an array of cells.
//!
//! Cells lie one behind the other, in the order in which they were asked for, so that a new one costs a few stores, and
//! emptying a copy goes through memory once. A key's hash names two neighbouring lines of the index; each holds eight entries
//! of a tag and a cell's number. Four entries a cell make a full line a matter of one in thousands, and two full ones
//! of one in millions; then the cell is refused, and counted.

/// Entries of a line.
const WAYS: usize = 8;
const TAG_SHIFT: u32 = 32;
/// Entries for each cell that there is room for.
const ENTRIES_A_CELL: u32 = 4;

/// One line of the index: eight entries of tag (32 bits) and cell number plus one (32 bits), used from the first on; 0 is
/// free.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IndexLine {
    entries: [u64; WAYS],
}

/// What a line of the index says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// The cell with this number has the key's tag; whether it has the key, the cell itself tells.
    Taken(u32),
    /// No cell of this line has it; the entry in this place is free.
    Free(usize),
    /// No cell of this line has it, and no entry is free.
    Full,
}

impl IndexLine {
    /// Looks for a key's hash, of which the low bits chose the line.
    #[inline(always)]
    #[must_use]
    pub fn look(&self, hash: u64) -> Seat {
        for (way, entry) in self.entries.iter().enumerate() {
            if *entry == 0 {
                return Seat::Free(way);
            }
            if entry >> TAG_SHIFT == hash >> TAG_SHIFT {
                return Seat::Taken((*entry as u32).wrapping_sub(1));
            }
        }
        Seat::Full
    }

    /// Makes the entry in a free place that of a cell. Where another processor does so at the same time, one of the two cells
    /// is not found again, and its key gets another: cells of one key merge.
    #[inline(always)]
    pub fn seat(&mut self, way: usize, hash: u64, cell: u32) {
        self.entries[way % WAYS] = (hash >> TAG_SHIFT) << TAG_SHIFT | u64::from(cell.wrapping_add(1));
    }

    /// Lines of an index for so many cells: a power of two, and at least two, for keys have two lines each.
    #[must_use]
    pub const fn lines_for(cells: u32) -> u32 {
        let lines = (cells as u64 * ENTRIES_A_CELL as u64).div_ceil(WAYS as u64).next_power_of_two();
        if lines < 2 { 2 } else { lines as u32 }
    }
}
