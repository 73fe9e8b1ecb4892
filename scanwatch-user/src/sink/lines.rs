//! One record a line.

use std::io::{self, Write};

use super::{Format, Observer, Sink};
use crate::engine::Record;

/// Writes records, each as a line.
#[derive(Debug)]
pub struct Lines<W> {
    writer: W,
    format: Format,
    observer: Observer,
}

impl<W: Write> Lines<W> {
    /// Lines of this form into this writer.
    pub fn new(writer: W, format: Format, observer: Observer) -> Self {
        Self { writer, format, observer }
    }
}

impl<W: Write> Sink for Lines<W> {
    fn write(&mut self, record: &Record) -> io::Result<bool> {
        // In one piece: another program may write to the same place.
        let mut line = self.format.write(&record.into(), &self.observer);
        line.push(b'\n');
        is_open(self.writer.write_all(&line).and_then(|()| self.writer.flush()))
    }

    fn flush(&mut self) -> io::Result<()> {
        is_open(self.writer.flush()).map(drop)
    }
}

/// A closed pipe is an answer, not an error.
fn is_open(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}
