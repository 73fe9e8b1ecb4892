//! Where scans come from and go to, and what becomes of them.

use serde::{Deserialize, Serialize};

/// Where a scan comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// Inside to inside.
    Lateral,
    /// Inside to the internet.
    Outbound,
    /// The internet to inside.
    Inbound,
    /// The internet to the internet.
    Transit,
}

impl Direction {
    /// All directions, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Lateral, Self::Outbound, Self::Inbound, Self::Transit];

    /// Name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lateral => "lateral",
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Transit => "transit",
        }
    }
}

/// What becomes of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Treatment {
    /// An incident with records.
    Alert,
    /// Counted, never a record.
    Statistics,
}

impl Treatment {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Alert, Self::Statistics];

    /// Name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Statistics => "statistics",
        }
    }
}

/// Treatment by direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directions {
    /// Inside to inside; by default an alert.
    pub lateral: Treatment,
    /// Inside to the internet; by default an alert.
    pub outbound: Treatment,
    /// The internet to inside; by default statistics.
    pub inbound: Treatment,
    /// The internet to the internet; by default statistics.
    pub transit: Treatment,
}

impl Directions {
    /// Treatment of one direction.
    #[must_use]
    pub fn of(&self, direction: Direction) -> Treatment {
        match direction {
            Direction::Lateral => self.lateral,
            Direction::Outbound => self.outbound,
            Direction::Inbound => self.inbound,
            Direction::Transit => self.transit,
        }
    }
}
