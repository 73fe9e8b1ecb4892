//! Emptying the idle copy of the port table.

use std::os::fd::OwnedFd;

use aya::maps::{Array, MapData};
use scanwatch_common::abi::PortPage;
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;

use super::batch::{LOOKUP, Position, Step, batch};
use super::error::KernelError;
use super::pod::Raw;

/// Pages taken at once: 64 KiB.
const BATCH: usize = 16;

/// Buffers for draining, kept from epoch to epoch.
pub(super) struct PortDrainer {
    numbers: Vec<u32>,
    pages: Vec<PortPage>,
}

impl PortDrainer {
    pub(super) fn new() -> Self {
        Self { numbers: vec![0; BATCH], pages: vec![PortPage::EMPTY; BATCH] }
    }

    /// Takes every sketch out of one copy, in the order of the ports. An array cannot be emptied as it is read; but nobody
    /// writes to this copy, so pages that hold anything are overwritten.
    pub(super) fn drain(
        &mut self,
        copy: &mut PortCopy,
        mut take: impl FnMut(PortKey, &PortSketch),
    ) -> Result<(), KernelError> {
        let mut position = Position::Start;
        loop {
            let buffers = (&mut self.numbers[..], &mut self.pages[..]);
            let (count, step) = batch(LOOKUP, &copy.descriptor, &mut position, buffers);
            for (number, page) in self.numbers.iter().zip(&self.pages).take(count) {
                if *page == PortPage::EMPTY {
                    continue;
                }
                for (place, sketch) in page.ports.iter().enumerate().filter(|(_, sketch)| !sketch.is_empty())
                {
                    take(PortKey::at(*number, place), sketch);
                }
                copy.pages.set(*number, Raw(PortPage::EMPTY), 0)?;
            }
            match step {
                Ok(Step::More | Step::TooSmall) => {}
                Ok(Step::End) => return Ok(()),
                Err(error) => return Err(KernelError::of("drain the port table", &error)),
            }
        }
    }
}

/// One copy of the port table.
pub(super) struct PortCopy {
    pub(super) descriptor: OwnedFd,
    /// The same map, whose value size aya has checked.
    pub(super) pages: Array<MapData, Raw<PortPage>>,
}
