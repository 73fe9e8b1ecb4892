//! Syslog as RFC 5424 has it, over UDP (RFC 5426), TCP (RFC 6587), TLS (RFC 5425) and sockets in the file system.
//!
//! Syslog has no answers. What can be known is asked of the kernel: on a stream, a message counts as taken once the
//! receiver's kernel has acknowledged its last byte and the connection still stood a moment later. What the receiver had
//! not read, or not written down, when it was killed after that moment is lost.

mod datagrams;
mod message;
mod stream;
#[cfg(test)]
mod tests;

use std::future::ready;
use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::{BatchMax, Outage, Receipt, Transport, tls};
use crate::kernel::is_other_kind;
use crate::policy::{HostPort, SyslogAddress, SyslogPlan, TlsPlan};
use crate::sink::{Envelope, Observer};
use datagrams::Datagrams;
use message::Head;
use stream::{Stream, Trust};

/// Time in which a connection stands, with all handshakes.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A syslog receiver.
#[derive(Debug)]
pub struct Syslog {
    plan: SyslogPlan,
    head: Head,
    way: Option<Way>,
}

/// An open way.
#[derive(Debug)]
enum Way {
    Datagrams(Datagrams),
    Stream(Stream),
}

/// Says whether certificates can be used.
pub fn check(plan: &SyslogPlan) -> Result<(), String> {
    match &plan.address {
        SyslogAddress::Tls(address, plan) => trust(address, plan).map(drop),
        _ => Ok(()),
    }
}

/// What a TLS handshake with a receiver needs.
fn trust(address: &HostPort, plan: &TlsPlan) -> Result<Trust, String> {
    Ok(Trust { config: tls::client_config(plan)?, name: tls::server_name(&address.host)? })
}

impl Syslog {
    /// A receiver, not connected yet.
    #[must_use]
    pub fn new(plan: SyslogPlan) -> Self {
        let head = Head::new(&plan, Observer::local().ok().as_ref());
        Self { plan, head, way: None }
    }

    async fn connect(&self) -> Result<Way, Outage> {
        // Read at every connection: a certificate may have been renewed.
        let trust = match &self.plan.address {
            SyslogAddress::Tls(address, plan) => Some(trust(address, plan).map_err(Outage::new)?),
            _ => None,
        };
        let connecting = async {
            match &self.plan.address {
                SyslogAddress::Udp(address) => Datagrams::udp(address).await.map(Way::Datagrams),
                SyslogAddress::Tcp(address) | SyslogAddress::Tls(address, _) => {
                    Stream::network(address, trust).await.map(Way::Stream)
                }
                SyslogAddress::Unix(path) => match Datagrams::unix(path) {
                    Err(error) if is_other_kind(&error) => Stream::unix(path).await.map(Way::Stream),
                    datagrams => datagrams.map(Way::Datagrams),
                },
            }
        };
        match timeout(CONNECT_MAX, connecting).await {
            Ok(connected) => connected.map_err(|error| self.unreachable(&error)),
            Err(_) => Err(self.unreachable(&io::ErrorKind::TimedOut.into())),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Outage {
        let address = &self.plan.address;
        let closed = matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset);
        if closed && matches!(address, SyslogAddress::Tls(..)) {
            return Outage::new(format!(
                "{address} closed the connection when TLS began; it may ask for a client certificate that it trusts, by \
                 `certificate_file` and `key_file`; see its log"
            ));
        }
        Outage::new(match tls::explain(error) {
            Some(why) => format!("{address} cannot be used: {why}"),
            None => {
                format!("{address} cannot be reached ({error}); start the receiver, or correct `address`")
            }
        })
    }

    fn broken(&self, error: &io::Error) -> Outage {
        let address = &self.plan.address;
        Outage::new(match tls::explain(error) {
            Some(why) => format!("{address} broke off: {why}"),
            None => format!("{address} broke off before all had arrived ({error}); see the receiver's log"),
        })
    }

    async fn send(&mut self, batch: &[Envelope]) -> Receipt {
        // Taken out: a way on which something went wrong, or that was left in the middle, is not used again.
        if let Some(way) = self.way.take()
            && let Ok(receipt) = self.send_by(way, batch).await
        {
            return receipt;
        }
        // A receiver that was started anew while there was nothing to say is no outage.
        let sent = match self.connect().await {
            Ok(way) => self.send_by(way, batch).await.map_err(|error| self.broken(&error)),
            Err(outage) => Err(outage),
        };
        sent.unwrap_or_else(|outage| Receipt::interrupted(0, outage))
    }

    /// Sends a batch, and keeps the way where that went well.
    async fn send_by(&mut self, mut way: Way, batch: &[Envelope]) -> io::Result<Receipt> {
        let receipt = match &mut way {
            Way::Datagrams(datagrams) => datagrams.send(&self.head, batch).await?,
            Way::Stream(stream) => stream.send(&self.head, batch).await?,
        };
        self.way = Some(way);
        Ok(receipt)
    }
}

impl Transport for Syslog {
    fn batch_max(&self) -> BatchMax {
        match &self.plan.address {
            // As many as a receiver's buffer holds at once, where nothing tells the sender that it is full.
            SyslogAddress::Udp(_) => {
                BatchMax { messages: 16, bytes: 64 << 10, timeout: Duration::from_secs(30) }
            }
            _ => BatchMax { messages: 256, bytes: 1 << 20, timeout: Duration::from_secs(30) },
        }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        Box::pin(async {
            let address = &self.plan.address;
            Ok(match self.connect().await? {
                Way::Datagrams(_) if matches!(address, SyslogAddress::Udp(_)) => {
                    format!("{address} can be sent to; UDP does not tell whether anybody takes it")
                }
                Way::Datagrams(_) => format!("{address} takes datagrams"),
                Way::Stream(mut stream) => {
                    stream.close().await;
                    format!("{address} is connected")
                }
            })
        })
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        Box::pin(self.send(batch))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        match self.way.take() {
            Some(Way::Stream(mut stream)) => Box::pin(async move { stream.close().await }),
            _ => Box::pin(ready(())),
        }
    }
}
