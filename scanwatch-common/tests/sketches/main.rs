//! Distinct counting, hashing, admission and flow direction, by themselves.

mod door;
mod error;
mod flow;
mod frozen;
mod inputs;
mod laws;
mod port;
