//! Arithmetic shared with the kernel: hashing, distinct counting, admission, flow direction.
//!
//! Constants that fix the meaning of stored bytes are frozen under [`crate::abi::VERSION`].

mod admission;
mod branchless;
mod distinct;
mod estimate;
mod flow;
mod hash;
mod index;
mod port;

pub(crate) use admission::WAYS as DOOR_WAYS;
pub use admission::{DoorSet, FirstContact, Knock};
pub use distinct::{Block, Sketch};
pub use estimate::Estimate;
pub use flow::{Flow, FlowLine};
pub use hash::{Endpoint, Hasher, KEY_WORDS};
pub use index::{IndexLine, Seat};
pub use port::PortSketch;
