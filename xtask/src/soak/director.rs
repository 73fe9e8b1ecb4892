//! When what is done to scanwatch: warm-up, reloads and restarts at random, a last part without restarts, in which growth of
//! one process shows, and quiet at the end.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use nix::sys::signal::Signal;

use super::keeper::{Ended, Keeper};
use super::meter::Reading;
use super::stage::Stage;
use crate::lab::Stop;

/// A soak shorter than this is to show that everything works, and no more.
const SHORT: Duration = Duration::from_mins(5);
/// One of at least this length sees how memory is after everything was saved.
const LONG: Duration = Duration::from_mins(30);
/// Quiet after which every incident has ended: a minute without growth, the look after it, and a busy machine.
const CALM: Duration = Duration::from_secs(90);
const CALM_SHORT: Duration = Duration::from_secs(15);
/// Part of the actors' time after which there are no restarts.
const RESTARTS: f64 = 0.6;
/// Time between two looks at scanwatch.
const LOOK: Duration = Duration::from_millis(500);
/// Time between two notes of its memory.
const NOTE: Duration = Duration::from_secs(30);
/// Longest wait for short scans to end before a restart.
const GATE_LIMIT: Duration = Duration::from_mins(5);

/// The times of a soak.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    total: Duration,
}

impl Plan {
    /// Of a soak of this length.
    #[must_use]
    pub const fn new(total: Duration) -> Self {
        Self { total }
    }

    /// Whether it is to show only that everything works.
    #[must_use]
    pub fn is_short(self) -> bool {
        self.total < SHORT
    }

    /// Whether every incident has ended at the end.
    #[must_use]
    pub fn is_calm_long(self) -> bool {
        !self.is_short()
    }

    fn calm(self) -> Duration {
        if self.is_short() { CALM_SHORT } else { CALM }
    }

    /// The actors' time.
    fn acting(self) -> Duration {
        self.total.saturating_sub(self.calm())
    }

    /// Time until a process has seen of everything. In a long soak it has once saved all it knows, which takes memory and
    /// is done every ten minutes.
    fn warm(self) -> Duration {
        match self.total {
            total if total < SHORT => Duration::from_secs(6),
            total if total < LONG => Duration::from_secs(90),
            _ => Duration::from_mins(11),
        }
    }

    /// Time after which there are no restarts, so that the last process has time to grow after its warm-up.
    fn restarts(self) -> Duration {
        self.acting().mul_f64(RESTARTS).min(self.acting().saturating_sub(self.warm() * 3 / 2))
    }

    /// Length of slow scans, seconds.
    #[must_use]
    pub fn long_scan_s(self) -> u16 {
        if self.is_short() { 20 } else { 50 }
    }

    /// Seconds between two scans of a machine, at least and at most.
    #[must_use]
    pub fn pauses_s(self, is_busy: bool) -> (f64, f64) {
        match (self.is_short(), is_busy) {
            (true, _) => (8.0, 35.0),
            (false, true) => (2.0, 130.0),
            (false, false) => (20.0, 240.0),
        }
    }

    /// Seconds between two events.
    fn between(self) -> (f64, f64) {
        if self.is_short() { (2.0, 5.0) } else { (8.0, 45.0) }
    }
}

/// What is done to scanwatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Reload,
    BadReload,
    Restart,
    Kill,
}

/// See the module.
pub struct Director<'a> {
    plan: Plan,
    keeper: Keeper<'a>,
    stage: &'a Stage,
    rng: Rng,
    /// What must happen before anything else does.
    first: Vec<Event>,
}

/// What is there once the actors have gone.
pub struct Acted<'a> {
    /// scanwatch, which still runs.
    pub keeper: Keeper<'a>,
    /// What the first process held at its start.
    pub start: Reading,
    /// What the last process held after its warm-up.
    pub warm: Reading,
}

impl<'a> Director<'a> {
    /// A director of what `keeper` keeps.
    pub fn new(plan: Plan, keeper: Keeper<'a>, stage: &'a Stage, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut first = vec![Event::Reload, Event::BadReload, Event::Restart, Event::Kill];
        rng.shuffle(&mut first);
        Self { plan, keeper, stage, rng, first }
    }

    /// Does what is to be done until the actors' time is over.
    pub fn direct(mut self) -> Result<Acted<'a>> {
        let began = Instant::now();
        let acting = self.plan.acting();
        let start = self.keeper.read()?;
        let mut next = self.plan.warm().min(acting / 20);
        let (mut restarted, mut noted) = (began, Duration::ZERO);
        let mut warm = None;
        loop {
            self.stage.stop.check()?;
            let kb = self.keeper.look()?;
            let now = began.elapsed();
            if now >= noted {
                self.stage.note(&format!("memory: {kb} kB"))?;
                noted = now + NOTE;
            }
            let restarts = now < self.plan.restarts() || !self.first.is_empty();
            if warm.is_none() && !restarts && restarted.elapsed() >= self.plan.warm() {
                warm = Some(self.keeper.read()?);
            }
            if let Some(warm) = warm
                && now >= acting
            {
                return Ok(Acted { keeper: self.keeper, start, warm });
            }
            if now >= next {
                let event = self.draw(restarts);
                eprintln!("{:>5} s  {event:?}", now.as_secs());
                self.stage.note(&format!("{event:?}"))?;
                self.act(event)?;
                if matches!(event, Event::Restart | Event::Kill) {
                    restarted = Instant::now();
                }
                let (least, most) = self.plan.between();
                next = began.elapsed() + Duration::from_secs_f64(least + self.rng.f64() * (most - least));
            }
            thread::sleep(LOOK);
        }
    }

    fn draw(&mut self, restarts: bool) -> Event {
        if let Some(event) = self.first.pop() {
            return event;
        }
        match self.rng.u8(0..10) {
            0..=1 if restarts => Event::Kill,
            2..=4 if restarts => Event::Restart,
            5 => Event::BadReload,
            _ => Event::Reload,
        }
    }

    fn act(&mut self, event: Event) -> Result<()> {
        let signal = match event {
            Event::Reload => return self.keeper.reload(),
            Event::BadReload => return self.keeper.reload_badly(),
            Event::Restart => Signal::SIGTERM,
            Event::Kill => Signal::SIGKILL,
        };
        let closed = self.stage.gate.close(GATE_LIMIT, &self.stage.stop)?;
        self.keeper.restart(signal)?;
        self.stage.note("watching again")?;
        drop(closed);
        Ok(())
    }
}

/// Lets it be quiet, reads what scanwatch holds, and ends it.
pub fn calm(mut keeper: Keeper<'_>, plan: Plan, stop: &Stop) -> Result<(Reading, Ended)> {
    let began = Instant::now();
    while began.elapsed() < plan.calm() {
        stop.check()?;
        keeper.look()?;
        thread::sleep(LOOK);
    }
    Ok((keeper.read()?, keeper.finish()?))
}
