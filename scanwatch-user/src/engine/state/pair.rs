//! How a pair is written.

use scanwatch_common::abi::Technique;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::pairs::{Marks, Pair};
use super::super::time::Timestamp;
use super::super::tool::Tool;
use crate::policy::{Direction, ServiceId, ZoneId};

/// A pair as a list, since there are many: technique, target, port; first, last; attempts, length; zone, service,
/// direction; marks, tool.
type PairForm = (u8, u128, u16, Timestamp, Timestamp, u16, u16, ZoneId, ServiceId, Direction, Marks, Tool);

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form: PairForm = (
            self.technique as u8,
            u128::from_be_bytes(self.target),
            self.port,
            self.first,
            self.last,
            self.attempts,
            self.length,
            self.zone,
            self.service,
            self.direction,
            self.marks,
            self.tool,
        );
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (technique, target, port, first, last, attempts, length, zone, service, direction, marks, tool) =
            PairForm::deserialize(deserializer)?;
        let technique = Technique::from_number(technique)
            .ok_or_else(|| serde::de::Error::custom(format!("no technique {technique}")))?;
        let target = target.to_be_bytes();
        Ok(Self {
            target,
            first,
            last,
            port,
            attempts,
            length,
            technique,
            zone,
            service,
            direction,
            marks,
            tool,
        })
    }
}
