//! Ways to a receiver, one folder or file a way.
//!
//! A transport knows its receiver's protocol and nothing else: what is kept until it is taken, tried again, or given up
//! is decided by the sink's outlet, the same for all.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::Envelope;
use crate::policy::{SinkPlan, TransportPlan};

pub use lines::Lines;

mod file;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod lines;
mod nats;
mod syslog;
pub mod tls;

#[cfg(any(test, fuzzing))]
pub use http::fuzzing as answers;
pub(crate) use http::{header_name, header_value, parse_proxy, parse_url};

/// The transport of a sink. Nothing is opened yet: what is missing shows at the first delivery, and is tried again.
#[must_use]
pub fn of(plan: &SinkPlan) -> Box<dyn Transport> {
    match &plan.transport {
        TransportPlan::Stdout => lines::standard_output(),
        TransportPlan::File(file) => Box::new(file::File::new(file.clone())),
        TransportPlan::Nats(nats) => Box::new(nats::Nats::new(nats.clone())),
        TransportPlan::Syslog(syslog) => Box::new(syslog::Syslog::new(syslog.clone())),
        TransportPlan::Http(http) => Box::new(http::http(plan, http)),
        TransportPlan::Otlp(otlp) => Box::new(http::otlp(otlp)),
        #[cfg(feature = "kafka")]
        TransportPlan::Kafka(kafka) => Box::new(kafka::Kafka::new(kafka.clone())),
    }
}

/// What is wrong with a sink, as far as it can be found without connecting: certificates, secrets, templates.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub fn check(plan: &SinkPlan) -> Result<(), String> {
    match &plan.transport {
        TransportPlan::Stdout => Ok(()),
        TransportPlan::File(plan) => file::check(plan),
        TransportPlan::Nats(plan) => nats::check(plan),
        TransportPlan::Syslog(plan) => syslog::check(plan),
        TransportPlan::Http(plan) => http::check(&plan.receiver),
        TransportPlan::Otlp(plan) => http::check(&plan.receiver),
        #[cfg(feature = "kafka")]
        TransportPlan::Kafka(plan) => kafka::check(plan),
    }
}

/// A way to a receiver.
pub trait Transport: Send {
    /// How much one delivery takes at most.
    fn batch_max(&self) -> BatchMax;

    /// Connects, and sends nothing: finds out whether the receiver is there. One sentence about what was found.
    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>>;

    /// Sends a batch, in order, and says of each message what became of it. Connects where that is needed.
    ///
    /// Messages that the receiver took may be sent again: after a restart, or where the answer was lost. The future may be
    /// dropped while it runs, at shutdown or after [`BatchMax::timeout`]; a stream left in the middle of a message is
    /// then closed before the next.
    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt>;

    /// Opens anew what may have been moved aside, as files on SIGHUP.
    fn reopen(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Says good-bye as the protocol asks for: `close_notify`, a flush.
    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Messages as lines.
fn lines(batch: &[Envelope]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(batch.iter().map(|envelope| envelope.payload.len() + 1).sum());
    for envelope in batch {
        lines.extend_from_slice(&envelope.payload);
        lines.push(b'\n');
    }
    lines
}

/// How much one delivery takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMax {
    /// Messages.
    pub messages: usize,
    /// Bytes of payload, but one message at least.
    pub bytes: usize,
    /// A delivery that takes longer is an outage.
    pub timeout: Duration,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has it: it need not be kept any more.
    Taken,
    /// The receiver will never take it, and why: it is put aside.
    Refused(String),
    /// Not taken this time.
    Again,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Of each message, in their order; what is missing at the end is [`Fate::Again`].
    pub fates: Vec<Fate>,
    /// Why not everything was settled, where it was not.
    pub outage: Option<Outage>,
}

impl Receipt {
    /// All `count` messages were taken.
    #[must_use]
    pub fn taken(count: usize) -> Self {
        Self { fates: vec![Fate::Taken; count], outage: None }
    }

    /// The first `count` messages were taken, and then the way was closed.
    #[must_use]
    pub fn interrupted(count: usize, outage: Outage) -> Self {
        Self { fates: vec![Fate::Taken; count], outage: Some(outage) }
    }
}

/// Why a delivery did not succeed, and may later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// What went wrong, and what to do where that can be known; one sentence without a full stop.
    pub why: String,
    /// The receiver asked for this much time (RFC 9110, section 10.2.3).
    pub retry_after: Option<Duration>,
    /// It never will, as long as this process runs.
    pub is_final: bool,
}

impl Outage {
    /// An outage for this reason; the sink chooses when to try again.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), retry_after: None, is_final: false }
    }
}
