//! A file of messages.

use std::path::PathBuf;
use std::time::Duration;

/// A file, and when another takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlan {
    /// Where it is.
    pub path: PathBuf,
    /// Size at which it is rotated, bytes.
    pub rotate_bytes: u64,
    /// Age at which it is rotated, from its first message; `None` for never.
    pub rotate_age: Option<Duration>,
    /// Rotated files that are kept: `path.1` is the youngest.
    pub keep: u32,
}
