//! A sink at work: a thread of its own, so that a slow receiver, or a slow disk, holds up nobody else.
//!
//! Records come by a bounded channel, are put into the sink's form, spooled, and delivered from there at least once.

mod dead_letters;
mod meter;
#[cfg(test)]
mod reload_tests;
#[cfg(test)]
mod tests;
mod worker;

pub use meter::{Meter, Reading};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use super::{Format, Observer, transport};
use crate::engine::Record;
use crate::kernel::keep_none;
use crate::policy::{SinkPlan, SpoolPlan, TransportPlan};
use crate::sink::transport::Transport;

use worker::Worker;

/// The name of the sink that nobody configured, which no configured one can have.
const STDOUT: &str = "(stdout)";

/// Records on their way to the thread: more than a judgement ever makes at once.
const CHANNEL_MAX: usize = 8_192;

/// How patient an outlet is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time before the second try, which doubles with every further one; each is shortened or lengthened at random.
    pub backoff_min: Duration,
    /// Longest time between two tries.
    pub backoff_max: Duration,
    /// Least time between two announcements of what was dropped.
    pub announce: Duration,
    /// Time after which what was spooled is safe from a power failure.
    pub sync: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_mins(1),
            announce: Duration::from_secs(10),
            sync: Duration::from_secs(1),
        }
    }
}

/// What an outlet is told.
enum Command {
    /// Deliver this.
    Record(Arc<Record>),
    /// Answer once everything before this is spooled.
    Barrier(oneshot::Sender<()>),
    /// Go on by this plan.
    Become(Box<SinkPlan>),
    /// Open anew what may have been moved aside.
    Reopen,
    /// Deliver what can be delivered at once, for this time at most, and end.
    Close(Duration),
}

/// One sink's thread.
pub struct Outlet {
    plan: SinkPlan,
    commands: mpsc::Sender<Command>,
    /// Records the channel had no room for, which the thread counts as dropped.
    missed: Arc<AtomicU64>,
    meter: Arc<Meter>,
    /// Told how many messages were lost at the end.
    ended: oneshot::Receiver<u64>,
}

impl Outlet {
    /// Starts a sink; `spools` is the folder that holds a folder for each sink, and without it messages wait in memory.
    /// `closed` is told once nobody will ever take a message. The folder is not touched until the `before` that had it, a
    /// sink of the same name, has ended.
    fn start(
        transport: Box<dyn Transport>,
        plan: SinkPlan,
        spools: Option<&Path>,
        observer: Observer,
        pace: Pace,
        closed: Arc<Notify>,
        before: Option<oneshot::Receiver<u64>>,
    ) -> io::Result<Self> {
        let (commands, receiver) = mpsc::channel(CHANNEL_MAX);
        let (end, ended) = oneshot::channel();
        let missed = Arc::new(AtomicU64::new(0));
        let meter = Arc::new(Meter::new(&plan.name, plan.transport.name()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outlet = Self {
            plan: plan.clone(),
            commands,
            missed: Arc::clone(&missed),
            meter: Arc::clone(&meter),
            ended,
        };
        let folder = spools.map(|spools| spools.join(&plan.name));
        std::thread::Builder::new().name(format!("sink-{}", plan.name)).spawn(move || {
            keep_none();
            if let Some(before) = before {
                // It has ended, too, where it cannot say how.
                let _ = runtime.block_on(before);
            }
            let worker =
                Worker::new(transport, plan, folder.as_deref(), observer, pace, meter, missed, closed);
            let lost = runtime.block_on(worker.run(receiver));
            // A write that blocks must not keep the process from ending.
            runtime.shutdown_background();
            let _ = end.send(lost);
        })?;
        Ok(outlet)
    }

    /// Hands over a record; never waits.
    pub fn publish(&self, record: Arc<Record>) {
        if self.commands.try_send(Command::Record(record)).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Goes on by this plan; what cannot be told the thread is an error, and the plan before stays.
    fn follow(&mut self, plan: &SinkPlan) -> io::Result<()> {
        let command =
            if self.plan == *plan { Command::Reopen } else { Command::Become(Box::new(plan.clone())) };
        self.commands.try_send(command).map_err(|_| {
            io::Error::other(
                "its disk is too slow for it to be told; ask for the configuration to be read once more",
            )
        })?;
        if self.plan != *plan {
            warn_of(plan);
            self.plan = plan.clone();
        }
        Ok(())
    }

    /// Delivers what it can for `limit`, and ends; a thread whose channel is full, once nothing is in it any more.
    fn close(&self, limit: Duration) {
        let _ = self.commands.try_send(Command::Close(limit));
    }

    fn barrier(&self) -> oneshot::Receiver<()> {
        let (done, waits) = oneshot::channel();
        let _ = self.commands.try_send(Command::Barrier(done));
        waits
    }
}

/// Says what keeps a plan from working, where that can be seen without its receiver.
fn warn_of(plan: &SinkPlan) {
    if let Err(why) = transport::check(plan) {
        tracing::error!("sink {}: {why}; until then its alerts wait in its spool", plan.name);
    }
}

/// All sinks.
pub struct Outlets {
    all: Vec<Outlet>,
    /// Those that are no longer configured, and may still be delivering.
    leaving: Vec<Outlet>,
    /// The form that standard output was asked for in, besides the sinks.
    stdout: Option<Format>,
    spools: Option<PathBuf>,
    observer: Observer,
    pace: Pace,
    closed: Arc<Notify>,
}

impl Outlets {
    /// Starts all sinks. None of them need be reachable.
    pub fn start(
        plans: &[SinkPlan],
        spools: Option<&Path>,
        observer: Observer,
        pace: Pace,
    ) -> io::Result<Self> {
        let mut outlets = Self {
            all: Vec::new(),
            leaving: Vec::new(),
            stdout: None,
            spools: spools.map(Path::to_owned),
            observer,
            pace,
            closed: Arc::new(Notify::new()),
        };
        for plan in plans {
            outlets.add(plan)?;
        }
        Ok(outlets)
    }

    /// Adds standard output as the person who started the program sees it: in the form that was `asked` for, or in the
    /// native one where there is no sink. Nothing of it outlives the process.
    pub fn with_stdout(mut self, asked: Option<Format>) -> io::Result<Self> {
        self.stdout = asked;
        self.need_stdout()?;
        Ok(self)
    }

    /// Standard output is there if it was asked for, or if nothing else takes records.
    fn need_stdout(&mut self) -> io::Result<()> {
        let is_needed = self.stdout.is_some() || self.all.is_empty();
        if !is_needed || self.all.iter().any(|outlet| outlet.plan.name == STDOUT) {
            return Ok(());
        }
        let plan = SinkPlan {
            name: STDOUT.to_owned(),
            format: self.stdout.unwrap_or_default(),
            template: None,
            spool: SpoolPlan::default(),
            transport: TransportPlan::Stdout,
        };
        self.start_one(transport::of(&plan), plan, None)
    }

    /// Adds a sink with a transport of one's own.
    pub fn add_with(&mut self, plan: SinkPlan, transport: Box<dyn Transport>) -> io::Result<()> {
        let spools = self.spools.clone();
        self.start_one(transport, plan, spools.as_deref())
    }

    fn add(&mut self, plan: &SinkPlan) -> io::Result<()> {
        warn_of(plan);
        self.add_with(plan.clone(), transport::of(plan))
    }

    fn start_one(
        &mut self,
        transport: Box<dyn Transport>,
        plan: SinkPlan,
        spools: Option<&Path>,
    ) -> io::Result<()> {
        let closed = Arc::clone(&self.closed);
        let before = self.leaving.iter().position(|outlet| outlet.plan.name == plan.name);
        let before = before.map(|place| self.leaving.swap_remove(place).ended);
        let observer = self.observer.clone();
        self.all.push(Outlet::start(transport, plan, spools, observer, self.pace, closed, before)?);
        Ok(())
    }

    /// Hands a record to every sink; never waits.
    pub fn publish(&self, record: Record) {
        let record = Arc::new(record);
        for outlet in &self.all {
            outlet.publish(Arc::clone(&record));
        }
    }

    /// Waits until every sink has spooled what was published before. False where one does not within `limit`.
    pub fn barrier(&self, limit: Duration) -> impl Future<Output = bool> + Send + use<> {
        let waits: Vec<_> = self.all.iter().map(Outlet::barrier).collect();
        let all = async {
            for done in waits {
                if done.await.is_err() {
                    return false;
                }
            }
            true
        };
        async move { tokio::time::timeout(limit, all).await.unwrap_or(false) }
    }

    /// Goes on by other plans: sinks of the same name keep their spools, those that are gone deliver what they can for
    /// `limit` and leave the rest on disk, and files are opened anew. Standard output comes and goes as at a start.
    ///
    /// # Errors
    /// Names the sinks that could not be started or told; all others go on by their plans.
    pub fn reconfigure(&mut self, plans: &[SinkPlan], limit: Duration) -> io::Result<()> {
        self.leaving.retain_mut(|outlet| outlet.ended.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        let is_gone = |outlet: &mut Outlet| match outlet.plan.name.as_str() {
            STDOUT => self.stdout.is_none() && !plans.is_empty(),
            name => plans.iter().all(|plan| plan.name != name),
        };
        for outlet in self.all.extract_if(.., is_gone) {
            outlet.close(limit);
            self.leaving.push(outlet);
        }
        let mut failed = Vec::new();
        for plan in plans {
            let followed = match self.all.iter_mut().find(|outlet| outlet.plan.name == plan.name) {
                Some(outlet) => outlet.follow(plan),
                None => self.add(plan),
            };
            if let Err(error) = followed {
                failed.push(format!("{}: {error}", plan.name));
            }
        }
        self.need_stdout()?;
        if failed.is_empty() { Ok(()) } else { Err(io::Error::other(failed.join("; "))) }
    }

    /// Opens anew what may have been moved aside.
    pub fn reopen(&self) {
        for outlet in &self.all {
            let _ = outlet.commands.try_send(Command::Reopen);
        }
    }

    /// The counters of all sinks, in the order of the configuration.
    #[must_use]
    pub fn meters(&self) -> Vec<Arc<Meter>> {
        self.all.iter().map(|outlet| Arc::clone(&outlet.meter)).collect()
    }

    /// Completes once nobody will ever take a message by any sink.
    pub async fn closed(&self) {
        loop {
            let told = self.closed.notified();
            if self.all.iter().all(|outlet| outlet.meter.closed.load(Ordering::Relaxed)) {
                return;
            }
            told.await;
        }
    }

    /// Delivers what can be delivered at once, for `limit` at most, and ends. How many messages were not delivered and are
    /// kept nowhere: those of sinks without a spool on disk.
    pub async fn close(self, limit: Duration) -> u64 {
        for outlet in &self.all {
            // Behind whatever waits in the channel, for which there is time.
            let _ = tokio::time::timeout(limit, outlet.commands.send(Command::Close(limit))).await;
        }
        // Good-byes take a moment of their own.
        let end = tokio::time::Instant::now() + limit + worker::GOODBYE * 2;
        let mut lost = 0;
        for outlet in self.all.into_iter().chain(self.leaving) {
            let meter = outlet.meter;
            // One that does not end has said how much waits.
            lost += match tokio::time::timeout_at(end, outlet.ended).await {
                Ok(Ok(lost)) => lost,
                _ => meter.queued.load(Ordering::Relaxed),
            };
        }
        lost
    }
}
