//! TCP by flags. RFC 9293 allows no segment without ACK but SYN and RST, and none with two of SYN, FIN, RST.

use super::{Contact, View};
use crate::abi::{Outcome, Technique};
use crate::counters::Counter;
use crate::parse::Tcp;

/// TCP flags (RFC 9293, 3.1).
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
}

/// Ports from here on are where clients connect from.
const CLIENT_PORT_MIN: u16 = 1024;
/// Ports from here on are where clients that need a privilege connect from (`rresvport(3)`): NFS and its like. A segment
/// that one of them, or of the above, refuses towards a well-known port is a server's.
pub const PRIVILEGED_CLIENT_PORT_MIN: u16 = 512;

#[inline(always)]
pub(crate) fn classify(tcp: &Tcp) -> Result<Contact, Counter> {
    use flags::{ACK, FIN, PSH, RST, SYN, URG};
    if tcp.cut {
        return Ok(tried(tcp, Technique::Flags));
    }
    let flags = tcp.flags & (FIN | SYN | RST | PSH | ACK | URG);
    let technique = match flags & (SYN | ACK | RST | FIN) {
        ACK => return bare_ack(tcp, flags),
        SYN if flags & URG == 0 => return Ok(tried(tcp, Technique::Syn)),
        x if x == SYN | ACK => {
            return Ok(answer(tcp, Technique::Syn, Outcome::Answered, Counter::TcpAnswered));
        }
        x if x == RST | ACK => {
            // Who aborts a conversation counts its bytes on (RFC 9293, 3.10.5) …
            if tcp.sequence != 0 {
                return Ok(continued(tcp));
            }
            // … and a closed port answers a segment without ACK by <SEQ=0><CTL=RST,ACK> (3.10.7.1) …
            return Ok(answer(tcp, Technique::Syn, Outcome::Refused, Counter::TcpRefused));
        }
        RST => {
            // … and one with ACK by <SEQ=SEG.ACK><CTL=RST>.
            if tcp.target_port < CLIENT_PORT_MIN && tcp.source_port >= PRIVILEGED_CLIENT_PORT_MIN {
                return Err(Counter::TcpReset);
            }
            return Ok(answer(tcp, Technique::Ack, Outcome::Refused, Counter::TcpStranger));
        }
        x if x == RST | ACK | FIN => return Err(Counter::TcpReset),
        x if x == FIN | ACK => return Ok(continued(tcp)),
        _ => match flags {
            0 => Technique::Null,
            FIN => Technique::Fin,
            x if x == FIN | PSH | URG => Technique::Xmas,
            _ => Technique::Flags,
        },
    };
    // Scanners send bare headers; a broken stack or a middlebox sends data.
    if tcp.payload == 0 { Ok(tried(tcp, technique)) } else { Err(Counter::TcpEstablished) }
}

/// Established traffic, nearly all there is; but an ACK alone, of nothing and with nothing, belongs to no conversation.
#[inline(always)]
fn bare_ack(tcp: &Tcp, all: u8) -> Result<Contact, Counter> {
    let bare = tcp.payload == 0 && !tcp.options && all == flags::ACK;
    if bare && (tcp.sequence == 0 || tcp.acknowledgement == 0) {
        return Ok(tried(tcp, Technique::Ack));
    }
    Err(Counter::TcpEstablished)
}

#[inline(always)]
fn tried(tcp: &Tcp, technique: Technique) -> Contact {
    Contact {
        technique,
        outcome: Outcome::Tried,
        view: View::Source,
        source_port: tcp.source_port,
        target_port: tcp.target_port,
        counter: Counter::of_probe(technique),
    }
}

#[inline(always)]
fn answer(tcp: &Tcp, technique: Technique, outcome: Outcome, counter: Counter) -> Contact {
    Contact {
        technique,
        outcome,
        view: View::Target,
        source_port: tcp.target_port,
        target_port: tcp.source_port,
        counter,
    }
}

#[inline(always)]
fn continued(tcp: &Tcp) -> Contact {
    Contact {
        technique: Technique::Syn,
        outcome: Outcome::Continued,
        view: View::Source,
        source_port: tcp.source_port,
        target_port: tcp.target_port,
        counter: Counter::TcpContinued,
    }
}
