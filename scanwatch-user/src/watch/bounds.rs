//! What a client can make the server hold: bounded in every direction.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use super::tests::{connect, serving, well};

/// Status of the answer to what may be too much to be read: 0 where the server hangs up without one.
fn status(address: SocketAddr, request: &str) -> u16 {
    let mut stream = connect(address);
    // The server may hang up before it has read all of it.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn heads_of_requests_are_bounded_in_length_and_in_number_of_headers() {
    let (_server, address) = serving(well);
    let with_headers = |count: usize| {
        let headers = "X-More: 1\r\n".repeat(count);
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
    };
    assert_eq!(status(address, &with_headers(60)), 200);
    assert!([0, 431].contains(&status(address, &with_headers(100))));
    let long = format!("GET /healthz?{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(100_000));
    assert!([0, 414, 431].contains(&status(address, &long)));
}

#[test]
fn bodies_are_refused_however_their_length_is_told() {
    let (_server, address) = serving(well);
    for told in ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"] {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{told}\r\n\r\n");
        assert_eq!(status(address, &request), 413, "{told}");
    }
}

#[test]
fn a_client_that_sends_a_byte_now_and_then_is_hung_up_on() {
    let (_server, address) = serving(well);
    let mut stream = connect(address);
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    // Were there no limit, this would be a head of 100 bytes after half a minute, and never end.
    let is_closed = (0..100).any(|_| {
        if stream.write_all(b"G").is_err() {
            return true;
        }
        match stream.read(&mut [0; 512]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    });
    assert!(is_closed, "it is still listened to");
}
