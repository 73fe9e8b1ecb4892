//! Machines in wrong hands: each scans, rests, and scans again, and writes down what it did.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::catalogue::{Catalogue, Order};
use super::log::{Scan, now_ms};
use super::stage::Stage;
use crate::lab::Host;
use crate::lab::plan::mac_text;
use crate::lab::wait::{Interrupted, poll};

/// Longest time that a scan may take.
const LIMIT: Duration = Duration::from_mins(4);
/// Time in which masscan sends what it is asked for: it takes a second or two to begin, and does not end by itself.
const MASSCAN: Duration = Duration::from_secs(8);
/// From the end of a short scan until a restart does not matter to it: silence, and a verdict on a busy machine.
const SETTLED: Duration = Duration::from_secs(6);

/// One scanner's days.
pub struct Scanner {
    /// The machine.
    pub host: Host,
    /// Its router's link-layer address.
    pub router: [u8; 6],
    /// What it does.
    pub catalogue: Catalogue,
    /// Seconds between two scans, at least and at most.
    pub pauses_s: (f64, f64),
}

impl Scanner {
    /// Scans until the actors' time is over.
    pub fn act(mut self, stage: &Stage) -> Result<()> {
        let (least, most) = self.pauses_s;
        let first = self.catalogue.pause_s(0.0, most);
        let mut goes_on = stage.pause(Duration::from_secs_f64(first));
        while goes_on {
            let order = self.catalogue.next();
            let result = self.scan(stage, &order);
            stage.note_work("scanners", result)?;
            let pause = self.catalogue.pause_s(least, most);
            goes_on = stage.pause(Duration::from_secs_f64(pause));
        }
        Ok(())
    }

    /// One scan, and its line in the log.
    fn scan(&self, stage: &Stage, order: &Order) -> Result<()> {
        // What takes long goes on over a restart; what does not has scanwatch's attention for all of its time.
        let inside = if order.long { None } else { stage.gate.enter(&stage.stop) };
        if !stage.goes_on() {
            return Ok(());
        }
        let line = order.line.replace("ROUTER", &mac_text(self.router));
        let begun_ms = now_ms();
        let result = self.run(stage, &line);
        let ended_ms = now_ms();
        let source = if order.v6 { self.host.v6().to_string() } else { self.host.v4().to_string() };
        let scan = Scan {
            begun_ms,
            ended_ms,
            who: self.host.name().to_owned(),
            source,
            what: line,
            expected: order.expected.clone(),
            whole: matches!(result, Ok(true)),
        };
        stage.note_scan(&scan)?;
        if inside.is_some() && result.is_ok() {
            stage.pause(SETTLED);
        }
        result.map(drop)
    }

    /// Runs a command. True where it ran to its end, false where the actors' time was over before.
    fn run(&self, stage: &Stage, line: &str) -> Result<bool> {
        let mut words = line.split_whitespace();
        let program = words.next().context("the command line is empty")?;
        let mut running = self.host.spawn(program, words)?;
        let started = Instant::now();
        let limit = if program == "masscan" { MASSCAN } else { LIMIT };
        let ended = poll("the end of a scan", limit, &stage.stop, || {
            Ok((!running.is_running()? || stage.curtain.requested()).then_some(()))
        });
        match ended {
            Err(error) if error.is::<Interrupted>() => Err(error),
            Ok(()) if running.is_running()? => Ok(false),
            Ok(()) => {
                running.wait(LIMIT)?.ok()?;
                Ok(true)
            }
            Err(_) if program == "masscan" && started.elapsed() >= MASSCAN => Ok(true),
            Err(error) => Err(error),
        }
    }
}
