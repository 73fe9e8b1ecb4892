//! A sink at work: a thread of its own, so that a slow receiver, or a slow disk, holds up nobody else.
//!
//! Records come by a bounded channel, are put into the sink's form, spooled, and delivered from there at least once.

mod dead_letters;
mod meter;
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
    /// `closed` is told once nobody will ever take a message.
    pub fn start(
        plan: SinkPlan,
        spools: Option<&Path>,
        observer: Observer,
        pace: Pace,
        closed: Arc<Notify>,
    ) -> io::Result<Self> {
        let transport = transport::of(&plan);
        Self::start_with(transport, plan, spools, observer, pace, closed)
    }

    fn start_with(
        transport: Box<dyn Transport>,
        plan: SinkPlan,
        spools: Option<&Path>,
        observer: Observer,
        pace: Pace,
        closed: Arc<Notify>,
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

    fn barrier(&self) -> oneshot::Receiver<()> {
        let (done, waits) = oneshot::channel();
        let _ = self.commands.try_send(Command::Barrier(done));
        waits
    }
}

/// All sinks.
pub struct Outlets {
    all: Vec<Outlet>,
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
        let closed = Arc::new(Notify::new());
        let mut outlets =
            Self { all: Vec::new(), spools: spools.map(Path::to_owned), observer, pace, closed };
        for plan in plans {
            outlets.add(plan)?;
        }
        Ok(outlets)
    }

    /// Adds standard output as the person who started the program sees it: nothing of it outlives the process, and
    /// [`Outlets::reconfigure`] leaves it as it is.
    pub fn add_stdout(&mut self, format: Format) -> io::Result<()> {
        let plan = SinkPlan {
            name: STDOUT.to_owned(),
            format,
            template: None,
            spool: SpoolPlan::default(),
            transport: TransportPlan::Stdout,
        };
        self.start_one(plan, None)
    }

    /// Adds a sink with a transport of one's own.
    pub fn add_with(&mut self, plan: SinkPlan, transport: Box<dyn Transport>) -> io::Result<()> {
        let (spools, closed) = (self.spools.as_deref(), Arc::clone(&self.closed));
        let outlet = Outlet::start_with(transport, plan, spools, self.observer.clone(), self.pace, closed)?;
        self.all.push(outlet);
        Ok(())
    }

    fn add(&mut self, plan: &SinkPlan) -> io::Result<()> {
        let spools = self.spools.clone();
        self.start_one(plan.clone(), spools.as_deref())
    }

    fn start_one(&mut self, plan: SinkPlan, spools: Option<&Path>) -> io::Result<()> {
        let closed = Arc::clone(&self.closed);
        self.all.push(Outlet::start(plan, spools, self.observer.clone(), self.pace, closed)?);
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
    /// `limit` and leave the rest on disk, and files are opened anew.
    pub fn reconfigure(&mut self, plans: &[SinkPlan], limit: Duration) -> io::Result<()> {
        self.all.retain(|outlet| {
            let stays = outlet.plan.name == STDOUT || plans.iter().any(|plan| plan.name == outlet.plan.name);
            if !stays {
                let _ = outlet.commands.try_send(Command::Close(limit));
            }
            stays
        });
        for plan in plans {
            match self.all.iter_mut().find(|outlet| outlet.plan.name == plan.name) {
                Some(outlet) if outlet.plan == *plan => {
                    let _ = outlet.commands.try_send(Command::Reopen);
                }
                Some(outlet) => {
                    outlet.plan = plan.clone();
                    let _ = outlet.commands.try_send(Command::Become(Box::new(plan.clone())));
                }
                None => self.add(plan)?,
            }
        }
        Ok(())
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
        for outlet in self.all {
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
