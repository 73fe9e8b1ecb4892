//! Running a loaded program over and over, to find out what it costs.

use aya::programs::{TestRun as _, TestRunOptions, Xdp};

use super::error::KernelError;
use super::object::Kernel;

impl Kernel {
    /// Runs an XDP program of the object so many times on one frame, in a single call of `BPF_PROG_TEST_RUN`.
    ///
    /// The frame is copied once: what the program writes to it, the next run finds.
    pub fn repeat(&mut self, program: &str, frame: &[u8], times: u32) -> Result<(), KernelError> {
        let program: &mut Xdp = self.loaded(program)?.try_into()?;
        let options = TestRunOptions { data_in: Some(frame), repeat: times, ..TestRunOptions::new() };
        match program.test_run(options) {
            Ok(_) => Ok(()),
            Err(error) => Err(KernelError::of("run a program over and over", &error)),
        }
    }
}
