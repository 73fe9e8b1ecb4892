//! Where records go, and in which form.

pub mod ecs;
mod lines;
#[cfg(test)]
mod tests;
pub mod text;

pub use lines::Lines;

use std::io;

use crate::engine::Record;

/// The form of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Elastic Common Schema, one JSON document a line.
    #[default]
    Ecs,
    /// One line a person reads: time, severity, what happened, and the evidence in short.
    Text,
}

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
