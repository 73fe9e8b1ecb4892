//! A syslog receiver.

use std::fmt;
use std::path::PathBuf;

use super::TlsPlan;

/// Where alerts go by syslog, and as whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogPlan {
    /// The receiver.
    pub address: SyslogAddress,
    /// What parts messages on a stream.
    pub framing: Framing,
    /// Part of every message's priority.
    pub facility: Facility,
    /// APP-NAME of every message: 1 to 48 printable ASCII characters.
    pub app_name: String,
}

/// A receiver, and the protocol below syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogAddress {
    /// RFC 5426: a datagram a message.
    Udp(HostPort),
    /// RFC 6587, octet counting.
    Tcp(HostPort),
    /// RFC 5425.
    Tls(HostPort, TlsPlan),
    /// A socket in the file system, for datagrams or else a stream.
    Unix(PathBuf),
}

/// What parts messages on a stream (RFC 6587, section 3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// The length of each comes before it. RFC 5425 asks for it.
    #[default]
    OctetCounting,
    /// Each ends with its line, for receivers that know nothing else.
    Line,
}

impl Framing {
    /// By name.
    pub const NAMES: [(&'static str, Self); 2] =
        [("octet_counting", Self::OctetCounting), ("line", Self::Line)];
}

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address; IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for SyslogAddress {
    /// As in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Tls(address, _) => write!(f, "tls://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A facility by its number (RFC 5424, section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// Those a detector may speak for, by name.
    pub const NAMES: [(&'static str, Self); 12] = [
        ("user", Self(1)),
        ("daemon", Self(3)),
        ("auth", Self(4)),
        ("authpriv", Self(10)),
        ("local0", Self(16)),
        ("local1", Self(17)),
        ("local2", Self(18)),
        ("local3", Self(19)),
        ("local4", Self(20)),
        ("local5", Self(21)),
        ("local6", Self(22)),
        ("local7", Self(23)),
    ];

    /// Its number, 0 to 23.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl Default for Facility {
    /// `local0`: of the site's own choice, and mixed up with nothing that a system says of itself.
    fn default() -> Self {
        Self(16)
    }
}
