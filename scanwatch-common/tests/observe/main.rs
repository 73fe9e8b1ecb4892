//! The whole decision about a packet, against tables in memory.

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

mod admission;
mod answers;
mod arbitrary;
mod cells;
mod passage;
mod ports;
mod quiet;
mod records;
mod short;
mod udp;
mod world;
