//! Emptying the idle copy of the cells, in batches by one system call each.

use std::os::fd::OwnedFd;

use scanwatch_common::abi::{Cell, CellKey, Side};

use super::batch::{LOOKUP_AND_DELETE, Position, Step, batch};
use super::error::KernelError;

/// Cells taken at once at first; a bucket of the hash map that holds more asks for a larger batch.
const BATCH: usize = 1024;

/// A cell of an epoch that is over.
#[derive(Clone, Copy, Debug)]
pub struct DrainedCell {
    /// Its side.
    pub side: Side,
    /// Its key.
    pub key: CellKey,
    /// Its value.
    pub cell: Cell,
}

/// Buffers for draining, kept from epoch to epoch.
pub struct Drainer {
    keys: Vec<CellKey>,
    cells: Vec<Cell>,
}

impl Default for Drainer {
    fn default() -> Self {
        Self::new()
    }
}

const EMPTY_KEY: CellKey =
    CellKey { source: [0; 16], vlan: [0; 2], zone: 0, service: 0, bucket: 0, contact: 0 };

impl Drainer {
    /// Buffers of the usual size.
    #[must_use]
    pub fn new() -> Self {
        Self { keys: vec![EMPTY_KEY; BATCH], cells: vec![Cell::EMPTY; BATCH] }
    }

    /// Takes every cell out of one map.
    pub(super) fn drain(
        &mut self,
        map: &OwnedFd,
        side: Side,
        mut take: impl FnMut(DrainedCell),
    ) -> Result<(), KernelError> {
        let mut position = Position::Start;
        loop {
            let (count, outcome) =
                batch(LOOKUP_AND_DELETE, map, &mut position, (&mut self.keys, &mut self.cells));
            for (key, cell) in self.keys.iter().zip(&self.cells).take(count) {
                take(DrainedCell { side, key: *key, cell: *cell });
            }
            match outcome {
                Ok(Step::More) => {}
                Ok(Step::End) => return Ok(()),
                Ok(Step::TooSmall) => self.grow(),
                Err(error) => return Err(KernelError::of("drain the cells", &error)),
            }
        }
    }

    fn grow(&mut self) {
        let length = self.keys.len() * 2;
        self.keys.resize(length, EMPTY_KEY);
        self.cells.resize(length, Cell::EMPTY);
    }
}
