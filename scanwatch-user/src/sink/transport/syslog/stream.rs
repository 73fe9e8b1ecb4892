//! Messages as frames on a stream.

use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::message::Head;
use crate::kernel::bytes_underway;
use crate::policy::HostPort;
use crate::sink::Envelope;
use crate::sink::transport::{Fate, Receipt};

/// How long a stream must still stand once all has arrived: a receiver that is killed with messages in its buffer takes
/// the connection with it.
const STANDS: Duration = Duration::from_millis(250);

/// Time for a receiver to say what it thinks of our certificate; in TLS 1.3 it does so after the handshake.
const VERDICT_MAX: Duration = Duration::from_secs(1);

/// Time in which a good-bye is said.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Shortest and longest time between two looks at what has arrived.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Bytes of a stream, with TLS or without.
trait Channel: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Channel for T {}

/// A connected stream.
pub(super) struct Stream {
    channel: Box<dyn Channel>,
    /// The same socket, to ask the kernel about.
    socket: OwnedFd,
}

/// What TLS needs to know of a receiver.
pub(super) struct Trust {
    pub config: Arc<ClientConfig>,
    pub name: ServerName<'static>,
}

/// What comes from a receiver.
enum Heard {
    Nothing,
    /// Bytes, which mean nothing: syslog has no answers.
    Noise,
    Closed,
}

impl Stream {
    pub async fn network(to: &HostPort, trust: Option<Trust>) -> io::Result<Self> {
        let stream = TcpStream::connect((to.host.as_str(), to.port)).await?;
        let socket = stream.as_fd().try_clone_to_owned()?;
        let channel: Box<dyn Channel> = match trust {
            None => Box::new(stream),
            Some(trust) => {
                let mut stream = TlsConnector::from(trust.config).connect(trust.name, stream).await?;
                accepted(&mut stream).await?;
                Box::new(stream)
            }
        };
        Ok(Self { channel, socket })
    }

    pub async fn unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path).await?;
        let socket = stream.as_fd().try_clone_to_owned()?;
        Ok(Self { channel: Box::new(stream), socket })
    }

    /// Sends a batch, and waits until all of it has arrived and the stream still stands.
    pub async fn send(&mut self, head: &Head, batch: &[Envelope]) -> io::Result<Receipt> {
        let mut frames = Vec::with_capacity(batch.iter().map(|envelope| envelope.payload.len() + 128).sum());
        let fates = batch.iter().map(|envelope| {
            if head.frame(envelope, &mut frames) {
                Fate::Taken
            } else {
                Fate::Refused("it has more than one line; set framing = \"octet_counting\"".to_owned())
            }
        });
        let receipt = Receipt { fates: fates.collect(), outage: None };
        let written = match self.channel.write_all(&frames).await {
            Ok(()) => self.channel.flush().await,
            error => error,
        };
        if let Err(error) = written {
            // Why may have been said before the stream was closed.
            return Err(self.hear(LOOK.1).await.err().unwrap_or(error));
        }
        self.arrived().await?;
        let until = Instant::now() + STANDS;
        while Instant::now() < until {
            self.stands(until - Instant::now()).await?;
        }
        Ok(receipt)
    }

    async fn arrived(&mut self) -> io::Result<()> {
        let (mut look, longest) = LOOK;
        while bytes_underway(self.socket.as_fd())? > 0 {
            self.stands(look).await?;
            look = longest.min(look * 2);
        }
        Ok(())
    }

    /// Waits that long, or as long as the receiver has nothing to say; an error where it has gone away.
    async fn stands(&mut self, time: Duration) -> io::Result<()> {
        match self.hear(time).await? {
            Heard::Nothing | Heard::Noise => Ok(()),
            Heard::Closed => {
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it closed the connection"))
            }
        }
    }

    async fn hear(&mut self, time: Duration) -> io::Result<Heard> {
        let mut scrap = [0; 256];
        match timeout(time, self.channel.read(&mut scrap)).await {
            Err(_) => Ok(Heard::Nothing),
            Ok(Ok(0)) => Ok(Heard::Closed),
            Ok(Ok(_)) => Ok(Heard::Noise),
            Ok(Err(error)) => Err(error),
        }
    }

    /// Ends the stream as its protocol asks for; TLS says `close_notify`.
    pub async fn close(&mut self) {
        // Whoever does not hear it has gone away already.
        let _ = timeout(CLOSE_MAX, self.channel.shutdown()).await;
    }
}

/// Waits until the receiver has accepted our certificate, or found that it needs none.
async fn accepted(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let verdict_comes_later = stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let until = Instant::now() + VERDICT_MAX;
    let mut scrap = [0; 256];
    // Tickets are sent once the handshake is complete on the other side, too; not everybody sends them.
    while verdict_comes_later && stream.get_ref().1.tls13_tickets_received() == 0 && Instant::now() < until {
        match timeout(LOOK.0, stream.read(&mut scrap)).await {
            Ok(Ok(0)) => return Err(io::ErrorKind::ConnectionReset.into()),
            Ok(Ok(_)) | Err(_) => {}
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(())
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("socket", &self.socket).finish_non_exhaustive()
    }
}
