//! A topic of a Kafka cluster.

use std::time::Duration;

use super::{Secret, TlsPlan};

/// A topic, and the way to its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaPlan {
    /// Brokers that are asked for the others, `host:port`.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// Certificates, where the connection is by TLS.
    pub tls: Option<TlsPlan>,
    /// How the cluster knows us.
    pub sasl: Option<SaslPlan>,
    /// How long the brokers may take to acknowledge a message.
    pub timeout: Duration,
}

/// A user of a Kafka cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaslPlan {
    /// How the password is shown to know.
    pub mechanism: SaslMechanism,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How a password is shown to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// RFC 4616: it is sent as it is.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}
