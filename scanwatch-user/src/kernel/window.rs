//! Values of an array map as memory of the agent's.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;

/// Values of an array map, mapped.
pub(super) struct Window<T> {
    /// The pages.
    pages: NonNull<libc::c_void>,
    bytes: usize,
    /// Where in them the values begin.
    skip: usize,
    count: usize,
    values: PhantomData<T>,
}

impl<T> Window<T> {
    /// Maps `count` values from the one with number `first`. `T` is the map's own value, and any bytes are one.
    pub(super) fn map(map: &OwnedFd, first: u32, count: u32) -> io::Result<Self> {
        // SAFETY: the call takes a number and touches no memory of ours.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.unsigned_abs() as usize;
        let at = first as usize * size_of::<T>();
        let skip = at % page;
        let bytes = skip + count as usize * size_of::<T>();
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let offset = libc::off_t::try_from(at - skip).map_err(io::Error::other)?;
        // SAFETY: a new mapping, which is ours alone; the kernel refuses what lies outside the map.
        let pages = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, map.as_raw_fd(), offset)
        };
        match NonNull::new(pages) {
            Some(pages) if pages.as_ptr() != libc::MAP_FAILED => {
                Ok(Self { pages, bytes, skip, count: count as usize, values: PhantomData })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(super) fn values(&mut self) -> &mut [T] {
        // SAFETY: the mapping holds so many values from there on, aligned as the map's are, since mappings begin with
        // a page and values of arrays that can be mapped lie side by side; any bytes are a value. The copy is at rest: no
        // program writes to it, and this is its only mapping.
        unsafe { std::slice::from_raw_parts_mut(self.pages.byte_add(self.skip).cast().as_ptr(), self.count) }
    }
}

impl<T> Drop for Window<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map`, and nothing refers to it any more.
        unsafe { libc::munmap(self.pages.as_ptr(), self.bytes) };
    }
}
