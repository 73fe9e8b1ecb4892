//! Distinct counting, hashing, admission and flow direction, by themselves.

mod door;
mod error;
mod flow;
mod frozen;
mod index;
mod inputs;
mod laws;
mod port;
