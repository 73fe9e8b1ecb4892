//! Where findings become incidents: one scan, one incident.

use scanwatch_common::sketch::Hasher;

use super::super::Losses;
use super::super::counts::Part;
use super::super::flood::Flood;
use super::super::interfaces::Interfaces;
use super::super::record::{Action, IncidentEvent, Record};
use super::super::scan::Kind;
use super::super::scene::Scene;
use super::super::source::{Profile, Source};
use super::super::statistics::Ledger;
use super::super::time::{Ahead, Timestamp};
use super::super::verdict::Finding;
use super::super::world::World;
use super::{Footprint, Incident};
use crate::policy::{Policy, Treatment};

/// Share of hosts, ports or pairs by which two scans are one.
const SAME: f64 = 0.5;
/// Ended incidents a source is remembered for.
const ENDED_MAX: usize = 8;

/// Opens, updates and ends the incidents of one source after the other, at one time.
pub struct Desk<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Makes the hashes of pairs.
    pub hasher: &'a Hasher,
    /// Names of interfaces.
    pub names: &'a Interfaces,
    /// What all sources together show.
    pub world: &'a World,
    /// What is lost so far.
    pub losses: Losses,
    /// The time.
    pub now: Timestamp,
    /// What the wall clock says beyond it.
    pub ahead: Ahead,
    /// Counts incidents.
    pub ledger: &'a mut Ledger,
    /// Gathers what finds no room.
    pub flood: &'a mut Flood,
    /// Where records go.
    pub events: &'a mut Vec<Record>,
}

impl Desk<'_> {
    /// Gives each finding to its incident, and opens incidents for those that have none.
    pub fn settle(&mut self, source: &mut Source, mut findings: Vec<Finding>) {
        // Blocks first: what else was found may be part of them.
        findings.sort_by_key(|finding| finding.scope.kind != Kind::Block);
        for finding in &findings {
            if self.is_explained(source, finding) {
                continue;
            }
            match home(&source.incidents, finding) {
                Some(index) => self.take(source, index, finding),
                None => self.open(source, finding),
            }
        }
        for incident in source.incidents.iter_mut().filter(|incident| incident.records == 0) {
            self.emit(Action::Detected, &source.profile, incident);
        }
    }

    /// True where an incident that ended, or had no room, was about the same.
    fn is_explained(&self, source: &mut Source, finding: &Finding) -> bool {
        let has_room = self.has_room(self.policy.directions.of(finding.scope.direction));
        source.ended.retain(|footprint| !(footprint.refused && has_room && footprint.explains(finding)));
        let explained = source.ended.iter_mut().find(|footprint| footprint.explains(finding));
        explained.map(|footprint| footprint.fired = self.now).is_some()
    }

    fn take(&mut self, source: &mut Source, index: usize, finding: &Finding) {
        let incident = &mut source.incidents[index];
        if finding.escalates && incident.treatment == Treatment::Statistics {
            self.ledger.closed(incident.treatment, incident.scope.kind);
            self.ledger.opened(Treatment::Alert, incident.scope.direction, incident.scope.kind);
            incident.treatment = Treatment::Alert;
            incident.records = 0;
        }
        if incident.scope.kind != Kind::Block && incident.scope.kind != finding.scope.kind {
            self.ledger.reshaped(incident.treatment, incident.scope.kind, finding.scope.kind);
            incident.reshape(finding);
        }
        incident.take(finding, self.hasher);
        if finding.scope.kind == Kind::Block {
            self.fold(source, index, finding);
        }
    }

    /// Ends the other incidents that turn out to be parts of a block scan.
    fn fold(&mut self, source: &mut Source, mut block: usize, finding: &Finding) {
        loop {
            let mut others = source.incidents.iter().enumerate().filter(|(index, _)| *index != block);
            let part =
                others.find(|(_, other)| other.scope.alike(&finding.scope) && overlaps(other, finding));
            let Some((part, _)) = part else { return };
            self.end(source, part);
            block -= usize::from(part < block);
        }
    }

    fn has_room(&self, treatment: Treatment) -> bool {
        let limits = &self.policy.limits;
        self.ledger.open(treatment) < limits.incidents
            && (treatment == Treatment::Statistics
                || self.flood.has_room(self.now, limits.incidents_per_minute))
    }

    fn open(&mut self, source: &mut Source, finding: &Finding) {
        let treatment = if finding.escalates {
            Treatment::Alert
        } else {
            self.policy.directions.of(finding.scope.direction)
        };
        if self.has_room(treatment) {
            self.ledger.opened(treatment, finding.scope.direction, finding.scope.kind);
            if treatment == Treatment::Alert {
                self.flood.opened(self.now);
            }
            let who = (&source.profile.key, source.opened);
            let mut incident = Incident::open(who, finding, treatment, self.hasher);
            source.opened = source.opened.wrapping_add(1);
            if let Some(covered) = finding.scope.budget.and_then(|role| source.covered(role)) {
                incident.show(covered.clone());
            }
            source.incidents.push(incident);
            return;
        }
        let known = |footprint: &&mut Footprint| footprint.refused && footprint.scope.alike(&finding.scope);
        if let Some(footprint) = source.ended.iter_mut().find(known) {
            footprint.counts.merge(&finding.counts);
            footprint.fired = self.now;
            return;
        }
        self.ledger.refused += 1;
        if treatment == Treatment::Alert {
            let who = self.hasher.endpoint(&source.profile.key.address).host();
            self.flood.gather(self.policy, self.now, &source.profile, who, finding);
        }
        let footprint = Footprint {
            scope: finding.scope.clone(),
            counts: finding.counts.clone(),
            refused: true,
            fired: self.now,
        };
        remember(source, footprint);
    }

    /// Ends what has been quiet for long enough, and records what is worth it.
    pub fn tend(&mut self, source: &mut Source) {
        for index in (0..source.incidents.len()).rev() {
            let incident = &mut source.incidents[index];
            if incident.is_over(self.now, self.policy.limits.quiet) {
                self.end(source, index);
            } else if incident.is_record_due(self.now) {
                self.emit(Action::Updated, &source.profile, incident);
            }
        }
    }

    /// Ends all incidents of a source.
    pub fn finish(&mut self, source: &mut Source) {
        for index in (0..source.incidents.len()).rev() {
            self.end(source, index);
        }
    }

    fn end(&mut self, source: &mut Source, index: usize) {
        let mut incident = source.incidents.remove(index);
        self.ledger.closed(incident.treatment, incident.scope.kind);
        self.emit(Action::Ended, &source.profile, &mut incident);
        let Incident { scope, counts, .. } = incident;
        remember(source, Footprint { scope, counts, refused: false, fired: self.now });
    }

    fn emit(&mut self, action: Action, profile: &Profile, incident: &mut Incident) {
        let sequence = incident.record(self.now);
        if incident.treatment == Treatment::Alert {
            let Self { policy, names, world, losses, now, ahead, .. } = *self;
            let scene = Scene { policy, names, world, losses, now, ahead };
            let snapshot = scene.snapshot(action, profile, incident, sequence);
            self.events.push(Record::Incident(Box::new(IncidentEvent { action, snapshot })));
        }
    }
}

fn remember(source: &mut Source, footprint: Footprint) {
    if source.ended.len() >= ENDED_MAX
        && let Some(oldest) = (0..ENDED_MAX).min_by_key(|index| source.ended[*index].fired)
    {
        source.ended.remove(oldest);
    }
    source.ended.push(footprint);
}

/// The incident a finding belongs to.
fn home(incidents: &[Incident], finding: &Finding) -> Option<usize> {
    let find = |belongs: &dyn Fn(&Incident) -> bool| {
        incidents.iter().position(|incident| incident.scope.alike(&finding.scope) && belongs(incident))
    };
    if finding.scope.budget.is_some() {
        return find(&|_| true);
    }
    let same = find(&|incident| incident.scope.kind == finding.scope.kind);
    let other = || match finding.scope.kind {
        // The first scan to grow into a block becomes the block.
        Kind::Block => find(&|incident| overlaps(incident, finding)),
        Kind::Distributed | Kind::Surge => None,
        Kind::Vertical | Kind::Horizontal => find(&|incident| is_part(incident, finding))
            .or_else(|| find(&|incident| is_within(incident, finding))),
    };
    same.or_else(other)
}

/// True where a finding lies in what an open block scan tries: its hosts, or its ports.
fn is_part(incident: &Incident, finding: &Finding) -> bool {
    incident.scope.kind == Kind::Block
        && [Part::Hosts, Part::Ports].into_iter().any(|part| shares(finding, incident, part).0 >= SAME)
}

/// True where an incident is part of what a finding by the same technique shows in another shape.
fn is_within(incident: &Incident, finding: &Finding) -> bool {
    incident.scope.techniques.meets(finding.scope.techniques)
        && shares(finding, incident, Part::Pairs).1 >= SAME
}

/// True where an incident and a block scan are about the same hosts or the same ports.
fn overlaps(incident: &Incident, finding: &Finding) -> bool {
    [Part::Hosts, Part::Ports].into_iter().any(|part| {
        let (of_finding, of_incident) = shares(finding, incident, part);
        of_finding.max(of_incident) >= SAME
    })
}

/// The share of the finding that the incident holds, and of the incident that the finding holds.
fn shares(finding: &Finding, incident: &Incident, part: Part) -> (f64, f64) {
    (finding.counts.share_in(part, &incident.counts), incident.counts.share_in(part, &finding.counts))
}
