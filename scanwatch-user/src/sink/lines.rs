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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::format::tests::messages;

    /// A pipe that is closed after some lines.
    struct Pipe {
        lines_left: usize,
        written: Vec<u8>,
        error: io::ErrorKind,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.lines_left = self.lines_left.checked_sub(1).ok_or(self.error)?;
            self.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_record_is_one_line_in_one_piece_and_a_closed_pipe_is_no_error() {
        let observer = Observer::on("gw1");
        let records = messages::records();
        for (_, format) in Format::NAMES {
            let mut pipe = Pipe { lines_left: 2, written: Vec::new(), error: io::ErrorKind::BrokenPipe };
            let mut lines = Lines::new(&mut pipe, format, observer.clone());
            assert!(lines.write(&records[0]).unwrap());
            assert!(lines.write(&records[1]).unwrap());
            assert!(!lines.write(&records[1]).unwrap(), "nobody reads any more");
            lines.flush().unwrap();
            let expected = [0, 1].map(|record: usize| {
                let mut line = format.write(&(&records[record]).into(), &observer);
                line.push(b'\n');
                line
            });
            assert_eq!(pipe.written, expected.concat());

            let mut full = Pipe { lines_left: 0, written: Vec::new(), error: io::ErrorKind::StorageFull };
            assert!(Lines::new(&mut full, format, observer.clone()).write(&records[0]).is_err());
        }
    }
}
