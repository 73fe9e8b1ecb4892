//! What the agent's own object takes of the kernel at default sizes: memory by map, and the verifier's work by program.

use scanwatch::kernel::{
    KERNEL_MIN, Kernel, KernelError, MAPS_BYTES_MAX, Options, Version, instructions_max, running_version,
};
use scanwatch::policy::Policy;
use serde::Serialize;

/// A row.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Size {
    /// A map, or all of them.
    Map {
        name: String,
        kernel_bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        target_bytes: Option<u64>,
    },
    /// A program.
    Program { name: String, instructions_verified: u32, target: u32 },
}

impl Size {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Map { name, .. } | Self::Program { name, .. } => name,
        }
    }

    /// One JSON object on one line.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and words")
    }
}

/// Every map, all of them together, and every program.
pub fn all() -> Result<Vec<Size>, String> {
    measure().map_err(|error| error.to_string())
}

fn measure() -> Result<Vec<Size>, KernelError> {
    let mut kernel = Kernel::load(&Policy::default(), Options::default())?;
    let maps = kernel.maps()?;
    let kernel_bytes = maps.iter().map(|map| map.kernel_bytes).sum();
    let mut sizes =
        vec![Size::Map { name: "maps".to_owned(), kernel_bytes, target_bytes: Some(MAPS_BYTES_MAX) }];
    sizes.extend(maps.into_iter().map(|map| Size::Map {
        name: format!("map:{}", map.name),
        kernel_bytes: map.kernel_bytes,
        target_bytes: None,
    }));
    sizes.extend(kernel.programs()?.into_iter().map(|program| Size::Program {
        name: format!("program:{}", program.name),
        instructions_verified: program.instructions_verified,
        target: instructions_max(running_version().unwrap_or(Version(KERNEL_MIN.0, KERNEL_MIN.1))),
    }));
    Ok(sizes)
}
