//! Replaying captures: what packet times do to epochs, verdicts and incidents, and what the command makes of its input.

mod command;
mod planes;
mod surge;
mod time;
#[path = "../support/traffic.rs"]
mod traffic;
