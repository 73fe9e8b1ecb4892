//! Streams of NATS JetStream.
//!
//! Every message is published with its identity in `Nats-Msg-Id`, by which the stream drops what it has already, and
//! counts as taken once the stream has acknowledged it.

mod publish;
mod session;
#[cfg(test)]
mod tests;

use std::future::ready;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::{BatchMax, Outage, Receipt, Transport, tls};
use crate::policy::NatsPlan;
use crate::sink::Envelope;
use session::Session;

/// Time in which a good-bye is said.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// A stream.
#[derive(Debug)]
pub struct Nats {
    plan: NatsPlan,
    session: Option<Session>,
}

/// Says whether certificates and login can be used.
pub fn check(plan: &NatsPlan) -> Result<(), String> {
    if let Some(tls) = &plan.tls {
        tls::client_config(tls)?;
    }
    session::login(&plan.login).map(drop)
}

impl Nats {
    /// A stream, not connected yet.
    #[must_use]
    pub fn new(plan: NatsPlan) -> Self {
        Self { plan, session: None }
    }

    async fn send(&mut self, batch: &[Envelope]) -> Receipt {
        // Taken out: a session in which something went wrong is not used again.
        let session = match self.session.take() {
            Some(session) if session.is_open() => session,
            _ => match Session::open(&self.plan).await {
                Ok(session) => session,
                Err(outage) => return Receipt::interrupted(0, outage),
            },
        };
        let receipt = publish::batch(&session, &self.plan, batch).await;
        if receipt.outage.is_none() {
            self.session = Some(session);
        }
        receipt
    }

    async fn found(&self) -> Result<String, Outage> {
        let session = Session::open(&self.plan).await?;
        let found = session.stream(&self.plan).await;
        session.close().await;
        found
    }
}

impl Transport for Nats {
    fn batch_max(&self) -> BatchMax {
        BatchMax { messages: 256, bytes: 4 << 20, timeout: Duration::from_mins(1) }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        Box::pin(self.found())
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        Box::pin(self.send(batch))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        match self.session.take() {
            Some(session) => Box::pin(async move {
                // Whoever does not hear it has gone away already.
                let _ = timeout(CLOSE_MAX, session.close()).await;
            }),
            None => Box::pin(ready(())),
        }
    }
}
