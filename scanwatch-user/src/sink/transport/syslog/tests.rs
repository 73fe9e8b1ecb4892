//! Syslog towards receivers in the test itself: what goes over the wire byte by byte, and what becomes of messages when
//! the receiver misbehaves.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::message::Head;
use super::{Syslog, check};
use crate::engine::{Severity, Timestamp};
use crate::policy::{ClientCertificate, Facility, Framing, HostPort, SyslogAddress, SyslogPlan, TlsPlan};
use crate::sink::transport::tls::authority::Authority;
use crate::sink::transport::{Fate, Receipt, Transport as _};
use crate::sink::{Envelope, Observer};

/// 3 January 2028, 00:00:05.0001 UTC.
const AT: Timestamp = Timestamp::from_ns(1_830_470_405_000_100_000);

fn plan(address: SyslogAddress) -> SyslogPlan {
    SyslogPlan {
        address,
        framing: Framing::default(),
        facility: Facility::default(),
        app_name: "scanwatch".to_owned(),
    }
}

fn host_port(address: SocketAddr) -> HostPort {
    HostPort { host: address.ip().to_string(), port: address.port() }
}

fn envelope(number: usize, payload: impl Into<Vec<u8>>) -> Envelope {
    Envelope {
        id: format!("message-{number}"),
        key: "incident".to_owned(),
        at: AT,
        severity: Severity::High,
        payload: payload.into().into(),
    }
}

fn batch(numbers: std::ops::Range<usize>) -> Vec<Envelope> {
    numbers
        .map(|number| envelope(number, format!("{{\"number\":{number},\"zone\":\"Büro 東京\"}}")))
        .collect()
}

/// The messages in frames of octet counting, without what comes before their payload.
fn payloads(mut frames: &[u8]) -> Vec<String> {
    let mut payloads = Vec::new();
    while !frames.is_empty() {
        let space = frames.iter().position(|byte| *byte == b' ').expect("a length and a space");
        let length: usize = std::str::from_utf8(&frames[..space]).unwrap().parse().unwrap();
        let (message, rest) = frames[space + 1..].split_at(length);
        payloads.push(payload(message));
        frames = rest;
    }
    payloads
}

fn payload(message: &[u8]) -> String {
    let text = std::str::from_utf8(message).unwrap();
    assert!(text.starts_with("<131>1 2028-01-03T00:00:05.000100Z "), "{text}");
    let (_, payload) = text.split_once(" scanwatch ").unwrap();
    let (_, payload) = payload.split_once(" - - ").unwrap();
    assert!(!payload.starts_with('\u{feff}'));
    payload.to_owned()
}

fn sent(batch: &[Envelope]) -> Vec<String> {
    batch.iter().map(|envelope| String::from_utf8(envelope.payload.to_vec()).unwrap()).collect()
}

fn why(receipt: &Receipt) -> &str {
    &receipt.outage.as_ref().expect("an outage").why
}

async fn all(mut stream: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

async fn tcp() -> (TcpListener, Syslog) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let syslog = Syslog::new(plan(SyslogAddress::Tcp(host_port(listener.local_addr().unwrap()))));
    (listener, syslog)
}

/// A TLS receiver of one connection: what it read, or why it could not.
async fn tls(config: Arc<ServerConfig>) -> (HostPort, JoinHandle<std::io::Result<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = host_port(listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        // An end without close_notify is an error here.
        all(TlsAcceptor::from(config).accept(stream).await?).await
    });
    (address, served)
}

fn over_tls(address: HostPort, ours: &Authority, client: Option<&Authority>) -> Syslog {
    let client = client.map(|theirs| {
        let (certificate_file, key_file) = theirs.certify("client.example");
        ClientCertificate { certificate_file, key_file }
    });
    let tls = TlsPlan { ca_file: Some(ours.ca_file()), client, server_name: None };
    Syslog::new(plan(SyslogAddress::Tls(address, tls)))
}

#[test]
fn a_message_is_written_as_rfc_5424_has_it() {
    let gateway = Observer::on("gw1.example");
    let plan = plan(SyslogAddress::Unix("/dev/log".into()));
    let head = Head::new(&plan, Some(&gateway));
    let process = std::process::id();
    let message = String::from_utf8(head.message(&envelope(1, "Büro"))).unwrap();
    assert_eq!(
        message,
        format!("<131>1 2028-01-03T00:00:05.000100Z gw1.example scanwatch {process} - - Büro")
    );

    let mut frame = Vec::new();
    assert!(head.frame(&envelope(1, "Büro"), &mut frame));
    assert_eq!(String::from_utf8(frame).unwrap(), format!("{} {message}", message.len()));

    let priorities = [
        (Severity::Critical, "<130>1 "),
        (Severity::High, "<131>1 "),
        (Severity::Medium, "<132>1 "),
        (Severity::Low, "<133>1 "),
    ];
    for (severity, begin) in priorities {
        let message = head.message(&Envelope { severity, ..envelope(1, "") });
        assert!(message.starts_with(begin.as_bytes()), "{severity:?}");
    }
}

#[test]
fn a_host_name_that_rfc_5424_cannot_hold_is_left_out() {
    let plan = plan(SyslogAddress::Unix("/dev/log".into()));
    for name in ["", "two words", "Büro", &"x".repeat(256)] {
        let head = Head::new(&plan, Some(&Observer::on(name)));
        let message = String::from_utf8(head.message(&envelope(1, ""))).unwrap();
        assert!(message.starts_with("<131>1 2028-01-03T00:00:05.000100Z - scanwatch "), "{message}");
    }
}

#[tokio::test]
async fn frames_on_tcp_count_octets_not_characters_and_end_in_order() {
    let (listener, mut syslog) = tcp().await;
    let received = tokio::spawn(async move { all(listener.accept().await.unwrap().0).await });
    let mut batch = batch(0..20);
    batch.push(envelope(20, "two\nlines"));
    batch.push(envelope(21, ""));
    assert_eq!(syslog.deliver(&batch[..10]).await, Receipt::taken(10));
    assert_eq!(syslog.deliver(&batch[10..]).await, Receipt::taken(12));
    syslog.close().await;
    assert_eq!(payloads(&received.await.unwrap().unwrap()), sent(&batch));
}

#[tokio::test]
async fn a_receiver_that_knows_lines_alone_gets_lines_and_nothing_that_is_more_than_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = SyslogAddress::Tcp(host_port(listener.local_addr().unwrap()));
    let mut syslog = Syslog::new(SyslogPlan { framing: Framing::Line, ..plan(address) });
    let received = tokio::spawn(async move { all(listener.accept().await.unwrap().0).await });
    let mut batch = batch(0..3);
    batch.insert(1, envelope(9, "two\nlines"));
    let receipt = syslog.deliver(&batch).await;
    assert!(
        matches!(&receipt.fates[..], [Fate::Taken, Fate::Refused(_), Fate::Taken, Fate::Taken]),
        "{receipt:?}"
    );
    assert_eq!(receipt.outage, None);
    syslog.close().await;
    batch.remove(1);
    let received = String::from_utf8(received.await.unwrap().unwrap()).unwrap();
    let lines: Vec<String> = received.lines().map(|line| payload(line.as_bytes())).collect();
    assert_eq!(lines, sent(&batch));
}

#[tokio::test]
async fn what_a_killed_receiver_had_not_read_counts_as_not_taken() {
    let (listener, mut syslog) = tcp().await;
    let killed = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut begin = [0; 10];
        stream.read_exact(&mut begin).await.unwrap();
        // The kernel has acknowledged all; a process that ends now leaves the rest unread.
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(stream);
        listener
    });
    let batch = batch(0..20);
    let receipt = syslog.deliver(&batch).await;
    assert!(receipt.fates.is_empty(), "{receipt:?}");
    assert!(why(&receipt).contains("broke off before all had arrived"), "{receipt:?}");

    let listener = killed.await.unwrap();
    let received = tokio::spawn(async move { all(listener.accept().await.unwrap().0).await });
    assert_eq!(syslog.deliver(&batch).await, Receipt::taken(20));
    syslog.close().await;
    assert_eq!(payloads(&received.await.unwrap().unwrap()), sent(&batch));
}

#[tokio::test]
async fn a_receiver_that_was_started_anew_between_two_batches_is_no_outage() {
    let (listener, mut syslog) = tcp().await;
    let received = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 64 << 10];
        let length = first.read(&mut bytes).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(first);
        (bytes[..length].to_vec(), all(listener.accept().await.unwrap().0).await)
    });
    let batch = batch(0..4);
    assert_eq!(syslog.deliver(&batch[..2]).await, Receipt::taken(2));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(syslog.deliver(&batch[2..]).await, Receipt::taken(2));
    syslog.close().await;
    let (first, second) = received.await.unwrap();
    assert_eq!([payloads(&first), payloads(&second.unwrap())].concat(), sent(&batch));
}

#[tokio::test]
async fn a_stream_left_in_the_middle_of_a_message_is_not_used_again() {
    let (listener, mut syslog) = tcp().await;
    // More than the buffers on both sides hold, while nobody reads.
    let large = vec![envelope(0, vec![b'x'; 32 << 20])];
    assert!(timeout(Duration::from_millis(500), syslog.deliver(&large)).await.is_err());
    let (stuck, _) = listener.accept().await.unwrap();
    let received = tokio::spawn(async move { all(listener.accept().await.unwrap().0).await });
    let batch = batch(1..3);
    assert_eq!(syslog.deliver(&batch).await, Receipt::taken(2));
    syslog.close().await;
    drop(stuck);
    assert_eq!(payloads(&received.await.unwrap().unwrap()), sent(&batch));
}

#[tokio::test]
async fn tls_ends_with_close_notify() {
    let ours = Authority::new();
    let (address, served) = tls(ours.server("127.0.0.1", false)).await;
    let mut syslog = over_tls(address, &ours, None);
    let batch = batch(0..3);
    assert_eq!(syslog.deliver(&batch).await, Receipt::taken(3));
    syslog.close().await;
    let received = served.await.unwrap().expect("close_notify before the end");
    assert_eq!(payloads(&received), sent(&batch));
}

#[tokio::test]
async fn a_receiver_that_nobody_we_trust_vouches_for_gets_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::named("Other"));
    let (address, served) = tls(theirs.server("127.0.0.1", false)).await;
    let receipt = over_tls(address, &ours, None).deliver(&batch(0..3)).await;
    assert!(receipt.fates.is_empty());
    assert!(why(&receipt).contains("authority we do not trust; give"), "{receipt:?}");
    assert!(served.await.unwrap().is_err());
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_certificate_takes_ours_and_no_other() {
    let (ours, theirs) = (Authority::new(), Authority::named("Other"));
    let (address, served) = tls(ours.server("127.0.0.1", true)).await;
    let mut known = over_tls(address, &ours, Some(&ours));
    assert_eq!(known.deliver(&batch(0..3)).await, Receipt::taken(3));
    known.close().await;
    assert_eq!(payloads(&served.await.unwrap().unwrap()), sent(&batch(0..3)));

    for (client, expected) in [
        (None, "asks for a client certificate; give `certificate_file`"),
        (Some(&theirs), "refused our client certificate"),
    ] {
        let (address, served) = tls(ours.server("127.0.0.1", true)).await;
        let receipt = over_tls(address, &ours, client).deliver(&batch(0..3)).await;
        assert!(receipt.fates.is_empty(), "{receipt:?}");
        assert!(why(&receipt).contains(expected), "{receipt:?}");
        assert!(served.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn a_receiver_without_tls_is_told_from_one_with_a_wrong_certificate() {
    let ours = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = host_port(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 welcome\r\n").await.unwrap();
        let _ = all(stream).await;
    });
    let receipt = over_tls(address, &ours, None).deliver(&batch(0..1)).await;
    assert!(why(&receipt).contains("does not speak TLS"), "{receipt:?}");
}

#[tokio::test]
async fn udp_carries_a_datagram_a_message_and_refuses_what_none_holds() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut syslog = Syslog::new(plan(SyslogAddress::Udp(host_port(socket.local_addr().unwrap()))));
    let mut batch = batch(0..3);
    batch.insert(1, envelope(9, vec![b'x'; 65_500]));
    let receipt = syslog.deliver(&batch).await;
    assert_eq!(receipt.outage, None);
    let refused = batch.remove(1);
    assert!(
        matches!(&receipt.fates[..], [Fate::Taken, Fate::Refused(_), Fate::Taken, Fate::Taken]),
        "{receipt:?}"
    );
    assert!(refused.payload.len() > 65_000);
    let mut buffer = vec![0; 65_536];
    for expected in sent(&batch) {
        let length = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(payload(&buffer[..length]), expected);
    }
}

#[tokio::test]
async fn udp_to_a_port_where_nobody_listens_is_an_outage() {
    let address = host_port(UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap());
    let mut syslog = Syslog::new(plan(SyslogAddress::Udp(address)));
    let receipt = syslog.deliver(&batch(0..1)).await;
    assert!(receipt.fates.is_empty(), "{receipt:?}");
    assert!(why(&receipt).contains("refused"), "{receipt:?}");
}

#[tokio::test]
async fn a_unix_socket_takes_datagrams_or_a_stream_as_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (datagrams, stream) = (folder.path().join("dgram"), folder.path().join("stream"));
    let batch = batch(0..2);

    let socket = UnixDatagram::bind(&datagrams).unwrap();
    let received = tokio::spawn(async move {
        let (mut buffer, mut received) = (vec![0; 4096], Vec::new());
        for _ in 0..2 {
            let length = socket.recv(&mut buffer).await.unwrap();
            received.push(payload(&buffer[..length]));
        }
        (socket, received)
    });
    let mut syslog = Syslog::new(plan(SyslogAddress::Unix(datagrams)));
    assert_eq!(syslog.deliver(&batch).await, Receipt::taken(2));
    let (socket, received) = received.await.unwrap();
    assert_eq!(received, sent(&batch));
    // Nobody reads any more: nothing is taken until somebody does.
    assert!(timeout(Duration::from_millis(300), syslog.deliver(&batch)).await.is_err());
    drop(socket);
    let receipt = syslog.deliver(&batch).await;
    assert!(why(&receipt).contains("cannot be reached"), "{receipt:?}");

    let listener = UnixListener::bind(&stream).unwrap();
    let received = tokio::spawn(async move { all(listener.accept().await.unwrap().0).await });
    let mut syslog = Syslog::new(plan(SyslogAddress::Unix(stream)));
    assert_eq!(syslog.deliver(&batch).await, Receipt::taken(2));
    syslog.close().await;
    assert_eq!(payloads(&received.await.unwrap().unwrap()), sent(&batch));
}

#[tokio::test]
async fn a_probe_connects_and_sends_nothing() {
    let (listener, mut syslog) = tcp().await;
    let address = listener.local_addr().unwrap();
    let found = syslog.probe().await.unwrap();
    assert_eq!(found, format!("tcp://{address} is connected"));
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    drop((listener, stream));
    let outage = syslog.probe().await.unwrap_err();
    let expected = format!("tcp://{address} cannot be reached");
    assert!(outage.why.starts_with(&expected), "{outage:?}");
    assert!(outage.why.ends_with("start the receiver, or correct `address`"), "{outage:?}");
}

#[test]
fn certificates_are_checked_without_connecting() {
    let nowhere = HostPort { host: "siem.example".to_owned(), port: 6514 };
    let tls = TlsPlan { ca_file: Some("/nowhere/ca.pem".into()), ..TlsPlan::default() };
    let why = check(&plan(SyslogAddress::Tls(nowhere.clone(), tls))).unwrap_err();
    assert!(why.contains("/nowhere/ca.pem cannot be read"), "{why}");
    check(&plan(SyslogAddress::Tcp(nowhere))).unwrap();
}
