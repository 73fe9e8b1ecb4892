//! Values of an array map as memory of the agent's.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;

use super::plain::{Plain, values_mut};

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

impl<T: Plain> Window<T> {
    /// Maps `count` values from the one with number `first`. `T` is the map's own value.
    pub(super) fn map(map: &OwnedFd, first: u32, count: u32) -> io::Result<Self> {
        // The kernel puts values of arrays at multiples of 8 bytes: others would not lie side by side.
        const { assert!(size_of::<T>().is_multiple_of(8)) };
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

    /// The values.
    pub(super) fn values(&mut self) -> io::Result<&mut [T]> {
        let length = self.count * size_of::<T>();
        // SAFETY: the mapping holds `skip + length` bytes, all of them initialised, since they are a map's. The copy is at rest:
        // no program writes to it, and this is its only mapping, which lives as long as it is borrowed.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(self.pages.byte_add(self.skip).cast::<u8>().as_ptr(), length)
        };
        // Mappings begin with a page, and values at multiples of their size, which is one of their alignment.
        values_mut(bytes).ok_or_else(|| io::Error::other("values of a map are not aligned"))
    }
}

impl<T> Drop for Window<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map`, and nothing refers to it any more.
        unsafe { libc::munmap(self.pages.as_ptr(), self.bytes) };
    }
}
