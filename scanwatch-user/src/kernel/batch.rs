//! Reading a map in batches by one system call each; aya has none of it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// `BPF_MAP_LOOKUP_BATCH` of `enum bpf_cmd` (since Linux 5.6).
pub(super) const LOOKUP: libc::c_long = 24;
/// `BPF_MAP_LOOKUP_AND_DELETE_BATCH`, for hash maps.
pub(super) const LOOKUP_AND_DELETE: libc::c_long = 25;

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

/// How far a map was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Not at all.
    Start,
    /// To where the kernel says: a bucket of a hash map, or an index of an array.
    After(u32),
}

/// What is left after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The map may go on.
    More,
    /// That was its end.
    End,
    /// The next bucket holds more than the buffers; nothing was read.
    TooSmall,
}

/// One batch: how many elements it gave, and how it ended.
///
/// The buffers are of one length, and their elements are plain bytes of the sizes of the map's own keys and values, which
/// the caller has checked.
pub(super) fn batch<K: Copy, V: Copy>(
    command: libc::c_long,
    map: &OwnedFd,
    position: &mut Position,
    (keys, values): (&mut [K], &mut [V]),
) -> (usize, io::Result<Step>) {
    let length = keys.len().min(values.len());
    let mut next = 0u32;
    let after = match *position {
        Position::Start => None,
        Position::After(at) => Some(at),
    };
    let mut attr = BatchAttr {
        in_batch: after.as_ref().map_or(0, |at| &raw const *at as u64),
        out_batch: &raw mut next as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: length as u32,
        map_fd: map.as_raw_fd().unsigned_abs(),
        ..BatchAttr::default()
    };
    // SAFETY: the buffers hold `count` keys and values of the map's own sizes, both plain bytes; positions are u32, as hash
    // maps' and arrays' batches want them.
    let status = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut attr, size_of::<BatchAttr>()) };
    if status == 0 {
        *position = Position::After(next);
        return (length.min(attr.count as usize), Ok(Step::More));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Only at the end of the map has a failed call given anything.
        Some(libc::ENOENT) => (length.min(attr.count as usize), Ok(Step::End)),
        Some(libc::ENOSPC) => (0, Ok(Step::TooSmall)),
        Some(libc::EINTR) => (0, Ok(Step::More)),
        _ => (0, Err(error)),
    }
}
