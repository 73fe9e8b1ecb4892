//! Running a loaded program over and over, to find out what it costs.

use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode};

use super::error::KernelError;
use super::object::Kernel;

/// Live frames sent at a time, as a driver's poll takes them.
const BATCH: u32 = 64;

impl Kernel {
    /// Runs an XDP program of the object so many times on one frame, in a single call of `BPF_PROG_TEST_RUN`.
    ///
    /// The frame is copied once: what the program writes to it, the next run finds.
    pub fn repeat(&mut self, program: &str, frame: &[u8], times: u32) -> Result<(), KernelError> {
        self.test(program, TestRunOptions { data_in: Some(frame), repeat: times, ..TestRunOptions::new() })
    }

    /// The same, but the kernel does with each frame what the program says, as with one that came in: a program that
    /// redirects sends so many frames. They are used again, and are then as the program left them.
    pub fn repeat_live(&mut self, program: &str, frame: &[u8], times: u32) -> Result<(), KernelError> {
        let attrs = TestRunAttrs::new().xdp_live_frames(BATCH);
        self.test(
            program,
            TestRunOptions { data_in: Some(frame), repeat: times, attrs, ..TestRunOptions::new() },
        )
    }

    /// Attaches any XDP program of the object in the driver of an interface.
    pub fn attach_program(&mut self, program: &str, interface: &str, index: u32) -> Result<(), KernelError> {
        let hold = self
            .attach_xdp(program, interface, XdpMode::Driver)
            .map_err(|error| KernelError::of("attach to an interface", &error))?;
        self.holds.entry(index).or_default().push(hold);
        Ok(())
    }

    fn test(&mut self, program: &str, options: TestRunOptions<'_>) -> Result<(), KernelError> {
        let program: &mut Xdp = self.loaded(program)?.try_into()?;
        match program.test_run(options) {
            Ok(_) => Ok(()),
            Err(error) => Err(KernelError::of("run a program over and over", &error)),
        }
    }
}
