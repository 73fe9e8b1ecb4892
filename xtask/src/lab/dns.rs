//! A DNS client of one question (RFC 1035, section 4), enough to make a name server work.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// RFC 1035, section 4.1.1.
const HEADER_LENGTH: usize = 12;
/// Response code, the low four bits of the fourth byte, of a server that has nothing to complain about.
const NO_ERROR: u8 = 0;

/// A question for the address of www.lab.example with the given identifier.
fn query(id: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    // Recursion desired; one question, no records.
    message.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in ["www", "lab", "example"] {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    // End of name, type A, class IN.
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// Whether `reply` is a response, without error, to question `id`.
fn is_answer(reply: &[u8], id: u16) -> bool {
    let [id_high, id_low] = id.to_be_bytes();
    let &[high, low, flags, code, ..] = reply else { return false };
    reply.len() >= HEADER_LENGTH
        && (high, low) == (id_high, id_low)
        && flags & 0x80 != 0
        && code % 16 == NO_ERROR
}

/// Asks `server` one question, from `source_port` or any port, in the calling thread's namespace.
///
/// Returns whether it answered within `limit`; fails only where the question cannot be sent.
pub fn ask(server: IpAddr, source_port: Option<u16>, limit: Duration) -> Result<bool> {
    let any: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let port = source_port.unwrap_or(0);
    let socket =
        UdpSocket::bind((any, port)).with_context(|| format!("cannot use udp/{port} as a source"))?;
    socket.connect(SocketAddr::new(server, 53)).with_context(|| format!("there is no way to {server}"))?;
    socket.set_read_timeout(Some(limit))?;
    let id = port ^ 0x5ca7;
    let mut reply = [0; 512];
    match socket.send(&query(id)).and_then(|_| socket.recv(&mut reply)) {
        Ok(length) => Ok(is_answer(&reply[..length], id)),
        Err(error) if quiet(error.kind()) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot ask {server}")),
    }
}

/// Errors that mean the server gave no answer, rather than that we could not ask.
fn quiet(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut, WouldBlock};
    matches!(kind, WouldBlock | TimedOut | ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_laid_out_as_rfc_1035_says() {
        let message = query(0x1234);
        assert_eq!(message[..12], [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&message[12..], b"\x03www\x03lab\x07example\x00\x00\x01\x00\x01");
    }

    #[test]
    fn only_a_response_without_error_to_the_same_question_is_an_answer() {
        let mut reply = query(7);
        assert!(!is_answer(&reply, 7), "a question is no answer");
        reply[2] |= 0x80;
        assert!(is_answer(&reply, 7));
        assert!(!is_answer(&reply, 8));
        reply[3] = 5;
        assert!(!is_answer(&reply, 7), "REFUSED is no answer");
        assert!(!is_answer(&reply[..11], 7));
    }
}
