//! A message as RFC 5424 has it.

use crate::engine::{Severity, Timestamp};
use crate::policy::{Framing, SyslogPlan};
use crate::sink::{Envelope, Observer};

/// Longest HOSTNAME (RFC 5424, section 6).
const HOSTNAME_MAX: usize = 255;

/// What all messages of a sink begin with.
#[derive(Debug)]
pub(super) struct Head {
    /// The facility's part of the priority.
    facility: u8,
    framing: Framing,
    /// HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA.
    fields: String,
}

impl Head {
    pub fn new(plan: &SyslogPlan, observer: Option<&Observer>) -> Self {
        let host = observer.map_or("-", |observer| observer.hostname.as_str());
        let fits =
            (1..=HOSTNAME_MAX).contains(&host.len()) && host.bytes().all(|byte| byte.is_ascii_graphic());
        // No structured data: what its elements may be called belongs to IANA, or to whoever has a number there; and the
        // record is whole in the message, in the sink's form. The kind of message stands there, too.
        let fields =
            format!("{} {} {} - -", if fits { host } else { "-" }, plan.app_name, std::process::id());
        Self { facility: plan.facility.number(), framing: plan.framing, fields }
    }

    /// The message, which is one datagram, or a frame without its length. No byte order mark: the form says what the bytes
    /// are, and most receivers would take the mark for text.
    pub fn message(&self, envelope: &Envelope) -> Vec<u8> {
        let priority = self.facility * 8 + severity(envelope.severity);
        let mut message = format!("<{priority}>1 {} {} ", time(envelope.at), self.fields).into_bytes();
        message.extend_from_slice(&envelope.payload);
        message
    }

    /// Appends the message as a frame (RFC 5425, section 4.3; RFC 6587, section 3.4). False where a line does not hold it.
    pub fn frame(&self, envelope: &Envelope, frames: &mut Vec<u8>) -> bool {
        let message = self.message(envelope);
        match self.framing {
            Framing::OctetCounting => {
                frames.extend_from_slice(format!("{} ", message.len()).as_bytes());
                frames.extend_from_slice(&message);
            }
            Framing::Line if message.contains(&b'\n') => return false,
            Framing::Line => {
                frames.extend_from_slice(&message);
                frames.push(b'\n');
            }
        }
        true
    }
}

/// A severity of RFC 5424, section 6.2.1: from critical to notice. What is above is for machines that fail, what is below
/// for what nobody need see.
const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
    }
}

/// TIMESTAMP, in UTC, to the microsecond: the most that is allowed.
fn time(at: Timestamp) -> String {
    let timestamp = jiff::Timestamp::from_nanosecond(i128::from(at.as_ns())).unwrap_or(jiff::Timestamp::MAX);
    format!("{timestamp:.6}")
}
