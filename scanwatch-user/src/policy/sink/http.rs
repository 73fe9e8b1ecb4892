//! Receivers that are spoken to by HTTP.

use std::time::Duration;

use super::{Secret, TlsPlan};

/// A receiver by HTTP, and the dialect it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPlan {
    /// Where it is, and how it knows us.
    pub receiver: HttpReceiver,
    /// What it speaks.
    pub dialect: Dialect,
}

/// A receiver of logs by OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpPlan {
    /// Where it is, and how it knows us.
    pub receiver: HttpReceiver,
}

/// Where a receiver is, and how it knows us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReceiver {
    /// Its address.
    pub url: Address,
    /// What the `Authorization` header says.
    pub credentials: Credentials,
    /// Headers of every request.
    pub headers: Vec<(String, HeaderText)>,
    /// Whom to trust, and our certificate; of no use with `http://`.
    pub tls: TlsPlan,
    /// A proxy that requests go through, `http://host:port`; the environment's is never used.
    pub proxy: Option<String>,
    /// How long the answer to one request may take.
    pub timeout: Duration,
}

/// A URL, or where one is that is a secret in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The URL.
    Plain(String),
    /// Where it is: whoever knows it may write there.
    Secret(Secret),
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderText {
    /// The value.
    Plain(String),
    /// Where it is.
    Secret(Secret),
}

/// What the `Authorization` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// There is none.
    None,
    /// A scheme and a token: `Bearer`, `Splunk`, `ApiKey`.
    Token {
        /// The scheme.
        scheme: &'static str,
        /// The token.
        token: Secret,
    },
    /// A user and a password (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
}

/// What a receiver by HTTP speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Splunk's HTTP Event Collector.
    SplunkHec(HecPlan),
    /// `_bulk` of Elasticsearch and OpenSearch.
    ElasticBulk(BulkPlan),
    /// A request a message.
    Webhook(WebhookPlan),
}

/// What is said of every event to a Splunk HTTP Event Collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HecPlan {
    /// The `host` of an event; `None` for the name of this machine.
    pub host: Option<String>,
    /// The `source` of an event.
    pub source: String,
    /// The `sourcetype` of an event.
    pub sourcetype: String,
    /// The index; `None` for the token's.
    pub index: Option<String>,
    /// Whether an event counts as taken only once an indexer has acknowledged it.
    pub ack: bool,
}

/// Where documents go in Elasticsearch or OpenSearch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkPlan {
    /// The data stream.
    pub data_stream: String,
}

/// How a webhook is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookPlan {
    /// The method.
    pub method: Method,
    /// Media type of the body; `None` for that of the sink's form.
    pub content_type: Option<String>,
}

/// A method that carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `POST`
    Post,
    /// `PUT`
    Put,
}
