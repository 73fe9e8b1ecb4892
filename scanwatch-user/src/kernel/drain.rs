//! Emptying the idle copy of the cells, in batches by one system call each.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use scanwatch_common::abi::{Cell, CellKey, Side};

use super::error::KernelError;

/// `BPF_MAP_LOOKUP_AND_DELETE_BATCH` of `enum bpf_cmd` (since Linux 5.6).
const LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
/// Cells taken at once at first; a bucket of the hash map that holds more asks for a larger batch.
const BATCH: usize = 1024;

/// The `batch` member of `union bpf_attr`.
#[repr(C)]
#[derive(Default)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

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
        let mut position = 0u32;
        let mut begun = false;
        loop {
            let (count, outcome) = self.batch(map, &mut position, begun);
            for (key, cell) in self.keys.iter().zip(&self.cells).take(count) {
                take(DrainedCell { side, key: *key, cell: *cell });
            }
            match outcome {
                Ok(()) => begun = true,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => self.grow(),
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) => return Err(KernelError::of("drain the cells", &error)),
            }
        }
    }

    /// One system call: how many cells it gave, and how it ended (`ENOENT` is the end of the map).
    fn batch(&mut self, map: &OwnedFd, position: &mut u32, begun: bool) -> (usize, io::Result<()>) {
        let mut next = 0u32;
        let mut attr = BatchAttr {
            in_batch: if begun { &raw const *position as u64 } else { 0 },
            out_batch: &raw mut next as u64,
            keys: self.keys.as_mut_ptr() as u64,
            values: self.cells.as_mut_ptr() as u64,
            count: self.keys.len() as u32,
            map_fd: map.as_raw_fd().unsigned_abs(),
            ..BatchAttr::default()
        };
        // SAFETY: the buffers hold `count` keys and cells of the map's own sizes (checked when the object was
        // loaded), both plain bytes; positions are u32 as the hash map's batches want them.
        let status = unsafe {
            libc::syscall(libc::SYS_bpf, LOOKUP_AND_DELETE_BATCH, &raw mut attr, size_of::<BatchAttr>())
        };
        let error = io::Error::last_os_error();
        if status == 0 {
            *position = next;
            return (attr.count as usize, Ok(()));
        }
        // Only at the end of the map has a failed call given anything.
        let count = if error.raw_os_error() == Some(libc::ENOENT) { attr.count as usize } else { 0 };
        (count.min(self.keys.len()), Err(error))
    }

    fn grow(&mut self) {
        let length = self.keys.len() * 2;
        self.keys.resize(length, EMPTY_KEY);
        self.cells.resize(length, Cell::EMPTY);
    }
}
