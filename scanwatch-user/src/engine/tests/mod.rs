//! The engine behind the real data plane: packets are observed by `scanwatch_common::observe` against host tables, and
//! what comes out of those is judged on simulated time.

pub(crate) mod lab;

mod actors;
mod incidents;
mod losses;
mod memory;
mod roles;
mod rules;
mod scenarios;
mod surges;

#[path = "../../../../scanwatch-common/tests/build/mod.rs"]
mod build;
