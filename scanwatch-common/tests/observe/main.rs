//! The whole decision about a packet, against tables in memory.

#[path = "../build/mod.rs"]
mod build;
#[path = "../../../scanwatch-user/src/host_tables.rs"]
#[allow(dead_code, reason = "capture replay uses the rest")]
mod host_tables;
#[path = "../packets/mod.rs"]
mod packets;

mod admission;
mod arbitrary;
mod cells;
mod quiet;
mod records;
mod udp;
mod world;
