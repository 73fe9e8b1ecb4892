//! A datagram a message.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UdpSocket, UnixDatagram, lookup_host};
use tokio::time::{sleep, timeout};

use super::message::Head;
use crate::kernel::{bytes_underway, is_too_large};
use crate::policy::HostPort;
use crate::sink::Envelope;
use crate::sink::transport::{Fate, Receipt};

/// Payload of the largest UDP datagram over IPv4 (RFC 5426, section 3.2): what must reach any receiver.
const UDP_BYTES_MAX: usize = 65_507;

/// Time for a host to say that nobody listens, and for a receiver to empty its buffer.
const UDP_PAUSE: Duration = Duration::from_millis(20);

/// Time between two looks at whether a Unix socket was emptied.
const UNIX_PAUSE: Duration = Duration::from_millis(5);

/// A connected socket.
#[derive(Debug)]
pub(super) enum Datagrams {
    Udp(UdpSocket),
    Unix(UnixDatagram, PathBuf),
}

impl Datagrams {
    pub async fn udp(to: &HostPort) -> io::Result<Self> {
        let mut failed = None;
        for address in lookup_host((to.host.as_str(), to.port)).await? {
            let any: SocketAddr = match address {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(any).await;
            let connected = match socket {
                Ok(socket) => socket.connect(address).await.map(|()| socket),
                Err(error) => Err(error),
            };
            match connected {
                Ok(socket) => return Ok(Self::Udp(socket)),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other("its name has no address")))
    }

    pub fn unix(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self::Unix(socket, path.to_owned()))
    }

    /// Sends a batch; an error concerns all of it.
    pub async fn send(&self, head: &Head, batch: &[Envelope]) -> io::Result<Receipt> {
        let mut fates = Vec::with_capacity(batch.len());
        for envelope in batch {
            fates.push(self.send_one(&head.message(envelope)).await?);
        }
        match self {
            Self::Udp(socket) => heard_nothing(socket).await?,
            Self::Unix(socket, path) => {
                while bytes_underway(socket.as_fd())? > 0 {
                    sleep(UNIX_PAUSE).await;
                }
                // A socket is emptied, too, when its reader ends.
                Self::unix(path)?;
            }
        }
        Ok(Receipt { fates, outage: None })
    }

    async fn send_one(&self, message: &[u8]) -> io::Result<Fate> {
        let too_large = || {
            Ok(Fate::Refused(format!(
                "its {} bytes are more than a datagram holds; send large messages by tcp:// or tls://",
                message.len()
            )))
        };
        let sent = match self {
            Self::Udp(_) if message.len() > UDP_BYTES_MAX => return too_large(),
            Self::Udp(socket) => socket.send(message).await,
            Self::Unix(socket, _) => socket.send(message).await,
        };
        match sent {
            Ok(_) => Ok(Fate::Taken),
            Err(error) if is_too_large(&error) => too_large(),
            Err(error) => Err(error),
        }
    }
}

/// Waits for what ICMP has to say to what was sent.
async fn heard_nothing(socket: &UdpSocket) -> io::Result<()> {
    let mut scrap = [0; 64];
    match timeout(UDP_PAUSE, socket.recv(&mut scrap)).await {
        Ok(Err(error)) => Err(error),
        // Syslog has no answers; if one comes, it means nothing.
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}
