//! How cost and memory grow: with networks that zones are made of, and with cells there is room for.

use std::hint::black_box;

use scanwatch::kernel::{Kernel, Options};
use scanwatch::policy::{Policy, TablePlace, ZonePrefix, ZoneTable};
use scanwatch_common::abi::{Address, mapped};

use super::Effort;
use super::memory::mib;
use super::row::{Row, quantile, timed_ms};

/// Rows of the look-up of an address's zone, by the number of networks.
pub const ZONES: &[&str] = &["zone_of_16_networks", "zone_of_256_networks", "zone_of_4096_networks"];
/// Rows of all maps together, by the number of cells.
pub const MAPS: &[&str] = &["maps_of_24576_cells", "maps_of_98304_cells", "maps_of_393216_cells"];

const NETWORKS: [u32; 3] = [16, 256, 4_096];
const CELLS: [u32; 3] = [24_576, 98_304, 393_216];
/// Addresses that are looked up, half of them inside.
const ADDRESSES: u32 = 65_536;

/// Looks addresses up in tables of more and more networks, each a /24 in 10.0.0.0/8.
#[allow(clippy::unnecessary_wraps, reason = "all groups of rows have one type")]
pub fn zones(effort: Effort) -> Result<Vec<Row>, String> {
    let rows = ZONES.iter().zip(NETWORKS).map(|(name, networks)| {
        let prefixes: Vec<ZonePrefix> = (0..networks)
            .map(|number| {
                let [_, _, high, low] = number.wrapping_mul(2_654_435_761).rotate_left(13).to_be_bytes();
                ZonePrefix { network: mapped([10, high, low, 0]), prefix: 96 + 24, zone: 1 }
            })
            .collect();
        let table = ZoneTable::new(&prefixes, TablePlace::default());
        let addresses: Vec<Address> = (0..ADDRESSES)
            .map(|number| {
                let [a, b, c, d] = number.wrapping_mul(2_654_435_761).to_be_bytes();
                mapped(if number.is_multiple_of(2) { [10, b, c, d] } else { [a, b, c, d] })
            })
            .collect();
        let runs: Vec<f64> = (0..effort.runs)
            .map(|_| {
                let took = timed_ms(|| {
                    for address in &addresses {
                        black_box(table.zone_of(black_box(address)));
                    }
                });
                1e6 * took / f64::from(ADDRESSES)
            })
            .collect();
        let what = format!("zone of an address, half of them inside, where zones hold {networks} networks");
        Row::new(name, quantile(&runs, 0.5), "ns", what)
    });
    Ok(rows.collect())
}

/// Loads the programs with room for more and more cells.
pub fn maps(_: Effort) -> Result<Vec<Row>, String> {
    let rows = MAPS.iter().zip(CELLS).map(|(name, cells)| {
        let mut policy = Policy::default();
        policy.limits.cells_internal = cells / 3 * 2;
        policy.limits.cells_external = cells / 3;
        let kernel = Kernel::load(&policy, Options::default()).map_err(|error| error.to_string())?;
        let maps = kernel.maps().map_err(|error| error.to_string())?;
        let bytes: u64 = maps.iter().map(|map| map.kernel_bytes).sum();
        let what = format!(
            "kernel memory of all maps with room for {cells} cells, two thirds of them of sources inside"
        );
        Ok(Row::new(name, mib(bytes as f64), "MiB", what))
    });
    rows.collect()
}
