//! The one log line a minute of a quiet agent, and what it warns of.

use scanwatch_common::abi::EPOCH_S;
use scanwatch_common::counters::{Class, Counter};

use crate::engine::Engine;

/// Epochs between two lines.
const EPOCHS: u32 = 60 / EPOCH_S;

/// Speaks at most once a minute.
pub(super) struct Quiet {
    epochs: u32,
    told: Vec<(Counter, u64)>,
}

impl Quiet {
    pub(super) fn new() -> Self {
        Self { epochs: 0, told: Vec::new() }
    }

    /// Notes the end of an epoch; every minute says what was new in it, unless nothing was.
    pub(super) fn epoch(&mut self, counters: &[(Counter, u64)], engine: &Engine) {
        self.epochs += 1;
        if self.epochs < EPOCHS {
            return;
        }
        self.epochs = 0;
        let probes = self.since(counters, |counter| counter.class() == Class::Probe);
        let lost = self.since(counters, |counter| counter == Counter::RingLost);
        let refused = self.since(counters, |counter| counter == Counter::CellRefused);
        self.told = counters.to_vec();
        if probes == 0 {
            return;
        }
        let statistics = engine.statistics();
        tracing::info!(
            probes,
            sources = statistics.sources.tracked,
            incidents_open = statistics.incidents.open(),
            records_lost = lost,
            cells_refused = refused,
            "the last minute"
        );
    }

    fn since(&self, counters: &[(Counter, u64)], wanted: impl Fn(Counter) -> bool) -> u64 {
        let sum =
            |all: &[(Counter, u64)]| all.iter().filter(|(c, _)| wanted(*c)).map(|(_, n)| n).sum::<u64>();
        sum(counters).saturating_sub(sum(&self.told))
    }
}
