//! The only code that talks to the kernel: loading, attaching, draining, reading rings, watching interfaces.
//!
//! Everything here takes and gives the types of `scanwatch_common` and `policy`; no judgement is made.

// Raw system calls and plain-bytes casts live here and nowhere else in user space; each block says why it holds.
#![allow(unsafe_code)]

mod arena;
mod attach;
mod claim;
mod clock;
mod confine;
mod device;
mod disk;
mod error;
mod ethtool;
mod facts;
mod grace;
mod holder;
mod learned;
mod links;
mod machine;
mod memory;
mod netdev;
mod object;
mod plain;
mod pod;
mod ports;
mod reload;
mod repeat;
mod replay;
mod rights;
mod ring;
mod sandbox;
mod socket;
mod window;
mod zones;

pub use arena::DrainedCell;
pub use attach::{Attachment, Mode, TCX};
pub use claim::Claim;
pub use clock::{Clocks, wall_ns};
pub use confine::{CannotGiveUp, harden, keep_none, keep_only};
pub use device::Device;
pub use disk::{Room, may_write, room, user};
pub use error::KernelError;
pub use facts::{MAPS_BYTES_MAX, MapFacts, ProgramFacts, instructions_max};
pub use holder::XdpHolder;
pub use learned::Learned;
pub use links::{LinkEvent, LinkWatch, default_route_interface, interface_index};
pub use machine::{Version, is_clock_synchronized, memory_lock_max, running_version};
pub use memory::Memory;
pub use netdev::XdpSupport;
pub use object::{KERNEL_MIN, Kernel, Options};
pub use reload::{Era, Plan, Switched};
pub use replay::FRAME_BYTES_MIN;
pub use rights::{Capabilities, Capability};
pub use ring::NoveltyRing;
pub use sandbox::{Access, Place, Sandbox, SandboxError, confine};
pub use socket::{bytes_underway, is_other_kind, is_too_large};
