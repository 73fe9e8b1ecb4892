//! Standard output, a message a line.

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{BatchMax, Outage, Receipt, Transport};
use crate::sink::Envelope;

/// Standard output.
#[derive(Debug, Default)]
pub struct Stdout;

impl Transport for Stdout {
    fn batch_max(&self) -> BatchMax {
        // A reader may take its time; while it does, messages wait in the spool.
        BatchMax { messages: 64, bytes: 64 << 10, timeout: Duration::MAX }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        Box::pin(std::future::ready(Ok("standard output is open".to_owned())))
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        Box::pin(async move {
            let lines = super::lines(batch);
            // A pipe that nobody empties blocks its writer.
            let written = tokio::task::spawn_blocking(move || {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(&lines).and_then(|()| stdout.flush())
            });
            let outage = match written.await {
                Ok(Ok(())) => return Receipt::taken(batch.len()),
                Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => {
                    Outage { is_final: true, ..Outage::new("nobody reads standard output any more") }
                }
                Ok(Err(error)) => Outage::new(format!("standard output takes nothing ({error})")),
                Err(error) => Outage::new(format!("standard output was not written ({error})")),
            };
            Receipt::interrupted(0, outage)
        })
    }
}
