//! The shared layouts as bytes that may cross the system call boundary.

use aya::Pod;
use scanwatch_common::abi::{CellsUsed, Control, KeyedCell, PortPage, ServiceTable, Settings};
use scanwatch_common::sketch::{DoorSet, FlowLine, IndexLine};
use scanwatch_common::zones::{ZoneNode, ZonePath};

/// A shared layout; neither it nor the trait is ours to join directly.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Raw<T: Copy>(pub(super) T);

// SAFETY: all are repr(C) without padding (sizes are asserted in `abi`), and any bytes are a valid value.
unsafe impl Pod for Raw<KeyedCell> {}
// SAFETY: as above.
unsafe impl Pod for Raw<CellsUsed> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Control> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Settings> {}
// SAFETY: as above.
unsafe impl Pod for Raw<ServiceTable> {}
// SAFETY: as above.
unsafe impl Pod for Raw<PortPage> {}
// SAFETY: as above.
unsafe impl Pod for Raw<DoorSet> {}
// SAFETY: as above.
unsafe impl Pod for Raw<FlowLine> {}
// SAFETY: as above.
unsafe impl Pod for Raw<ZoneNode> {}
// SAFETY: as above.
unsafe impl Pod for Raw<ZonePath> {}
// SAFETY: as above.
unsafe impl Pod for Raw<IndexLine> {}
