//! What is told to a receiver: the one thing every format writes and every transport carries.

use crate::engine::{FloodEvent, IncidentEvent, Record, Severity, Timestamp};

/// Something to tell a receiver.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// What became of an incident.
    Incident(&'a IncidentEvent),
    /// What became of a flood of scans.
    Flood(&'a FloodEvent),
    /// Records that did not reach this receiver, and never will.
    Dropped(&'a Dropped),
}

impl<'a> From<&'a Record> for Message<'a> {
    fn from(record: &'a Record) -> Self {
        match record {
            Record::Incident(event) => Self::Incident(event),
            Record::Flood(event) => Self::Flood(event),
        }
    }
}

impl Message<'_> {
    /// Identity of the message: the same whenever and however often it is delivered, and of no other.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Incident(event) => format!("{}-{}", event.snapshot.incident, event.snapshot.sequence),
            Self::Flood(event) => format!("{}-{}", event.id, event.sequence),
            Self::Dropped(dropped) => dropped.id.clone(),
        }
    }

    /// What belongs together: identity of the incident, of the flood, or of the message itself.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Incident(event) => event.snapshot.incident.to_string(),
            Self::Flood(event) => event.id.to_string(),
            Self::Dropped(dropped) => dropped.id.clone(),
        }
    }

    /// What happened, as `event.action` has it.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Incident(event) => event.action.of_scan(),
            Self::Flood(event) => event.action.of_flood(),
            Self::Dropped(_) => "records-dropped",
        }
    }

    /// When it was said.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Incident(event) => event.snapshot.at,
            Self::Flood(event) => event.at,
            Self::Dropped(dropped) => dropped.at,
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Incident(event) => event.snapshot.severity,
            Self::Flood(event) => event.severity,
            Self::Dropped(_) => Severity::Medium,
        }
    }
}

/// Records that a full spool could not keep, told once the way is free again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Identity of this message.
    pub id: String,
    /// The moment it was written.
    pub at: Timestamp,
    /// Name of the sink that dropped them.
    pub sink: String,
    /// Records that were dropped since the last such message.
    pub records: u64,
    /// When the first of them was dropped.
    pub first: Timestamp,
    /// When the last of them was dropped.
    pub last: Timestamp,
    /// One sentence for a person.
    pub reason: String,
}
