//! The data plane in the kernel: every packet through the loaded program.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use scanwatch_common::abi::{Cell, CellKey, Novelty, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;
use tokio::runtime::Runtime;

use super::plane::{DataPlane, FRAME_BYTES_SEEN};
use crate::kernel::{DrainedCell, FRAME_BYTES_MIN, Kernel, KernelError, NoveltyRing, Options};
use crate::policy::Policy;

/// The loaded object. Nothing is attached: it sees the capture and nothing else.
pub struct KernelPlane {
    kernel: Kernel,
    rings: [NoveltyRing; 2],
    /// Frames that the kernel refuses to run a program on, for they end within their Ethernet header.
    stubs: u64,
    /// A frame was observed since the last epoch ended.
    is_touched: bool,
    /// A frame was observed in the epoch that ended last.
    was_touched: bool,
    /// The interface of each cell's last novelty: to the kernel all frames come in by the loopback interface.
    interfaces: HashMap<CellKey, u32>,
    interface: u32,
    /// Rings register with it, though nobody waits for them here.
    _runtime: Runtime,
}

impl KernelPlane {
    /// Loads the kernel programs under a policy.
    ///
    /// # Errors
    /// Where that is refused, foremost for lack of rights.
    pub fn new(policy: &Policy) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let kernel = Kernel::load(policy, Options::default()).map_err(|error| match error {
            KernelError::Rights(_) => anyhow!("--in-kernel: {error}; without --in-kernel none are needed"),
            _ => anyhow!("--in-kernel: {error}"),
        })?;
        let rings = {
            let _guard = runtime.enter();
            [kernel.ring(Side::Internal)?, kernel.ring(Side::External)?]
        };
        Ok(Self {
            kernel,
            rings,
            stubs: 0,
            is_touched: false,
            was_touched: false,
            interfaces: HashMap::new(),
            interface: 0,
            _runtime: runtime,
        })
    }
}

impl DataPlane for KernelPlane {
    fn observe(&mut self, frame: &[u8], interface: u32, now_ns: u64) -> Result<(), KernelError> {
        if frame.len() < FRAME_BYTES_MIN {
            self.stubs += 1;
            return Ok(());
        }
        self.is_touched = true;
        self.interface = interface;
        self.kernel.run_at(&frame[..frame.len().min(FRAME_BYTES_SEEN)], now_ns)
    }

    fn novelties(&mut self, mut take: impl FnMut(&Novelty)) {
        let Self { rings, interfaces, interface, .. } = self;
        for ring in rings {
            ring.read(usize::MAX, |novelty| {
                interfaces.insert(novelty.key, *interface);
                take(&Novelty { interface: *interface, ..*novelty });
            });
        }
    }

    fn end_epoch(
        &mut self,
        epochs: u32,
        mut take: impl FnMut(Side, &CellKey, &Cell),
    ) -> Result<(), KernelError> {
        self.kernel.flip_at_rest(epochs)?;
        self.was_touched = std::mem::take(&mut self.is_touched);
        if !self.was_touched {
            return Ok(());
        }
        let mut drained: Vec<(Side, CellKey, Cell)> = Vec::new();
        self.kernel.drain(|DrainedCell { side, key, cell }| drained.push((side, key, *cell)))?;
        drained.sort_unstable_by_key(|(side, key, _)| (*side as u8, *key));
        for (side, key, mut cell) in drained {
            cell.facts.interface = self.interfaces.get(&key).copied().unwrap_or(cell.facts.interface);
            take(side, &key, &cell);
        }
        self.interfaces.clear();
        Ok(())
    }

    fn ports(&mut self, take: impl FnMut(PortKey, &PortSketch)) -> Result<(), KernelError> {
        if std::mem::take(&mut self.was_touched) { self.kernel.drain_ports(take) } else { Ok(()) }
    }

    fn counters(&self) -> Result<Vec<(Counter, u64)>, KernelError> {
        let mut counters = self.kernel.counters()?;
        for (_, n) in counters.iter_mut().filter(|(counter, _)| *counter == Counter::Truncated) {
            *n += self.stubs;
        }
        Ok(counters)
    }
}
