//! The date that packed files have: that of the sources, so that packing them another day makes the same packages.

use std::env;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::step::output;
use crate::workspace;

/// Where the date comes from if the builder says it, and how it is passed on: seconds since 1970, by the convention of
/// <https://reproducible-builds.org/specs/source-date-epoch/>.
pub(crate) const VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// The date in seconds since 1970, and a sentence on where it comes from.
///
/// The builder's own if there is one, else that of the last commit; sources without history are packed as of now.
pub(super) fn find() -> Result<(u64, String)> {
    if let Some(told) = env::var_os(VARIABLE) {
        let told = told.to_string_lossy();
        let date = read(&told)
            .with_context(|| format!("{VARIABLE} is `{told}`, and has to be whole seconds since 1970"))?;
        return Ok((date, format!("{date}, by {VARIABLE}")));
    }
    if let Some(date) = of_last_commit() {
        return Ok((date, format!("{date}, of the last commit")));
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    let why = format!("now, since neither {VARIABLE} nor git says: packed again, other bytes");
    Ok((now.as_secs(), why))
}

/// When the last commit was made; `None` where there is no git, or no history.
pub(crate) fn of_last_commit() -> Option<u64> {
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"]).current_dir(workspace::root());
    read(&output(&mut git).ok()?)
}

fn read(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_whole_seconds() {
        assert_eq!(read("1764489600\n"), Some(1_764_489_600));
        for wrong in ["", "yesterday", "-1", "1.5"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
