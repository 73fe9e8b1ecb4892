//! Points in time as the engine is given them; it has no clock of its own.
//!
//! The engine's time never steps. What it says outwards, and what hours of the day mean to roles, is by the wall clock, which
//! may have been set since: [`Ahead`] is between the two.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time that many nanoseconds after 1 January 1970, 00:00 UTC.
    #[must_use]
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        // 2⁶⁴ nanoseconds are fewer than 2³⁵ seconds.
        (self.0 / 1_000_000_000).cast_signed()
    }

    /// Time between this and another moment, whichever comes first: clocks are set back now and then.
    #[must_use]
    pub const fn apart(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }

    /// Time passed since `earlier`, zero where that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment so much later.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_nanos() as u64))
    }
}

/// How far the wall clock is ahead of the engine's time, nanoseconds; below zero it is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead(i64);

impl Ahead {
    /// So many nanoseconds ahead.
    #[must_use]
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds.
    #[must_use]
    pub const fn as_ns(self) -> i64 {
        self.0
    }

    /// A moment of the engine's time by the wall clock as it is set now.
    #[must_use]
    pub const fn wall(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add_signed(self.0))
    }
}
