//! Standard output, a message a line.

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{BatchMax, Outage, Receipt, Transport};
use crate::sink::Envelope;

/// Standard output.
#[derive(Debug, Default)]
pub struct Stdout {
    lines: Vec<u8>,
}

impl Transport for Stdout {
    fn batch_max(&self) -> BatchMax {
        // What a pipe holds on Linux: it is taken, or not, as a whole.
        BatchMax { messages: 64, bytes: 64 << 10, timeout: Duration::MAX }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        Box::pin(std::future::ready(Ok("standard output is open".to_owned())))
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        self.lines.clear();
        for envelope in batch {
            self.lines.extend_from_slice(&envelope.payload);
            self.lines.push(b'\n');
        }
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(&self.lines).and_then(|()| stdout.flush());
        Box::pin(std::future::ready(match written {
            Ok(()) => Receipt::taken(batch.len()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                Receipt::interrupted(0, Outage::new("nobody reads standard output any more"))
            }
            Err(error) => {
                Receipt::interrupted(0, Outage::new(format!("standard output takes nothing ({error})")))
            }
        }))
    }
}
