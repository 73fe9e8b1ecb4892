//! One incident: a scan from its detection to its end.

mod desk;
mod evidence;
mod id;

pub use desk::Desk;
pub use evidence::{Evidence, Target};
pub use id::IncidentId;

use scanwatch_common::abi::{Cell, Outcome, Technique};
use scanwatch_common::sketch::{Estimate, Hasher, Sketch};
use serde::{Deserialize, Serialize};

use super::counts::{Counts, Part};
use super::pairs::{Marks, Pair};
use super::probe::{Element, Probe};
use super::role::RoleId;
use super::scan::{CellView, Kind, Scope, Techniques};
use super::source::{CellId, SourceKey};
use super::state::codec;
use super::time::Timestamp;
use super::verdict::{Finding, Rule};
use super::window::Window;
use crate::policy::{OTHER, Treatment};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Records of one incident are this far apart at least, detection and end apart.
const RECORD_PERIOD: Duration = Duration::from_mins(1);
/// Other addresses shown.
const OTHERS_MAX: usize = 16;
/// Growth of the number of pairs that is worth a record.
const GROWTH: f64 = 10.0;

/// An open incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none rules out another")]
pub struct Incident {
    /// Identity, on every record.
    pub id: IncidentId,
    /// Which probes belong to it.
    pub scope: Scope,
    /// What becomes of it.
    pub treatment: Treatment,
    /// The rule that fired.
    pub rule: Rule,
    /// The window in which it fired.
    pub window: Window,
    /// The shortest window in which it shows as much as its rule asks for: how long a pause may be.
    pace: Window,
    /// Distinct pairs, hosts and ports since it began.
    pub counts: Counts,
    /// Distinct pairs that answered, were refused, and went on.
    #[serde(with = "codec::sketches")]
    outcomes: Box<[Sketch; 3]>,
    /// What there is to show.
    pub evidence: Evidence,
    /// Answers to it cannot be seen.
    pub one_way: bool,
    /// A stranger was answered where nothing was known to answer.
    pub escalated: bool,
    /// A handshake with one of its targets was completed; of many sources, that all are who their packets say.
    #[serde(default)]
    pub completed: bool,
    /// Other addresses of the scanner, or all of many scanners; bounded.
    pub others: BTreeSet<IpAddr>,
    /// How many there are.
    pub others_count: u64,
    /// First seen.
    pub first: Timestamp,
    /// Last seen.
    pub last: Timestamp,
    /// Last time it grew: by a pair, or by a service or a technique.
    pub grew: Timestamp,
    /// Records so far.
    pub records: u32,
    /// Time of the last record.
    recorded: Timestamp,
    /// Pairs at the last record.
    recorded_pairs: f64,
    /// A service or a network is new since the last record.
    news: bool,
}

impl Incident {
    /// The incident that a finding opens, of a source that had so many before.
    #[must_use]
    pub fn open(
        (source, before): (&SourceKey, u16),
        finding: &Finding,
        treatment: Treatment,
        hasher: &Hasher,
    ) -> Self {
        let Scope { direction, kind, .. } = finding.scope;
        let mut incident = Self {
            id: IncidentId::new(source, direction, kind, finding.first, before),
            scope: finding.scope.clone(),
            treatment,
            rule: finding.rule,
            window: finding.window,
            pace: finding.pace(),
            counts: Counts::default(),
            outcomes: Box::new([Sketch::EMPTY; 3]),
            evidence: Evidence::default(),
            one_way: false,
            escalated: false,
            completed: false,
            others: BTreeSet::new(),
            others_count: 0,
            first: finding.first,
            last: finding.last,
            grew: finding.first,
            records: 0,
            recorded: finding.first,
            recorded_pairs: 0.0,
            news: false,
        };
        incident.take(finding, hasher);
        incident
    }

    /// Takes up what a finding of this scan holds.
    pub fn take(&mut self, finding: &Finding, hasher: &Hasher) {
        self.pace = self.pace.min(finding.pace());
        self.one_way = finding.one_way;
        self.escalated |= finding.escalates;
        self.completed = match finding.scope.kind {
            Kind::Distributed => finding.confirmed,
            _ => self.completed || finding.pairs.iter().any(|pair| pair.marks.has(Marks::COMPLETED)),
        };
        self.others_count = self.others_count.max(finding.others.len() as u64);
        for other in &finding.others {
            if self.others.len() < OTHERS_MAX && self.others.insert(*other) {
                self.news = true;
            }
        }
        for lane in finding.scope.lanes.iter() {
            self.news |= self.scope.add_lane(lane) && lane.service != OTHER;
        }
        for pair in &finding.pairs {
            let probe = probe_of(pair, hasher, self.scope.budget);
            self.add(&probe);
            let marks = [
                (Outcome::Answered, pair.is_answered()),
                (Outcome::Refused, pair.is_refused()),
                (Outcome::Continued, pair.marks.has(Marks::CONTINUED)),
            ];
            for (outcome, _) in marks.into_iter().filter(|(_, is_marked)| *is_marked) {
                self.note_outcome(&probe, outcome);
            }
            self.last = self.last.max(pair.last);
        }
        for zone in &finding.zones {
            self.evidence.note_zone(*zone);
        }
        if self.counts.merge(&finding.counts) {
            self.grew = self.grew.max(finding.last);
        }
        self.first = self.first.min(finding.first);
        self.last = self.last.max(finding.last);
    }

    /// Adds a probe that the scope takes.
    pub fn add(&mut self, probe: &Probe) {
        self.first = self.first.min(probe.at);
        self.last = self.last.max(probe.at);
        let is_new = self.counts.insert(Part::Pairs, probe.element.pair);
        self.counts.insert(Part::Hosts, probe.element.host);
        if probe.has_port() {
            self.counts.insert(Part::Ports, probe.element.port);
        }
        self.evidence.note(probe);
        if is_new {
            self.evidence.sizes.add(probe.length);
            self.evidence.tools.note(probe.tool);
            self.news |= self.evidence.note_network(probe);
        }
        let is_new_lane = self.scope.add_lane(probe.lane());
        self.news |= is_new_lane && probe.service != OTHER;
        if is_new || is_new_lane {
            self.grew = self.grew.max(probe.at);
        }
    }

    /// Notes what became of a contact, where it is one of the scan's.
    pub fn note_outcome(&mut self, probe: &Probe, outcome: Outcome) {
        if self.scope.budget != probe.role {
            return;
        }
        let is_probe_itself = probe.technique == Technique::Ack && outcome == Outcome::Refused;
        if is_probe_itself && self.scope.takes(&self.counts, probe) {
            self.add(probe);
        }
        if !self.counts.contains(Part::Pairs, probe.element.pair) {
            return;
        }
        let place = match outcome {
            Outcome::Tried => return,
            Outcome::Answered => 0,
            Outcome::Refused => 1,
            Outcome::Continued => 2,
        };
        self.outcomes[place].insert(probe.element.pair);
        if outcome == Outcome::Answered {
            self.evidence.note_answer(probe);
        }
    }

    /// Notes a completed handshake, where it is with one of the scan's targets.
    pub fn note_completed(&mut self, probe: &Probe) {
        let is_its = self.scope.budget == probe.role;
        self.completed |= is_its && self.counts.contains(Part::Pairs, probe.element.pair);
    }

    /// Distinct pairs that answered, and that were refused.
    #[must_use]
    pub fn answered_and_refused(&self) -> (Estimate, Estimate) {
        (self.outcomes[0].estimate(), self.outcomes[1].estimate())
    }

    /// True where the source went on with the conversations that were answered: it connects.
    #[must_use]
    pub fn connects(&self) -> bool {
        let [answered, _, continued] = &*self.outcomes;
        !continued.is_empty() && 2.0 * continued.estimate().count >= answered.estimate().count
    }

    /// Adds a cell of the kernel, if all of it belongs to the scan: probes whose records were lost are in it too.
    pub fn add_cell(&mut self, id: CellId, cell: &Cell, (first, last): (Timestamp, Timestamp)) {
        if !self.scope.takes_cell(&self.counts, &CellView::new(id, &cell.hosts, &cell.ports)) {
            return;
        }
        let mut grew = self.counts.merge_sketch(Part::Pairs, &cell.pairs);
        grew |= self.counts.merge_sketch(Part::Hosts, &cell.hosts);
        if !Techniques::PORTLESS.has(id.technique) {
            grew |= self.counts.merge_sketch(Part::Ports, &cell.ports);
        }
        if grew {
            self.grew = self.grew.max(last);
            self.evidence.note_zone(id.zone);
            self.evidence.sizes.add_unless_known(&cell.facts);
        }
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    /// Shows what was sampled before the incident was opened.
    pub fn show(&mut self, evidence: Evidence) {
        self.evidence = evidence;
    }

    /// Becomes a scan of the finding's kind, by its rule, which is worth a record.
    pub fn reshape(&mut self, finding: &Finding) {
        self.scope.reshape(finding.scope.kind);
        self.rule = finding.rule;
        self.window = finding.window;
        self.news = true;
    }

    /// True where nothing new was seen for the quiet time, or for the window that its pace fills where that is longer.
    #[must_use]
    pub fn is_over(&self, now: Timestamp, quiet: Duration) -> bool {
        now.apart(self.grew) >= quiet.max(self.pace.length())
    }

    /// True where a record is due: something is worth one, and the last is long enough ago.
    #[must_use]
    pub fn is_record_due(&self, now: Timestamp) -> bool {
        now.apart(self.recorded) >= RECORD_PERIOD && self.is_worth_a_record()
    }

    fn is_worth_a_record(&self) -> bool {
        self.news || self.counts.estimate(Part::Pairs).count >= GROWTH * self.recorded_pairs
    }

    /// When it is over, or a record of it is due, if nothing new comes.
    #[must_use]
    pub fn next_change(&self, quiet: Duration) -> Timestamp {
        let over = self.grew.plus(quiet.max(self.pace.length()));
        if self.is_worth_a_record() { over.min(self.recorded.plus(RECORD_PERIOD)) } else { over }
    }

    /// Notes that a record is made now, and gives its number within the incident, from 1.
    pub fn record(&mut self, now: Timestamp) -> u32 {
        self.records += 1;
        self.recorded = now;
        self.recorded_pairs = self.counts.estimate(Part::Pairs).count;
        self.news = false;
        self.records
    }
}

/// A remembered pair as the probe it was at first.
fn probe_of(pair: &Pair, hasher: &Hasher, role: Option<RoleId>) -> Probe {
    Probe {
        at: pair.first,
        technique: pair.technique,
        target: pair.target,
        port: pair.port,
        zone: pair.zone,
        service: pair.service,
        direction: pair.direction,
        length: pair.length,
        tool: pair.tool,
        role,
        element: Element::of(hasher, &pair.target, pair.port),
    }
}

/// What an incident that ended was about. As long as the windows show it, the same pairs are no incident again: only
/// as much that is new as the rule asks for is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Footprint {
    /// What it took.
    pub scope: Scope,
    /// What it had touched.
    pub counts: Counts,
    /// It was never opened, for lack of room.
    pub refused: bool,
    /// Last time a rule fired on it.
    pub fired: Timestamp,
}

impl Footprint {
    /// True where a finding is by the same techniques and holds too little beyond it.
    #[must_use]
    pub fn explains(&self, finding: &Finding) -> bool {
        self.scope.alike(&finding.scope)
            && finding.scope.techniques.within(self.scope.techniques)
            && finding.counts.beyond(Part::Pairs, &self.counts) < finding.limit as f64
    }
}
