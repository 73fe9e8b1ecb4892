//! A message a line, into whatever is written to: standard output.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{BatchMax, Outage, Receipt, Transport};
use crate::sink::Envelope;

/// A message a line.
#[derive(Debug)]
pub struct Lines<W> {
    writer: Arc<Mutex<W>>,
}

impl<W: Write + Send + 'static> Lines<W> {
    /// Lines into this.
    pub fn to(writer: W) -> Self {
        Self { writer: Arc::new(Mutex::new(writer)) }
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
            let (lines, writer) = (super::lines(batch), Arc::clone(&self.writer));
            // A pipe that nobody empties blocks its writer.
            let written = tokio::task::spawn_blocking(move || {
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                writer.write_all(&lines).and_then(|()| writer.flush())
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
