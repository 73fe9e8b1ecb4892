//! Distinct counting, hashing, admission and flow direction, by themselves.

#![cfg_attr(miri, allow(dead_code, unused_imports, reason = "statistics are left out there"))]

// Statistics of thousands of trials: what is added there, the other tests add in Miri.
#[cfg(not(miri))]
mod collisions;
mod door;
#[cfg(not(miri))]
mod error;
mod flow;
mod frozen;
mod index;
mod inputs;
mod laws;
mod port;
