//! What the kernel still holds of processes that have ended.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::lab::Stop;
use crate::lab::wait::poll;
use crate::step::output;

/// The kernel gives maps back after a grace period, on a busy machine some seconds after their last user.
const LIMIT: Duration = Duration::from_secs(20);

/// Those of `held` (see [`super::meter::holdings`]) that are still there after a while, a sentence each. Numbers are not
/// given out again, so whoever else uses the kernel's objects does not matter.
pub fn left(held: &BTreeSet<String>) -> Result<Vec<String>> {
    let mut still = Vec::new();
    let gone = poll("the end of kernel objects", LIMIT, &Stop::new(), || {
        let there = all()?;
        still = held.intersection(&there).cloned().collect();
        Ok(still.is_empty().then_some(()))
    });
    if gone.is_err() && still.is_empty() {
        gone?;
    }
    Ok(still.into_iter().map(|object| format!("left behind: {object}")).collect())
}

/// Every program, map and link there is.
fn all() -> Result<BTreeSet<String>> {
    let mut there = BTreeSet::new();
    for (what, key) in [("prog", "prog_id"), ("map", "map_id"), ("link", "link_id")] {
        let text = output(Command::new("bpftool").args(["--json", what, "list"]))?;
        let list: Value =
            serde_json::from_str(&text).with_context(|| format!("bpftool lists no {what}: {text}"))?;
        let ids = list.as_array().into_iter().flatten().filter_map(|object| object["id"].as_u64());
        there.extend(ids.map(|id| format!("{key}: {id}")));
    }
    Ok(there)
}
