//! `[state]`: what outlives the process.

use std::path::PathBuf;

use super::error::Fault;
use super::read::Section;
use super::sinks::path_at;

/// The directory that is configured.
pub(super) fn directory(top: &Section) -> Result<Option<PathBuf>, Fault> {
    let Some(section) = top.section("state")? else { return Ok(None) };
    section.expect_keys(&["directory"])?;
    path_at(&section, "directory")
}
