//! What becomes of a delivery: settled, put aside, or waited for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{Load, Worker, backoff, now};
use crate::sink::Envelope;
use crate::sink::transport::{Fate, Outage, Receipt};

/// The longest time a receiver is heard when it asks for some.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);

impl Worker {
    /// Takes note of what became of a delivery.
    pub(super) fn land(&mut self, load: Load, receipt: Receipt) {
        let Receipt { fates, outage } = receipt;
        let settled = match load {
            Load::Announcement(envelope) => {
                let settled = fates.first().is_some_and(|fate| self.settle(&envelope, fate));
                if settled {
                    self.spool.announced();
                    self.told_dropped = false;
                    self.may_announce = Instant::now() + self.pace.announce;
                }
                usize::from(settled)
            }
            Load::Batch(batch) => self.land_batch(batch, &fates),
        };
        let outage = outage.or_else(|| {
            let unsettled = fates.contains(&Fate::Again) || settled == 0;
            unsettled.then(|| Outage::new("the receiver did not take everything"))
        });
        if settled > 0 {
            self.backoff = backoff(self.pace);
        }
        match outage {
            Some(outage) => self.wait(&outage),
            None => self.got_through(),
        }
    }

    /// Settles what can be; the rest is tried again. How many were settled.
    fn land_batch(&mut self, batch: Vec<(u64, Envelope)>, fates: &[Fate]) -> usize {
        let count = batch.len();
        let last = batch.last().map(|(number, _)| number + 1);
        let first = batch.first().map(|(number, _)| *number);
        let fates = fates.iter().chain(std::iter::repeat(&Fate::Again));
        for ((number, envelope), fate) in batch.into_iter().zip(fates) {
            if !self.settle(&envelope, fate) {
                self.left.push((number, envelope));
            }
        }
        // Up to the first that is left: the spool knows one place, and all before it is done.
        let done = self.left.first().map(|(number, _)| *number).or(last);
        if let (Some(first), Some(done)) = (first, done)
            && done > first
        {
            self.spool.acknowledge(first, done);
        }
        count - self.left.len()
    }

    /// True where a message need not be sent again.
    fn settle(&mut self, envelope: &Envelope, fate: &Fate) -> bool {
        match fate {
            Fate::Taken => {
                self.meter.delivered.fetch_add(1, Ordering::Relaxed);
                true
            }
            Fate::Refused(why) => {
                self.put_aside(envelope, why);
                true
            }
            Fate::Again => {
                self.meter.retried.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    pub(super) fn put_aside(&mut self, envelope: &Envelope, why: &str) {
        self.meter.refused.fetch_add(1, Ordering::Relaxed);
        let Self { plan, dead_letters, .. } = self;
        let (sink, id) = (&plan.name, &envelope.id);
        let put = dead_letters.as_ref().map(|letters| (letters.path(), letters.put(envelope, why, now())));
        match put {
            Some((path, Ok(()))) => {
                tracing::warn!("sink {sink}: {id} was refused ({why}) and put aside in {}", path.display());
            }
            Some((path, Err(error))) => {
                tracing::error!(
                    "sink {sink}: {id} was refused ({why}) and is lost: {} cannot be written ({error})",
                    path.display()
                );
                self.spool.drop_messages(1, now());
            }
            None => {
                tracing::error!(
                    "sink {sink}: {id} was refused ({why}) and is lost: without a state directory nothing is kept"
                );
                self.spool.drop_messages(1, now());
            }
        }
    }

    fn wait(&mut self, outage: &Outage) {
        self.is_free = false;
        let pause = self.backoff.next().unwrap_or(self.pace.backoff_max);
        let pause = outage.retry_after.map_or(pause, |asked| asked.min(RETRY_AFTER_MAX).max(pause));
        self.not_before = Instant::now() + pause;
        if outage.is_final {
            self.meter.closed.store(true, Ordering::Relaxed);
            self.closed.notify_waiters();
        }
        if self.closing.is_some() {
            // What is left stays where it is.
            self.closing = Some(Instant::now());
        }
        let before = self.meter.set_outage(Some(outage.why.clone()));
        if before.as_ref() == Some(&outage.why) {
            // Said once as a warning already.
            tracing::debug!("sink {}: {}; the next attempt is in {pause:.1?}", self.plan.name, outage.why);
        } else {
            let waiting = self.spool.messages();
            if outage.is_final {
                tracing::debug!("sink {}: {}", self.plan.name, outage.why);
            } else {
                tracing::warn!(
                    "sink {}: {}; messages that wait to be tried again: {waiting}",
                    self.plan.name,
                    outage.why
                );
            }
        }
    }

    fn got_through(&mut self) {
        self.is_free = true;
        if self.meter.set_outage(None).is_some() {
            tracing::info!(
                "sink {}: the way is free again; messages that wait: {}",
                self.plan.name,
                self.spool.messages()
            );
        }
    }
}
