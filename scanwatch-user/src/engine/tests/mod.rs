//! The engine behind the real data plane: packets are observed by `scanwatch_common::observe` against host tables, and
//! what comes out of those is judged on simulated time.

pub(crate) mod lab;

mod actors;
mod again;
mod clock;
mod confirmed;
mod crowds;
mod evasion;
mod incidents;
mod losses;
mod memory;
mod overview;
mod reload;
mod restart;
mod roles;
mod rules;
mod scenarios;
mod surges;

#[path = "../../../../scanwatch-common/tests/build/mod.rs"]
mod build;

/// Names of all rules, in their order.
pub(crate) fn rule_names() -> Vec<&'static str> {
    super::verdict::Rule::ALL.iter().map(|rule| rule.name()).collect()
}

/// The identity of an incident of this source.
pub(crate) fn incident_id(
    address: scanwatch_common::abi::Address,
    direction: crate::policy::Direction,
    kind: super::Kind,
    first: super::Timestamp,
) -> super::IncidentId {
    super::IncidentId::new(&super::source::SourceKey { address, vlan: [0, 0] }, direction, kind, first, 0)
}
