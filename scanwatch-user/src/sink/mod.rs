//! Where messages go, and in which form.
//!
//! ```text
//! record → message → form → spool → transport → receiver
//! ```
//!
//! The forms are in [`format`], the ways to a receiver in [`transport`]. A sink is one form and one way.

mod envelope;
pub mod format;
mod lines;
mod message;
mod outlet;
mod spool;
pub mod transport;

pub use envelope::Envelope;
pub use format::{Format, ecs, text};
pub use lines::Lines;
pub use message::{Dropped, Message};
pub use outlet::{Meter, Outlets, Pace, Reading};

/// What fuzzers do to what is read here: files of a spool, and answers of receivers.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing {
    pub use super::spool::fuzzing as segments;
    pub use super::transport::answers;
}

use std::io;

use crate::engine::Record;

/// Who observed: what a record says about this program and its machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observer {
    /// Name of the machine.
    pub hostname: String,
    /// Version of this program.
    pub version: String,
}

impl Observer {
    /// This version of the program on a machine of that name.
    #[must_use]
    pub fn on(hostname: impl Into<String>) -> Self {
        Self { hostname: hostname.into(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// This version of the program on this machine, by the name the kernel has for it.
    pub fn local() -> io::Result<Self> {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
        Ok(Self::on(hostname.trim_end()))
    }
}

/// Something that takes records.
pub trait Sink {
    /// Writes one record, which others can read when this returns. False where nobody will any more: a reader that has
    /// gone away is no error.
    fn write(&mut self, record: &Record) -> io::Result<bool>;

    /// Makes sure that everything written has left the program.
    fn flush(&mut self) -> io::Result<()>;
}
