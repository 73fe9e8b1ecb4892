//! The whole decision about a packet, against tables in memory.

#[path = "../build/mod.rs"]
mod build;
#[path = "../../../scanwatch-user/src/host_tables.rs"]
#[allow(dead_code, reason = "capture replay uses the rest")]
mod host_tables;
#[path = "../packets/mod.rs"]
mod packets;
#[path = "../../../scanwatch-user/src/policy/mod.rs"]
#[allow(
    clippy::trivially_copy_pass_by_ref,
    dead_code,
    unused_imports,
    reason = "the tables in memory can be made from a configuration, which no test here has"
)]
mod policy;

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
