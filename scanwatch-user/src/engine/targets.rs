//! Hosts inside and who tries their ports: many sources that share a scan are each below every limit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use scanwatch_common::abi::{Address, Side};
use serde::{Deserialize, Serialize};

use super::source::SourceKey;
use super::sources::Sources;
use super::state::codec;
use super::time::Timestamp;
use super::world::World;
use crate::policy::DistributedLimit;

/// Targets watched.
const TARGETS_MAX: usize = 4_096;
/// Contacts of one target.
const CONTACTS_MAX: usize = 2_048;
/// Contacts with fewer of which no limit is reached: two for each of twenty sources.
const CONTACTS_MIN: usize = 40;
/// Contacts of all targets that outlive the process.
const REMEMBERED_MAX: usize = 65_536;
/// How long a contact is remembered: sources inside may be slow, those outside are too many.
const INSIDE: Duration = Duration::from_hours(1);
const OUTSIDE: Duration = Duration::from_mins(1);

/// One source on one port.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Contact {
    #[serde(with = "codec::side")]
    side: Side,
    first: Timestamp,
    last: Timestamp,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Target {
    #[serde(with = "codec::map")]
    contacts: BTreeMap<(SourceKey, u16), Contact>,
    is_dirty: bool,
}

/// A scan of one host by many sources.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The host.
    pub target: Address,
    /// The sources.
    pub sources: BTreeSet<SourceKey>,
    /// Ports that do not serve, with their first and last contact.
    pub ports: BTreeMap<u16, (Timestamp, Timestamp)>,
    /// Side of most sources.
    pub side: Side,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Targets {
    #[serde(with = "codec::map")]
    map: HashMap<Address, Target>,
    swept: Timestamp,
}

impl Targets {
    /// Notes a contact with a host inside.
    pub fn note(&mut self, target: Address, port: u16, (source, side): (SourceKey, Side), at: Timestamp) {
        if self.map.len() >= TARGETS_MAX && !self.map.contains_key(&target) {
            return;
        }
        let target = self.map.entry(target).or_default();
        if target.contacts.len() >= CONTACTS_MAX && !target.contacts.contains_key(&(source, port)) {
            return;
        }
        let contact = Contact { side, first: at, last: at };
        target.contacts.entry((source, port)).or_insert(contact).last = at;
        target.is_dirty = true;
    }

    /// Scans of hosts of which something is new. To be called once a second.
    pub fn judge(
        &mut self,
        world: &World,
        sources: &Sources,
        limit: DistributedLimit,
        now: Timestamp,
    ) -> Vec<Shared> {
        if now.apart(self.swept) >= OUTSIDE / 6 {
            self.sweep(now);
        }
        let dirty = self
            .map
            .iter_mut()
            .filter(|(_, target)| target.is_dirty && target.contacts.len() >= CONTACTS_MIN);
        let mut found: Vec<Shared> = dirty
            .filter_map(|(address, target)| {
                target.is_dirty = false;
                target.shared(*address, world, sources, limit)
            })
            .collect();
        found.sort_by_key(|shared| shared.target);
        found
    }

    /// What is worth remembering: hosts with the most contacts, up to so many contacts in all.
    #[must_use]
    pub fn remembered(&self) -> Self {
        let mut targets: Vec<(&Address, &Target)> = self.map.iter().collect();
        targets.sort_by_key(|(address, target)| (Reverse(target.contacts.len()), **address));
        let mut room = REMEMBERED_MAX;
        targets.retain(|(_, target)| {
            let has_room = target.contacts.len() <= room;
            room -= if has_room { target.contacts.len() } else { 0 };
            has_room
        });
        let map = targets.into_iter().map(|(address, target)| (*address, target.clone())).collect();
        Self { map, swept: self.swept }
    }

    fn sweep(&mut self, now: Timestamp) {
        self.map.retain(|_, target| {
            target.contacts.retain(|_, contact| {
                now.apart(contact.last) < if contact.side == Side::Internal { INSIDE } else { OUTSIDE }
            });
            !target.contacts.is_empty()
        });
        self.swept = now;
    }
}

impl Target {
    fn shared(
        &self,
        target: Address,
        world: &World,
        sources: &Sources,
        limit: DistributedLimit,
    ) -> Option<Shared> {
        let mut each: BTreeMap<SourceKey, usize> = BTreeMap::new();
        self.contacts.keys().for_each(|(source, _)| *each.entry(*source).or_default() += 1);
        // Addresses behind one link-layer address are one machine, unless it is a router's.
        let mut machines = BTreeSet::new();
        for key in each.keys() {
            let mac = sources.get(key).map_or([0; 6], |source| source.profile.mac);
            let is_one = mac != [0; 6] && !world.is_gateway(mac, &key.address) && !is_outside(sources, key);
            machines.insert(if is_one { Ok(mac) } else { Err(*key) });
        }
        let mut ports: BTreeMap<u16, (Timestamp, Timestamp)> = BTreeMap::new();
        let dark = self.contacts.iter().filter(|((_, port), _)| !world.is_serving((target, *port)));
        for ((_, port), contact) in dark {
            let (first, last) = ports.entry(*port).or_insert((contact.first, contact.last));
            (*first, *last) = ((*first).min(contact.first), (*last).max(contact.last));
        }
        // A flood of forged sources has one packet of each.
        let real = each.values().filter(|contacts| **contacts >= 2).count();
        if machines.len() < limit.sources as usize
            || ports.len() < limit.ports as usize
            || 2 * real < each.len()
        {
            return None;
        }
        let outside = each.keys().filter(|key| is_outside(sources, key)).count();
        Some(Shared {
            target,
            ports,
            side: if 2 * outside >= each.len() { Side::External } else { Side::Internal },
            sources: each.into_keys().collect(),
        })
    }
}

fn is_outside(sources: &Sources, key: &SourceKey) -> bool {
    sources.get(key).is_none_or(|source| source.profile.side == Side::External)
}
