//! The running agent: kernel in, records out, until it is told to stop.
//!
//! One task and no locks: the kernel side is read, the engine judges, the sink writes, in this order, at every turn.

mod interfaces;
mod quiet;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use scanwatch_common::abi::{EPOCH_S, Novelty, Side};
use scanwatch_common::counters::Counter;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use crate::engine::{Engine, Losses, Record, TEND, TURN, Timestamp};
use crate::kernel::{Kernel, LinkWatch, NoveltyRing, Options, WallClock};
use crate::policy::Policy;
use crate::sink::Sink;

use interfaces::Interfaces;
use quiet::Quiet;

/// Records taken from a ring in one turn; the kernel counts what finds no room.
const RECORDS_MAX: usize = 16_384;

/// What the agent prints when it ends, on request.
#[derive(Debug, serde::Serialize)]
pub struct FinalStatistics {
    /// Packets by way out of the data plane.
    pub packets: serde_json::Map<String, serde_json::Value>,
    /// What the engine saw.
    #[serde(flatten)]
    pub engine: crate::engine::Statistics,
}

/// Watches the policy's interfaces until `shutdown` completes or the sink is closed; then ends the open incidents,
/// detaches, and returns what was counted.
pub async fn run(
    policy: Policy,
    sink: &mut dyn Sink,
    shutdown: impl Future<Output = ()>,
) -> Result<FinalStatistics> {
    let policy = Arc::new(policy);
    // Before the first look at the interfaces, so that none vanishes unseen in between.
    let mut links = LinkWatch::open()?;
    let mut kernel = Kernel::load(&policy, Options::default())?;
    let mut logger = kernel.logger()?;
    let mut agent = Agent::new(policy, kernel, sink).await?;

    let epoch = Duration::from_secs(u64::from(EPOCH_S));
    let mut epochs = interval_at(Instant::now() + epoch, epoch);
    epochs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tend = interval_at(Instant::now() + TEND, TEND);
    tend.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    let mut open = true;
    while open {
        tokio::select! {
            () = &mut shutdown => break,
            _ = epochs.tick() => open = agent.end_epoch().await?,
            _ = tend.tick() => open = agent.judge()?,
            event = links.next() => {
                let event = event.context("the kernel closed the socket that tells of interfaces: start scanwatch again")?;
                agent.link_changed(event).await;
            }
            ready = agent.readable() => { ready?; open = agent.turn()?; }
        }
        logger.flush();
    }
    agent.finish()
}

/// Everything that lives while interfaces are watched.
struct Agent<'a> {
    kernel: Kernel,
    rings: [NoveltyRing; 2],
    interfaces: Interfaces,
    engine: Engine,
    clock: WallClock,
    sink: &'a mut dyn Sink,
    quiet: Quiet,
    next_turn: Instant,
    /// When the running epoch began.
    epoch_began: Timestamp,
}

impl<'a> Agent<'a> {
    async fn new(policy: Arc<Policy>, mut kernel: Kernel, sink: &'a mut dyn Sink) -> Result<Self> {
        let rings = [kernel.ring(Side::Internal)?, kernel.ring(Side::External)?];
        let mut engine = Engine::new(Arc::clone(&policy));
        let interfaces = Interfaces::open(&policy, &mut kernel, &mut engine).await?;
        Ok(Self {
            kernel,
            rings,
            interfaces,
            engine,
            clock: WallClock::now(),
            sink,
            quiet: Quiet::new(),
            next_turn: Instant::now(),
            epoch_began: now(),
        })
    }

    /// Completes when a ring has something, and the last turn is long enough ago.
    async fn readable(&mut self) -> Result<()> {
        sleep_until(self.next_turn).await;
        let [internal, external] = &mut self.rings;
        tokio::select! {
            ready = internal.readable() => ready,
            ready = external.readable() => ready,
        }
        .context("cannot wait for the kernel's records")
    }

    /// Reads the rings and judges what they said. False where the sink is closed.
    fn turn(&mut self) -> Result<bool> {
        self.next_turn = Instant::now() + TURN;
        self.read_rings();
        self.judge()
    }

    fn read_rings(&mut self) {
        let now = now();
        let Self { rings, engine, clock, .. } = self;
        for ring in rings {
            ring.read(RECORDS_MAX, |novelty: &Novelty| {
                engine.novelty(now, novelty, Timestamp::from_ns(clock.of(novelty.time_ns)));
            });
        }
    }

    fn judge(&mut self) -> Result<bool> {
        let events = self.engine.judge(now());
        self.write(&events)
    }

    fn write(&mut self, events: &[Record]) -> Result<bool> {
        for event in events {
            if !self.sink.write(event).context("cannot write a record")? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Flips the copies, drains the one that ended, and judges. False where the sink is closed.
    async fn end_epoch(&mut self) -> Result<bool> {
        self.drain()?;
        self.interfaces.retry(&mut self.kernel, &mut self.engine).await;
        self.quiet.epoch(&self.kernel.counters()?, &self.engine);
        self.judge()
    }

    fn drain(&mut self) -> Result<()> {
        self.clock = WallClock::now();
        self.kernel.flip()?;
        // What the rings still hold is older than what is drained now.
        self.read_rings();
        let epoch_began = std::mem::replace(&mut self.epoch_began, now());
        let Self { kernel, engine, clock, .. } = self;
        kernel.drain(|drained| {
            let facts = &drained.cell.facts;
            let first = Timestamp::from_ns(clock.of(facts.first_ns));
            let last = Timestamp::from_ns(clock.of(facts.last_ns()));
            engine.cell(drained.side, &drained.key, drained.cell, first, last);
        })?;
        kernel.drain_ports(|key, sketch| engine.port(key, sketch, epoch_began))?;
        let counters = self.kernel.counters()?;
        self.engine.losses(Losses {
            ring_lost: total(&counters, Counter::RingLost),
            cells_refused: total(&counters, Counter::CellRefused),
        });
        Ok(())
    }

    async fn link_changed(&mut self, event: crate::kernel::LinkEvent) {
        self.interfaces.changed(event, &mut self.kernel, &mut self.engine).await;
    }

    /// The last drain, the end of every open incident, and detaching.
    fn finish(mut self) -> Result<FinalStatistics> {
        self.interfaces.close(&mut self.kernel);
        // Twice: what was counted since the last flip, and what running programs wrote to the copy before.
        self.drain()?;
        self.drain()?;
        let mut events = self.engine.judge(now());
        events.extend(self.engine.finish(now()));
        self.write(&events)?;
        self.sink.flush().context("cannot write the last records")?;
        let packets = self.kernel.counters()?;
        Ok(FinalStatistics {
            packets: packets.iter().map(|(counter, n)| (counter.name().to_owned(), (*n).into())).collect(),
            engine: self.engine.statistics(),
        })
    }
}

fn now() -> Timestamp {
    Timestamp::from_ns(WallClock::wall_ns())
}

fn total(counters: &[(Counter, u64)], wanted: Counter) -> u64 {
    counters.iter().filter(|(counter, _)| *counter == wanted).map(|(_, n)| n).sum()
}
