//! Logs by OTLP over HTTP, as protobuf (OpenTelemetry Protocol specification 1.x, section "OTLP/HTTP").
//!
//! A message is a log record, and its payload the record's body. A receiver that rejects a part of a request says how many
//! records, not which. The specification has the client leave it at that; a record here is an alert, so they are sent
//! again in halves until it is known which one is rejected. `log.record.uid` lets the receiver keep each once.

use std::sync::LazyLock;

use futures_util::future::BoxFuture;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use reqwest::Method;
use serde_json::Value;

use super::Dialect;
use super::client::{Answer, Client, Request, one_line};
use super::pieces::Piece;
use crate::engine::Severity;
use crate::sink::transport::{Outage, Receipt};
use crate::sink::{Envelope, Observer};

const MESSAGES_MAX: usize = 256;
const BYTES_MAX: usize = 1 << 20;
const PATH: &str = "/v1/logs";
const PROTOBUF: &str = "application/x-protobuf";

/// Who says it: the machine's name does not change while it runs.
static HOSTNAME: LazyLock<String> =
    LazyLock::new(|| Observer::local().map(|observer| observer.hostname).unwrap_or_default());

/// A receiver of logs.
pub(super) struct Otlp;

fn request(messages: &[Envelope]) -> Request<'static> {
    let body = ExportLogsServiceRequest { resource_logs: resource_logs(messages) }.encode_to_vec();
    Request { default_path: Some(PATH), ..Request::new(Method::POST, PROTOBUF, body) }
}

fn resource_logs(messages: &[Envelope]) -> Vec<ResourceLogs> {
    if messages.is_empty() {
        return Vec::new();
    }
    let version = env!("CARGO_PKG_VERSION");
    let attributes = vec![
        text("service.name", "scanwatch"),
        text("service.version", version),
        text("host.name", &HOSTNAME),
    ];
    let scope = InstrumentationScope {
        name: "scanwatch".to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    vec![ResourceLogs {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_logs: vec![ScopeLogs {
            scope: Some(scope),
            log_records: messages.iter().map(record).collect(),
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    }]
}

fn record(message: &Envelope) -> LogRecord {
    LogRecord {
        time_unix_nano: message.at.as_ns(),
        observed_time_unix_nano: message.at.as_ns(),
        severity_number: severity(message.severity).into(),
        severity_text: message.severity.name().to_owned(),
        body: Some(any(&String::from_utf8_lossy(&message.payload))),
        // `log.record.uid` is the semantic conventions' identity, `event.id` that of the ECS documents.
        attributes: vec![text("log.record.uid", &message.id), text("event.id", &message.id)],
        ..LogRecord::default()
    }
}

/// The lowest number of each range of the logs data model, section "Severity Fields".
fn severity(severity: Severity) -> SeverityNumber {
    match severity {
        Severity::Low => SeverityNumber::Info,
        Severity::Medium => SeverityNumber::Warn,
        Severity::High => SeverityNumber::Error,
        Severity::Critical => SeverityNumber::Fatal,
    }
}

fn any(text: &str) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(text.to_owned())) }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)) }
}

pub(super) fn judge(answer: &Answer, count: usize) -> Piece {
    let (rejected, why) = match answer.status.as_u16() {
        200..=299 => match rejected(answer) {
            Ok(rejected) => rejected,
            Err(outage) => return Piece::outage(outage),
        },
        // Data that is not understood, or too much of it: not to be sent again as it is.
        status @ (400 | 413 | 422) => {
            return Piece::Halve(format!("{} answers {status}: {}", answer.place, answer.excerpt));
        }
        _ => return Piece::outage(answer.outage_of_status()),
    };
    if rejected == 0 {
        return Piece::Settled(Receipt::taken(count));
    }
    let why = if why.is_empty() { "no reason given".to_owned() } else { one_line(&why) };
    Piece::Halve(format!("{} rejects it: {why}", answer.place))
}

/// How many records were rejected, and why. The answer is protobuf as the request is; some receivers answer JSON, or
/// nothing.
fn rejected(answer: &Answer) -> Result<(i64, String), Outage> {
    if answer.body.is_empty() {
        return Ok((0, String::new()));
    }
    let unknown = || {
        let why =
            format!("{} answers {}, but not as OTLP does; check url", answer.place, answer.status.as_u16());
        answer.outage(why)
    };
    if answer.content_type.starts_with("application/json") {
        let said: Value = serde_json::from_slice(&answer.body).map_err(|_| unknown())?;
        let partial = &said["partialSuccess"];
        // 64-bit numbers are texts in protobuf's JSON, and numbers are accepted.
        let count = &partial["rejectedLogRecords"];
        let count = count.as_i64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0);
        return Ok((count, partial["errorMessage"].as_str().unwrap_or_default().to_owned()));
    }
    if !answer.content_type.starts_with(PROTOBUF) {
        return Err(unknown());
    }
    let said = ExportLogsServiceResponse::decode(&*answer.body).map_err(|_| unknown())?;
    Ok(said
        .partial_success
        .map(|partial| (partial.rejected_log_records, partial.error_message))
        .unwrap_or_default())
}

impl Dialect for Otlp {
    fn batch_max(&self) -> (usize, usize) {
        (MESSAGES_MAX, BYTES_MAX)
    }

    /// A request without records: the specification has it answered with success.
    fn probe<'a>(&'a mut self, client: &'a mut Client) -> BoxFuture<'a, Result<String, Outage>> {
        Box::pin(async move {
            let answer = client.send(request(&[])).await?;
            if !answer.status.is_success() {
                return Err(answer.outage_of_status());
            }
            rejected(&answer).map(|_| format!("{} takes logs by OTLP", answer.place))
        })
    }

    fn send<'a>(&'a mut self, client: &'a mut Client, messages: &'a [Envelope]) -> BoxFuture<'a, Piece> {
        Box::pin(async move {
            match client.send(request(messages)).await {
                Ok(answer) => judge(&answer, messages.len()),
                Err(outage) => Piece::outage(outage),
            }
        })
    }
}
