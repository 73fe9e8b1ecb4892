//! Where packets are observed.

use scanwatch_common::abi::{Cell, CellKey, Novelty, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;

use crate::kernel::KernelError;

/// Bytes of a frame that are observed: what a driver, and `BPF_PROG_TEST_RUN`, put into a packet's first buffer, a page
/// less what the kernel needs around it. Programs see no more of a longer frame, and its headers lie within.
pub const FRAME_BYTES_SEEN: usize = 3_500;

/// A data plane whose clock is told.
pub trait DataPlane {
    /// Observes a frame that came by this interface at this time, nanoseconds since the Unix epoch and not 0.
    fn observe(&mut self, frame: &[u8], interface: u32, now_ns: u64) -> Result<(), KernelError>;

    /// Hands over the records of what was observed since the last call, in their order.
    fn novelties(&mut self, take: impl FnMut(&Novelty));

    /// Ends an epoch, of which `epochs` have passed since the last, and hands over its cells in the order of their keys,
    /// internal sources first.
    fn end_epoch(&mut self, epochs: u32, take: impl FnMut(Side, &CellKey, &Cell)) -> Result<(), KernelError>;

    /// Hands over what outsiders did to ports in the epoch that ended last, in the order of the ports.
    fn ports(&mut self, take: impl FnMut(PortKey, &PortSketch)) -> Result<(), KernelError>;

    /// How often each counter was counted.
    fn counters(&self) -> Result<Vec<(Counter, u64)>, KernelError>;
}
