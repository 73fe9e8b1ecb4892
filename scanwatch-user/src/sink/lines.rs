//! JSON Lines: one ECS document a line.

use std::io::{self, Write};

use super::{Observer, Sink, ecs};
use crate::engine::Record;

/// Writes records as JSON Lines.
#[derive(Debug)]
pub struct Lines<W> {
    writer: W,
    observer: Observer,
}

impl<W: Write> Lines<W> {
    /// Lines into this writer.
    pub fn new(writer: W, observer: Observer) -> Self {
        Self { writer, observer }
    }
}

impl<W: Write> Sink for Lines<W> {
    fn write(&mut self, record: &Record) -> io::Result<bool> {
        // In one piece: another program may write to the same place.
        let mut line = serde_json::to_vec(&ecs::record(record, &self.observer))?;
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
