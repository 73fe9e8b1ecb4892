//! Names of incidents.

use std::fmt;

use scanwatch_common::abi::{Address, Words};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::scan::Kind;
use super::super::source::SourceKey;
use super::super::time::Timestamp;
use crate::policy::Direction;

/// Identity of an incident: 128 bits, hashed from the source with its VLANs, the direction, the kind at detection, the time
/// of the first probe, and how many incidents the source had before: a scan that goes on after it was told as ended began
/// with the same probe. The same traffic so gives the same identity, wherever and whenever it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(u128);

impl IncidentId {
    /// The identity of the incident that begins so.
    #[must_use]
    pub fn new(source: &SourceKey, direction: Direction, kind: Kind, first: Timestamp, before: u16) -> Self {
        let mut rest = [0; 16];
        rest[..8].copy_from_slice(&first.as_ns().to_be_bytes());
        rest[8..10].copy_from_slice(&source.vlan[0].to_be_bytes());
        rest[10..12].copy_from_slice(&source.vlan[1].to_be_bytes());
        rest[12] = direction as u8;
        rest[13] = kind as u8;
        rest[14..].copy_from_slice(&before.to_be_bytes());
        let half = |seed: u64| mixed(mixed(seed, &source.address), &rest);
        // Any two seeds do; these are frozen, for identities are stored.
        Self(u128::from(half(1)) << 64 | u128::from(half(2)))
    }
}

/// Mixes 16 bytes into a number (MurmurHash3's finisher: Appleby, 2011). No key holds it against attackers: what they would
/// have to choose is a time to the nanosecond.
fn mixed(seed: u64, bytes: &Address) -> u64 {
    let fold = |state: u64, word: u64| {
        let x = (state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^ (x >> 32)
    };
    let words = Words::of(bytes);
    let mut x = fold(fold(seed, words.high), words.low);
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

impl fmt::Display for IncidentId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for IncidentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IncidentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scanwatch_common::abi::mapped;

    #[test]
    fn identity_depends_on_everything_that_tells_incidents_apart_and_on_nothing_else() {
        let key = |last, vlan| SourceKey { address: mapped([10, 0, 0, last]), vlan };
        let at = Timestamp::from_ns;
        let id = IncidentId::new(&key(1, [0, 0]), Direction::Lateral, Kind::Vertical, at(5), 0);
        assert_eq!(id, IncidentId::new(&key(1, [0, 0]), Direction::Lateral, Kind::Vertical, at(5), 0));
        assert_eq!(id.to_string().len(), 32);
        let others = [
            IncidentId::new(&key(2, [0, 0]), Direction::Lateral, Kind::Vertical, at(5), 0),
            IncidentId::new(&key(1, [7, 0]), Direction::Lateral, Kind::Vertical, at(5), 0),
            IncidentId::new(&key(1, [0, 7]), Direction::Lateral, Kind::Vertical, at(5), 0),
            IncidentId::new(&key(1, [0, 0]), Direction::Outbound, Kind::Vertical, at(5), 0),
            IncidentId::new(&key(1, [0, 0]), Direction::Lateral, Kind::Block, at(5), 0),
            IncidentId::new(&key(1, [0, 0]), Direction::Lateral, Kind::Vertical, at(6), 0),
            IncidentId::new(&key(1, [0, 0]), Direction::Lateral, Kind::Vertical, at(5), 1),
        ];
        assert!(others.iter().all(|other| *other != id));
    }

    #[test]
    fn identity_is_frozen() {
        let key = SourceKey { address: mapped([10, 0, 0, 1]), vlan: [0, 0] };
        let id = IncidentId::new(&key, Direction::Lateral, Kind::Vertical, Timestamp::from_ns(5), 0);
        assert_eq!(id.to_string(), "39e41fb558320ac5ef3a525490bea6d7");
    }
}
