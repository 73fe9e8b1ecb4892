//! What the kernel says of the programs and maps it took.

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::maps::Map;

use super::error::KernelError;
use super::machine::Version;
use super::object::Kernel;

/// Budget of each program, instructions verified, by the first version it is for, the newest first. Older verifiers
/// forget less of how they came along, and so walk the same lines more often. The verifier gives up at a million; what
/// the budgets leave is for whoever waits for a program to be loaded, and for versions in between.
const INSTRUCTIONS_MAX: [(Version, u32); 3] =
    [(Version(6, 18), 120_000), (Version(6, 12), 150_000), (Version(6, 1), 450_000)];

/// Budget of each program on a kernel of this version, instructions verified.
#[must_use]
pub fn instructions_max(version: Version) -> u32 {
    let budgets = INSTRUCTIONS_MAX.iter();
    let (_, oldest) = INSTRUCTIONS_MAX[INSTRUCTIONS_MAX.len() - 1];
    budgets.copied().find(|(first, _)| version >= *first).map_or(oldest, |(_, budget)| budget)
}

/// Budget of all maps together at default sizes, bytes.
pub const MAPS_BYTES_MAX: u64 = 96 << 20;

/// A program as the kernel keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFacts {
    /// Name; the kernel keeps 15 characters.
    pub name: String,
    /// The kernel's number for it.
    pub id: u32,
    /// Its licence lets it use what is for GPL-compatible programs only.
    pub is_gpl_compatible: bool,
    /// Instructions the verifier went through, all paths together; it gives up at a million.
    pub instructions_verified: u32,
    /// It was compiled for the processor; otherwise the kernel interprets it.
    pub is_compiled: bool,
}

/// A map as the kernel keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapFacts {
    /// Name.
    pub name: String,
    /// What it takes of the kernel's memory, bytes.
    pub kernel_bytes: u64,
}

impl Kernel {
    /// Every map, in the order of their names.
    pub fn maps(&self) -> Result<Vec<MapFacts>, KernelError> {
        let mut maps = Vec::new();
        for (name, map) in self.ebpf.maps() {
            let kernel_bytes = kernel_bytes(map).map_err(|detail| KernelError::Refused {
                what: "tell the size of a map",
                detail: format!("{name}: {detail}"),
            })?;
            maps.push(MapFacts { name: name.to_owned(), kernel_bytes });
        }
        maps.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(maps)
    }

    /// Every program, loaded now where it was not yet, in the order of their names.
    pub fn programs(&mut self) -> Result<Vec<ProgramFacts>, KernelError> {
        let mut names: Vec<String> = self.ebpf.programs().map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names.iter().map(|name| self.program(name)).collect()
    }

    fn program(&mut self, name: &str) -> Result<ProgramFacts, KernelError> {
        let info = self.loaded(name)?.info()?;
        Ok(ProgramFacts {
            name: info.name_as_str().unwrap_or_default().to_owned(),
            id: info.id(),
            is_gpl_compatible: info.gpl_compatible().unwrap_or_default(),
            instructions_verified: info.verified_instruction_count().unwrap_or_default(),
            is_compiled: info.size_jitted() > 0,
        })
    }
}

/// What a map takes, by the kernel's account of its descriptor (proc(5)); before Linux 6.4 that is a lower bound.
fn kernel_bytes(map: &Map) -> Result<u64, String> {
    let (Map::Array(data)
    | Map::DevMap(data)
    | Map::HashMap(data)
    | Map::LruHashMap(data)
    | Map::PerCpuArray(data)
    | Map::RingBuf(data)) = map
    else {
        return Err("its type is not one of ours".to_owned());
    };
    let path = format!("/proc/self/fdinfo/{}", data.fd().as_fd().as_raw_fd());
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    bytes.and_then(|bytes| bytes.trim().parse().ok()).ok_or_else(|| format!("{path} has no line `memlock`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_between_two_that_were_measured_has_the_budget_of_the_older() {
        let budgets = [(6, 1), (6, 6), (6, 12), (6, 17), (6, 18), (7, 3)]
            .map(|(major, minor)| instructions_max(Version(major, minor)));
        assert_eq!(budgets, [450_000, 450_000, 150_000, 150_000, 120_000, 120_000]);
        assert_eq!(instructions_max(Version(5, 10)), 450_000);
    }
}
