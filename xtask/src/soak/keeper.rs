//! scanwatch at work in a soak: reloads, restarts, and what it said and held over all of its processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use super::log::{Lines, now_ms};
use super::meter::{Reading, holdings, resident_kb};
use crate::lab::agent::{Record, Report, field};
use crate::lab::plan::ROLES;
use crate::lab::wait::poll;
use crate::lab::{Lab, Scanwatch};

/// Longest time until it watches, and until it has ended.
const READY_LIMIT: Duration = Duration::from_mins(4);
const END_LIMIT: Duration = Duration::from_mins(3);
/// Longest time from SIGHUP to what the log says of it.
const RELOAD_LIMIT: Duration = Duration::from_mins(3);

/// Configurations by which the same scans are found.
const CONFIGS: &[&str] = &[
    "",
    "[[zone]]\nname = \"lab\"\nnetworks = [\"10.0.0.0/8\", \"fd00::/8\"]\n",
    // What was one zone is two, and then one again.
    "[[zone]]\nname = \"office\"\nnetworks = [\"10.1.0.0/16\", \"fd00:1::/48\"]\n\
     [[zone]]\nname = \"servers\"\nnetworks = [\"10.2.0.0/16\", \"fd00:2::/48\"]\n",
    "[services]\nghosts = [\"tcp/666\"]\n[thresholds]\nsilence_s = 2\n",
    "[thresholds]\nsurge = \"off\"\nvertical = { \"1m\" = 12, \"10m\" = 15, \"1h\" = 20, \"24h\" = 40 }\n",
];
/// One that is refused.
const BAD: &str = "[[zone]]\nname = 7\n";

/// What was done to it and what it told, over all processes.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Configurations that it followed.
    pub reloads: usize,
    /// Configurations that it refused.
    pub refusals: usize,
    /// Restarts by SIGTERM.
    pub restarts: usize,
    /// When it was killed, milliseconds since 1970.
    pub kills: Vec<i64>,
    /// Records of novelties that were lost, and cells that were refused, as far as it could tell.
    pub ring_lost: u64,
    /// See `ring_lost`.
    pub cells_refused: u64,
    /// Scans from outside in the statistics, as the last process tells.
    pub inbound: u64,
    /// Most resident memory that was seen, kB.
    pub rss_max_kb: u64,
    /// What does not hold, a sentence each.
    pub wrong: Vec<String>,
}

/// See the module.
pub struct Keeper<'a> {
    lab: &'a Lab,
    folder: PathBuf,
    records_file: Lines,
    config: usize,
    agent: Option<Scanwatch>,
    processes: usize,
    records: Vec<Record>,
    held: BTreeSet<String>,
    figures: Figures,
}

/// What is left once the last process has ended.
pub struct Ended {
    /// Every record of every process.
    pub records: Vec<Record>,
    /// Programs, maps and links that any of them held.
    pub held: BTreeSet<String>,
    /// See [`Figures`].
    pub figures: Figures,
}

impl<'a> Keeper<'a> {
    /// Starts the first process, with a state directory in `folder`, and waits until it watches.
    pub fn start(lab: &'a Lab, folder: &Path) -> Result<Self> {
        let records_file = Lines::create(folder.join("records.jsonl"))?;
        let agent = watching(lab, folder, 0)?;
        let held = holdings(agent.process().pid())?;
        Ok(Self {
            lab,
            folder: folder.to_owned(),
            records_file,
            config: 0,
            agent: Some(agent),
            processes: 0,
            records: Vec::new(),
            held,
            figures: Figures::default(),
        })
    }

    /// Looks at its memory, which it returns in kB; fails where it has ended by itself.
    pub fn look(&mut self) -> Result<u64> {
        let log = self.folder.join("agent-ended.log");
        let agent = self.agent()?;
        if !agent.is_running()? {
            fs::write(&log, agent.log())?;
            bail!("scanwatch ended by itself; its log is {}", log.display());
        }
        let kb = resident_kb(agent.process().pid())?;
        self.figures.rss_max_kb = self.figures.rss_max_kb.max(kb);
        Ok(kb)
    }

    /// What it holds now.
    pub fn read(&self) -> Result<Reading> {
        Reading::of(self.pid()?)
    }

    /// Gives it the next configuration to follow.
    pub fn reload(&mut self) -> Result<()> {
        let next = (self.config + 1) % CONFIGS.len();
        if self.agent()?.reload(&config(next), RELOAD_LIMIT)? {
            self.figures.reloads += 1;
            self.config = next;
        } else {
            self.figures.wrong.push(format!("refused: a configuration that is right:\n{}", config(next)));
        }
        Ok(())
    }

    /// Gives it a configuration to refuse.
    pub fn reload_badly(&mut self) -> Result<()> {
        if self.agent()?.reload(BAD, RELOAD_LIMIT)? {
            self.figures.wrong.push("followed: a configuration that is wrong".to_owned());
        } else {
            self.figures.refusals += 1;
        }
        Ok(())
    }

    /// Ends it by SIGTERM or SIGKILL and starts it again, with the state that is there.
    pub fn restart(&mut self, signal: Signal) -> Result<()> {
        if signal == Signal::SIGKILL {
            self.figures.kills.push(now_ms());
        } else {
            self.figures.restarts += 1;
        }
        self.end(signal)?;
        self.agent = Some(watching(self.lab, &self.folder, self.config)?);
        self.note_holdings()
    }

    /// Ends the last process.
    pub fn finish(mut self) -> Result<Ended> {
        self.note_holdings()?;
        self.end(Signal::SIGTERM)?;
        let Self { records, held, figures, .. } = self;
        Ok(Ended { records, held, figures })
    }

    fn agent(&mut self) -> Result<&mut Scanwatch> {
        self.agent.as_mut().context("scanwatch does not run")
    }

    fn pid(&self) -> Result<Pid> {
        Ok(self.agent.as_ref().context("scanwatch does not run")?.process().pid())
    }

    fn note_holdings(&mut self) -> Result<()> {
        self.held.extend(holdings(self.pid()?)?);
        Ok(())
    }

    /// Ends the process there is, and takes what it left.
    fn end(&mut self, signal: Signal) -> Result<()> {
        let mut agent = self.agent.take().context("scanwatch does not run")?;
        agent.process().signal(signal)?;
        let stop = self.lab.stop();
        poll("the end of scanwatch", END_LIMIT, stop, || Ok((!agent.is_running()?).then_some(())))?;
        let report = agent.stop()?;
        self.processes += 1;
        fs::write(self.folder.join(format!("agent-{}.log", self.processes)), &report.stderr)?;
        for record in &report.records {
            self.records_file.append(&record.line)?;
        }
        self.figures.add(&report, signal);
        self.records.extend(report.records);
        Ok(())
    }
}

impl Figures {
    /// Takes what a process told at its end, unless it was killed and told nothing.
    fn add(&mut self, report: &Report, signal: Signal) {
        if signal == Signal::SIGKILL {
            return;
        }
        if !report.status.success() {
            self.wrong.push(format!("failed: scanwatch ended with {}", report.status));
        }
        let count =
            |name: &str| report.stats.as_ref().and_then(|stats| field(stats, name)).and_then(Value::as_u64);
        match (count("losses.ring_lost"), count("losses.cells_refused")) {
            (Some(ring_lost), Some(cells_refused)) => {
                self.ring_lost += ring_lost;
                self.cells_refused += cells_refused;
            }
            _ => self.wrong.push("failed: scanwatch did not tell its losses at its end".to_owned()),
        }
        self.inbound = count("directions.inbound.incidents").unwrap_or_default();
    }
}

/// A configuration of the soak.
fn config(number: usize) -> String {
    format!("{}{ROLES}", CONFIGS[number])
}

fn watching(lab: &Lab, folder: &Path, number: usize) -> Result<Scanwatch> {
    let state = folder.join("state");
    let setup =
        Scanwatch::on(lab).config(&config(number)).arg("--state-dir").arg(&state.display().to_string());
    let mut agent = setup.start()?;
    agent.wait_ready(READY_LIMIT)?;
    Ok(agent)
}
