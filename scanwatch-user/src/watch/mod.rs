//! The agent watched from outside: metrics, health, and what it knows at this moment, over HTTP.
//!
//! ```text
//! request → server (a thread of its own) → question → the agent's loop, between two turns → answer → document
//! ```
//!
//! Nothing is computed when nobody asks, and whoever asks waits for the agent, not the agent for whoever asks.

mod ask;
mod client;
mod convert;
pub mod documents;
mod health;
mod listener;
mod metrics;
mod reading;
mod routes;
mod server;

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;

pub use ask::{Answer, Ask, Asker, Asks, LIMIT_MAX};
pub use client::{Client, Unreachable};
pub use listener::{DEFAULT_SOCKET, DEFAULT_TCP, Listener};
pub use metrics::{Family, exposition, families};
pub use reading::{
    Alerts, CellsReading, Drains, EndedIncident, IncidentsReading, InterfaceReading, Rates, Reading,
    ReloadsReading, SourcesReading,
};
pub use server::Server;
