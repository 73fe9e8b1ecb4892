//! What scanwatch's kernel programs and its agent must agree on.
//!
//! A packet goes [`parse`] → [`classify`] → [`observe`]; what it teaches is kept in [`sketch`]es whose layout is
//! fixed in [`abi`]. Nothing here allocates, blocks, reads a clock or touches a map by itself: the platform stands
//! behind two traits, [`packet::Packet`] and [`observe::Tables`]. So the kernel's whole decision runs, unchanged,
//! in unit tests, fuzzers and capture replay.

#![no_std]
#![forbid(unsafe_code)]

pub mod abi;
pub mod classify;
pub mod counters;
pub mod observe;
pub mod packet;
pub mod parse;
pub mod ports;
pub mod sighting;
pub mod sketch;
pub mod zones;
