//! The data plane's counters, as they were read last.

use scanwatch_common::counters::Counter;

use crate::kernel::Kernel;

/// Reading them takes a descriptor for a moment, which may be lacking: that ends nothing.
#[derive(Debug, Default)]
pub(super) struct Counters {
    last: Vec<(Counter, u64)>,
    /// The last reading failed, which was said.
    is_failing: bool,
}

impl Counters {
    /// Every counter; where the kernel cannot be asked, as it was before.
    pub(super) fn read(&mut self, kernel: &Kernel) -> &[(Counter, u64)] {
        match kernel.counters() {
            Ok(counters) => {
                self.last = counters;
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("the counters are read again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!("the counters stay as they were until they can be read again: {error}");
                }
            }
        }
        &self.last
    }
}
