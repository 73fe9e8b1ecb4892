//! What the agent remembers of its own work, and its answers to whoever asks.

use std::collections::VecDeque;

use anyhow::{Context, Result};
use scanwatch_common::abi::Side;
use scanwatch_common::counters::Counter;
use tokio::time::Instant;

use super::Agent;
use crate::engine::{Action, Record, Timestamp};
use crate::kernel::KernelError;
use crate::sink::Observer;
use crate::watch::{
    Alerts, Ask, Asks, CellsReading, Drains, EndedIncident, IncidentsReading, Listener, Rates, Reading,
    ReloadsReading, Server, SourcesReading,
};

/// Incidents that ended and are still shown.
const ENDED_MAX: usize = 256;

/// The agent's own work.
#[derive(Debug)]
pub(super) struct Overview {
    /// In the engine's time.
    began: Timestamp,
    /// Every counter at the end of the last epoch, and when that was.
    counted: (Vec<(Counter, u64)>, Instant),
    rates: Rates,
    /// Cells that the last epoch used, by the number of the side.
    cells: [u64; 2],
    drains: Drains,
    alerts: Alerts,
    /// The last one first; none where nobody can ask.
    ended: VecDeque<EndedIncident>,
    is_asked: bool,
}

impl Overview {
    /// Nothing done yet. `is_asked` is false where nobody can ask.
    pub(super) fn new(is_asked: bool, began: Timestamp) -> Self {
        Self {
            began,
            counted: (Vec::new(), Instant::now()),
            rates: Rates::default(),
            cells: [0; 2],
            drains: Drains::default(),
            alerts: Alerts::default(),
            ended: VecDeque::new(),
            is_asked,
        }
    }

    /// Notes the counters at the end of an epoch.
    pub(super) fn epoch(&mut self, counters: &[(Counter, u64)]) {
        let (before, at) = &self.counted;
        self.rates = Rates::between(before, counters, at.elapsed());
        self.counted = (counters.to_vec(), Instant::now());
    }

    /// Notes that a drain began then, and how many cells it found of each side.
    pub(super) fn drained(&mut self, began: Instant, cells: [u64; 2]) {
        self.drains.note(began.elapsed());
        self.cells = cells;
    }

    /// Notes a record that is about to be written.
    pub(super) fn record(&mut self, record: &Record) {
        self.alerts.note(record);
        if let Some(event) = record.incident().filter(|event| self.is_asked && event.action == Action::Ended)
        {
            self.ended.truncate(ENDED_MAX - 1);
            self.ended.push_front(event.clone());
        }
    }
}

/// Lets whoever connects ask, from now on and as long as the server lives.
pub(super) fn serve(listener: Option<Listener>) -> Result<(Option<Server>, Asks)> {
    let Some(listener) = listener else { return Ok((None, Asks::none())) };
    let (asker, asks) = Asks::channel();
    let hostname = Observer::local().context("cannot read this machine's name")?.hostname;
    tracing::info!("listening on {}", listener.endpoint());
    let server = Server::start(listener, asker, &hostname).context("cannot serve what is asked")?;
    Ok((Some(server), asks))
}

impl Agent {
    /// Answers a question. Whoever asked may be gone.
    pub(super) fn answer(&mut self, ask: Ask) {
        let now = self.now();
        let wall = self.clock.ahead().wall(now);
        match ask {
            Ask::Reading(to) => {
                let reading = self.reading(now).map(Box::new);
                let _ = to.send(reading.map_err(|error| error.to_string()));
            }
            Ask::Incidents(limit, to) => {
                let gauges = self.engine.gauges();
                let _ = to.send(Ok(IncidentsReading {
                    now: wall,
                    open: self.engine.open_incidents(limit, now),
                    open_total: gauges.incidents_open.iter().flatten().sum(),
                    ended: self.overview.ended.iter().take(limit).cloned().collect(),
                }));
            }
            Ask::Sources(limit, to) => {
                let tracked = self.engine.gauges().sources;
                let busiest = self.engine.busiest_sources(limit, now);
                let _ = to.send(Ok(SourcesReading { now: wall, tracked, busiest }));
            }
            Ask::Ports(limit, to) => {
                let _ = to.send(Ok(self.engine.ports_from_outside(limit)));
            }
        }
    }

    fn reading(&self, now: Timestamp) -> Result<Reading, KernelError> {
        let Overview { began, rates, cells, drains, alerts, .. } = &self.overview;
        let capacity = self.kernel.cells_max();
        let cells = [Side::Internal, Side::External].map(|side| CellsReading {
            used: cells[side as usize],
            capacity: u64::from(capacity[side as usize]),
        });
        Ok(Reading {
            now: self.clock.ahead().wall(now),
            began: self.clock.ahead().wall(*began),
            counters: self.kernel.counters()?,
            rates: *rates,
            cells,
            engine: self.engine.gauges(),
            alerts: *alerts,
            drains: *drains,
            interfaces: self.interfaces.readings(),
            reloads: ReloadsReading {
                reloads: self.reloads.reloads,
                failures: self.reloads.failures,
                last_error: self.reloads.last_error.clone(),
            },
            sinks: self.sinks.meters().iter().map(|meter| meter.reading()).collect(),
        })
    }
}
