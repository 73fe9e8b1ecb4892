//! From the numbers of one policy to those of another: zones, service groups and roles are numbered in the order of the
//! configuration, and what is remembered bears these numbers.
//!
//! What is still there by name has that one's number. A zone that is not is the one that now holds a network of it; where it
//! was divided, the first that lies within it, for what was inside is not the internet; and else the internet. A service group
//! that is not is the one that now holds its first port, and else no group. What a role that is gone covered is forgotten, for
//! nobody asked whether it was a scan.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use scanwatch_common::abi::{Address, ServiceTable, Technique};
use serde::{Deserialize, Serialize};

use super::role::{RoleId, roles_of};
use super::scan::Lane;
use super::source::{CellId, Source, SourceCell, direction};
use crate::policy::{
    INTERNET, Network, OTHER, Policy, Service, ServiceId, TablePlace, Zone, ZoneId, ZonePrefix, ZoneTable,
};

/// The zone of networks that interfaces teach: the first that is configured.
const LEARNED: ZoneId = 1;

/// What the numbers of a policy stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbering {
    zones: Vec<Zone>,
    services: Vec<Service>,
    roles: Vec<String>,
}

impl Numbering {
    /// That of a policy.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        Self {
            zones: policy.zones.clone(),
            services: policy.services.clone(),
            roles: policy.roles.iter().map(|role| role.name.clone()).collect(),
        }
    }
}

/// See the module.
pub struct Renumber {
    zones: Vec<ZoneId>,
    services: Vec<ServiceId>,
    roles: Vec<Option<RoleId>>,
    before: ZoneTable,
    after: ZoneTable,
    groups: Box<ServiceTable>,
}

impl Renumber {
    /// From these numbers to those of a policy.
    #[must_use]
    pub fn new(before: &Numbering, policy: &Policy) -> Self {
        let (table_before, after) = (table(&before.zones), table(&policy.zones));
        let groups = policy.service_table();
        let zones = before.zones.iter().map(|zone| {
            let by_name = policy.zones.iter().position(|known| known.name == zone.name);
            let by_network = || {
                let mut now = zone.networks.iter().map(|network| after.zone_of(&network.mapped().0));
                now.find(|now| *now != INTERNET)
            };
            let by_part = || {
                let is_within =
                    |part: &Network| zone.networks.iter().any(|whole| whole.contains(part.address));
                policy.zones.iter().position(|now| now.networks.iter().any(is_within))
            };
            let numbered = |index| index as ZoneId + 1;
            by_name.map(numbered).or_else(by_network).or_else(|| by_part().map(numbered)).unwrap_or(INTERNET)
        });
        let services = before.services.iter().map(|service| {
            let by_name = policy.services.iter().position(|known| known.name == service.name);
            let by_port = || {
                let tcp = service.tcp.first().map(|port| groups.tcp[usize::from(*port)]);
                tcp.or_else(|| service.udp.first().map(|port| groups.udp[usize::from(*port)]))
            };
            by_name.map(|index| index as ServiceId + 1).or_else(by_port).unwrap_or(OTHER)
        });
        let roles = before
            .roles
            .iter()
            .map(|name| policy.roles.iter().position(|role| role.name == *name).and_then(RoleId::new));
        Self {
            zones: zones.collect(),
            services: services.collect(),
            roles: roles.collect(),
            before: table_before,
            after,
            groups,
        }
    }

    /// The zone that a zone is now.
    #[must_use]
    pub fn zone(&self, zone: ZoneId) -> ZoneId {
        numbered(&self.zones, zone).unwrap_or(INTERNET)
    }

    /// The zone in which an address is by configuration.
    #[must_use]
    pub fn configured_zone(&self, address: IpAddr) -> ZoneId {
        let (address, _) = Network { address, prefix: 0 }.mapped();
        self.after.zone_of(&address)
    }

    /// The zone of an address that was in this zone.
    #[must_use]
    pub fn zone_of(&self, address: &Address, zone: ZoneId) -> ZoneId {
        match self.after.zone_of(address) {
            INTERNET if zone != INTERNET && self.before.zone_of(address) == INTERNET => LEARNED,
            now => now,
        }
    }

    /// The service group that a group is now.
    #[must_use]
    pub fn service(&self, service: ServiceId) -> ServiceId {
        numbered(&self.services, service).unwrap_or(OTHER)
    }

    /// The service group of a port that is tried so.
    #[must_use]
    pub fn service_of(&self, technique: Technique, port: u16) -> ServiceId {
        match technique {
            Technique::Udp => self.groups.udp[usize::from(port)],
            technique if technique.is_tcp() => self.groups.tcp[usize::from(port)],
            _ => OTHER,
        }
    }

    /// The lane that a lane is now.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Lane {
        let service = match lane.port {
            Some(port) => self.service_of(lane.technique, port),
            None => self.service(lane.service),
        };
        let lane = Lane { service, ..lane };
        Lane { port: lane.port.filter(|_| lane.is_unnamed()), ..lane }
    }

    /// The role that a role is now; `None` where it is gone.
    #[must_use]
    pub fn role(&self, role: RoleId) -> Option<RoleId> {
        self.roles.get(role.index()).copied().flatten()
    }

    /// Places of the roles before, in the order of the policy now.
    pub fn places_of_roles(&self) -> impl Iterator<Item = (usize, RoleId)> {
        self.roles.iter().enumerate().filter_map(|(place, role)| Some((place, (*role)?)))
    }
}

/// What number 1 and above stand for; 0 stands for itself.
fn numbered(numbers: &[u8], number: u8) -> Option<u8> {
    usize::from(number).checked_sub(1).and_then(|index| numbers.get(index).copied())
}

fn table(zones: &[Zone]) -> ZoneTable {
    let networks: Vec<ZonePrefix> = zones
        .iter()
        .zip(1..)
        .flat_map(|(zone, number)| zone.networks.iter().map(move |network| network.in_zone(number)))
        .collect();
    ZoneTable::new(&networks, TablePlace { nodes: 0, paths: 0 })
}

impl Source {
    /// Takes zones, service groups and roles by the numbers of another policy. What a role that is gone covered is forgotten.
    pub fn renumber(&mut self, map: &Renumber, policy: &Policy) {
        let zone = map.configured_zone(self.profile.address);
        self.profile.zone = zone;
        self.profile.roles = roles_of(policy, self.profile.address);
        self.cells = renumbered(std::mem::take(&mut self.cells), map);
        let covered = std::mem::take(&mut self.covered).into_iter();
        self.covered = covered.filter_map(|(role, evidence)| Some((map.role(role)?, evidence))).collect();
        self.covered.iter_mut().for_each(|(_, evidence)| evidence.renumber(map));
        let address = self.profile.key.address;
        self.pairs.change(|pair| {
            pair.zone = map.zone_of(&pair.target, pair.zone);
            pair.service = map.service_of(pair.technique, pair.port);
            pair.direction = direction(&address, zone, &pair.target, pair.zone);
        });
        if let Some(fan) = &mut self.fan {
            fan.renumber(map);
        }
        for incident in &mut self.incidents {
            incident.scope.renumber(map);
            incident.evidence.renumber(map);
        }
        self.ended.iter_mut().for_each(|footprint| footprint.scope.renumber(map));
    }
}

/// Cells by the numbers of another policy, in their order; those that are one now are merged.
fn renumbered(cells: Vec<SourceCell>, map: &Renumber) -> Vec<SourceCell> {
    let mut known: BTreeMap<CellId, SourceCell> = BTreeMap::new();
    for cell in cells {
        let role = cell.id.role.map(|role| map.role(role));
        if role == Some(None) {
            continue;
        }
        let (zone, service) = (map.zone(cell.id.zone), map.service(cell.id.service));
        let id = CellId { zone, service, role: role.flatten(), ..cell.id };
        match known.entry(id) {
            Entry::Vacant(place) => {
                place.insert(SourceCell { id, ..cell });
            }
            Entry::Occupied(mut same) => {
                let same = same.get_mut();
                same.first = same.first.min(cell.first);
                same.last = same.last.max(cell.last);
                same.windowed.merge(cell.windowed);
            }
        }
    }
    known.into_values().collect()
}
