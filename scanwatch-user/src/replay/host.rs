//! The data plane in memory.

use scanwatch_common::abi::{Cell, CellKey, Novelty, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;

use super::plane::DataPlane;
use crate::host_tables::{Capacity, HostTables};
use crate::kernel::KernelError;
use crate::policy::Policy;

/// Host tables under a policy.
pub struct HostPlane {
    tables: HostTables,
}

impl HostPlane {
    /// A data plane that has seen nothing.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let limits = &policy.limits;
        let cells_max = [limits.cells_internal as usize, limits.cells_external as usize];
        let capacity = Capacity { cells_max, ..Capacity::DEFAULT };
        let (zones, services) = (policy.zone_prefixes(), policy.service_table());
        Self { tables: HostTables::new(policy.settings(), &zones, services, capacity) }
    }
}

impl DataPlane for HostPlane {
    #[inline]
    fn observe(&mut self, frame: &[u8], interface: u32, now_ns: u64) -> Result<(), KernelError> {
        self.tables.control.clock_ns = now_ns;
        observe(frame, interface, Passage::IN, &mut self.tables);
        Ok(())
    }

    #[inline]
    fn novelties(&mut self, mut take: impl FnMut(&Novelty)) {
        while let Some(novelty) = self.tables.next_novelty() {
            take(&novelty);
        }
    }

    fn end_epoch(
        &mut self,
        epochs: u32,
        mut take: impl FnMut(Side, &CellKey, &Cell),
    ) -> Result<(), KernelError> {
        for (side, key, cell) in self.tables.end_epoch() {
            take(side, &key, &cell);
        }
        let control = &mut self.tables.control;
        control.tick = control.tick.wrapping_add(epochs.saturating_sub(1));
        Ok(())
    }

    fn ports(&mut self, mut take: impl FnMut(PortKey, &PortSketch)) -> Result<(), KernelError> {
        for (key, sketch) in self.tables.take_ports() {
            take(key, &sketch);
        }
        Ok(())
    }

    fn counters(&self) -> Result<Vec<(Counter, u64)>, KernelError> {
        Ok(Counter::ALL.iter().map(|counter| (*counter, self.tables.counter(*counter))).collect())
    }
}
