//! The table of zones in the kernel. Its arrays hold two: while programs look one through, the next is written beside it,
//! and then they are told where that one begins.

use aya::Ebpf;
use aya::maps::{Array, Map, MapData};
use scanwatch_common::zones::{NODES_MAX, PATHS_MAX, ZoneNode, ZonePath};

use super::error::KernelError;
use super::grace;
use super::object::second;
use super::pod::Raw;
use crate::policy::{TablePlace, ZonePrefix, ZoneTable};

/// Networks there is room for besides those that are configured.
const LEARNED_MAX: u32 = 256;
/// Most networks in all: two tables of them can be told apart.
const NETWORKS_MAX: u32 = if NODES_MAX < PATHS_MAX { NODES_MAX / 4 } else { PATHS_MAX / 4 };

const NODES: &str = "ZONE_NODES";
const PATHS: &str = "ZONE_PATHS";

const _: () = assert!(2 * ZoneTable::size_max(NETWORKS_MAX).nodes <= NODES_MAX);
const _: () = assert!(2 * ZoneTable::size_max(NETWORKS_MAX).paths <= PATHS_MAX);

/// Networks for which there is room where so many are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    networks: u32,
}

impl Room {
    pub(super) fn beside(configured: usize) -> Result<Self, KernelError> {
        let networks = u32::try_from(configured).unwrap_or(u32::MAX).saturating_add(LEARNED_MAX);
        let room = Self { networks: networks.min(NETWORKS_MAX) };
        room.check(configured)?;
        Ok(room)
    }

    /// The maps that hold two tables, with their lengths.
    pub(super) const fn maps(self) -> [(&'static str, u32); 2] {
        let table = ZoneTable::size_max(self.networks);
        [(NODES, 2 * table.nodes), (PATHS, 2 * table.paths)]
    }

    fn check(self, networks: usize) -> Result<(), KernelError> {
        if networks > self.networks as usize {
            return Err(KernelError::NetworksTooMany { networks, max: self.networks as usize });
        }
        Ok(())
    }
}

/// Both tables.
pub(super) struct ZoneMaps {
    nodes: Array<MapData, Raw<ZoneNode>>,
    paths: Array<MapData, Raw<ZonePath>>,
    room: Room,
    /// Which of the two the programs look through.
    active: u32,
}

impl ZoneMaps {
    /// Fills the maps of an object to which nothing was told yet: its programs find the root at 0.
    pub(super) fn fill(ebpf: &Ebpf, room: Room, networks: &[ZonePrefix]) -> Result<Self, KernelError> {
        let nodes = Array::try_from(Map::Array(second(ebpf, NODES)?))?;
        let paths = Array::try_from(Map::Array(second(ebpf, PATHS)?))?;
        let mut maps = Self { nodes, paths, room, active: 0 };
        maps.write(0, networks)?;
        Ok(maps)
    }

    /// Writes the table of these networks where nobody looks, and returns the root that programs are to be told. Blocks for
    /// some 20 milliseconds, until none is left that began with the table before the present one.
    pub(super) fn prepare(&mut self, networks: &[ZonePrefix]) -> Result<u32, KernelError> {
        self.room.check(networks.len())?;
        grace::wait();
        self.write(self.active ^ 1, networks)
    }

    /// Notes that programs are told of the table that was prepared last.
    pub(super) const fn prepared(&mut self) {
        self.active ^= 1;
    }

    fn write(&mut self, half: u32, networks: &[ZonePrefix]) -> Result<u32, KernelError> {
        let TablePlace { nodes, paths } = ZoneTable::size_max(self.room.networks);
        let table = ZoneTable::new(networks, TablePlace { nodes: half * nodes, paths: half * paths });
        for (number, node) in table.nodes() {
            self.nodes.set(number, Raw(*node), 0)?;
        }
        for (number, path) in table.paths() {
            self.paths.set(number, Raw(*path), 0)?;
        }
        Ok(table.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_for_which_there_is_no_room_are_refused_with_what_to_do() {
        let room = Room::beside(3).expect("three networks");
        assert!(room.check(3 + 256).is_ok());
        let error = room.check(3 + 257).expect_err("one too many");
        assert_eq!(
            error.to_string(),
            "260 networks are inside, by configuration and by the addresses of watched interfaces, and at most 259 fit: \
             name a block that holds many of them in a [[zone]]"
        );
        assert!(Room::beside(NETWORKS_MAX as usize).is_ok());
        assert!(Room::beside(NETWORKS_MAX as usize + 1).is_err());
    }
}
