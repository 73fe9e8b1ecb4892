//! The cells, their index and their numbers in use, as the agent sees them: mapped memory, emptied without a system call a
//! cell.

use std::io;
use std::os::fd::OwnedFd;

use aya::maps::{Array, Map, MapData};
use aya::{Ebpf, EbpfLoader};
use scanwatch_common::abi::{Cell, CellKey, CellsUsed, KeyedCell, Settings, Side};
use scanwatch_common::sketch::IndexLine;

use super::error::KernelError;
use super::object::{descriptor, second};
use super::pod::Raw;
use super::window::Window;

/// Names of the maps.
const CELLS: &str = "CELLS";
const INDEX: &str = "CELL_INDEX";
const USED: &str = "CELLS_USED";

/// Cells mapped at once, some 4 MB: what is mapped counts as the agent's memory, and it is mapped while it is emptied only.
const WINDOW: u32 = 2_560;

/// A cell of an epoch that is over.
#[derive(Clone, Copy, Debug)]
pub struct DrainedCell<'a> {
    /// Its side.
    pub side: Side,
    /// Its key.
    pub key: CellKey,
    /// Its value.
    pub cell: &'a Cell,
}

/// The cells of both sides and copies.
pub(super) struct Arena {
    cells: OwnedFd,
    /// The same map, for system calls.
    single: Array<MapData, Raw<KeyedCell>>,
    index: OwnedFd,
    used: Array<MapData, Raw<CellsUsed>>,
    /// Cells and lines of the index that a copy has of each side.
    sizes: ([u32; 2], [u32; 2]),
}

impl Arena {
    /// Makes the maps large enough, before they are made.
    pub(super) fn size(loader: &mut EbpfLoader<'_>, settings: &Settings) {
        loader.map_max_entries(CELLS, 2 * settings.cells.iter().sum::<u32>());
        loader.map_max_entries(INDEX, 2 * settings.index_lines.iter().sum::<u32>());
    }

    /// The maps of a loaded object. That their values have the sizes of ours is what all below relies on.
    pub(super) fn of(ebpf: &Ebpf, settings: &Settings) -> Result<Self, KernelError> {
        let _index_checked: Array<_, Raw<IndexLine>> = Array::try_from(Map::Array(second(ebpf, INDEX)?))?;
        Ok(Self {
            single: Array::try_from(Map::Array(second(ebpf, CELLS)?))?,
            cells: descriptor(ebpf, CELLS)?,
            index: descriptor(ebpf, INDEX)?,
            used: Array::try_from(Map::Array(second(ebpf, USED)?))?,
            sizes: (settings.cells, settings.index_lines),
        })
    }

    /// Takes every cell out of a copy that nobody writes to, in the order in which they came to be.
    pub(super) fn drain(
        &mut self,
        copy: u32,
        mut take: impl FnMut(DrainedCell<'_>),
    ) -> Result<(), KernelError> {
        for side in [Side::Internal, Side::External] {
            self.drain_side(copy, side, &mut take)
                .map_err(|error| KernelError::of("drain the cells", &error))?;
        }
        Ok(())
    }

    /// One cell of a side and copy, which stays where it is, by a system call.
    pub(super) fn look_up(&self, copy: u32, side: Side, number: u32) -> Result<KeyedCell, KernelError> {
        let (begin, _) = begin_and_size(self.sizes.0, copy, side);
        Ok(self.single.get(&(begin + number), 0)?.0)
    }

    fn drain_side(
        &mut self,
        copy: u32,
        side: Side,
        take: &mut impl FnMut(DrainedCell<'_>),
    ) -> io::Result<()> {
        let number = copy * 2 + side as u32;
        let Raw(used) = self.used.get(&number, 0).map_err(io::Error::other)?;
        let (cells, lines) =
            (begin_and_size(self.sizes.0, copy, side), begin_and_size(self.sizes.1, copy, side));
        let used = used.asked.min(u64::from(cells.1)) as u32;
        if used == 0 {
            return Ok(());
        }
        for from in (0..used).step_by(WINDOW as usize) {
            let count = WINDOW.min(used - from);
            let mut window = Window::<KeyedCell>::map(&self.cells, cells.0 + from, count)?;
            for keyed in window.values()? {
                take(DrainedCell { side, key: keyed.key, cell: &keyed.cell });
                *keyed = KeyedCell { key: CellKey::NOBODY, cell: Cell::EMPTY };
            }
        }
        Window::<IndexLine>::map(&self.index, lines.0, lines.1)?.values()?.fill(IndexLine::default());
        // Last, so that a drain that fails is done again from the beginning.
        self.used.set(number, Raw(CellsUsed::default()), 0).map_err(io::Error::other)
    }
}

/// Where a side's part of a copy begins in a map, as the programs have it, and how long it is.
fn begin_and_size(sizes: [u32; 2], copy: u32, side: Side) -> (u32, u32) {
    let begin = (sizes[0] + sizes[1]) * copy + sizes[0] * side as u32;
    (begin, sizes[side as usize])
}
