//! What an incident can show: targets, networks, sizes.

use std::collections::{BTreeMap, BTreeSet};

use scanwatch_common::abi::{Address, CellFacts, Technique};
use serde::{Deserialize, Serialize};

use super::super::probe::Probe;
use super::super::renumber::Renumber;
use super::super::state::codec;
use super::super::tool::Tally;
use crate::policy::ZoneId;

/// Targets shown.
const TARGETS_MAX: usize = 16;
/// Networks told apart; one beyond is no news.
const NETWORKS_MAX: usize = 64;
/// Leading bits of a network, in IPv6 space: /24 of IPv4 and /64 of IPv6.
const NETWORK_BITS_V4: u32 = 96 + 24;
const NETWORK_BITS_V6: u32 = 64;

/// A target shown as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// Address.
    #[serde(with = "codec::address")]
    pub address: Address,
    /// Port, where the technique has one.
    pub port: Option<u16>,
    /// It answered: what the scanner learned.
    pub answered: bool,
}

/// Evidence of a scan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// Targets with the lowest hashes: a uniform sample of the distinct pairs, the same whatever their order (a
    /// bottom-k sketch; Cohen and Kaplan, 2007).
    #[serde(with = "codec::by_hash")]
    sample: BTreeMap<(u64, Technique), Target>,
    /// Targets that answered, sampled in the same way.
    #[serde(with = "codec::by_hash")]
    answers: BTreeMap<(u64, Technique), Target>,
    networks: BTreeSet<u128>,
    zones: BTreeSet<ZoneId>,
    /// The host, while there is one.
    pub host: Only<Address>,
    /// The port, while there is one.
    pub port: Only<u16>,
    /// Sizes of the probes.
    pub sizes: Sizes,
    /// Marks of tools on them.
    pub tools: Tally,
}

impl Evidence {
    /// Notes a probe, new or not.
    pub fn note(&mut self, probe: &Probe) {
        let port = probe.has_port().then_some(probe.port);
        self.zones.insert(probe.zone);
        self.host.note(probe.target);
        if let Some(port) = port.filter(|_| probe.technique != Technique::Proto) {
            self.port.note(port);
        }
        keep(&mut self.sample, probe, Target { address: probe.target, port, answered: false });
    }

    /// Notes a target that answered.
    pub fn note_answer(&mut self, probe: &Probe) {
        let port = probe.has_port().then_some(probe.port);
        keep(&mut self.answers, probe, Target { address: probe.target, port, answered: true });
    }

    /// Notes a target zone.
    pub fn note_zone(&mut self, zone: ZoneId) {
        self.zones.insert(zone);
    }

    /// Notes a target's network. True where it is new.
    pub fn note_network(&mut self, probe: &Probe) -> bool {
        let address = u128::from_be_bytes(probe.target);
        let bits = if address >> 32 == 0xffff { NETWORK_BITS_V4 } else { NETWORK_BITS_V6 };
        self.networks.len() < NETWORKS_MAX && self.networks.insert(address >> (128 - bits))
    }

    /// Sampled targets, those that answered first, in order of address and port.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let answers: BTreeSet<_> = self.answers.values().copied().collect();
        let others =
            self.sample.values().filter(|target| !answers.contains(&Target { answered: true, ..**target }));
        let others: BTreeSet<_> = others.copied().collect();
        answers.into_iter().chain(others).take(TARGETS_MAX).collect()
    }

    /// Takes zones by the numbers of another policy.
    pub fn renumber(&mut self, map: &Renumber) {
        self.zones = std::mem::take(&mut self.zones).into_iter().map(|zone| map.zone(zone)).collect();
    }

    /// Zones of the targets.
    pub fn zones(&self) -> impl Iterator<Item = ZoneId> {
        self.zones.iter().copied()
    }
}

/// Keeps a target in a sample if its hash is among the lowest.
fn keep(sample: &mut BTreeMap<(u64, Technique), Target>, probe: &Probe, target: Target) {
    let key = (probe.element.pair, probe.technique);
    if sample.len() < TARGETS_MAX || sample.last_key_value().is_some_and(|(last, _)| key < *last) {
        sample.insert(key, target);
    }
    if sample.len() > TARGETS_MAX {
        sample.pop_last();
    }
}

/// A value, as long as there is only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Only<T> {
    /// None yet.
    #[default]
    None,
    /// This one.
    One(T),
    /// More than one.
    Many,
}

impl<T: PartialEq> Only<T> {
    /// Notes a value.
    pub fn note(&mut self, value: T) {
        match self {
            Self::None => *self = Self::One(value),
            Self::One(known) if *known == value => {}
            Self::One(_) | Self::Many => *self = Self::Many,
        }
    }

    /// The value, where there is exactly one.
    #[must_use]
    pub fn one(self) -> Option<T> {
        if let Self::One(value) = self { Some(value) } else { None }
    }
}

/// IP lengths of distinct pairs' first probes, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    count: u64,
    sum: u64,
    squares: u64,
}

impl Sizes {
    /// Adds one.
    pub fn add(&mut self, length: u16) {
        let length = u64::from(length);
        self.count += 1;
        self.sum += length;
        self.squares += length * length;
    }

    /// Takes a cell's sums, where no probe was seen by itself.
    pub fn add_unless_known(&mut self, facts: &CellFacts) {
        if self.count == 0 {
            *self = Self {
                count: u64::from(facts.novelties),
                sum: u64::from(facts.size_sum),
                squares: facts.size_squares,
            };
        }
    }

    /// Mean and standard deviation, bytes; `None` where nothing was added.
    #[must_use]
    pub fn moments(&self) -> Option<(f64, f64)> {
        let count = self.count as f64;
        let mean = self.sum as f64 / count;
        let variance = (self.squares as f64 / count - mean * mean).max(0.0);
        (self.count > 0).then(|| (mean, variance.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::probe::Element;
    use super::super::super::time::Timestamp;
    use super::*;
    use scanwatch_common::abi::mapped;
    use scanwatch_common::sketch::Hasher;

    fn probe(host: u8, port: u16) -> Probe {
        let target = mapped([10, 0, host, 1]);
        Probe {
            at: Timestamp::default(),
            technique: Technique::Syn,
            target,
            port,
            zone: 1,
            service: 0,
            direction: crate::policy::Direction::Lateral,
            length: 40,
            tool: crate::engine::tool::Tool::None,
            role: None,
            element: Element::of(&Hasher::new(1), &target, port),
        }
    }

    #[test]
    fn the_sample_of_targets_is_bounded_spread_out_and_the_same_in_any_order() {
        let (mut up, mut down) = (Evidence::default(), Evidence::default());
        (1..1_000).for_each(|port| up.note(&probe(1, port)));
        (1..1_000).rev().for_each(|port| down.note(&probe(1, port)));
        up.note(&probe(1, 5));
        let targets = up.targets();
        assert_eq!(targets.len(), TARGETS_MAX);
        assert_eq!(targets, down.targets());
        let mean = targets.iter().map(|t| u32::from(t.port.unwrap())).sum::<u32>() / TARGETS_MAX as u32;
        assert!((250..750).contains(&mean), "{mean} is not the middle of 1 to 999");
    }

    #[test]
    fn networks_are_news_once_and_up_to_a_bound() {
        let mut evidence = Evidence::default();
        assert!(evidence.note_network(&probe(1, 80)));
        assert!(!evidence.note_network(&probe(1, 81)));
        let news = (0..=255).filter(|host| evidence.note_network(&probe(*host, 80))).count();
        assert_eq!(news, NETWORKS_MAX - 1);
    }

    #[test]
    fn one_host_is_one_until_there_is_another() {
        let mut evidence = Evidence::default();
        assert_eq!(evidence.host.one(), None);
        evidence.note(&probe(1, 80));
        evidence.note(&probe(1, 81));
        assert_eq!((evidence.host.one(), evidence.port.one()), (Some(mapped([10, 0, 1, 1])), None));
        evidence.note(&probe(2, 80));
        assert_eq!(evidence.host.one(), None);
    }

    #[test]
    fn sizes_have_a_mean_and_a_deviation() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.moments(), None);
        for length in [40, 44, 40, 44] {
            sizes.add(length);
        }
        assert_eq!(sizes.moments(), Some((42.0, 2.0)));
    }
}
