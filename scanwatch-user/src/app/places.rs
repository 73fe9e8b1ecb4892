//! Which files a running agent has to do with.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use crate::kernel::{Access, Place};
use crate::policy::{Endpoint, FilePlan, Policy, TransportPlan};

/// What is read on every system: what the kernel tells; how names are looked up, the libraries that do so, and where other
/// programs put it; the authorities that the system trusts.
const OF_THE_SYSTEM: [&str; 14] = [
    "/proc",
    "/sys",
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/connman",
    "/run/netconfig",
    "/var/lib/ca-certificates",
    "/nix/store",
    "/gnu/store",
];

/// Variables that name other authorities: a file, and folders.
const AUTHORITIES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// What systemd says of a unit's folders for logs (systemd.exec(5)).
const LOGS: &str = "LOGS_DIRECTORY";

/// Places, and what may be done there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places(BTreeSet<Place>);

impl Places {
    /// Those of a policy: the folder of its configuration, which editors put anew into its place; the state directory; what
    /// sinks and the listener take; and the unit's folders for logs, where sinks may come later.
    pub(super) fn of(policy: &Policy, config: Option<&Path>, state: Option<&Path>) -> Self {
        let mut places = Self::default();
        if let Some(config) = config {
            places.read(config);
        }
        if let Some(state) = state {
            places.add(real(state), Access::Change);
        }
        for folder in paths_in(LOGS) {
            places.add(real(&folder), Access::Change);
        }
        for sink in &policy.sinks {
            for file in sink.transport.files_read() {
                places.read(file);
            }
            if let TransportPlan::File(plan) = &sink.transport {
                places.written(plan);
            }
        }
        if let Some(Endpoint::Unix(socket)) = policy.listen.as_ref().map(|listen| &listen.endpoint) {
            places.add(folder(socket), Access::Remove);
        }
        places
    }

    /// All of them, with those of every system that are there.
    pub(super) fn with_the_systems(&self) -> Vec<Place> {
        let named = AUTHORITIES.into_iter().flat_map(paths_in);
        let system = OF_THE_SYSTEM.iter().map(PathBuf::from).chain(named);
        let system = system.filter(|path| path.exists()).map(|path| Place::new(path, Access::Read));
        self.0.iter().cloned().chain(system).collect()
    }

    /// The first place of `wanted` that is not among these, nor in a folder that is.
    pub(super) fn first_beyond<'a>(&self, wanted: &'a Self) -> Option<&'a Path> {
        let holds = |place: &Place, wanted: &Place| {
            wanted.path.starts_with(&place.path)
                && (place.access == wanted.access || place.access == Access::Change)
        };
        let all = self.with_the_systems();
        let beyond = wanted.0.iter().find(|wanted| !all.iter().any(|place| holds(place, wanted)));
        beyond.map(|place| place.path.as_path())
    }

    /// A file that may be replaced by another of its name, and what it leads to.
    fn read(&mut self, file: &Path) {
        let target = file.canonicalize().ok();
        for path in [Some(file), target.as_deref()].into_iter().flatten() {
            let folder = folder(path);
            // Who lets a file at the root be read lets not everything be.
            let path = if folder.parent().is_none() { path.to_owned() } else { folder };
            self.add(path, Access::Read);
        }
    }

    fn written(&mut self, plan: &FilePlan) {
        // A device, or a pipe, is no file to be rotated.
        let is_special = plan.path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
        if is_special {
            self.add(plan.path.clone(), Access::Write);
        } else {
            self.add(folder(&plan.path), Access::Change);
        }
    }

    fn add(&mut self, path: PathBuf, access: Access) {
        self.0.insert(Place { path, access });
    }
}

/// The paths that an environment variable holds, separated by colons.
fn paths_in(variable: &str) -> Vec<PathBuf> {
    let paths = env::var_os(variable).unwrap_or_default();
    env::split_paths(&paths).filter(|path| path.is_absolute()).collect()
}

/// The folder in which a file lies, without links.
fn folder(file: &Path) -> PathBuf {
    let named = env::current_dir().unwrap_or_default().join(file);
    real(named.parent().unwrap_or(Path::new("/")))
}

/// A path without links, as far as it can be followed.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config;

    fn policy(text: &str) -> Policy {
        config::parse(text, "office.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn file_sink(path: &Path) -> String {
        format!("[[sink]]\nname = \"a\"\ntype = \"file\"\npath = \"{}\"\n", path.display())
    }

    #[test]
    fn a_policy_names_its_folders_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["etc", "log", "state", "keys", "certs"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        fs::write(root.join("certs/ca.pem"), "").unwrap();
        symlink(root.join("certs/ca.pem"), root.join("keys/ca.pem")).unwrap();
        let text = format!(
            "{}[[sink]]\nname = \"b\"\ntype = \"syslog\"\naddress = \"tls://a:6514\"\nca_file = \"{}\"\n\
             [listen]\naddress = \"unix:{}\"\n",
            file_sink(&root.join("log/alerts.json")),
            root.join("keys/ca.pem").display(),
            root.join("state/api.sock").display(),
        );
        let places = Places::of(&policy(&text), Some(&root.join("etc/a.toml")), Some(&root.join("state")));
        let expected = [
            ("certs", Access::Read),
            ("etc", Access::Read),
            ("keys", Access::Read),
            ("log", Access::Change),
            ("state", Access::Remove),
            ("state", Access::Change),
        ];
        let expected = expected.map(|(name, access)| Place::new(root.join(name), access));
        assert_eq!(places.0.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_lies_in_a_folder_that_was_named_is_within_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["log", "log/more", "other"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let places = |path: &str| Places::of(&policy(&file_sink(&root.join(path))), None, None);
        let at_start = places("log/alerts.json");
        assert_eq!(at_start.first_beyond(&places("log/others.json")), None);
        assert_eq!(at_start.first_beyond(&places("log/more/others.json")), None);
        assert_eq!(at_start.first_beyond(&places("other/alerts.json")), Some(root.join("other").as_path()));
        // To read is not to write.
        assert_eq!(at_start.first_beyond(&places("/etc/alerts.json")), Some(Path::new("/etc")));
        let secret = "[[sink]]\nname = \"a\"\ntype = \"http\"\ndialect = \"splunk_hec\"\nurl = \"https://a\"\n\
                      token_file = \"/etc/secret\"\n";
        assert_eq!(at_start.first_beyond(&Places::of(&policy(secret), None, None)), None);
    }

    #[test]
    fn a_device_is_written_and_its_folder_is_not() {
        let places = Places::of(&policy(&file_sink(Path::new("/dev/full"))), None, None);
        assert_eq!(places.0.into_iter().collect::<Vec<_>>(), [Place::new("/dev/full", Access::Write)]);
    }

    #[test]
    fn a_file_at_the_root_does_not_open_all_others() {
        let places = Places::of(&policy(""), Some(Path::new("/office.toml")), None);
        assert_eq!(places.0.into_iter().collect::<Vec<_>>(), [Place::new("/office.toml", Access::Read)]);
    }
}
