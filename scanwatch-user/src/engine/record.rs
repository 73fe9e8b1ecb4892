//! The one record of what is known about an incident at one moment; every sink formats this.

use std::net::IpAddr;
use std::time::Duration;

use scanwatch_common::sketch::Estimate;

use super::Losses;
use super::flood::FloodEvent;
use super::incident::{IncidentId, Target};
use super::scan::{Kind, Techniques, technique_name};
use super::severity::{RoleVerdict, Severity};
use super::time::{Ahead, Timestamp};
use crate::policy::Direction;

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was opened.
    Detected,
    /// It grew by much, or reached a new service or network.
    Updated,
    /// Nothing new was seen for a while; the counts are final.
    Ended,
}

impl Action {
    /// What happened to an incident, as in records.
    #[must_use]
    pub const fn of_scan(self) -> &'static str {
        match self {
            Self::Detected => "scan-detected",
            Self::Updated => "scan-updated",
            Self::Ended => "scan-ended",
        }
    }

    /// What happened to a flood of them, as in records.
    #[must_use]
    pub const fn of_flood(self) -> &'static str {
        match self {
            Self::Detected => "flood-detected",
            Self::Updated => "flood-updated",
            Self::Ended => "flood-ended",
        }
    }
}

/// A record to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Of one incident.
    Incident(Box<IncidentEvent>),
    /// Of more scans than are reported one by one.
    Flood(Box<FloodEvent>),
}

impl Record {
    /// The record of an incident; `None` for that of a flood.
    #[must_use]
    pub fn incident(&self) -> Option<&IncidentEvent> {
        match self {
            Self::Incident(event) => Some(event),
            Self::Flood(_) => None,
        }
    }

    /// Tells its times by the wall clock.
    pub(super) fn by_wall_clock(&mut self, ahead: Ahead) {
        match self {
            Self::Incident(event) => event.snapshot.by_wall_clock(ahead),
            Self::Flood(event) => {
                event.at = ahead.wall(event.at);
                event.first = ahead.wall(event.first);
                event.last = ahead.wall(event.last);
            }
        }
    }
}

/// What became of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentEvent {
    /// What happened.
    pub action: Action,
    /// The incident at that moment.
    pub snapshot: Snapshot,
}

/// What can be seen of the answers to probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Both directions.
    Symmetric,
    /// Probes alone: breadth decides, whatever the outcome.
    OneWay,
}

/// Who scans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanner {
    /// Address.
    pub address: IpAddr,
    /// Link-layer address the probes came from: the scanner's, or its router's.
    pub mac: Option<[u8; 6]>,
    /// VLAN ids, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
    /// Name of its zone.
    pub zone: String,
    /// Hop limit of the last probe.
    pub ttl: Option<u8>,
    /// Interface that saw the last probe.
    pub interface: Option<String>,
}

/// Mean and standard deviation of the probes' IP length, bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Length {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

/// How a port's sources rose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurgeNote {
    /// Distinct sources since the rise began.
    pub sources: Estimate,
    /// Distinct sources in the least of the slots that made it a surge.
    pub least: f64,
    /// Distinct sources in the busiest slot before, as far as it is remembered.
    pub usual: f64,
    /// Length of a slot.
    pub slot: Duration,
}

/// The role of the scanner, and how the scan stands to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleNote {
    /// Name of the role.
    pub name: String,
    /// How the scan stands to it.
    pub verdict: RoleVerdict,
}

/// An incident at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The moment.
    pub at: Timestamp,
    /// Identity of the incident.
    pub incident: IncidentId,
    /// Number of this record within the incident, from 1.
    pub sequence: u32,
    /// Kind of scan.
    pub kind: Kind,
    /// Name of the rule that fired, which is the name of its threshold.
    pub rule: &'static str,
    /// Window in which it fired.
    pub window: Duration,
    /// Direction.
    pub direction: Direction,
    /// Who scans.
    pub scanner: Scanner,
    /// Techniques.
    pub techniques: Techniques,
    /// Distinct hosts.
    pub hosts: Estimate,
    /// Distinct ports, or protocols; 0 for techniques without ports.
    pub ports: Estimate,
    /// Distinct (host, port) pairs.
    pub pairs: Estimate,
    /// Distinct pairs that answered.
    pub answered: Estimate,
    /// Distinct pairs that were refused.
    pub refused: Estimate,
    /// The source went on with conversations: it connects, and does not only send SYNs.
    pub connects: bool,
    /// The tool, where its packets give it away.
    pub tool: Option<&'static str>,
    /// Names of the services tried, and unnamed ports where the scan goes along them, as `tcp/8983`.
    pub services: Vec<String>,
    /// Names of the zones of the targets.
    pub zones: Vec<String>,
    /// A uniform sample of the targets.
    pub targets: Vec<Target>,
    /// The host, where there is exactly one.
    pub host: Option<IpAddr>,
    /// The port, where there is exactly one.
    pub port: Option<u16>,
    /// First probe.
    pub first: Timestamp,
    /// Last probe.
    pub last: Timestamp,
    /// Last probe of a pair that was new.
    pub grew: Timestamp,
    /// New pairs a second, from the first probe to the last new pair; `None` where that is no time.
    pub rate: Option<f64>,
    /// Size of the probes.
    pub length: Option<Length>,
    /// What can be seen of the answers.
    pub visibility: Visibility,
    /// A stranger was answered where nothing was known to answer.
    pub escalated: bool,
    /// The source is who its packets say: it completed a handshake, or ARP or neighbour discovery named the link-layer
    /// address they came from. Where many share the scan, all are.
    pub source_confirmed: bool,
    /// Other addresses of the same machine, or of many machines that share the scan; some of them.
    pub others: Vec<IpAddr>,
    /// How many there are.
    pub others_count: u64,
    /// How the port's sources rose, where that is what it is about.
    pub surge: Option<SurgeNote>,
    /// The scanner's role, if it has one.
    pub role: Option<RoleNote>,
    /// Severity.
    pub severity: Severity,
    /// Risk, 0 to 100.
    pub risk: u8,
    /// What is lost since the start: counts may be low by as much.
    pub losses: Losses,
    /// One sentence for a person.
    pub reason: String,
}

impl Snapshot {
    /// Tells its times by the wall clock.
    pub(super) const fn by_wall_clock(&mut self, ahead: Ahead) {
        self.at = ahead.wall(self.at);
        self.first = ahead.wall(self.first);
        self.last = ahead.wall(self.last);
        self.grew = ahead.wall(self.grew);
    }

    /// The one source; `None` where many share the scan.
    #[must_use]
    pub fn source(&self) -> Option<&Scanner> {
        (!matches!(self.kind, Kind::Distributed | Kind::Surge)).then_some(&self.scanner)
    }

    /// Standard error of the counts as a share of them: that of the pairs, the largest count.
    #[must_use]
    pub const fn relative_error(&self) -> f64 {
        self.pairs.relative_error
    }
}

/// The transport of techniques, where it is one: `tcp`, `udp`, `sctp` or `icmp`.
#[must_use]
pub fn transport(techniques: Techniques) -> Option<&'static str> {
    use scanwatch_common::abi::Technique;
    const TCP: Techniques = Techniques::of(&[Technique::Syn, Technique::Ack]).and(Techniques::ODD);
    let of = |technique| Techniques::of(&[technique]);
    let transports = [
        (TCP, "tcp"),
        (of(Technique::Udp), "udp"),
        (of(Technique::Sctp), "sctp"),
        (of(Technique::Icmp), "icmp"),
    ];
    let found = transports.into_iter().find(|(set, _)| techniques.within(*set));
    found.map(|(_, name)| name)
}

/// Names of techniques, as in records. Who goes on with the conversations it opens connects.
#[must_use]
pub fn technique_names(techniques: Techniques, connects: bool) -> Vec<&'static str> {
    use scanwatch_common::abi::Technique;
    let name = |technique| match technique {
        Technique::Syn if connects => "connect",
        technique => technique_name(technique),
    };
    techniques.iter().map(name).collect()
}
