//! HTTP over TLS, with an authority of one's own.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::serve::Listener;
use scanwatch::sink::transport::{self, Fate};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::certified;
use crate::receiver::{Configured, Receiver, Reply, documents};

/// Connections whose handshake succeeded.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// An authority, and a receiver on 127.0.0.1 that it certified as `name`.
async fn start(folder: &TempDir, name: &str) -> (PathBuf, Receiver) {
    let (authority, config) = certified(name);
    let file = folder.path().join(format!("{name}.pem"));
    std::fs::write(&file, authority).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = Tls { listener, acceptor: TlsAcceptor::from(config) };
    (file, Receiver::on(listener, address, |_| Reply::new(200, "text/plain", "ok")))
}

fn sink(receiver: &Receiver, more: &str) -> Configured {
    Configured::new(&format!(
        "type = \"http\"\ndialect = \"webhook\"\nurl = \"https://{}\"\ntoken_file = \"SECRET_FILE\"\n{more}",
        receiver.address
    ))
}

#[tokio::test]
async fn a_receiver_is_trusted_by_its_authority_and_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, receiver) = start(&folder, "127.0.0.1").await;
    let (other_ca, other) = start(&folder, "siem.example").await;
    let (ca, other_ca) = (ca.display(), other_ca.display());

    let receipt = sink(&receiver, &format!("ca_file = \"{ca}\"\n")).deliver(&documents(2)).await;
    assert_eq!((receipt.fates, receipt.outage), (vec![Fate::Taken; 2], None));
    let named = format!("ca_file = \"{other_ca}\"\nserver_name = \"siem.example\"\n");
    assert_eq!(sink(&other, &named).deliver(&documents(2)).await.fates, vec![Fate::Taken; 2]);

    let why = sink(&receiver, &format!("ca_file = \"{other_ca}\"\n"))
        .deliver(&documents(1))
        .await
        .outage
        .unwrap()
        .why;
    assert!(
        why.contains(
            "comes from an authority we do not trust; give that authority's certificate as `ca_file`"
        ),
        "{why}"
    );
    let why =
        sink(&other, &format!("ca_file = \"{other_ca}\"\n")).deliver(&documents(1)).await.outage.unwrap().why;
    assert!(why.contains("the receiver's certificate holds"), "{why}");
    assert_eq!(
        receiver.asked().len() + other.asked().len(),
        4,
        "a token is shown to nobody who is not trusted"
    );
}

#[tokio::test]
async fn certificates_are_checked_without_connecting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = Receiver::on(listener, address, |_| Reply::new(200, "text/plain", "ok"));
    let sink = sink(&receiver, &format!("ca_file = \"{}\"\n", file.display()));
    assert!(transport::check(&sink.plan).unwrap_err().contains("ca.pem"));
    std::fs::write(&file, "no certificate").unwrap();
    assert!(transport::check(&sink.plan).unwrap_err().contains("ca.pem"));
    assert!(receiver.asked().is_empty());
}
