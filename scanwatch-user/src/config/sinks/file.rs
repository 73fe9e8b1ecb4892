//! `type = "file"`.

use std::time::Duration;

use super::common::path;
use crate::config::error::Fault;
use crate::config::read::Section;
use crate::policy::{FilePlan, TransportPlan};

/// Keys of this type.
pub const KEYS: &[&str] = &["path", "rotate_mib", "rotate_hours", "keep"];

const ROTATE_MIB: u64 = 100;
const KEEP: u32 = 7;

/// Reads them.
pub fn plan(section: &Section) -> Result<TransportPlan, Fault> {
    let path = path(&section.need("path", "path = \"/var/log/scanwatch/alerts.json\"")?)?;
    let rotate_mib = section.get("rotate_mib").map(|value| value.integer(1..=1 << 20)).transpose()?;
    let rotate_hours = section.get("rotate_hours").map(|value| value.integer(1..=24 * 366)).transpose()?;
    let keep = section.get("keep").map(|value| value.integer(0..=1_000)).transpose()?;
    Ok(TransportPlan::File(FilePlan {
        path,
        rotate_bytes: rotate_mib.unwrap_or(ROTATE_MIB) << 20,
        rotate_age: rotate_hours.map(Duration::from_hours),
        keep: keep.unwrap_or(KEEP),
    }))
}
