//! Emptying the idle copy of the port table.

use std::os::fd::OwnedFd;

use aya::Ebpf;
use aya::maps::{Array, Map};
use scanwatch_common::abi::{PORT_PAGES, PortPage};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;

use super::error::KernelError;
use super::object::{descriptor, second};
use super::pod::Raw;
use super::window::Window;

/// Name of the map.
const PORTS: &str = "PORTS";
/// Pages mapped at once, 1 MiB: what is mapped counts as the agent's memory, and it is mapped while it is emptied only.
const WINDOW: u32 = 256;

/// Both copies of the port table.
pub(super) struct PortTable {
    pages: OwnedFd,
}

impl PortTable {
    /// The map of a loaded object. That its values have the size of ours is what all below relies on.
    pub(super) fn of(ebpf: &Ebpf) -> Result<Self, KernelError> {
        let _size_checked: Array<_, Raw<PortPage>> = Array::try_from(Map::Array(second(ebpf, PORTS)?))?;
        Ok(Self { pages: descriptor(ebpf, PORTS)? })
    }

    /// Takes every sketch out of a copy that nobody writes to, in the order of the ports.
    pub(super) fn drain(
        &mut self,
        copy: u32,
        mut take: impl FnMut(PortKey, &PortSketch),
    ) -> Result<(), KernelError> {
        let pages = PORT_PAGES as u32;
        for first in (0..pages).step_by(WINDOW as usize) {
            let failed = |error| KernelError::of("drain the port table", &error);
            let mut window =
                Window::<PortPage>::map(&self.pages, copy * pages + first, WINDOW).map_err(failed)?;
            for (page, number) in window.values().map_err(failed)?.iter_mut().zip(first..) {
                // Most pages hold nothing, and are not written to.
                if *page == PortPage::EMPTY {
                    continue;
                }
                for (place, sketch) in page.ports.iter().enumerate().filter(|(_, sketch)| !sketch.is_empty())
                {
                    take(PortKey::at(number, place), sketch);
                }
                *page = PortPage::EMPTY;
            }
        }
        Ok(())
    }
}
