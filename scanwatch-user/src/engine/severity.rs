//! How bad it is, in one sum.
//!
//! | risk | points |
//! |---|---|
//! | direction | lateral 50, outbound 45, inbound 15, transit 10 |
//! | a sensitive service is among those tried | + 15 |
//! | block scan | + 8 |
//! | breadth: for each tenfold of 10 pairs, up to 100,000 | + 3 |
//! | a stranger was answered where nothing was known to answer | + 35 |
//! | outside its role | + 15 |
//! | over its budget: its own work, only more of it | − 10 |
//! | asks who is there, and touches no service (ICMP, ARP) | − 25 |
//!
//! Severity is the range the risk falls in, by the boundaries Elastic Security gives its four levels: low to 21, medium
//! to 47, high to 73, critical above. A scan inside is high, one of nothing but addresses medium, a proxy looking for
//! file shares critical, noise from the internet low or medium.

use super::scan::Kind;
use crate::policy::Direction;

/// Severity, with the value Elastic maps to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Low.
    Low = 21,
    /// Medium.
    Medium = 47,
    /// High.
    High = 73,
    /// Critical.
    Critical = 99,
}

impl Severity {
    /// All of them, least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How what was found stands to the source's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleVerdict {
    /// The source does what its role does not cover.
    Outside,
    /// The source does what its role covers, but more than the role allows.
    OverBudget,
}

impl RoleVerdict {
    /// As in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside its role",
            Self::OverBudget => "over its budget",
        }
    }
}

/// What the risk depends on.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// Direction.
    pub direction: Direction,
    /// Kind.
    pub kind: Kind,
    /// A stranger was answered where nothing was known to answer.
    pub escalated: bool,
    /// A sensitive service is among those tried.
    pub sensitive: bool,
    /// Nothing but ICMP and ARP.
    pub portless: bool,
    /// Distinct pairs.
    pub pairs: f64,
    /// How it stands to the source's role, where it has one.
    pub role: Option<RoleVerdict>,
}

impl Weight {
    /// Risk, 0 to 100.
    #[must_use]
    pub fn risk(&self) -> u8 {
        let direction = match self.direction {
            Direction::Lateral => 50,
            Direction::Outbound => 45,
            Direction::Inbound => 15,
            Direction::Transit => 10,
        };
        let role = match self.role {
            Some(RoleVerdict::Outside) => 15,
            Some(RoleVerdict::OverBudget) => -10,
            None => 0,
        };
        let block = if self.kind == Kind::Block { 8 } else { 0 };
        let sensitive = if self.sensitive { 15 } else { 0 };
        let escalated = if self.escalated { 35 } else { 0 };
        let portless = if self.portless { -25 } else { 0 };
        let breadth: i16 =
            [1e2, 1e3, 1e4, 1e5].map(|step| if self.pairs.round() >= step { 3 } else { 0 }).iter().sum();
        let risk = escalated + direction + role + block + sensitive + portless + breadth;
        u8::try_from(risk.clamp(0, 100)).unwrap_or(100)
    }

    /// Severity of that risk.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.risk() {
            0..=21 => Severity::Low,
            22..=47 => Severity::Medium,
            48..=73 => Severity::High,
            _ => Severity::Critical,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATERAL: Weight = Weight {
        direction: Direction::Lateral,
        kind: Kind::Vertical,
        escalated: false,
        sensitive: false,
        portless: false,
        pairs: 60.0,
        role: None,
    };

    #[test]
    fn severity_follows_direction_service_and_role() {
        let cases = [
            (LATERAL, Severity::High, "a scan inside"),
            (Weight { sensitive: true, pairs: 254.0, ..LATERAL }, Severity::High, "of a sensitive service"),
            (Weight { portless: true, pairs: 254.0, ..LATERAL }, Severity::Medium, "of addresses only"),
            (
                Weight { sensitive: true, role: Some(RoleVerdict::Outside), ..LATERAL },
                Severity::Critical,
                "by a proxy",
            ),
            (
                Weight { sensitive: true, kind: Kind::Block, pairs: 1e4, ..LATERAL },
                Severity::Critical,
                "a large block",
            ),
            (Weight { role: Some(RoleVerdict::OverBudget), ..LATERAL }, Severity::Medium, "over its budget"),
            (
                Weight { direction: Direction::Outbound, pairs: 300.0, ..LATERAL },
                Severity::High,
                "of the internet",
            ),
            (Weight { direction: Direction::Inbound, ..LATERAL }, Severity::Low, "from the internet"),
            (
                Weight {
                    direction: Direction::Inbound,
                    sensitive: true,
                    kind: Kind::Block,
                    pairs: 1e9,
                    ..LATERAL
                },
                Severity::High,
                "a heavy block from the internet",
            ),
            (Weight { direction: Direction::Transit, ..LATERAL }, Severity::Low, "through the network"),
        ];
        for (weight, severity, what) in cases {
            assert_eq!(weight.severity(), severity, "{what}: risk {}", weight.risk());
        }
    }

    #[test]
    fn breadth_never_lowers_the_risk() {
        let risks =
            [0.0, 10.0, 99.0, 100.0, 1e3, 1e4, 1e5, 1e12].map(|pairs| Weight { pairs, ..LATERAL }.risk());
        assert!(risks.is_sorted(), "{risks:?}");
        assert!(risks[0] < risks[7]);
    }
}
