//! What is said of receivers: that they are there, or what is the matter with them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use rustls::ServerConnection;

use crate::authority;
use crate::program::free_port;
use crate::{Desk, Report};

const SECRET: &str = "5ecret-t0ken";

fn verdict(report: &Report) -> (&str, &str, &str) {
    report.said("sink", "receiver", Some("siem"))
}

/// A receiver that takes connections, and leaves them without an answer for as long as the test lasts.
fn silent() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap(), listener)
}

/// An HTTP server that answers one request with this status; what it was asked is given back.
fn answering(status: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
    let (address, listener) = silent();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut bytes = [0; 4_096];
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = stream.read(&mut bytes).unwrap();
            assert!(read > 0, "the request ends early");
            asked.extend_from_slice(&bytes[..read]);
        }
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        String::from_utf8(asked).unwrap()
    });
    (address, serving)
}

#[test]
fn a_receiver_that_is_there_is_ok() {
    let desk = Desk::new();
    let (address, _listener) = silent();
    let report = desk
        .examine(&format!("[[sink]]\nname = \"siem\"\ntype = \"syslog\"\naddress = \"tcp://{address}\"\n"));
    let (verdict, found, _) = verdict(&report);
    assert_eq!((verdict, found), ("ok", format!("syslog: tcp://{address} is connected").as_str()));
}

#[test]
fn receivers_that_are_not_there_are_problems_with_their_reasons() {
    let port = free_port();
    for (keys, expected) in [
        (format!("type = \"syslog\"\naddress = \"tcp://127.0.0.1:{port}\""), "Connection refused"),
        (format!("type = \"http\"\ndialect = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\""), "refused"),
        (
            format!("type = \"nats\"\nservers = [\"nats://127.0.0.1:{port}\"]\nsubject = \"alerts\""),
            "127.0.0.1",
        ),
        ("type = \"syslog\"\naddress = \"tcp://siem.invalid:601\"".to_owned(), "siem.invalid"),
    ] {
        let report = Desk::new().examine(&format!("[[sink]]\nname = \"siem\"\n{keys}\n"));
        let (verdict, found, advice) = verdict(&report);
        assert_eq!(verdict, "problem", "{keys}: {found}");
        assert!(found.contains(expected), "{keys}: {found}");
        assert!(!advice.is_empty(), "{keys}: {found}");
        assert_eq!(report.code, Some(1));
    }
}

/// A receiver whose certificate an authority signed; every handshake is begun, and whatever comes of it left at that.
fn certified() -> (SocketAddr, String) {
    let (authority, config) = authority::certified("127.0.0.1");
    let (address, listener) = silent();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
            while session.is_handshaking() && session.complete_io(&mut stream).is_ok() {}
            // Whoever came leaves first.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    (address, authority)
}

#[test]
fn a_receiver_that_another_authority_certified_is_a_problem_and_the_right_one_makes_it_ok() {
    let desk = Desk::new();
    let ((address, authority), (_, another)) = (certified(), certified());
    let file = desk.path("ca.pem");
    let config = format!(
        "[[sink]]\nname = \"siem\"\ntype = \"syslog\"\naddress = \"tls://{address}\"\nca_file = {:?}\n",
        file.display().to_string()
    );
    fs::write(&file, another).unwrap();
    let report = desk.examine(&config);
    let (said, found, advice) = verdict(&report);
    assert_eq!((said, report.code), ("problem", Some(1)), "{found}");
    assert!(found.contains("comes from an authority we do not trust"), "{found}");
    assert!(advice.contains("`ca_file`"), "{advice}");

    fs::write(&file, authority).unwrap();
    let report = desk.examine(&config);
    assert_eq!(verdict(&report).0, "ok", "{}", report.text);

    // What needs no connection to be found is found by both.
    fs::write(&file, "no certificate").unwrap();
    let report = desk.examine(&config);
    let (said, found, _) = verdict(&report);
    assert!(said == "problem" && found.contains("ca.pem"), "{found}");
}

#[test]
fn a_receiver_that_never_answers_is_given_up_and_the_others_are_told_of() {
    let desk = Desk::new();
    let (first, _first_listener) = silent();
    let (second, _second_listener) = silent();
    let report = desk.examine(&format!(
        "[[sink]]\nname = \"siem\"\ntype = \"http\"\ndialect = \"webhook\"\nurl = \"http://{first}/\"\n\
         [[sink]]\nname = \"other\"\ntype = \"otlp\"\nurl = \"http://{second}\"\n\
         [[sink]]\nname = \"out\"\ntype = \"stdout\"\n"
    ));
    for name in ["siem", "other"] {
        let (verdict, found, _) = report.said("sink", "receiver", Some(name));
        assert_eq!(verdict, "problem", "{found}");
        assert!(found.ends_with("no answer within 10 s"), "{found}");
    }
    assert_eq!(report.said("sink", "receiver", Some("out")).0, "ok");
}

#[test]
fn a_secret_is_shown_to_its_receiver_and_to_nobody_else() {
    let desk = Desk::new();
    let (address, serving) = answering("403 Forbidden");
    let file = desk.path("token");
    fs::write(&file, SECRET).unwrap();
    let report = desk.examine(&format!(
        "[[sink]]\nname = \"siem\"\ntype = \"http\"\ndialect = \"webhook\"\nurl = \"http://{address}/\"\ntoken_file = {:?}\n",
        file.display().to_string()
    ));
    assert!(serving.join().unwrap().contains(SECRET));
    assert_eq!(verdict(&report).0, "problem", "{}", report.text);
    assert!(!report.text.contains(SECRET), "{}", report.text);
}
