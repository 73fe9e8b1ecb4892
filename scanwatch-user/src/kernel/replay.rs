//! Running the loaded programs on captured frames: nothing is attached, and time is told.

use super::error::KernelError;
use super::object::Kernel;

/// Shortest frame that `BPF_PROG_TEST_RUN` takes, bytes: an Ethernet header.
pub const FRAME_BYTES_MIN: usize = 14;

impl Kernel {
    /// Runs the XDP program on one frame, as [`Kernel::run`], at this time, nanoseconds and not 0.
    pub fn run_at(&mut self, frame: &[u8], now_ns: u64) -> Result<(), KernelError> {
        if self.state.clock_ns != now_ns {
            self.set_clock(now_ns)?;
        }
        self.run(frame)
    }

    /// Ends the epoch, as [`Kernel::flip`], of which `epochs` have passed since the last flip. To be called only where
    /// nothing was ever attached: no program can be running then, and so there is nothing to wait for.
    pub fn flip_at_rest(&mut self, epochs: u32) -> Result<(), KernelError> {
        self.state.activate(self.state.active ^ 1, &self.settings);
        self.state.tick = self.state.tick.wrapping_add(epochs);
        self.tell()
    }
}
