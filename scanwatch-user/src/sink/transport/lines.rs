//! A message a line, into whatever is written to: standard output.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{BatchMax, Outage, Receipt, Transport};
use crate::sink::Envelope;

/// A message a line. The writer must not keep back what it took: what it says it took is what a reader has.
#[derive(Debug)]
pub struct Lines<W> {
    stream: Arc<Mutex<Stream<W>>>,
}

impl<W: Write + Send + 'static> Lines<W> {
    /// Lines into this.
    pub fn to(writer: W) -> Self {
        Self { stream: Arc::new(Mutex::new(Stream { writer, cut: None })) }
    }
}

/// Lines to standard output, past the standard library's buffer.
pub(super) fn standard_output() -> Box<dyn Transport> {
    Box::new(Lines::to(StandardOutput(None)))
}

/// Standard output under a descriptor of its own, opened when it is first written to.
struct StandardOutput(Option<File>);

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Some(file) => file.write(bytes),
            closed => closed.insert(io::stdout().as_fd().try_clone_to_owned()?.into()).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Stream<W> {
    writer: W,
    cut: Option<Cut>,
}

/// A line of which only the beginning was taken, as by a disk that ran full in the middle of it.
#[derive(Debug)]
struct Cut {
    payload: Bytes,
    taken: usize,
}

impl<W: Write> Stream<W> {
    /// Writes messages until the writer takes no more; how many were written whole.
    fn write(&mut self, batch: &[Bytes]) -> (usize, io::Result<()>) {
        for (number, payload) in batch.iter().enumerate() {
            if let Err(error) = self.write_line(payload) {
                return (number, Err(error));
            }
        }
        (batch.len(), self.writer.flush())
    }

    /// A line that was cut is gone on with where it is the next one, and ended where it is not: half a line would spoil
    /// the whole one behind it.
    fn write_line(&mut self, payload: &Bytes) -> io::Result<()> {
        let mut taken = 0;
        if let Some(cut) = self.cut.take() {
            if cut.payload == payload {
                taken = cut.taken;
            } else if let Err(error) = self.write_from(b"\n", &mut 0) {
                self.cut = Some(cut);
                return Err(error);
            }
        }
        let line = [payload, &b"\n"[..]].concat();
        let written = self.write_from(&line, &mut taken);
        if written.is_err() && taken > 0 {
            self.cut = Some(Cut { payload: payload.clone(), taken });
        }
        written
    }

    fn write_from(&mut self, line: &[u8], taken: &mut usize) -> io::Result<()> {
        while *taken < line.len() {
            match self.writer.write(&line[*taken..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => *taken += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<W: Write + Send + 'static> Transport for Lines<W> {
    fn batch_max(&self) -> BatchMax {
        // A reader may take its time; while it does, messages wait in the spool.
        BatchMax { messages: 64, bytes: 64 << 10, timeout: Duration::MAX }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        Box::pin(std::future::ready(Ok("it is open".to_owned())))
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        Box::pin(async move {
            let payloads: Vec<Bytes> = batch.iter().map(|envelope| envelope.payload.clone()).collect();
            let stream = Arc::clone(&self.stream);
            // A pipe that nobody empties blocks its writer.
            let written = tokio::task::spawn_blocking(move || {
                stream.lock().unwrap_or_else(PoisonError::into_inner).write(&payloads)
            });
            match written.await {
                Ok((_, Ok(()))) => Receipt::taken(batch.len()),
                Ok((whole, Err(error))) => Receipt::interrupted(whole, outage(&error)),
                Err(error) => {
                    Receipt::interrupted(0, Outage::new(format!("standard output was not written ({error})")))
                }
            }
        })
    }
}

fn outage(error: &io::Error) -> Outage {
    match error.kind() {
        ErrorKind::BrokenPipe => {
            Outage { is_final: true, ..Outage::new("nobody reads standard output any more") }
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Outage::new(format!(
            "standard output takes nothing ({error}); make room on the disk that it is redirected to"
        )),
        _ => Outage::new(format!("standard output takes nothing ({error}); see where it is redirected to")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for some bytes.
    #[derive(Default)]
    struct Disk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let bytes = &bytes[..bytes.len().min(self.room)];
            if bytes.is_empty() {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= bytes.len();
            self.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stream(room: usize) -> Stream<Disk> {
        Stream { writer: Disk { room, ..Disk::default() }, cut: None }
    }

    fn text(stream: &Stream<Disk>) -> &str {
        str::from_utf8(&stream.writer.written).unwrap()
    }

    #[test]
    fn a_line_that_was_cut_is_gone_on_with_where_it_stopped_however_often() {
        let batch = [Bytes::from_static(b"one"), Bytes::from_static(b"two"), Bytes::from_static(b"three")];
        for step in 1..=14 {
            let mut stream = stream(0);
            let mut left = &batch[..];
            while !left.is_empty() {
                let (whole, written) = stream.write(left);
                left = &left[whole..];
                assert_eq!(written.is_ok(), left.is_empty());
                stream.writer.room = step;
            }
            assert_eq!(text(&stream), "one\ntwo\nthree\n", "{step} bytes at a time");
        }
    }

    #[test]
    fn a_line_that_was_cut_and_is_never_sent_again_spoils_no_other() {
        let mut stream = stream(2);
        assert_eq!(stream.write(&[Bytes::from_static(b"lost")]).0, 0);
        assert_eq!(stream.write(&[Bytes::from_static(b"whole")]).0, 0);
        stream.writer.room = 100;
        assert_eq!(stream.write(&[Bytes::from_static(b"whole")]).0, 1);
        assert_eq!(text(&stream), "lo\nwhole\n");
    }

    #[test]
    fn what_is_wrong_with_standard_output_is_said_with_what_to_do() {
        assert!(outage(&ErrorKind::BrokenPipe.into()).is_final);
        let full = outage(&io::Error::from_raw_os_error(28));
        assert!(!full.is_final);
        assert_eq!(
            full.why,
            "standard output takes nothing (No space left on device (os error 28)); make room on the disk that it is \
             redirected to"
        );
    }
}
