//! `[limits]`: sizes of what is kept, and for how long.

use std::time::Duration;

use super::defaults::LIMITS;
use super::error::Fault;
use super::read::Section;
use crate::policy::Limits;

/// Fewer cells would be refused within one epoch of a small network; a cell takes one and a half kilobytes, in
/// each of two copies, so more would take gigabytes.
const CELLS: (u32, u32) = (256, 1_048_576);
/// The doorkeeper has four bits to count the pairs of a source.
const ADMIT: (u8, u8) = (1, 15);
/// From a regional registry's allocation to single addresses.
const PREFIX_V6: (u8, u8) = (32, 128);
const SOURCES: (usize, usize) = (64, 16_777_216);
const INCIDENTS: (usize, usize) = (16, 1_048_576);
const PER_MINUTE: (u32, u32) = (1, 1_048_576);
const QUIET_S: (u64, u64) = (1, 86_400);

const KEYS: [&str; 10] = [
    "cells_internal",
    "cells_external",
    "admit_internal",
    "admit_external",
    "source_prefix_v6_internal",
    "source_prefix_v6_external",
    "sources",
    "incidents",
    "incidents_per_minute",
    "quiet_s",
];

/// Reads `[limits]` over the defaults.
pub(super) fn limits(top: &Section) -> Result<Limits, Fault> {
    let mut limits = LIMITS;
    let Some(section) = top.section("limits")? else { return Ok(limits) };
    section.expect_keys(&KEYS)?;
    read(&section, "cells_internal", CELLS, &mut limits.cells_internal)?;
    read(&section, "cells_external", CELLS, &mut limits.cells_external)?;
    read(&section, "admit_internal", ADMIT, &mut limits.admit_internal)?;
    read(&section, "admit_external", ADMIT, &mut limits.admit_external)?;
    read(&section, "source_prefix_v6_internal", PREFIX_V6, &mut limits.source_prefix_v6_internal)?;
    read(&section, "source_prefix_v6_external", PREFIX_V6, &mut limits.source_prefix_v6_external)?;
    read(&section, "sources", SOURCES, &mut limits.sources)?;
    read(&section, "incidents", INCIDENTS, &mut limits.incidents)?;
    read(&section, "incidents_per_minute", PER_MINUTE, &mut limits.incidents_per_minute)?;
    let mut quiet_s = limits.quiet.as_secs();
    read(&section, "quiet_s", QUIET_S, &mut quiet_s)?;
    limits.quiet = Duration::from_secs(quiet_s);
    Ok(limits)
}

fn read<T>(section: &Section, key: &'static str, (min, max): (T, T), field: &mut T) -> Result<(), Fault>
where
    T: TryFrom<i64> + PartialOrd + std::fmt::Display,
{
    if let Some(value) = section.get(key) {
        *field = value.integer(min..=max)?;
    }
    Ok(())
}
