//! Shared layouts as plain bytes: the one place where bytes become values, of slices only, so that it runs in Miri.

use std::mem::align_of;

use scanwatch_common::abi::{CellsUsed, Control, KeyedCell, Novelty, PortPage, ServiceTable, Settings};
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine, IndexLine};
use scanwatch_common::zones::{ZoneNode, ZonePath};

/// A layout without padding, of which any bytes are a value.
///
/// # Safety
/// The type is `repr(C)`, made of numbers and arrays of numbers alone, and its fields fill its size.
pub(super) unsafe trait Plain: Copy + 'static {}

/// Types, each with the sum of its fields' sizes, in bytes.
macro_rules! plain {
    ($($layout:ty: $bytes:expr,)+) => {$(
        const _: () = assert!(size_of::<$layout>() == $bytes);
        // SAFETY: repr(C), of numbers and arrays of numbers alone, whose sizes add up to its own.
        unsafe impl Plain for $layout {}
    )+};
}

plain! {
    CellsUsed: 8 + 7 * 8,
    Control: 4 + 4 + 8 + 4 + 4 + 2 * 4 + 2 * 4,
    DoorSet: 8 * 8,
    FirstContact: 8 + 16 + 3 * 2 + 1 + 3 + 6,
    FlowLine: 8 * 8,
    IndexLine: 8 * 8,
    KeyedCell: 24 + 40 + 3 * (256 + 256),
    Novelty: 8 + 24 + 2 * 16 + 3 * 4 + 5 * 2 + 2 + 6 + 2,
    PortPage: 128 * 32,
    ServiceTable: 2 * 65_536,
    Settings: 16 * 8 + 4 + 2 + 2 + 2 * 16 + 2 * 4 + 2 * 4,
    ZoneNode: 512,
    ZonePath: 64,
}

/// A value from bytes at any place; `None` where there are more or fewer than it has.
pub(super) fn read<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() {
        return None;
    }
    // SAFETY: so many bytes are there, any bytes are a value, and the read needs no alignment.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The bytes as values that lie side by side; `None` where they do not begin as the values must, or end within one.
pub(super) fn values_mut<T: Plain>(bytes: &mut [u8]) -> Option<&mut [T]> {
    let begins_well = bytes.as_ptr().addr().is_multiple_of(align_of::<T>());
    if !begins_well || !bytes.len().is_multiple_of(size_of::<T>()) {
        return None;
    }
    let count = bytes.len() / size_of::<T>();
    // SAFETY: the bytes are borrowed for as long as the values, begin aligned, and are as many as the values have; any bytes
    // are a value, and a value has no padding, so that they stay bytes whatever is written.
    Some(unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), count) })
}
