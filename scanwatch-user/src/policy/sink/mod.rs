//! Where alerts go: what a `[[sink]]` says.

mod file;
mod files;
mod http;
mod kafka;
mod nats;
mod secret;
mod syslog;
mod tls;

pub use file::FilePlan;
pub use http::{
    Address, BulkPlan, Credentials, Dialect, HeaderText, HecPlan, HttpPlan, HttpReceiver, Method, OtlpPlan,
    WebhookPlan,
};
pub use kafka::{KafkaPlan, SaslMechanism, SaslPlan};
pub use nats::{NatsLogin, NatsPlan};
pub use secret::Secret;
pub use syslog::{Facility, Framing, HostPort, SyslogAddress, SyslogPlan};
pub use tls::{ClientCertificate, TlsPlan};

use crate::sink::Format;
use crate::sink::format::template::Template;

/// A sink: one form, one way to one receiver, and what is kept while that is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkPlan {
    /// Name as configured, unique; also that of its spool's folder.
    pub name: String,
    /// The form of messages.
    pub format: Format,
    /// A form of a person's own making, in its place.
    pub template: Option<Template>,
    /// What is kept.
    pub spool: SpoolPlan,
    /// The way.
    pub transport: TransportPlan,
}

/// What a sink keeps until the receiver has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolPlan {
    /// Size limit, bytes.
    pub bytes_max: u64,
    /// What gives way where that is reached, or the disk is full.
    pub when_full: WhenFull,
}

impl Default for SpoolPlan {
    /// 64 MiB is some 20,000 records; what is old is worth least.
    fn default() -> Self {
        Self { bytes_max: 64 << 20, when_full: WhenFull::DropOldest }
    }
}

/// What gives way where a spool is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest messages, a segment at a time.
    DropOldest,
    /// What comes.
    DropNewest,
}

/// A way to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportPlan {
    /// Standard output, one message a line.
    Stdout,
    /// A file, one message a line.
    File(FilePlan),
    /// RFC 5424.
    Syslog(SyslogPlan),
    /// JetStream.
    Nats(NatsPlan),
    /// A receiver by HTTP: Splunk, Elasticsearch, a webhook.
    Http(HttpPlan),
    /// A receiver of OpenTelemetry's logs.
    Otlp(OtlpPlan),
    /// A topic of a Kafka cluster.
    #[cfg(feature = "kafka")]
    Kafka(KafkaPlan),
}

impl TransportPlan {
    /// The name of its type in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File(_) => "file",
            Self::Syslog(_) => "syslog",
            Self::Nats(_) => "nats",
            Self::Http(_) => "http",
            Self::Otlp(_) => "otlp",
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => "kafka",
        }
    }
}
