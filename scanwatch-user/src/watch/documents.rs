//! What `/api` answers: the JSON documents that programs rely on, described in docs/API.md.
//!
//! Times are RFC 3339 in UTC; counts of distinct things are estimates, rounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::{health, reading};

/// `/healthz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, `degraded`, or `unresponsive` (with status 503).
    pub status: String,
    /// What is wrong, a sentence each.
    pub reasons: Vec<String>,
}

impl Health {
    /// Of an agent that answered.
    #[must_use]
    pub fn of(reading: &Reading) -> Self {
        let reasons = health::degraded(reading);
        let status = if reasons.is_empty() { "ok" } else { "degraded" };
        Self { status: status.to_owned(), reasons }
    }

    /// Of an agent that did not.
    #[must_use]
    pub fn unresponsive(reason: String) -> Self {
        Self { status: "unresponsive".to_owned(), reasons: vec![reason] }
    }
}

/// `/api/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the agent.
    pub version: String,
    /// Name of its machine.
    pub hostname: String,
    /// The moment.
    pub now: String,
    /// When it began to watch.
    pub began: String,
    /// Seconds since then.
    pub uptime_s: u64,
    /// Whether it is well.
    pub health: Health,
    /// How fast packets came in the last epoch of ten seconds.
    pub rates: RatesDocument,
    /// Packets and what came of them, by counter.
    pub counters: BTreeMap<String, u64>,
    /// Cells of the kernel.
    pub cells: CellsDocument,
    /// Sources that are remembered.
    pub sources: SourcesCount,
    /// Incidents.
    pub incidents: IncidentsCount,
    /// What was lost since the start.
    pub losses: LossesDocument,
    /// Requests to read the configuration again.
    pub reloads: ReloadsDocument,
    /// Interfaces that are to be watched.
    pub interfaces: Vec<InterfaceDocument>,
    /// Sinks.
    pub sinks: Vec<SinkDocument>,
}

/// How fast packets came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RatesDocument {
    /// All of them.
    pub packets_per_s: f64,
    /// Those by which somebody tries something.
    pub probes_per_s: f64,
    /// Contacts that told something new.
    pub novelties_per_s: f64,
}

/// Cells of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellsDocument {
    /// Of sources inside.
    pub internal: CellsOfSide,
    /// Of sources outside.
    pub external: CellsOfSide,
}

/// Cells of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellsOfSide {
    /// In use when the last epoch was over.
    pub used: u64,
    /// Room in an epoch.
    pub capacity: u64,
}

impl From<reading::CellsReading> for CellsOfSide {
    fn from(cells: reading::CellsReading) -> Self {
        Self { used: cells.used, capacity: cells.capacity }
    }
}

/// Sources that are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesCount {
    /// Now.
    pub tracked: u64,
    /// Given up or not taken for want of room, since the start.
    pub dropped: u64,
}

/// Incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentsCount {
    /// Open ones that are alerts.
    pub open_alerts: u64,
    /// Open ones that are statistics.
    pub open_statistics: u64,
    /// Scans for which there was no room, since the start.
    pub refused: u64,
}

/// What was lost since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossesDocument {
    /// Records that found the ring full; their cells have the counts.
    pub ring_lost: u64,
    /// Cells for which there was no room.
    pub cells_refused: u64,
}

/// Requests to read the configuration again, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadsDocument {
    /// Those after which what was read held.
    pub reloads: u64,
    /// Those after which the configuration stayed as it was.
    pub failures: u64,
    /// Why, where the last one failed.
    pub last_error: Option<String>,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceDocument {
    /// Name.
    pub name: String,
    /// It is watched now.
    pub watched: bool,
    /// The hook for what comes in.
    pub mode: Option<String>,
    /// The hook for what goes out.
    pub egress: Option<String>,
}

/// A sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkDocument {
    /// Name.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub transport: String,
    /// Records that wait.
    pub queued: u64,
    /// Bytes of them.
    pub queued_bytes: u64,
    /// Records delivered since the start.
    pub delivered: u64,
    /// Deliveries tried again since the start.
    pub retried: u64,
    /// Records dropped for want of room since the start.
    pub dropped: u64,
    /// Records put aside since the start, as the receiver will never take them.
    pub refused: u64,
    /// Why the receiver cannot be reached, where that is so.
    pub outage: Option<String>,
    /// Why the spool is not on disk, where that is so.
    pub spool_trouble: Option<String>,
}

/// `/api/incidents`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Incidents {
    /// The moment.
    pub now: String,
    /// How many are open.
    pub open_total: u64,
    /// Open ones: alerts first, and those that grew last.
    pub open: Vec<Incident>,
    /// Alerts that ended, the last one first.
    pub ended: Vec<Incident>,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Identity, as on its records.
    pub id: String,
    /// `alert` or `statistics`.
    pub treatment: String,
    /// `vertical`, `horizontal`, `block`, `distributed`, `surge`.
    pub kind: String,
    /// The rule that fired.
    pub rule: String,
    /// `lateral`, `outbound`, `inbound`, `transit`.
    pub direction: String,
    /// `low`, `medium`, `high`, `critical`.
    pub severity: String,
    /// 0 to 100.
    pub risk: u8,
    /// The scanner; `null` where many share the scan.
    pub source: Option<String>,
    /// It is who its packets say: a handshake, or ARP or neighbour discovery, shows it.
    #[serde(default)]
    pub source_confirmed: bool,
    /// VLAN ids of the scanner, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
    /// Zone of the scanner.
    pub zone: String,
    /// Role of the scanner.
    pub role: Option<String>,
    /// Sources that share the scan, the one above not counted.
    pub others: u64,
    /// Distinct hosts tried.
    pub hosts: u64,
    /// Distinct ports tried.
    pub ports: u64,
    /// Distinct pairs tried.
    pub pairs: u64,
    /// Distinct pairs that answered.
    pub answered: u64,
    /// Distinct pairs that were refused.
    pub refused: u64,
    /// Services tried.
    pub services: Vec<String>,
    /// Techniques.
    pub techniques: Vec<String>,
    /// A sample of what was tried, those that answered first.
    pub targets: Vec<TargetDocument>,
    /// First probe.
    pub first: String,
    /// Last probe.
    pub last: String,
    /// One sentence for a person.
    pub reason: String,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetDocument {
    /// Address.
    pub address: String,
    /// Port, where the technique has one.
    pub port: Option<u16>,
    /// It answered.
    pub answered: bool,
}

/// `/api/sources`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// The moment.
    pub now: String,
    /// How many are remembered.
    pub tracked: u64,
    /// Those that tried most pairs within ten minutes, most first.
    pub sources: Vec<Source>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Address.
    pub address: String,
    /// VLAN ids, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
    /// Link-layer address of its last probe.
    pub mac: Option<String>,
    /// `internal` or `external`.
    pub side: String,
    /// Zone.
    pub zone: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Interface that saw its last probe.
    pub interface: Option<String>,
    /// What it did within `1m`, `10m`, `1h` and `24h`.
    pub windows: BTreeMap<String, WindowDocument>,
    /// Services it tried within a day, most pairs first.
    pub services: Vec<String>,
    /// First seen, of what the windows show.
    pub first_seen: String,
    /// Last seen.
    pub last_seen: String,
    /// Incidents it is in.
    pub incidents: Vec<String>,
}

/// What a source did within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowDocument {
    /// Distinct hosts it tried.
    pub hosts: u64,
    /// Distinct ports it tried.
    pub ports: u64,
    /// Distinct pairs it tried.
    pub pairs: u64,
    /// Distinct pairs of these that a role covers.
    pub covered: u64,
    /// Distinct pairs that answered.
    pub answered: u64,
    /// Pairs refused or silent, of those that are remembered one by one.
    pub failed: u64,
}

/// `/api/ports`: what sources outside try inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Ports that were tried, as far as that is remembered.
    pub tried: u64,
    /// The ports that most sources tried, most first.
    pub top: Vec<Port>,
    /// Ports on which machines inside answered few sources, fewest first.
    pub rare_in_use: Vec<Guest>,
    /// The services that most sources tried, most first.
    pub services: Vec<Service>,
}

/// A port that is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// As `tcp/445`.
    pub port: String,
    /// The service group it is in.
    pub service: Option<String>,
    /// Distinct sources in its busiest hour, fading by half a week.
    pub sources: u64,
}

/// A port that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// As `tcp/445`.
    pub port: String,
    /// The service group it is in.
    pub service: Option<String>,
    /// Distinct sources that were answered since the start.
    pub answered: u64,
}

/// A service that is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Distinct sources since the start.
    pub sources: u64,
}
