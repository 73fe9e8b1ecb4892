//! What all actors of a soak share: when to stop, where to write, what was done.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::gate::Gate;
use super::log::{Lines, Scan, now_ms, shown};
use crate::lab::Stop;
use crate::lab::wait::Interrupted;

/// Longest time between two looks at the stop requests.
const LOOK: Duration = Duration::from_millis(50);

/// Work that was done, and work that the lab could not do, by who does it: on a loaded machine connections time out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Times that it went as it should.
    pub well: usize,
    /// Times that it did not.
    pub badly: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Stage {
    /// The actors' time is over.
    pub curtain: Stop,
    /// The whole soak is over: Ctrl-C.
    pub stop: Stop,
    /// Keeps restarts away from short scans.
    pub gate: Gate,
    /// The scanners' log.
    pub scans: Lines,
    /// What else was done, and when.
    pub notes: Lines,
    done: Mutex<BTreeMap<&'static str, Done>>,
}

impl Stage {
    /// A stage whose files are in `folder`.
    pub fn new(folder: &Path, stop: Stop) -> Result<Self> {
        Ok(Self {
            curtain: Stop::new(),
            stop,
            gate: Gate::default(),
            scans: Lines::create(folder.join("scans.jsonl"))?,
            notes: Lines::create(folder.join("notes.txt"))?,
            done: Mutex::default(),
        })
    }

    /// Waits for as long as this, or until the actors' time is over. True while it goes on.
    pub fn pause(&self, time: Duration) -> bool {
        let started = Instant::now();
        while self.goes_on() && started.elapsed() < time {
            thread::sleep(LOOK.min(time));
        }
        self.goes_on()
    }

    /// Whether actors act.
    pub fn goes_on(&self) -> bool {
        !self.curtain.requested() && !self.stop.requested()
    }

    /// Notes a line, with the time.
    pub fn note(&self, what: &str) -> Result<()> {
        self.notes.append(&format!("{} {what}", shown(now_ms())))
    }

    /// Notes what became of an actor's work. Ctrl-C is no failure of the lab's, and goes on.
    pub fn note_work(&self, who: &'static str, result: Result<()>) -> Result<()> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = done.entry(who).or_default();
        match result {
            Ok(()) => entry.well += 1,
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                entry.badly += 1;
                self.note(&format!("{who}: {error:#}"))?;
            }
        }
        Ok(())
    }

    /// Writes a scan into the log.
    pub fn note_scan(&self, scan: &Scan) -> Result<()> {
        self.scans.append_scan(scan)
    }

    /// What was done, by who did it.
    pub fn done(&self) -> BTreeMap<&'static str, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
