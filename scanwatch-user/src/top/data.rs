//! One round of answers.

use std::collections::BTreeMap;

use crate::watch::documents::{Incidents, Ports, Sources, Status};
use crate::watch::{Client, Unreachable};

/// Everything that is shown, as of one moment.
#[derive(Clone, Debug)]
pub(super) struct Data {
    pub(super) status: Status,
    pub(super) incidents: Incidents,
    pub(super) sources: Sources,
    pub(super) ports: Ports,
    /// Each counter's rate per second since the round before; none in the first.
    pub(super) rates: BTreeMap<String, f64>,
}

impl Data {
    /// Asks for all of it.
    pub(super) async fn fetch(client: &Client) -> Result<Self, Unreachable> {
        Ok(Self {
            status: client.get("/api/status").await?,
            incidents: client.get("/api/incidents?limit=200").await?,
            sources: client.get("/api/sources?limit=200").await?,
            ports: client.get("/api/ports?limit=200").await?,
            rates: BTreeMap::new(),
        })
    }

    /// With the rates since an earlier round.
    pub(super) fn since(mut self, before: &Self) -> Self {
        let passed_s = seconds(&self.status.now) - seconds(&before.status.now);
        if passed_s > 0.0 {
            let counters = self.status.counters.iter();
            self.rates = counters
                .map(|(name, count)| {
                    let known = before.status.counters.get(name).copied().unwrap_or_default();
                    (name.clone(), count.saturating_sub(known) as f64 / passed_s)
                })
                .collect();
        }
        self
    }

    /// Seconds from a time of the agent to the moment of this answer.
    pub(super) fn age_s(&self, time: &str) -> f64 {
        seconds(&self.status.now) - seconds(time)
    }
}

/// Seconds since the Unix epoch.
fn seconds(time: &str) -> f64 {
    time.parse::<jiff::Timestamp>().map_or(0.0, |time| time.as_nanosecond() as f64 / 1e9)
}
