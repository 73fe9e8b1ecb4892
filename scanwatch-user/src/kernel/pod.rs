//! The shared layouts as values of maps.

use aya::Pod;

use super::plain::Plain;

/// A shared layout; neither it nor the trait is ours to join directly.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Raw<T: Copy>(pub(super) T);

// SAFETY: aya asks for what `Plain` promises: no padding, and any bytes are a value.
unsafe impl<T: Plain> Pod for Raw<T> {}
