//! The running agent: kernel in, records out, until it is told to stop.
//!
//! One task and no locks: the kernel side is read, the engine judges, and the sinks are handed the records, in this order,
//! at every turn.

mod clock;
mod confined;
mod counters;
mod interfaces;
mod overview;
mod places;
mod quiet;
mod reload;
mod supervisor;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use scanwatch_common::abi::{EPOCH_S, Novelty, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::sketch::Hasher;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use crate::config::ConfigError;
use crate::engine::{Engine, Losses, Record, TEND, TURN, Timestamp};
use crate::kernel::{Clocks, Kernel, LinkWatch, NoveltyRing, Options};
use crate::policy::Policy;
use crate::sink::Outlets;
use crate::state::{Memory, key};
use crate::watch::Listener;

pub use reload::ReloadStatus;

use clock::Clock;
use confined::Confined;
use counters::Counters;
use interfaces::Interfaces;
use overview::Overview;
use places::Places;
use quiet::Quiet;
use supervisor::Supervisor;

/// Records taken from a ring in one turn; the kernel counts what finds no room.
const RECORDS_MAX: usize = 16_384;

/// Time for a sink to put on disk what it was handed. What is remembered of incidents is never ahead of their records: those
/// would be missing after a crash.
const SPOOLED: Duration = Duration::from_secs(5);

/// Time for what the sinks can still deliver at the end; the rest waits in their spools.
const SINKS_END: Duration = Duration::from_secs(5);

/// What the agent prints when it ends, on request.
#[derive(Debug, serde::Serialize)]
pub struct FinalStatistics {
    /// Packets by way out of the data plane.
    pub packets: serde_json::Map<String, serde_json::Value>,
    /// What the engine saw.
    #[serde(flatten)]
    pub engine: crate::engine::Statistics,
    /// What became of the requests to read the configuration again; `None` for a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ReloadStatus>,
}

/// What an agent leaves.
#[derive(Debug)]
pub struct Ended {
    /// What was counted.
    pub statistics: FinalStatistics,
    /// Messages that no sink delivered and that are kept nowhere.
    pub lost: u64,
}

/// What an agent is given.
pub struct Setup {
    /// What the operator wants.
    pub policy: Policy,
    /// The file that it came from, where there is one.
    pub config: Option<PathBuf>,
    /// Starts what takes records, each sink in a thread of its own, once the agent has given up what it does not need.
    pub sinks: StartSinks,
    /// What outlives the process, where anything does.
    pub memory: Option<Memory>,
    /// Reads the configuration again; `None` where it came from no file.
    pub reread: Option<Reread>,
}

/// Starts the sinks.
pub type StartSinks = Box<dyn FnOnce(&Policy) -> io::Result<Outlets>>;

/// Reads a configuration again.
pub type Reread = Box<dyn Fn() -> Result<Policy, ConfigError>>;

/// Watches the policy's interfaces until `shutdown` completes or nobody takes records any more; then detaches, and returns
/// what was counted. Open incidents are ended, where no memory outlives the process.
pub async fn run(setup: Setup, shutdown: impl Future<Output = ()>) -> Result<Ended> {
    // Before anything else: unheard, the signal ends the process.
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    // Before anything is loaded: what is in the way is said at once.
    let listen = setup.policy.listen.as_ref();
    let listener = listen.map(Listener::bind).transpose().map_err(anyhow::Error::msg)?;
    // Before the first look at the interfaces, so that none vanishes unseen in between.
    let mut links = LinkWatch::open()?;
    let hasher = match &setup.memory {
        Some(memory) => memory.hasher(),
        None => key::of_start(),
    };
    let hasher = hasher.context("the kernel gives no random numbers for the key of the hashes")?;
    let mut kernel = Kernel::load(&setup.policy, Options { hasher })?;
    let mut logger = kernel.logger()?;
    let mut agent = Agent::new(setup, (kernel, hasher)).await?;
    let (server, mut asks) = overview::serve(listener)?;
    let mut supervisor = Supervisor::from_environment();
    supervisor.ready(agent.status());

    let epoch = Duration::from_secs(u64::from(EPOCH_S));
    let mut epochs = interval_at(Instant::now() + epoch, epoch);
    epochs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tend = interval_at(Instant::now() + TEND, TEND);
    tend.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            () = agent.sinks.closed() => break,
            _ = epochs.tick() => {
                agent.end_epoch().await?;
                supervisor.status(agent.status());
            }
            _ = tend.tick() => agent.judge(),
            _ = hangup.recv() => agent.reload().await?,
            event = links.next() => {
                let event = event.context("the kernel closed the socket that tells of interfaces: start scanwatch again")?;
                agent.link_changed(event).await;
            }
            ask = asks.next() => agent.answer(ask),
            ready = readable(&mut agent.rings, agent.next_turn) => { ready?; agent.turn(); }
        }
        logger.flush();
        supervisor.turned();
    }
    supervisor.stopping();
    // Whoever asks from now on finds nobody, at once.
    drop((asks, server));
    // On the heap: it holds all that an agent has.
    Box::pin(agent.finish()).await
}

/// Everything that lives while interfaces are watched.
struct Agent {
    config: Option<PathBuf>,
    policy: Arc<Policy>,
    reread: Option<Reread>,
    reloads: ReloadStatus,
    kernel: Kernel,
    rings: [NoveltyRing; 2],
    interfaces: Interfaces,
    confined: Confined,
    engine: Engine,
    clock: Clock,
    counters: Counters,
    sinks: Outlets,
    memory: Option<Memory>,
    quiet: Quiet,
    overview: Overview,
    next_turn: Instant,
    /// When the running epoch began.
    epoch_began: Timestamp,
}

impl Agent {
    async fn new(setup: Setup, (mut kernel, hasher): (Kernel, Hasher)) -> Result<Self> {
        let Setup { policy, config, sinks, memory, reread } = setup;
        let policy = Arc::new(policy);
        let rings = [kernel.ring(Side::Internal)?, kernel.ring(Side::External)?];
        let mut engine = Engine::keyed(Arc::clone(&policy), hasher);
        let not_loaded = confined::prepare(&policy, &mut kernel);
        let mut interfaces = Interfaces::open(&policy, &mut kernel, &mut engine).await?;
        let mut clock = Clock::starting(Clocks::read());
        if let Some(memory) = &memory {
            memory.recall(&mut engine, |ahead| {
                clock.resume(ahead);
                clock.read(Clocks::read())
            });
        }
        let places = Places::of(&policy, config.as_deref(), memory.as_ref().map(Memory::folder));
        // Threads begin with what the one has that starts them: the first of them comes after this.
        let confined = Confined::settle(&policy, places, &interfaces, not_loaded)?;
        let sinks = sinks(&policy).context("the sinks cannot be started")?;
        interfaces.say();
        let began = clock.read(Clocks::read());
        let overview = Overview::new(policy.listen.is_some(), began);
        Ok(Self {
            config,
            policy,
            reread,
            reloads: ReloadStatus::default(),
            kernel,
            rings,
            interfaces,
            confined,
            engine,
            clock,
            counters: Counters::default(),
            sinks,
            memory,
            quiet: Quiet::new(),
            overview,
            next_turn: Instant::now(),
            epoch_began: began,
        })
    }

    /// What goes on, in one line.
    fn status(&self) -> String {
        let open = self.engine.statistics().incidents.open();
        format!("{}; {open} incidents open", self.interfaces.status())
    }

    /// Reads the rings and judges what they said.
    fn turn(&mut self) {
        self.next_turn = Instant::now() + TURN;
        self.read_rings();
        self.judge();
    }

    /// The engine's time; the engine is told what became of the wall clock.
    fn now(&mut self) -> Timestamp {
        let now = self.clock.read(Clocks::read());
        self.engine.set_ahead(self.clock.ahead());
        now
    }

    fn read_rings(&mut self) {
        let now = self.now();
        let Self { rings, engine, clock, .. } = self;
        for ring in rings {
            ring.read(RECORDS_MAX, |novelty: &Novelty| {
                engine.novelty(now, novelty, clock.of(novelty.time_ns));
            });
        }
    }

    fn judge(&mut self) {
        let now = self.now();
        let records = self.engine.judge(now);
        self.publish(records);
    }

    fn publish(&mut self, records: Vec<Record>) {
        for record in records {
            self.overview.record(&record);
            self.sinks.publish(record);
        }
    }

    /// Flips the copies, drains the one that ended, judges, and remembers.
    async fn end_epoch(&mut self) -> Result<()> {
        self.drain()?;
        self.interfaces.retry(&mut self.kernel, &mut self.engine).await;
        let counters = self.counters.read(&self.kernel);
        self.quiet.epoch(counters, &self.engine);
        self.overview.epoch(counters);
        self.judge();
        if let Some(memory) = &mut self.memory {
            memory.epoch(&self.engine, self.sinks.barrier(SPOOLED));
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<()> {
        let began = Instant::now();
        self.kernel.flip()?;
        // What the rings still hold is older than what is drained now.
        self.read_rings();
        self.take_copy(began)
    }

    /// Takes what the copy holds that programs wrote to before the last flip. The drain began then.
    fn take_copy(&mut self, began: Instant) -> Result<()> {
        let now = self.now();
        let epoch_began = std::mem::replace(&mut self.epoch_began, now);
        let Self { kernel, engine, clock, .. } = self;
        let mut cells = [0; 2];
        kernel.drain(|drained| {
            cells[drained.side as usize] += 1;
            let facts = &drained.cell.facts;
            let (first, last) = (clock.of(facts.first_ns), clock.of(facts.last_ns()));
            engine.cell(drained.side, &drained.key, drained.cell, first, last);
        })?;
        kernel.drain_ports(|key, sketch| engine.port(key, sketch, epoch_began))?;
        self.overview.drained(began, cells);
        let counters = self.counters.read(&self.kernel);
        self.engine.losses(Losses {
            ring_lost: total(counters, Counter::RingLost),
            cells_refused: total(counters, Counter::CellRefused),
        });
        Ok(())
    }

    async fn link_changed(&mut self, event: crate::kernel::LinkEvent) {
        self.interfaces.changed(event, &mut self.kernel, &mut self.engine).await;
    }

    /// Detaching and the last drain; then open incidents are remembered, or else ended.
    async fn finish(mut self) -> Result<Ended> {
        self.interfaces.close(&mut self.kernel);
        // Twice: what was counted since the last flip, and what running programs wrote to the copy before.
        self.drain()?;
        self.drain()?;
        self.judge();
        // Until the sinks are closed, too, the directory is this process's.
        if let Some(memory) = &mut self.memory {
            memory.finish(&self.engine, self.sinks.barrier(SPOOLED)).await;
        } else {
            let now = self.now();
            let records = self.engine.finish(now);
            self.publish(records);
        }
        let packets = self.counters.read(&self.kernel).to_vec();
        let lost = self.sinks.close(SINKS_END).await;
        let statistics = FinalStatistics {
            packets: packets.iter().map(|(counter, n)| (counter.name().to_owned(), (*n).into())).collect(),
            engine: self.engine.statistics(),
            configuration: Some(self.reloads),
        };
        Ok(Ended { statistics, lost })
    }
}

/// Completes when a ring has something, and the last turn is long enough ago.
async fn readable(rings: &mut [NoveltyRing; 2], next_turn: Instant) -> Result<()> {
    sleep_until(next_turn).await;
    let [internal, external] = rings;
    tokio::select! {
        ready = internal.readable() => ready,
        ready = external.readable() => ready,
    }
    .context("cannot wait for the kernel's records")
}

fn total(counters: &[(Counter, u64)], wanted: Counter) -> u64 {
    counters.iter().filter(|(counter, _)| *counter == wanted).map(|(_, n)| n).sum()
}
