//! What outlives the process: a directory of this agent's own.
//!
//! It holds what the engine remembers, in `incidents.json` and `memory.json`, the key of the hashes, in `hash-key`, and
//! the spools of the sinks, in `spool/`, each in a folder of its name. Two agents never share one.

mod directory;
mod file;
pub mod key;
mod memory;

pub use directory::{LOCK, StateDirectory, StateError, in_use_by};
pub use memory::Memory;

use std::env;
use std::path::{Path, PathBuf};

use crate::policy::Policy;

/// Where state is kept if nobody says where and there are sinks, which need a spool.
pub const DEFAULT_DIRECTORY: &str = "/var/lib/scanwatch";

/// The folder of a state directory that holds a folder for each sink's spool.
#[must_use]
pub fn spools(directory: &Path) -> PathBuf {
    directory.join("spool")
}

/// What systemd says of a unit's state directories (systemd.exec(5)): several are separated by colons.
const VARIABLE: &str = "STATE_DIRECTORY";

/// Where state is to be kept: as configured; else the first directory the service manager made for this unit; else
/// [`DEFAULT_DIRECTORY`] where there are sinks. `None` where nothing outlives the process.
#[must_use]
pub fn wanted(policy: &Policy) -> Option<PathBuf> {
    choose(policy, env::var_os(VARIABLE).map(PathBuf::from))
}

fn choose(policy: &Policy, variable: Option<PathBuf>) -> Option<PathBuf> {
    let given = || {
        let list = variable?;
        env::split_paths(&list).find(|path| !path.as_os_str().is_empty())
    };
    let default = || (!policy.sinks.is_empty()).then(|| PathBuf::from(DEFAULT_DIRECTORY));
    policy.state_directory.clone().or_else(given).or_else(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn state_is_kept_where_configured_else_where_the_service_manager_says() {
        let path = |text: &str| Some(PathBuf::from(text));
        let mut policy = Policy::default();
        assert_eq!(choose(&policy, None), None);
        assert_eq!(choose(&policy, path("")), None);
        assert_eq!(choose(&policy, path("/var/lib/a:/var/lib/b")), path("/var/lib/a"));
        policy.state_directory = path("/srv/scanwatch");
        assert_eq!(choose(&policy, path("/var/lib/a")), path("/srv/scanwatch"));
    }

    #[test]
    fn sinks_have_a_state_directory_in_any_case() {
        let text = "[[sink]]\nname = \"a\"\ntype = \"file\"\npath = \"/var/log/a\"\n";
        let policy = config::parse(text, "a.toml").unwrap();
        assert_eq!(choose(&policy, None), Some(PathBuf::from(DEFAULT_DIRECTORY)));
    }
}
