//! `[rights]`: what the running agent keeps of its rights.

use super::error::Fault;
use super::read::Section;
use crate::policy::{AfterAttach, Rights};

/// What is configured, and the defaults for the rest.
pub(super) fn rights(top: &Section) -> Result<Rights, Fault> {
    let mut rights = Rights::default();
    let Some(section) = top.section("rights")? else { return Ok(rights) };
    section.expect_keys(&["landlock", "after_attach"])?;
    if let Some(value) = section.get("landlock") {
        rights.landlock = value.flag()?;
    }
    if let Some(value) = section.get("after_attach") {
        rights.after_attach = value.choice(&[("drop", AfterAttach::Drop), ("keep", AfterAttach::Keep)])?;
    }
    Ok(rights)
}
