//! The whole decision about a packet, against tables in memory.

#![cfg_attr(miri, allow(dead_code, unused_imports, reason = "most tests are left out there"))]

#[path = "../build/mod.rs"]
mod build;
#[path = "../../../scanwatch-user/src/host_tables.rs"]
#[allow(dead_code, reason = "capture replay uses the rest")]
mod host_tables;
#[path = "../packets/mod.rs"]
mod packets;
#[path = "../../../scanwatch-user/src/policy/zone_table.rs"]
#[allow(clippy::trivially_copy_pass_by_ref, dead_code, reason = "the agent uses the rest")]
mod zone_table;

/// Where the tables in memory look for what makes a table of zones.
use zone_table as policy;

mod arbitrary;
mod short;
mod world;

// Frame by frame what is asked there in a thousand; in Miri, the tables alone take a second a test.
#[cfg(not(miri))]
mod admission;
#[cfg(not(miri))]
mod answers;
#[cfg(not(miri))]
mod cells;
#[cfg(not(miri))]
mod passage;
#[cfg(not(miri))]
mod ports;
#[cfg(not(miri))]
mod quiet;
#[cfg(not(miri))]
mod records;
#[cfg(not(miri))]
mod udp;
