//! One scanwatch an interface: two would each tell of every scan.
//!
//! Who watches an interface holds a unix socket of its number (unix(7), abstract names). Such names are of a network
//! namespace, as interfaces are, and go with their process, however it ends. Whoever comes second asks the kernel whose it
//! is.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use tokio::net::UnixStream;

use super::disk::user;
use super::error::KernelError;

/// Keeps an interface to this process; dropping it lets others have it.
#[derive(Debug)]
pub struct Claim {
    _name: UnixListener,
}

impl Claim {
    /// Claims the interface with this index; `None` where a stranger holds the name, which is said and keeps nobody from
    /// watching.
    ///
    /// # Errors
    /// The interface is watched by another scanwatch of root's, or of this user's; or there is no socket to be had.
    pub async fn on(interface: &str, index: u32) -> Result<Option<Self>, KernelError> {
        let name = name_of(index);
        let address = SocketAddr::from_abstract_name(&name);
        match address.and_then(|address| UnixListener::bind_addr(&address)) {
            Ok(listener) => Ok(Some(Self { _name: listener })),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let holder = Holder::of(&name).await;
                if let Ok(holder) = &holder
                    && holder.is_believed()
                {
                    let interface = interface.to_owned();
                    return Err(KernelError::Watched { interface, holder: holder.to_string() });
                }
                let who = holder.map_or_else(|error| format!("({error})"), |holder| holder.to_string());
                tracing::warn!(
                    "{interface}: another scanwatch would not be noticed: the name @{name} is held by {who}, who is neither \
                     root nor this user"
                );
                Ok(None)
            }
            Err(error) => Err(KernelError::of("claim an interface", &error)),
        }
    }
}

fn name_of(index: u32) -> String {
    format!("scanwatch/interface/{index}")
}

/// Who holds a name.
#[derive(Clone, Copy, Debug)]
struct Holder {
    process: Option<i32>,
    user: u32,
}

impl Holder {
    async fn of(name: &str) -> io::Result<Self> {
        let stream = UnixStream::connect(format!("\0{name}")).await?;
        let peer = stream.peer_cred()?;
        // 0 is a process of a namespace that does not show here.
        Ok(Self { process: peer.pid().filter(|pid| *pid != 0), user: peer.uid() })
    }

    /// Anybody on this host may take a name that is free: by that alone nobody keeps scanwatch from watching.
    fn is_believed(self) -> bool {
        self.user == 0 || self.user == user()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(process) = self.process else { return write!(f, "a process of user {}", self.user) };
        let command = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        write!(f, "process {process} ({})", command.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No interface has so high a number.
    const INDEX: u32 = u32::MAX;

    #[tokio::test]
    async fn an_interface_is_one_agents_as_long_as_that_lives_and_the_second_is_told_whose() {
        let first = Claim::on("office", INDEX).await.unwrap();
        assert!(first.is_some());
        let error = Claim::on("office", INDEX).await.unwrap_err().to_string();
        let told = format!("office is watched already, by process {} (", std::process::id());
        assert!(error.starts_with(&told), "{error}");
        assert!(Claim::on("servers", INDEX - 1).await.unwrap().is_some());
        drop(first);
        assert!(Claim::on("office", INDEX).await.unwrap().is_some());
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert!(Holder { process: None, user: 0 }.is_believed());
        assert!(!Holder { process: Some(1), user: u32::MAX - 7 }.is_believed());
    }
}
