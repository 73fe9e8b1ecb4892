//! Machines in wrong hands: each scans, rests, and scans again, and writes down what it did.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::catalogue::{Catalogue, Order};
use super::log::{Scan, now_ms};
use super::stage::Stage;
use crate::lab::Host;
use crate::lab::plan::mac_text;
use crate::lab::wait::poll;

/// Longest time that a scan may take.
const LIMIT: Duration = Duration::from_mins(4);
const READ_LIMIT: Duration = Duration::from_secs(30);
/// masscan begins after some seconds on a busy machine, and ends when it next receives a packet, which may never be: it is
/// ended when it has sent the probes of a /24. Time between two looks at how many it sent.
const MASSCAN: &str = "masscan";
const MASSCAN_PROBES: u64 = 250;
const MASSCAN_LOOK: Duration = Duration::from_millis(500);
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
        let before = self.sent()?;
        let mut running = self.host.spawn(program, words)?;
        let mut looked = Instant::now();
        let ended = poll("the end of a scan", LIMIT, &stage.stop, || {
            if program == MASSCAN && looked.elapsed() >= MASSCAN_LOOK {
                looked = Instant::now();
                if self.sent()? >= before + MASSCAN_PROBES {
                    return Ok(Some(true));
                }
            }
            if !running.is_running()? {
                return Ok(Some(true));
            }
            Ok(stage.curtain.requested().then_some(false))
        })?;
        if !running.is_running()? {
            let output = running.wait(LIMIT)?.ok()?;
            let sent = self.sent()? - before;
            ensure!(
                program != MASSCAN || sent >= MASSCAN_PROBES,
                "it sent {sent} packets: {}",
                output.stderr
            );
            return Ok(true);
        }
        Ok(ended)
    }

    /// Packets that the machine has sent so far.
    fn sent(&self) -> Result<u64> {
        // The file of the process itself would show another namespace.
        let table = self.host.within(READ_LIMIT, || fs::read_to_string("/proc/thread-self/net/dev"))??;
        let line = table.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
        // Eight columns of what was received, then bytes and packets that were sent (proc_pid_net(5)).
        let packets = line.and_then(|line| line.split_whitespace().nth(9));
        packets.and_then(|packets| packets.parse().ok()).context("the kernel does not count packets of eth0")
    }
}
