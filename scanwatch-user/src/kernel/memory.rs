//! What the programs remember beside cells and ports, read as it lies there: what a test holds against the host's tables.

use scanwatch_common::abi::{
    DOOR_SETS_EXTERNAL, DOOR_SETS_INTERNAL, FIRST_CONTACTS, FLOW_LINES, SERVING_LINES,
};
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine};

use super::error::KernelError;
use super::object::{Kernel, descriptor};
use super::plain::Plain;
use super::window::Window;

/// The memory of the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The doorkeeper's sets, of internal sources first.
    pub doors: [Vec<DoorSet>; 2],
    /// UDP flows.
    pub flows: Vec<FlowLine>,
    /// Sockets inside that serve outsiders.
    pub serving: Vec<FlowLine>,
    /// What internal sources tried first.
    pub first: Vec<FirstContact>,
}

impl Kernel {
    /// Reads the memory. Programs must not run meanwhile: nothing may be attached.
    pub fn memory(&self) -> Result<Memory, KernelError> {
        let mut internal: Vec<DoorSet> = self.whole("DOORS", DOOR_SETS_INTERNAL + DOOR_SETS_EXTERNAL)?;
        let external = internal.split_off(DOOR_SETS_INTERNAL);
        Ok(Memory {
            doors: [internal, external],
            flows: self.whole("FLOWS", FLOW_LINES)?,
            serving: self.whole("SERVING", SERVING_LINES)?,
            first: self.whole("FIRST_TRIED", FIRST_CONTACTS)?,
        })
    }

    fn whole<T: Plain>(&self, name: &str, count: usize) -> Result<Vec<T>, KernelError> {
        let map = descriptor(&self.ebpf, name)?;
        let failed = |error| KernelError::of("read what the programs remember", &error);
        let mut window = Window::<T>::map(&map, 0, count as u32).map_err(failed)?;
        Ok(window.values().map_err(failed)?.to_vec())
    }
}
