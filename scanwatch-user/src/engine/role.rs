//! Roles at work: which probes a role covers, and what its sources did under it.

use std::num::NonZeroU16;

use scanwatch_common::abi::{Cell, Technique};
use scanwatch_common::sketch::Sketch;
use serde::{Deserialize, Serialize};

use super::probe::Element;
use super::renumber::Renumber;
use super::state::codec;
use super::time::Timestamp;
use crate::policy::{Policy, Role, ServiceId, ZoneId};
use std::net::IpAddr;

/// Place of a role in [`Policy::roles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoleId(NonZeroU16);

impl RoleId {
    /// A role that is in no policy any more.
    pub const GONE: Self = Self(NonZeroU16::MAX);

    /// The role at this place; `None` beyond 65,534 roles.
    pub fn new(index: usize) -> Option<Self> {
        u16::try_from(index + 1).ok().and_then(NonZeroU16::new).map(Self).filter(|id| *id != Self::GONE)
    }

    /// Place in [`Policy::roles`].
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0.get()) - 1
    }

    /// The role itself.
    #[must_use]
    pub fn of(self, policy: &Policy) -> Option<&Role> {
        policy.roles.get(self.index())
    }
}

/// The roles that name a source, in the order of the policy.
#[must_use]
pub fn roles_of(policy: &Policy, source: IpAddr) -> Box<[RoleId]> {
    let named = policy.roles.iter().enumerate().filter(|(_, role)| role.has_source(source));
    named.filter_map(|(index, _)| RoleId::new(index)).collect()
}

/// The first of `roles` that covers a probe at `at`.
#[must_use]
pub fn covering(
    policy: &Policy,
    roles: &[RoleId],
    at: Timestamp,
    technique: Technique,
    zone: ZoneId,
    service: ServiceId,
) -> Option<RoleId> {
    roles.iter().copied().find(|id| {
        id.of(policy).is_some_and(|role| covers(role, technique, zone, service) && role.holds(at.as_secs()))
    })
}

/// No role is a licence for headers that no stack sends. Whoever may try every service may also ask who is there, by ACK
/// and INIT as well as by ICMP and ARP (nmap's `-PA` and `-PY`).
fn covers(role: &Role, technique: Technique, zone: ZoneId, service: ServiceId) -> bool {
    let service_fits = match technique {
        Technique::Syn | Technique::Udp => role.services.as_ref().is_none_or(|list| list.contains(&service)),
        Technique::Icmp | Technique::Arp | Technique::Ack | Technique::Sctp => role.services.is_none(),
        Technique::Null | Technique::Fin | Technique::Xmas | Technique::Flags | Technique::Proto => false,
    };
    service_fits && role.zones.contains(&zone)
}

/// The role a source steps out of by what no role covers: the first that has not expired. Outside its hours a source
/// is outside its role.
#[must_use]
pub fn left_behind(policy: &Policy, roles: &[RoleId], now: Timestamp) -> Option<RoleId> {
    roles
        .iter()
        .copied()
        .find(|id| id.of(policy).is_some_and(|role| role.expires_s.is_none_or(|end_s| now.as_secs() < end_s)))
}

/// What the sources of one role did under it, since the start.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Covered {
    #[serde(with = "codec::sketch")]
    sources: Sketch,
    #[serde(with = "codec::sketch")]
    hosts: Sketch,
    #[serde(with = "codec::sketch")]
    pairs: Sketch,
}

/// What was left out of the verdict, by role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Coverage(Vec<Covered>);

impl Coverage {
    /// Nothing covered yet.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self(vec![Covered::default(); policy.roles.len()])
    }

    /// The same of the roles of another policy, each in its place there.
    pub fn renumber(&mut self, map: &Renumber, policy: &Policy) {
        let mut now = Self::new(policy);
        for (before, after) in map.places_of_roles() {
            if let (Some(covered), Some(place)) = (self.0.get(before), now.0.get_mut(after.index())) {
                *place = *covered;
            }
        }
        *self = now;
    }

    /// Counts a covered probe; `source` is the hash of its source.
    pub fn note(&mut self, role: RoleId, source: u64, element: &Element) {
        if let Some(covered) = self.0.get_mut(role.index()) {
            covered.sources.insert(source);
            covered.hosts.insert(element.host);
            covered.pairs.insert(element.pair);
        }
    }

    /// Counts a covered cell.
    pub fn note_cell(&mut self, role: RoleId, source: u64, cell: &Cell) {
        if let Some(covered) = self.0.get_mut(role.index()) {
            covered.sources.insert(source);
            covered.hosts.merge(&cell.hosts);
            covered.pairs.merge(&cell.pairs);
        }
    }

    /// One line for each role of the policy, also where it covered nothing.
    #[must_use]
    pub fn statistics(&self, policy: &Policy) -> Vec<RoleStatistics> {
        let lines = policy.roles.iter().zip(&self.0);
        lines
            .map(|(role, covered)| RoleStatistics {
                name: role.name.clone(),
                sources: covered.sources.estimate().rounded(),
                hosts: covered.hosts.estimate().rounded(),
                pairs: covered.pairs.estimate().rounded(),
            })
            .collect()
    }
}

/// What a role covered since the start: left out of the verdict, not out of sight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleStatistics {
    /// Name of the role.
    pub name: String,
    /// Distinct sources that did something the role covers.
    pub sources: u64,
    /// Distinct hosts they reached.
    pub hosts: u64,
    /// Distinct (host, port) pairs.
    pub pairs: u64,
}
