//! What all sources together show: who is there, who serves, who forwards, and where answers can be seen.
//!
//! Everything is bounded. Where a table is full, nothing new is learnt until its oldest entries have gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use scanwatch_common::abi::{Address, Novelty, Outcome, Technique, is_mapped};
use serde::{Deserialize, Serialize};

use super::probe::network_of;
use super::renumber::Renumber;
use super::source::SourceKey;
use super::state::codec;
use super::time::Timestamp;
use super::window::Window;
use crate::policy::{Policy, Sight, ZoneId};

/// Addresses and sockets remembered, each.
const KNOWN_MAX: usize = 65_536;
/// Link-layer addresses remembered.
const MACS_MAX: usize = 16_384;
/// Addresses of one link-layer address.
const OWN_MAX: usize = 16;
/// Hosts that answered unseen, for a pair of zones; more say no more.
const UNSEEN_MAX: usize = 64;
/// Addresses whose link-layer addresses are remembered.
const BOUND_MAX: usize = 16_384;
/// An address that was another's less than so long before is nobody's: addresses are lent anew (RFC 2131), but not at once.
const CONTESTED: Duration = Duration::from_hours(1);
/// Initial hop limits of stacks: a packet that still has one was not forwarded.
const INITIAL_TTL: [u8; 4] = [32, 64, 128, 255];
/// Hop limit of neighbour discovery: a message with less came from elsewhere (RFC 4861, 3.1).
const NEIGHBOUR_TTL: u8 = 255;

/// A link-layer address.
pub type Mac = [u8; 6];

/// How a link-layer address stands to an address that probes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// ARP or neighbour discovery named it, in the same VLAN, and no other.
    Bound,
    /// They named another, too, or instead.
    Contested,
    /// Nothing is known of the two.
    Near,
    /// It is a router's, or none at all.
    Far,
}

/// True for a hop limit that a stack begins with.
#[must_use]
pub fn is_initial(ttl: u8) -> bool {
    INITIAL_TTL.contains(&ttl)
}

/// What one link-layer address stands for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Station {
    /// Addresses whose conversations it forwards: two are enough to tell.
    forwards: [Option<Address>; 2],
    /// Addresses it claims in ARP.
    claims: BTreeSet<Address>,
    /// Sources that probed from it.
    sources: BTreeSet<SourceKey>,
}

/// Whether answers are seen between two zones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Road {
    answers: u32,
    unseen: BTreeSet<Address>,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct World {
    #[serde(with = "codec::map")]
    alive: HashMap<Address, Timestamp>,
    #[serde(with = "codec::map")]
    serving: HashMap<(Address, u16), (Timestamp, Timestamp)>,
    #[serde(with = "codec::map")]
    stations: HashMap<Mac, Station>,
    /// The two link-layer addresses that claimed an address last, the latest first, and when.
    #[serde(default, with = "codec::map")]
    bound: HashMap<SourceKey, [Option<(Mac, Timestamp)>; 2]>,
    #[serde(with = "codec::map")]
    roads: BTreeMap<(ZoneId, ZoneId), Road>,
    /// Addresses at which the watching host itself forwards, by the index of the interface.
    #[serde(skip)]
    forwarding: HashMap<u32, Vec<Address>>,
}

impl World {
    /// Notes who sent the packet of a record, and what else it shows of others than its source.
    pub fn note(
        &mut self,
        novelty: &Novelty,
        source: SourceKey,
        (technique, outcome): (Technique, Outcome),
        at: Timestamp,
    ) {
        match outcome {
            Outcome::Tried => {
                self.is_alive(novelty.source, at);
                if technique == Technique::Arp {
                    self.binds(novelty, novelty.source, at);
                }
                if let Some(station) = self.station(novelty.mac) {
                    if technique == Technique::Arp && station.claims.len() < OWN_MAX {
                        station.claims.insert(novelty.source);
                    }
                    if station.sources.len() < OWN_MAX {
                        station.sources.insert(source);
                    }
                }
            }
            Outcome::Continued => self.converses(novelty.mac, novelty.source, novelty.ttl, at),
            Outcome::Answered => {
                if matches!(technique, Technique::Syn | Technique::Sctp) {
                    self.serves((novelty.target, novelty.target_port), at);
                }
                if technique == Technique::Arp {
                    self.binds(novelty, novelty.target, at);
                    if let Some(station) = self.station(novelty.mac)
                        && station.claims.len() < OWN_MAX
                    {
                        station.claims.insert(novelty.target);
                    }
                }
                match technique {
                    Technique::Syn | Technique::Udp => {
                        self.converses(novelty.mac, novelty.target, novelty.ttl, at);
                    }
                    _ => self.is_alive(novelty.target, at),
                }
            }
            // An ICMP error quotes the probe; a reset is the target's own.
            Outcome::Refused if novelty.flags & 4 != 0 => self.is_alive(novelty.target, at),
            Outcome::Refused => {}
        }
    }

    /// The sender of a record's ARP or neighbour message claims an address for its link-layer address.
    fn binds(&mut self, novelty: &Novelty, address: Address, at: Timestamp) {
        let is_forwarded = !is_mapped(&address) && novelty.ttl != NEIGHBOUR_TTL;
        let key = SourceKey { address, vlan: novelty.key.vlan };
        let has_room = self.bound.len() < BOUND_MAX || self.bound.contains_key(&key);
        if is_forwarded || novelty.mac == [0; 6] || !has_room {
            return;
        }
        let claims = self.bound.entry(key).or_default();
        if claims[0].is_some_and(|(mac, _)| mac != novelty.mac) {
            claims[1] = claims[0];
        }
        claims[0] = Some((novelty.mac, at));
    }

    /// How a link-layer address stands to an address in a VLAN.
    #[must_use]
    pub fn standing(&self, source: SourceKey, mac: Mac) -> Standing {
        if mac == [0; 6] || self.is_gateway(mac, &source.address) {
            return Standing::Far;
        }
        match self.bound.get(&source) {
            None => Standing::Near,
            Some([Some((latest, at)), before]) if *latest == mac => match before {
                Some((_, then)) if at.since(*then) < CONTESTED => Standing::Contested,
                _ => Standing::Bound,
            },
            Some(_) => Standing::Contested,
        }
    }

    fn is_alive(&mut self, address: Address, at: Timestamp) {
        if self.alive.len() < KNOWN_MAX || self.alive.contains_key(&address) {
            self.alive.insert(address, at);
        }
    }

    fn serves(&mut self, socket: (Address, u16), at: Timestamp) {
        if self.serving.len() < KNOWN_MAX || self.serving.contains_key(&socket) {
            self.serving.entry(socket).or_insert((at, at)).1 = at;
        }
    }

    /// A packet of a conversation, whose address is no forgery: with a hop limit that no stack begins with it was
    /// forwarded, and so its link-layer address is a router's.
    fn converses(&mut self, mac: Mac, address: Address, ttl: u8, at: Timestamp) {
        self.is_alive(address, at);
        if is_initial(ttl) || ttl == 0 {
            return;
        }
        if let Some(station) = self.station(mac)
            && !station.forwards.contains(&Some(address))
            && let Some(free) = station.forwards.iter_mut().find(|place| place.is_none())
        {
            *free = Some(address);
        }
    }

    /// The station behind a link-layer address; none for the zero address, which stands for no link layer at all.
    fn station(&mut self, mac: Mac) -> Option<&mut Station> {
        let has_room = mac != [0; 6] && (self.stations.len() < MACS_MAX || self.stations.contains_key(&mac));
        has_room.then(|| self.stations.entry(mac).or_default())
    }

    /// True where the address was seen to send within the day.
    #[must_use]
    pub fn knows(&self, address: &Address) -> bool {
        self.alive.contains_key(address)
    }

    /// True where the port was seen to serve within the day.
    #[must_use]
    pub fn is_serving(&self, socket: (Address, u16)) -> bool {
        self.serving.contains_key(&socket)
    }

    /// True where the port was seen to serve before `then`.
    #[must_use]
    pub fn was_serving(&self, socket: (Address, u16), then: Timestamp) -> bool {
        self.serving.get(&socket).is_some_and(|(first, _)| *first < then)
    }

    /// Sets the addresses at which the watching host forwards on an interface.
    pub fn set_forwarding(&mut self, index: u32, addresses: &[Address]) {
        self.forwarding.insert(index, addresses.to_vec());
    }

    /// True where a link-layer address is a router's: it forwards others' conversations than those of `address`, or owns
    /// addresses in several networks; and for the watching host, where that forwards.
    #[must_use]
    pub fn is_gateway(&self, mac: Mac, address: &Address) -> bool {
        if self.forwarding.values().any(|own| own.contains(address)) {
            return true;
        }
        let Some(station) = self.stations.get(&mac) else { return false };
        let forwards = station.forwards.iter().flatten().any(|other| other != address);
        let v4 = |claim: &&Address| is_mapped(claim);
        let networks: BTreeSet<u128> = station.claims.iter().filter(v4).map(network_of).collect();
        forwards || networks.len() >= 2
    }

    /// The sources that probed from a link-layer address; none where it is unknown.
    pub fn sources_of(&self, mac: Mac) -> impl Iterator<Item = &SourceKey> {
        self.stations.get(&mac).into_iter().flat_map(|station| &station.sources)
    }

    /// The addresses that a link-layer address claimed in ARP.
    pub fn claims_of(&self, mac: Mac) -> impl Iterator<Item = &Address> {
        self.stations.get(&mac).into_iter().flat_map(|station| &station.claims)
    }

    /// True where a link-layer address claimed the address in ARP.
    #[must_use]
    pub fn owns(&self, mac: Mac, address: &Address) -> bool {
        self.stations.get(&mac).is_some_and(|station| station.claims.contains(address))
    }

    /// True where another link-layer address claimed the address in ARP.
    #[must_use]
    pub fn is_of_another(&self, mac: Mac, address: &Address) -> bool {
        self.stations.iter().any(|(other, station)| *other != mac && station.claims.contains(address))
    }

    /// Notes an answer between zones.
    pub fn answered(&mut self, zones: (ZoneId, ZoneId)) {
        let road = self.roads.entry(zones).or_default();
        road.answers = road.answers.saturating_add(1);
    }

    /// Notes a host that must have answered, for the source went on, though no answer came by.
    pub fn answered_unseen(&mut self, zones: (ZoneId, ZoneId), host: Address) {
        let road = self.roads.entry(zones).or_default();
        if road.unseen.len() < UNSEEN_MAX {
            road.unseen.insert(host);
        }
    }

    /// True where answers between the zones cannot be seen.
    #[must_use]
    pub fn is_one_way(&self, policy: &Policy, zones: (ZoneId, ZoneId)) -> bool {
        match policy.thresholds.visibility {
            Sight::Symmetric => false,
            Sight::OneWay => true,
            Sight::Auto => self
                .roads
                .get(&zones)
                .is_some_and(|road| road.unseen.len() >= 2 && road.answers as usize * 10 < road.unseen.len()),
        }
    }

    /// Takes zones by the numbers of another policy.
    pub fn renumber(&mut self, map: &Renumber) {
        for ((from, to), road) in std::mem::take(&mut self.roads) {
            let known = self.roads.entry((map.zone(from), map.zone(to))).or_default();
            known.answers = known.answers.saturating_add(road.answers);
            known.unseen.extend(road.unseen);
            while known.unseen.len() > UNSEEN_MAX {
                known.unseen.pop_last();
            }
        }
    }

    /// Takes up what another world knew; where this host forwards is its own knowledge.
    pub fn restore(&mut self, other: Self) {
        let forwarding = std::mem::take(&mut self.forwarding);
        *self = Self { forwarding, ..other };
    }

    /// Forgets what a day has passed. Where answers are seen is learnt anew from time to time, for routes change.
    pub fn sweep(&mut self, now: Timestamp) {
        const DAY: Duration = Window::LONGEST.length();
        self.alive.retain(|_, last| now.apart(*last) < DAY);
        self.serving.retain(|_, (_, last)| now.apart(*last) < DAY);
        self.bound.retain(|_, [latest, _]| latest.is_some_and(|(_, last)| now.apart(last) < DAY));
        if self.stations.len() >= MACS_MAX {
            self.stations.clear();
        }
        for road in self.roads.values_mut().filter(|road| road.answers > 10_000) {
            road.answers /= 2;
            road.unseen.clear();
        }
    }
}
