//! What became of a sink's messages, counted where it happens and read from elsewhere.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The counters of one sink, shared with whoever shows them.
#[derive(Debug, Default)]
pub struct Meter {
    name: String,
    transport: Mutex<&'static str>,
    /// Messages that wait.
    pub(super) queued: AtomicU64,
    /// Bytes they take.
    pub(super) queued_bytes: AtomicU64,
    /// Messages the receiver took.
    pub(super) delivered: AtomicU64,
    /// Messages that were sent again.
    pub(super) retried: AtomicU64,
    /// Messages that were dropped.
    pub(super) dropped: AtomicU64,
    /// Messages the receiver will never take.
    pub(super) refused: AtomicU64,
    /// Nobody will ever take a message again.
    pub(super) closed: AtomicBool,
    outage: Mutex<Option<String>>,
    trouble: Mutex<Option<String>>,
}

/// A meter at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reading {
    /// Name of the sink.
    pub name: String,
    /// Its type, as in the configuration.
    pub transport: &'static str,
    /// Messages that wait.
    pub queued: u64,
    /// Bytes they take in the spool.
    pub queued_bytes: u64,
    /// Messages the receiver took.
    pub delivered: u64,
    /// Messages that were sent again.
    pub retried: u64,
    /// Messages that were dropped.
    pub dropped: u64,
    /// Messages the receiver refused, which were put aside.
    pub refused: u64,
    /// Why nothing gets through, while it does not.
    pub outage: Option<String>,
    /// Why the spool is not on disk, while it is not.
    pub spool_trouble: Option<String>,
}

impl Meter {
    /// The meter of a sink.
    #[must_use]
    pub fn new(name: &str, transport: &'static str) -> Self {
        Self { name: name.to_owned(), transport: Mutex::new(transport), ..Self::default() }
    }

    /// What it shows.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let text = |text: &Mutex<Option<String>>| text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Reading {
            name: self.name.clone(),
            transport: *self.transport.lock().unwrap_or_else(PoisonError::into_inner),
            queued: read(&self.queued),
            queued_bytes: read(&self.queued_bytes),
            delivered: read(&self.delivered),
            retried: read(&self.retried),
            dropped: read(&self.dropped),
            refused: read(&self.refused),
            outage: text(&self.outage),
            spool_trouble: text(&self.trouble),
        }
    }

    /// The sink goes another way from now on.
    pub(super) fn set_transport(&self, transport: &'static str) {
        *self.transport.lock().unwrap_or_else(PoisonError::into_inner) = transport;
    }

    /// Replaces why nothing gets through; what was there before.
    pub(super) fn set_outage(&self, why: Option<String>) -> Option<String> {
        replace(&self.outage, why)
    }

    /// Replaces why the spool is not on disk; what was there before.
    pub(super) fn set_trouble(&self, why: Option<String>) -> Option<String> {
        replace(&self.trouble, why)
    }
}

fn replace(text: &Mutex<Option<String>>, value: Option<String>) -> Option<String> {
    std::mem::replace(&mut *text.lock().unwrap_or_else(PoisonError::into_inner), value)
}
