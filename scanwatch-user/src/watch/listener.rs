//! Where it is listened: a TCP port, or a unix socket.

use std::fmt::Display;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net;
use std::os::unix;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net as unix_net;
use std::path::{Path, PathBuf};

use crate::kernel::may_write;
use crate::policy::{Endpoint, Listen};

/// Where `scanwatch top` looks first: the unit's run-time directory.
pub const DEFAULT_SOCKET: &str = "/run/scanwatch/api.sock";
/// Where it looks next.
pub const DEFAULT_TCP: &str = "127.0.0.1:9477";

/// Who may use a unix socket: the agent's user, and its group.
const SOCKET_MODE: u32 = 0o660;

/// A socket that is listened on. A unix socket is removed when this goes.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: Socket,
    /// Requests must name this machine by a number, or as localhost: names that others' name servers choose may lead here.
    pub(super) is_private: bool,
    pub(super) endpoint: Endpoint,
    pub(super) guard: Option<Guard>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(net::TcpListener),
    Unix(unix_net::UnixListener),
}

/// Removes the file of a socket.
#[derive(Debug)]
pub(super) struct Guard(PathBuf);

impl Drop for Guard {
    fn drop(&mut self) {
        // A file that is gone already is as good.
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens. Connections wait until somebody serves them.
    ///
    /// # Errors
    /// One sentence that says what is in the way, and what to do.
    pub fn bind(listen: &Listen) -> Result<Self, String> {
        let cannot = |error: &dyn Display, advice: &str| {
            format!("cannot listen on {}: {error}; {advice}", listen.endpoint)
        };
        let (socket, guard) = match &listen.endpoint {
            Endpoint::Tcp(address) => {
                let listener =
                    net::TcpListener::bind(address).map_err(|error| cannot(&error, tcp_advice(&error)))?;
                (Socket::Tcp(listener), None)
            }
            Endpoint::Unix(path) => {
                let listener = bind_unix(path, listen.group.as_deref())
                    .map_err(|(error, advice)| cannot(&error, &advice))?;
                (Socket::Unix(listener), Some(Guard(path.clone())))
            }
        };
        match &socket {
            Socket::Tcp(listener) => listener.set_nonblocking(true),
            Socket::Unix(listener) => listener.set_nonblocking(true),
        }
        .map_err(|error| cannot(&error, "this kernel is not supported"))?;
        let is_private = matches!(listen.endpoint, Endpoint::Tcp(_)) && !listen.expose;
        Ok(Self { socket, is_private, endpoint: listen.endpoint.clone(), guard })
    }

    /// Whether anything is in the way of [`Self::bind`], as far as it is found without listening: that a port is taken is not.
    ///
    /// # Errors
    /// What is in the way; and what to do.
    pub fn obstacle(listen: &Listen) -> Result<(), (String, String)> {
        match &listen.endpoint {
            // Whether the address is this machine's; the port is one that is free.
            Endpoint::Tcp(address) => net::UdpSocket::bind((address.ip(), 0))
                .map(drop)
                .map_err(|error| (error.to_string(), tcp_advice(&error).to_owned())),
            Endpoint::Unix(path) => {
                make_way(path)?;
                listen.group.as_deref().map(group_id).transpose()?;
                let folder = path.parent().unwrap_or(Path::new("/"));
                may_write(folder).map_err(|error| {
                    let why = format!("{}: {error}", folder.display());
                    (why, unix_advice(&error).to_owned())
                })
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

fn tcp_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "end what listens there, or choose another `address` in [listen]",
        ErrorKind::AddrNotAvailable => "choose an address of this machine",
        ErrorKind::PermissionDenied => "choose a port from 1024 on",
        _ => "choose another `address` in [listen]",
    }
}

fn unix_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "create the folder it lies in",
        ErrorKind::PermissionDenied => "let this user write to the folder it lies in",
        _ => "choose another `address` in [listen]",
    }
}

/// Why a unix socket cannot be listened on, and what to do.
type Refusal = (String, String);

/// Listens under another name first: at no time may others use the socket, and one that is there is replaced in one step.
fn bind_unix(path: &Path, group: Option<&str>) -> Result<unix_net::UnixListener, Refusal> {
    let refusal = |error: &io::Error, advice: &str| (error.to_string(), advice.to_owned());
    make_way(path)?;
    let group = group.map(group_id).transpose()?;
    let fresh = path.with_extension(format!("{}", std::process::id()));
    let guard = Guard(fresh.clone());
    let _ = fs::remove_file(&fresh);
    let listener =
        unix_net::UnixListener::bind(&fresh).map_err(|error| refusal(&error, unix_advice(&error)))?;
    if let Some(group) = group {
        unix::fs::chown(&fresh, None, Some(group)).map_err(|error| {
            refusal(&error, "let this user be a member of `group`, or leave `group` out of [listen]")
        })?;
    }
    fs::set_permissions(&fresh, Permissions::from_mode(SOCKET_MODE))
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|error| refusal(&error, "let this user write to the folder it lies in"))?;
    drop(guard);
    Ok(listener)
}

/// Makes sure that nobody listens there, and that nothing but a socket is replaced.
fn make_way(path: &Path) -> Result<(), Refusal> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err((
            "there is a file that is no socket".to_owned(),
            "remove it, or choose another `address` in [listen]".to_owned(),
        ));
    }
    match unix_net::UnixStream::connect(path) {
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(()),
        Err(error) => Err((error.to_string(), "choose another `address` in [listen]".to_owned())),
        Ok(_) => Err((
            "another agent listens there".to_owned(),
            "end that agent, or choose another `address` in [listen]".to_owned(),
        )),
    }
}

/// The number of a group: as it is, or from the table of groups (group(5)).
fn group_id(group: &str) -> Result<u32, Refusal> {
    const GROUPS: &str = "/etc/group";
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let table = fs::read_to_string(GROUPS)
        .map_err(|error| (format!("{GROUPS}: {error}"), "give the group by its number".to_owned()))?;
    let id = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() == Some(group) { fields.nth(1)?.parse().ok() } else { None }
    });
    id.ok_or_else(|| {
        let found = format!("{GROUPS} has no group `{group}`");
        (found, "create it, or give the group by its number".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn unix(folder: &Path, group: Option<&str>) -> Listen {
        let endpoint = Endpoint::Unix(folder.join("api.sock"));
        Listen { endpoint, group: group.map(str::to_owned), expose: false }
    }

    #[test]
    fn a_socket_is_for_its_user_and_group_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let own = fs::metadata(folder.path()).unwrap().gid().to_string();
        let listener = Listener::bind(&unix(folder.path(), Some(&own))).unwrap();
        let found: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(found, [folder.path().join("api.sock")]);
        assert_eq!(fs::metadata(&found[0]).unwrap().mode() & 0o777, 0o660);
        unix_net::UnixStream::connect(&found[0]).unwrap();
        drop(listener);
        assert!(!found[0].exists());
    }

    #[test]
    fn the_socket_of_a_dead_agent_is_replaced_and_that_of_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        drop(unix_net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "it was left behind");
        let live = Listener::bind(&unix(folder.path(), None)).unwrap();
        let error = Listener::bind(&unix(folder.path(), None)).unwrap_err();
        let expected = format!(
            "cannot listen on unix:{}: another agent listens there; end that agent, or choose another `address` in [listen]",
            path.display()
        );
        assert_eq!(error, expected);
        drop(live);
    }

    #[test]
    fn what_is_no_socket_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        fs::write(&path, "precious").unwrap();
        let error = Listener::bind(&unix(folder.path(), None)).unwrap_err();
        assert!(error.contains("there is a file that is no socket; remove it"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn what_is_in_the_way_is_said_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = Listener::bind(&unix(&folder.path().join("missing"), None)).unwrap_err();
        assert!(error.ends_with("create the folder it lies in"), "{error}");
        let error = Listener::bind(&unix(folder.path(), Some("no-such-group"))).unwrap_err();
        assert!(error.contains("/etc/group has no group `no-such-group`; create it"), "{error}");
        let taken = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(taken.local_addr().unwrap());
        let error = Listener::bind(&Listen { endpoint, group: None, expose: false }).unwrap_err();
        assert!(
            error.ends_with("end what listens there, or choose another `address` in [listen]"),
            "{error}"
        );
    }
}
