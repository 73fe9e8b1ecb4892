//! The one record of what is known about an incident at one moment; every sink formats this.

use std::net::IpAddr;
use std::time::Duration;

use scanwatch_common::sketch::Estimate;

use super::Losses;
use super::counts::Part;
use super::flood::FloodEvent;
use super::incident::{Incident, IncidentId, Target};
use super::interfaces::Interfaces;
use super::probe::ip_of;
use super::reason::reason;
use super::role::left_behind;
use super::scan::{Kind, Lane, Techniques, technique_name};
use super::severity::{RoleVerdict, Severity, Weight};
use super::source::Profile;
use super::time::Timestamp;
use crate::policy::{Direction, OTHER, Policy};

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

/// What a snapshot is taken against.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Names of interfaces.
    pub names: &'a Interfaces,
    /// What is lost so far.
    pub losses: Losses,
    /// The moment.
    pub now: Timestamp,
}

impl Scene<'_> {
    /// The snapshot of an incident.
    #[must_use]
    pub fn snapshot(
        &self,
        action: Action,
        profile: &Profile,
        incident: &Incident,
        sequence: u32,
    ) -> Snapshot {
        let count = |part: Part| incident.counts.estimate(part);
        let (hosts, ports, pairs) = (count(Part::Hosts), count(Part::Ports), count(Part::Pairs));
        let (answered, refused) = incident.answered_and_refused();
        let role = self.role(profile, incident);
        let weight = self.weight(incident, pairs, role.as_ref());
        let lasted_s = incident.grew.since(incident.first).as_secs_f64();
        let evidence = &incident.evidence;
        let mut snapshot = Snapshot {
            at: self.now,
            incident: incident.id,
            sequence,
            kind: incident.scope.kind,
            rule: incident.rule.name(),
            window: incident.window.length(),
            direction: incident.scope.direction,
            scanner: self.scanner(profile),
            techniques: incident.scope.techniques,
            hosts,
            ports,
            pairs,
            answered,
            refused,
            connects: incident.connects(),
            tool: evidence.tools.tool(),
            services: self.services(incident),
            zones: evidence.zones().map(|zone| self.policy.zone_name(zone).to_owned()).collect(),
            targets: evidence.targets(),
            // One host in the evidence, and no more in the count: some records may be lost.
            host: evidence.host.one().filter(|_| hosts.rounded() == 1).map(|host| ip_of(&host)),
            port: evidence.port.one().filter(|_| ports.rounded() == 1),
            first: incident.first,
            last: incident.last,
            grew: incident.grew,
            rate: (lasted_s > 0.0).then(|| pairs.count / lasted_s),
            length: evidence.sizes.moments().map(|(mean, deviation)| Length { mean, deviation }),
            visibility: if incident.one_way { Visibility::OneWay } else { Visibility::Symmetric },
            escalated: incident.escalated,
            others: incident.others.iter().copied().collect(),
            others_count: incident.others_count,
            surge: None,
            role,
            severity: weight.severity(),
            risk: weight.risk(),
            losses: self.losses,
            reason: String::new(),
        };
        snapshot.reason = reason(action, &snapshot);
        snapshot
    }

    fn scanner(&self, profile: &Profile) -> Scanner {
        Scanner {
            address: profile.address,
            mac: (profile.mac != [0; 6]).then_some(profile.mac),
            vlan: profile.key.vlan,
            zone: self.policy.zone_name(profile.zone).to_owned(),
            ttl: (profile.ttl != 0).then_some(profile.ttl),
            interface: self.names.name(profile.interface).map(str::to_owned),
        }
    }

    fn role(&self, profile: &Profile, incident: &Incident) -> Option<RoleNote> {
        let (id, verdict) = match incident.scope.budget {
            Some(id) => (id, RoleVerdict::OverBudget),
            None => (left_behind(self.policy, &profile.roles, self.now)?, RoleVerdict::Outside),
        };
        Some(RoleNote { name: id.of(self.policy)?.name.clone(), verdict })
    }

    fn weight(&self, incident: &Incident, pairs: Estimate, role: Option<&RoleNote>) -> Weight {
        let mut lanes = incident.scope.lanes.iter();
        Weight {
            direction: incident.scope.direction,
            kind: incident.scope.kind,
            escalated: incident.escalated,
            sensitive: lanes
                .any(|lane| self.policy.service(lane.service).is_some_and(|service| service.sensitive)),
            portless: incident.scope.techniques.within(Techniques::PORTLESS),
            pairs: pairs.count,
            role: role.map(|role| role.verdict),
        }
    }

    fn services(&self, incident: &Incident) -> Vec<String> {
        let mut names = Vec::new();
        let mut unnamed = Vec::new();
        for lane in incident.scope.lanes.iter() {
            let (list, name) = match self.policy.service(lane.service) {
                Some(service) => (&mut names, service.name.clone()),
                None => match unnamed_service(lane) {
                    Some(name) => (&mut unnamed, name),
                    None => continue,
                },
            };
            if !list.contains(&name) {
                list.push(name);
            }
        }
        names.sort_unstable();
        names.append(&mut unnamed);
        names
    }
}

/// What a lane outside all groups is called, where its technique has services at all.
fn unnamed_service(lane: Lane) -> Option<String> {
    let transport = match transport(Techniques::of(&[lane.technique]))? {
        "tcp" => "tcp",
        "udp" => "udp",
        "sctp" => "sctp",
        _ => return None,
    };
    debug_assert_eq!(lane.service, OTHER);
    Some(lane.port.map_or_else(|| "other".to_owned(), |port| format!("{transport}/{port}")))
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
