//! How a record is taken of an incident: what is known of it at one moment, weighed and named.

use scanwatch_common::abi::Technique;
use scanwatch_common::sketch::Estimate;

use super::Losses;
use super::counts::Part;
use super::incident::Incident;
use super::interfaces::Interfaces;
use super::probe::ip_of;
use super::reason::reason;
use super::record::{Action, Length, RoleNote, Scanner, Snapshot, Visibility, transport};
use super::role::left_behind;
use super::scan::{Kind, Lane, Techniques};
use super::severity::{RoleVerdict, Weight};
use super::source::Profile;
use super::time::{Ahead, Timestamp};
use super::world::World;
use crate::policy::{OTHER, Policy};

/// What a snapshot is taken against.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Names of interfaces.
    pub names: &'a Interfaces,
    /// What all sources together show.
    pub world: &'a World,
    /// What is lost so far.
    pub losses: Losses,
    /// The moment.
    pub now: Timestamp,
    /// What the wall clock says beyond it.
    pub ahead: Ahead,
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
            source_confirmed: self.is_confirmed(profile, incident),
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

    /// True where nobody else can have sent the probes of an incident.
    fn is_confirmed(&self, profile: &Profile, incident: &Incident) -> bool {
        // Of many sources all were looked at; and a probe that is known by its refusal alone shows nothing of who sent it.
        let only_refused = incident.scope.techniques.within(Techniques::of(&[Technique::Ack]));
        if incident.scope.kind == Kind::Distributed || only_refused {
            return incident.completed;
        }
        profile.proof.holds(self.world, profile.key, incident.first, incident.completed)
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
            None => {
                (left_behind(self.policy, &profile.roles, self.ahead.wall(self.now))?, RoleVerdict::Outside)
            }
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
