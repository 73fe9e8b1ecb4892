//! Where the agent answers questions about itself.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longest path of a unix socket, bytes: `sun_path` less its terminating zero (unix(7)).
const PATH_BYTES_MAX: usize = 107;
/// How an address that is a path begins.
const UNIX: &str = "unix:";

/// An address one can connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// By TCP.
    Tcp(SocketAddr),
    /// By a unix socket at an absolute path.
    Unix(PathBuf),
}

impl Endpoint {
    /// What an address looks like, for whoever wrote another.
    pub const WANTED: &'static str = "an address and a port such as \"127.0.0.1:9477\", or a socket such as \"unix:/run/scanwatch/api.sock\"";

    /// True where other machines may reach it.
    #[must_use]
    pub const fn is_exposed(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    /// Names of hosts are not looked up: what is listened on must not depend on a name server.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("expected {}", Self::WANTED);
        if let Some(path) = text.strip_prefix(UNIX) {
            let path = Path::new(path);
            let bytes = path.as_os_str().as_bytes();
            let fits = bytes.len() <= PATH_BYTES_MAX && !bytes.contains(&0);
            let is_file = path.is_absolute() && path.file_name().is_some();
            return if fits && is_file { Ok(Self::Unix(path.to_owned())) } else { Err(wanted()) };
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok(Self::Tcp(address)),
            _ => Err(wanted()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// Where the agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub endpoint: Endpoint,
    /// The group that may use a unix socket, beside the agent's user: a name, or a number.
    pub group: Option<String>,
    /// Other machines may ask, and by any name of this one.
    pub expose: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_shown() {
        for text in ["127.0.0.1:9477", "[::1]:9477", "0.0.0.0:80", "unix:/run/scanwatch/api.sock"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused() {
        let long = format!("unix:/{}", "a".repeat(PATH_BYTES_MAX));
        for text in
            ["", "9477", "localhost:9477", "127.0.0.1", "127.0.0.1:0", "::1:9477", "unix:", "unix:api", &long]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_loopback_and_sockets_are_this_machine_alone() {
        let is_exposed = |text: &str| text.parse::<Endpoint>().unwrap().is_exposed();
        assert!(["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:/a"].iter().all(|text| !is_exposed(text)));
        assert!(["0.0.0.0:1", "[::]:1", "10.1.0.1:1", "[fe80::1]:1"].iter().all(|text| is_exposed(text)));
    }
}
