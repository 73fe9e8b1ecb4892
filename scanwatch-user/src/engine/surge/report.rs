//! Surges as records and as statistics.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use scanwatch_common::abi::{Side, Technique};
use scanwatch_common::ports::{PortKey, Ports};
use scanwatch_common::sketch::{Estimate, PortSketch};

use super::super::Engine;
use super::super::incident::{IncidentId, Target};
use super::super::pairs::Pair;
use super::super::probe::ip_of;
use super::super::reason::reason;
use super::super::record::{IncidentEvent, Record, Scanner, Snapshot, SurgeNote, Visibility};
use super::super::scan::{Kind, Techniques};
use super::super::severity::Severity;
use super::super::source::SourceKey;
use super::super::statistics::{GuestStatistics, PortStatistics, PortsStatistics};
use super::super::time::Timestamp;
use super::super::verdict::Rule;
use super::{News, Rise, Surges};
use crate::policy::{Direction, INTERNET, Policy, SurgeLimit, Treatment, ZoneId};

/// Sources and targets that are shown.
const SAMPLE_MAX: usize = 16;
/// Most sources that a rare port has answered.
const RARE_MAX: u64 = 5;
/// Risk of a surge: that of scans from the internet. Nobody inside has done anything, and nothing has happened yet.
const RISK: u8 = 15;

impl Engine {
    /// Takes what outsiders did to a port, by the kernel's table, within an epoch that began at this time.
    pub fn port(&mut self, key: PortKey, sketch: &PortSketch, at: Timestamp) {
        self.surges.note(key, sketch, at, &limit(&self.policy));
    }

    /// Judges the ports that rise.
    pub(in super::super) fn judge_ports(&mut self, now: Timestamp, events: &mut Vec<Record>) {
        let Self { policy, flood, ledger, surges, .. } = self;
        let limits = &policy.limits;
        let mut open = ledger.open(Treatment::Alert);
        let has_room = || {
            let has_room = open < limits.incidents && flood.has_room(now, limits.incidents_per_minute);
            if has_room {
                open += 1;
                flood.opened(now);
            }
            has_room
        };
        let news = surges.judge(now, &limit(policy), has_room);
        self.report(news, now, events);
    }

    /// Length of the slots in which ports are compared.
    pub(in super::super) fn slot_of_surges(&self) -> Duration {
        limit(&self.policy).slot
    }

    /// When [`Self::judge_ports`] may find something to do.
    pub(in super::super) fn next_change_of_ports(&self) -> Option<Timestamp> {
        self.surges.next_change(&limit(&self.policy))
    }

    /// Ends the incidents of ports.
    pub(in super::super) fn finish_ports(&mut self, now: Timestamp, events: &mut Vec<Record>) {
        let news = self.surges.finish(now);
        self.report(news, now, events);
    }

    fn report(&mut self, news: Vec<News>, now: Timestamp, events: &mut Vec<Record>) {
        use super::super::record::Action;
        for news in news {
            match news.action {
                Action::Detected => self.ledger.opened(Treatment::Alert, Direction::Inbound, Kind::Surge),
                Action::Updated => {}
                Action::Ended => self.ledger.closed(Treatment::Alert, Kind::Surge),
            }
            let snapshot = self.snapshot(&news, now);
            events.push(Record::Incident(Box::new(IncidentEvent { action: news.action, snapshot })));
        }
    }

    fn snapshot(&self, News { action, key, rise, sequence }: &News, now: Timestamp) -> Snapshot {
        let limit = limit(&self.policy);
        let evidence = self.evidence(*key);
        let hosts = rise.total.hosts();
        let exact = |count: usize| Estimate { count: count as f64, relative_error: 0.0 };
        let answered = evidence.targets.iter().filter(|target| target.answered).count();
        let only = match &evidence.targets[..] {
            [target] if hosts.rounded() == 1 => Some(ip_of(&target.address)),
            _ => None,
        };
        let mut snapshot = Snapshot {
            at: now,
            incident: IncidentId::new(&identity(*key), Direction::Inbound, Kind::Surge, rise.first, 0),
            sequence: *sequence,
            kind: Kind::Surge,
            rule: Rule::Surge.name(),
            window: limit.slot.saturating_mul(limit.slots),
            direction: Direction::Inbound,
            scanner: nobody(&self.policy),
            techniques: Techniques::of(&[technique(*key)]),
            hosts,
            ports: exact(1),
            pairs: hosts,
            answered: exact(answered),
            refused: exact(evidence.refused),
            connects: false,
            tool: None,
            services: vec![self.service_of(*key).unwrap_or_else(|| key.to_string())],
            zones: evidence.zones.iter().map(|zone| self.policy.zone_name(*zone).to_owned()).collect(),
            targets: evidence.targets,
            host: only,
            port: Some(key.port),
            first: rise.first,
            last: rise.last,
            grew: rise.last,
            rate: None,
            length: None,
            visibility: self.sight_of_answers(),
            escalated: false,
            source_confirmed: false,
            others: evidence.sources,
            others_count: rise.total.sources().rounded(),
            surge: Some(note(rise, &limit)),
            role: None,
            severity: Severity::Low,
            risk: RISK,
            losses: self.losses,
            reason: String::new(),
        };
        snapshot.reason = reason(*action, &snapshot);
        snapshot
    }

    /// What the pairs of admitted sources show of a port.
    fn evidence(&self, key: PortKey) -> Evidence {
        let technique = technique(key);
        let is_about = |pair: &&Pair| {
            pair.technique == technique
                && pair.port == key.port
                && pair.direction == Direction::Inbound
                && pair.is_tried()
        };
        let mut pairs: Vec<(Timestamp, IpAddr, &Pair)> = Vec::new();
        for source in self.sources.all().filter(|source| source.profile.side == Side::External) {
            let about = source.pairs.all().iter().filter(is_about);
            pairs.extend(about.map(|pair| (pair.last, source.profile.address, pair)));
        }
        // The latest first; and in an order that does not depend on the map's.
        pairs.sort_by_key(|(last, source, pair)| (Reverse(*last), *source, pair.target));
        let mut evidence = Evidence::default();
        let mut targets = BTreeSet::new();
        for (_, source, pair) in pairs {
            if evidence.sources.len() < SAMPLE_MAX && !evidence.sources.contains(&source) {
                evidence.sources.push(source);
            }
            if targets.len() < SAMPLE_MAX || targets.contains(&(!pair.is_answered(), pair.target)) {
                targets.insert((!pair.is_answered(), pair.target));
            }
            evidence.zones.insert(pair.zone);
            evidence.refused += usize::from(pair.is_refused());
        }
        let target =
            |(silent, address): (bool, _)| Target { address, port: Some(key.port), answered: !silent };
        evidence.targets = targets.into_iter().map(target).collect();
        evidence
    }

    /// Name of the service group a port is in.
    fn service_of(&self, key: PortKey) -> Option<String> {
        let in_group = |ports: &[u16]| ports.contains(&key.port);
        let services = self.policy.services.iter();
        let mut of_port = services.filter(|service| match key.transport {
            Ports::Tcp => in_group(&service.tcp),
            Ports::Udp => in_group(&service.udp),
        });
        of_port.next().map(|service| service.name.clone())
    }

    /// Whether answers to the internet are seen, from every zone.
    fn sight_of_answers(&self) -> Visibility {
        let zones = 1..=u8::try_from(self.policy.zones.len()).unwrap_or(u8::MAX);
        let is_blind = |zone: ZoneId| self.world.is_one_way(&self.policy, (INTERNET, zone));
        if zones.into_iter().any(is_blind) { Visibility::OneWay } else { Visibility::Symmetric }
    }

    /// The incidents of ports that are open.
    pub(in super::super) fn open_surges(&self, now: Timestamp) -> Vec<Snapshot> {
        use super::super::record::Action;
        let open = self.surges.rises.iter().filter_map(|(key, rise)| Some((key, rise, rise.incident?)));
        let news = open.map(|(key, rise, open)| News {
            action: Action::Updated,
            key: *key,
            rise: rise.clone(),
            sequence: open.records,
        });
        news.map(|news| self.snapshot(&news, now)).collect()
    }

    /// What is shown of the ports that outsiders try, so many in each list.
    pub(in super::super) fn ports_statistics(&self, shown: usize) -> PortsStatistics {
        let surges = &self.surges;
        let name = |key: PortKey| (key.to_string(), self.service_of(key));
        let mut top = surges.busiest();
        top.sort_by_key(|(key, sources)| (Reverse(*sources), *key));
        let tried = top.len();
        top.truncate(shown);
        let mut rare: Vec<(PortKey, u64)> =
            surges.guests.iter().map(|(key, guests)| (*key, guests.answered().rounded())).collect();
        rare.retain(|(_, answered)| *answered <= RARE_MAX);
        rare.sort_by_key(|(key, answered)| (*answered, *key));
        rare.truncate(shown);
        let tried_port = |(key, sources): (PortKey, u64)| {
            let (port, service) = name(key);
            PortStatistics { port, service, sources }
        };
        let rare = rare.into_iter().map(|(key, answered)| {
            let (port, service) = name(key);
            GuestStatistics { port, service, answered }
        });
        PortsStatistics {
            tried,
            top: top.into_iter().map(tried_port).collect(),
            rare_in_use: rare.collect(),
            rising_together: surges.withheld,
            surges_refused: surges.refused,
        }
    }
}

impl Surges {
    /// Sources of each port in its busiest slot, as far as that is remembered.
    fn busiest(&self) -> Vec<(PortKey, u64)> {
        let mut busiest: std::collections::BTreeMap<PortKey, f64> = self.table.all_usual(self.slot).collect();
        for (key, sketch) in self.table.all_tried() {
            let sources = sketch.sources().count;
            let known = busiest.entry(key).or_insert(sources);
            *known = known.max(sources);
        }
        let rounded = |(key, count)| (key, Estimate { count, relative_error: 0.0 }.rounded());
        busiest.into_iter().map(rounded).filter(|(_, sources)| *sources > 0).collect()
    }
}

/// What is known of a port beside its sketch.
#[derive(Default)]
struct Evidence {
    sources: Vec<IpAddr>,
    targets: Vec<Target>,
    zones: BTreeSet<ZoneId>,
    refused: usize,
}

fn note(rise: &Rise, limit: &SurgeLimit) -> SurgeNote {
    SurgeNote { sources: rise.total.sources(), least: rise.least, usual: rise.usual, slot: limit.slot }
}

/// The limit; one that nothing reaches where the rule is off, for ports are counted in any case.
fn limit(policy: &Policy) -> SurgeLimit {
    policy.thresholds.surge.unwrap_or(SurgeLimit::NEVER)
}

const fn technique(key: PortKey) -> Technique {
    match key.transport {
        Ports::Tcp => Technique::Syn,
        Ports::Udp => Technique::Udp,
    }
}

/// A source that nobody is: addresses of this form are no one's, and VLANs of this number are on no frame.
fn identity(key: PortKey) -> SourceKey {
    let mut address = [0; 16];
    address[0] = key.transport as u8;
    address[14..].copy_from_slice(&key.port.to_be_bytes());
    SourceKey { address, vlan: [u16::MAX; 2] }
}

/// There is no one source.
fn nobody(policy: &Policy) -> Scanner {
    Scanner {
        address: IpAddr::from([0, 0, 0, 0]),
        mac: None,
        vlan: [0; 2],
        zone: policy.zone_name(INTERNET).to_owned(),
        ttl: None,
        interface: None,
    }
}
