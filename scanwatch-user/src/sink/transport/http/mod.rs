//! Receivers that are spoken to by HTTP. What they have in common is here: requests, secrets, pieces of a batch, and
//! what a status means; what a receiver wants to read, and what it answers, is a [`Dialect`]'s.
//!
//! Redirects are not followed: what a receiver is must not be decided by an answer. Proxies are used where the
//! configuration names one, and never because of the environment.

mod bulk;
mod client;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hec;
mod otlp;
mod pieces;
mod retry_after;
mod target;
mod webhook;

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{BatchMax, Outage, Receipt, Transport};
use crate::policy::{Dialect as Speaks, HttpPlan, HttpReceiver, OtlpPlan, SinkPlan};
use crate::sink::Envelope;

use client::Client;
pub(crate) use client::{header_name, header_value};
use pieces::Piece;
pub(crate) use target::{parse_proxy, parse_url};

/// A delivery that needs several requests sends no other after this time; what is settled by then is kept.
const DELIVERY: Duration = Duration::from_mins(1);

/// What a receiver wants to read, and what it answers.
trait Dialect: Send {
    /// Messages and bytes of one request at most.
    fn batch_max(&self) -> (usize, usize);

    /// How long one request may go on after it was answered, until all is known.
    fn afterwards(&self) -> Duration {
        Duration::ZERO
    }

    /// Finds out whether the receiver is there and takes our credentials.
    fn probe<'a>(&'a mut self, client: &'a mut Client) -> BoxFuture<'a, Result<String, Outage>>;

    /// Sends messages in one request, and says what became of them.
    fn send<'a>(&'a mut self, client: &'a mut Client, messages: &'a [Envelope]) -> BoxFuture<'a, Piece>;
}

/// A receiver by HTTP.
pub struct Http {
    client: Client,
    dialect: Box<dyn Dialect>,
}

/// The transport of a sink of type `http`.
pub fn http(sink: &SinkPlan, plan: &HttpPlan) -> Http {
    let dialect: Box<dyn Dialect> = match &plan.dialect {
        Speaks::SplunkHec(hec) => Box::new(hec::Hec::new(hec.clone(), sink.format)),
        Speaks::ElasticBulk(bulk) => Box::new(bulk::Bulk::new(bulk)),
        Speaks::Webhook(webhook) => Box::new(webhook::Webhook::new(webhook, sink.format)),
    };
    Http { client: Client::new(plan.receiver.clone()), dialect }
}

/// The transport of a sink of type `otlp`.
pub fn otlp(plan: &OtlpPlan) -> Http {
    Http { client: Client::new(plan.receiver.clone()), dialect: Box::new(otlp::Otlp) }
}

/// Reads secrets and certificates, and forgets them again.
pub fn check(receiver: &HttpReceiver) -> Result<(), String> {
    client::Open::new(receiver).map(drop)
}

impl Transport for Http {
    fn batch_max(&self) -> BatchMax {
        let (messages, bytes) = self.dialect.batch_max();
        // The last request may begin just before the end of a delivery's time.
        let timeout = DELIVERY + self.client.timeout() + self.dialect.afterwards();
        BatchMax { messages, bytes, timeout }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        self.dialect.probe(&mut self.client)
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        Box::pin(pieces::deliver(&mut *self.dialect, &mut self.client, batch))
    }

    fn reopen(&mut self) -> BoxFuture<'_, ()> {
        self.client.forget();
        Box::pin(std::future::ready(()))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.client.forget();
        // Idle connections end, and say so, in tasks of their own.
        Box::pin(tokio::task::yield_now())
    }
}
