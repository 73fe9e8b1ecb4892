//! Automation of the scanwatch workspace, as a library so that root tests can use its parts.
//!
//! | module | what is there |
//! |---|---|
//! | [`workspace`] | where things are: the root, the cargo that runs us, the built binary |
//! | [`step`] | a step of work that says what it did and how long it took; child processes with a time limit |
//! | [`kernel_object`] | the recorded kernel toolchain and the nested cargo; shared with scanwatch's build script |
//! | [`setup`] | `cargo xtask setup`: finds or installs the kernel toolchain, and the programs that the lab runs |
//! | [`bench`] | `cargo xtask bench`: what a packet and the agent cost, as a table and as JSON |
//! | [`build`] | `cargo xtask build` and `run` |
//! | [`demo`] | `cargo xtask demo`: an office day in the lab, and what scanwatch said of it |
//! | [`deny`] | `cargo xtask deny`: licences, versions and origin of all dependencies |
//! | [`dist`] | `cargo xtask dist`: a static program, a Debian package, an archive |
//! | `each` | the same work for each of several things, some at a time |
//! | [`fuzz`] | `cargo xtask fuzz`: hostile input for a stated time, and how far it came |
//! | [`lab`] | routers, segments and machines in network namespaces, for the demo and for root tests |
//! | [`miri`] | `cargo xtask miri`: tests in an interpreter that refuses undefined behaviour |
//! | [`reproduce`] | `cargo xtask reproduce`: a release built twice in different folders, byte for byte the same |
//! | [`soak`] | `cargo xtask soak`: everything in the lab at random for a stated time, and what scanwatch made of it |
//! | [`test`] | `cargo xtask test`: everything that must hold before a change goes in |
//! | [`tidy`] | `cargo xtask tidy`: the boundaries of ARCHITECTURE.md, enforced |
//! | [`vm`] | `cargo xtask vm`: the tests of the kernel side on other kernels, each in a machine of its own |
//!
//! xtask depends on no other crate of the workspace: it has to run before the kernel object exists. It starts the
//! built `scanwatch` as a process.

pub mod bench;
pub mod build;
pub mod demo;
pub mod deny;
pub mod dist;
mod each;
pub mod fuzz;
pub mod kernel_object;
pub mod lab;
pub mod miri;
pub mod reproduce;
pub mod setup;
pub mod soak;
pub mod step;
pub mod test;
pub mod tidy;
pub mod vm;
pub mod workspace;
