//! What the fuzz targets check, a module a target: how an input is read, what must be true of it, and the seeds that a fuzzer
//! begins with. The seeds are made from the fixtures of the tests, the same at every run.
//!
//! A target is a file in `targets/`; `docs/FUZZING.md` has a table of them.

#[path = "../../scanwatch-common/tests/build/mod.rs"]
mod build;
#[path = "../../scanwatch-common/tests/packets/mod.rs"]
mod packets;
#[path = "../../scanwatch-user/src/capture/tests/writer.rs"]
#[allow(clippy::pedantic, dead_code, reason = "what the reader's tests write captures with")]
mod writer;

pub mod answers;
pub mod captures;
pub mod configuration;
pub mod frames;
pub mod observation;
pub mod parsing;
pub mod quotes;
pub mod replaying;
pub mod seeds;
pub mod segments;
mod tables;
