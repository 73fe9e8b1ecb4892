//! What runs in an outlet's thread.

mod landing;

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use super::dead_letters::DeadLetters;
use super::{Command, Meter, Pace};
use crate::engine::Timestamp;
use crate::policy::SinkPlan;
use crate::sink::spool::{Announcement, Spool};
use crate::sink::transport::{self, Outage, Receipt, Transport};
use crate::sink::{Dropped, Envelope, Message, Observer};

/// Time in which a transport may say good-bye.
pub(in crate::sink::outlet) const GOODBYE: Duration = Duration::from_secs(2);

/// What is under way.
enum Load {
    /// Messages by their numbers.
    Batch(Vec<(u64, Envelope)>),
    /// The announcement of what was dropped.
    Announcement(Envelope),
}

/// What is to be done to the transport before the next delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Renewal {
    /// Nothing.
    #[default]
    None,
    /// What may have been moved aside is opened anew.
    Reopen,
    /// The plan has changed: another takes its place.
    Another,
}

/// A delivery: the transport comes back with what became of it.
type Flight = BoxFuture<'static, (Box<dyn Transport>, Load, Receipt)>;

/// See [`super::Outlet`].
pub(in crate::sink::outlet) struct Worker {
    plan: SinkPlan,
    observer: Observer,
    pace: Pace,
    spool: Spool,
    dead_letters: Option<DeadLetters>,
    /// Here, unless it is under way.
    transport: Option<Box<dyn Transport>>,
    /// What was not settled by the last delivery.
    left: Vec<(u64, Envelope)>,
    backoff: ExponentialBackoff,
    /// No delivery before this.
    not_before: Instant,
    /// The last delivery got through.
    is_free: bool,
    may_announce: Instant,
    /// The running loss of messages was logged.
    told_dropped: bool,
    sync_due: Option<Instant>,
    renewal: Renewal,
    closing: Option<Instant>,
    meter: Arc<Meter>,
    missed: Arc<AtomicU64>,
    closed: Arc<Notify>,
}

impl Worker {
    #[expect(clippy::too_many_arguments, reason = "it is made in one place, of what that place was given")]
    pub fn new(
        transport: Box<dyn Transport>,
        plan: SinkPlan,
        folder: Option<&Path>,
        observer: Observer,
        pace: Pace,
        meter: Arc<Meter>,
        missed: Arc<AtomicU64>,
        closed: Arc<Notify>,
    ) -> Self {
        let spool = match folder {
            Some(folder) => Spool::open(folder, plan.spool, now()),
            None => Spool::in_memory(plan.spool),
        };
        let dead_letters = folder.map(DeadLetters::in_folder);
        let at_once = Instant::now();
        Self {
            plan,
            observer,
            backoff: backoff(pace),
            pace,
            spool,
            dead_letters,
            transport: Some(transport),
            left: Vec::new(),
            not_before: at_once,
            is_free: true,
            may_announce: at_once,
            told_dropped: false,
            sync_due: None,
            renewal: Renewal::None,
            closing: None,
            meter,
            missed,
            closed,
        }
    }

    /// Spools and delivers until it is told to end.
    ///
    /// Returns how many messages were not delivered and are kept nowhere.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) -> u64 {
        if self.spool.messages() > 0 {
            tracing::info!(
                "sink {}: messages of before that wait in its spool: {}",
                self.plan.name,
                self.spool.messages()
            );
        }
        let mut flight: Option<Flight> = None;
        loop {
            self.show();
            if flight.is_none() {
                flight = self.depart().await;
            }
            if self.closing.is_some_and(|end| flight.is_none() || Instant::now() >= end) {
                break;
            }
            let wake = [self.sync_due, self.closing, self.retry_at(flight.is_some())];
            let wake = wake.into_iter().flatten().min();
            tokio::select! {
                biased;
                command = commands.recv(), if self.closing.is_none() => match command {
                    Some(command) => self.obey(command),
                    None => self.closing = Some(Instant::now()),
                },
                (transport, load, receipt) = landed(&mut flight) => {
                    flight = None;
                    self.transport = Some(transport);
                    self.land(load, receipt);
                }
                () = async { match wake { Some(at) => sleep_until(at).await, None => pending().await } } => {}
            }
            if self.sync_due.is_some_and(|at| Instant::now() >= at) {
                self.spool.sync();
                self.sync_due = None;
            }
        }
        self.end().await
    }

    /// When a delivery is to be tried again, if one is waiting for that.
    fn retry_at(&self, is_under_way: bool) -> Option<Instant> {
        let waits = !self.left.is_empty() || self.spool.messages() > 0 || self.spool.has_to_announce();
        let at = if self.spool.messages() > 0 || !self.left.is_empty() {
            self.not_before
        } else {
            self.not_before.max(self.may_announce)
        };
        (waits && !is_under_way && !self.meter.closed.load(Ordering::Relaxed)).then_some(at)
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Record(record) => {
                let message = Message::from(&*record);
                match self.envelope(&message) {
                    Ok(envelope) => drop(self.spool.push(envelope, now())),
                    Err((envelope, why)) => self.put_aside(&envelope, &why),
                }
                self.sync_due.get_or_insert_with(|| Instant::now() + self.pace.sync);
            }
            Command::Barrier(done) => drop(done.send(())),
            Command::Become(plan) => {
                self.spool.set_plan(plan.spool);
                self.meter.set_transport(plan.transport.name());
                // Nobody may take a message by the way before, and somebody by this one.
                self.meter.closed.store(false, Ordering::Relaxed);
                self.renewal = Renewal::Another;
                self.plan = *plan;
                self.not_before = Instant::now();
            }
            Command::Reopen => self.renewal = self.renewal.max(Renewal::Reopen),
            Command::Close(limit) => self.closing = Some(Instant::now() + limit),
        }
    }

    /// A message in the sink's form. Where its template fails, in the native one, and why.
    fn envelope(&self, message: &Message) -> Result<Envelope, (Envelope, String)> {
        let native = || self.plan.format.write(message, &self.observer);
        match &self.plan.template {
            None => Ok(Envelope::new(message, native())),
            Some(template) => match template.write(message, &self.observer) {
                Ok(body) => Ok(Envelope::new(message, body)),
                Err(why) => Err((Envelope::new(message, native()), why)),
            },
        }
    }

    /// Begins the next delivery, if there is one to make now.
    async fn depart(&mut self) -> Option<Flight> {
        if self.retry_at(false).is_none_or(|at| at > Instant::now()) {
            return None;
        }
        let load = self.load()?;
        let mut transport = self.transport.take()?;
        match std::mem::take(&mut self.renewal) {
            Renewal::None => {}
            Renewal::Reopen => transport.reopen().await,
            Renewal::Another => {
                let _ = timeout(GOODBYE, transport.close()).await;
                transport = transport::of(&self.plan);
            }
        }
        let limit = transport.batch_max().timeout;
        Some(Box::pin(async move {
            let envelopes: Vec<Envelope> = match &load {
                Load::Batch(batch) => batch.iter().map(|(_, envelope)| envelope.clone()).collect(),
                Load::Announcement(envelope) => vec![envelope.clone()],
            };
            let receipt = timeout(limit, transport.deliver(&envelopes)).await.unwrap_or_else(|_| {
                let why = format!("the receiver did not answer within {} s", limit.as_secs());
                Receipt::interrupted(0, Outage::new(why))
            });
            (transport, load, receipt)
        }))
    }

    fn load(&mut self) -> Option<Load> {
        let is_idle = self.left.is_empty() && self.spool.messages() == 0;
        let may_announce = Instant::now() >= self.may_announce;
        // Where nothing else waits, the announcement itself finds out whether the way is free.
        if self.left.is_empty()
            && let Some(announcement) = self.spool.announcement(may_announce && (self.is_free || is_idle))
        {
            return Some(Load::Announcement(self.dropped(&announcement)));
        }
        if !self.left.is_empty() {
            return Some(Load::Batch(std::mem::take(&mut self.left)));
        }
        let max = self.transport.as_ref()?.batch_max();
        let batch = self.spool.peek(max.messages, max.bytes, now());
        (!batch.is_empty()).then_some(Load::Batch(batch))
    }

    fn dropped(&self, announcement: &Announcement) -> Envelope {
        let gap = announcement.gap;
        let messages =
            if gap.messages == 1 { "1 record".to_owned() } else { format!("{} records", gap.messages) };
        let dropped = Dropped {
            id: announcement.id.clone(),
            at: now(),
            sink: self.plan.name.clone(),
            records: gap.messages,
            first: gap.first,
            last: gap.last,
            reason: format!(
                "{messages} for the sink {} were dropped between here and {}, since its spool or its disk was full: what they \
                 said is lost here.",
                self.plan.name, self.observer.hostname
            ),
        };
        // A template that parses has been tried on a message like this one.
        self.envelope(&Message::Dropped(&dropped)).unwrap_or_else(|(envelope, _)| envelope)
    }

    /// Brings the meter up to date, and says what is new about the spool.
    fn show(&mut self) {
        self.spool.drop_messages(self.missed.swap(0, Ordering::Relaxed), now());
        let dropped = self.spool.dropped_total();
        let before = self.meter.dropped.swap(dropped, Ordering::Relaxed);
        if dropped > before && !self.told_dropped {
            self.told_dropped = true;
            tracing::error!(
                "sink {}: its spool or its disk is full, and alerts are dropped; the receiver is told how many once it takes any",
                self.plan.name
            );
        }
        self.meter.queued.store(self.spool.messages(), Ordering::Relaxed);
        self.meter.queued_bytes.store(self.spool.bytes(), Ordering::Relaxed);
        let trouble = self.spool.trouble().map(str::to_owned);
        let before = self.meter.set_trouble(trouble.clone());
        match (before, trouble) {
            (None, Some(trouble)) => tracing::error!("sink {}: {trouble}", self.plan.name),
            (Some(_), None) => tracing::info!("sink {}: its spool is on disk again", self.plan.name),
            _ => {}
        }
    }

    async fn end(mut self) -> u64 {
        if let Some(mut transport) = self.transport.take() {
            let _ = timeout(GOODBYE, transport.close()).await;
        }
        self.spool.sync();
        self.show();
        let waiting = self.spool.messages();
        // Where nobody will ever read them, they are no loss.
        if waiting == 0 || self.meter.closed.load(Ordering::Relaxed) {
            return 0;
        }
        if self.dead_letters.is_some() && self.spool.trouble().is_none() {
            tracing::warn!(
                "sink {}: messages that wait in its spool for the next start: {waiting}",
                self.plan.name
            );
            return 0;
        }
        tracing::error!(
            "sink {}: messages that were not delivered, and are lost with this process: {waiting}",
            self.plan.name
        );
        waiting
    }
}

async fn landed(flight: &mut Option<Flight>) -> (Box<dyn Transport>, Load, Receipt) {
    match flight {
        Some(flight) => flight.await,
        None => pending().await,
    }
}

fn backoff(pace: Pace) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(pace.backoff_min)
        .with_max_delay(pace.backoff_max)
        .with_jitter()
        .without_max_times()
        .build()
}

fn now() -> Timestamp {
    Timestamp::from_ns(crate::kernel::wall_ns())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_no_two_receivers_are_tried_in_step() {
        let pace = Pace::default();
        let pauses = || -> Vec<Duration> { backoff(pace).take(12).collect() };
        let (one, other) = (pauses(), pauses());
        assert_ne!(one, other, "each is lengthened at random");
        for pause in [one, other] {
            for (number, pause) in (0..).zip(pause) {
                let least = (pace.backoff_min * 2u32.pow(number)).min(pace.backoff_max);
                assert!(pause >= least && pause <= least * 2, "pause {number} is {pause:?}");
            }
        }
    }
}
