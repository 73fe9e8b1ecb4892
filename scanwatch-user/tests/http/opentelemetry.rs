//! OTLP over HTTP, by the OpenTelemetry Protocol specification, sections "OTLP/HTTP Response", "Partial Success" and
//! "Failures".

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;
use scanwatch::sink::transport::Fate;

use crate::receiver::{Asked, Configured, Receiver, Reply, documents, envelope};

pub const PROTOBUF: &str = "application/x-protobuf";

/// The log records of a request.
pub fn records(asked: &Asked) -> Vec<LogRecord> {
    assert_eq!((asked.method.as_str(), asked.header("content-type")), ("POST", PROTOBUF));
    let request = ExportLogsServiceRequest::decode(asked.body.clone()).unwrap();
    request.resource_logs.into_iter().flat_map(|of| of.scope_logs).flat_map(|of| of.log_records).collect()
}

/// What a log record says.
pub fn body(record: &LogRecord) -> String {
    match record.body.clone().unwrap().value {
        Some(Any::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let found =
        attributes.iter().find(|attribute| attribute.key == key).unwrap_or_else(|| panic!("no {key}"));
    match found.value.clone().unwrap().value {
        Some(Any::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Rejects what says so, and keeps the rest.
fn collector(asked: &Asked, kept: &Mutex<Vec<String>>) -> Reply {
    let bodies: Vec<String> = records(asked).iter().map(body).collect();
    let (bad, good): (Vec<String>, Vec<String>) = bodies.into_iter().partition(|body| body.contains("bad"));
    kept.lock().unwrap().extend(good);
    let partial_success = (!bad.is_empty()).then(|| ExportLogsPartialSuccess {
        rejected_log_records: i64::try_from(bad.len()).unwrap(),
        error_message: "attribute limit".to_owned(),
    });
    Reply::new(200, PROTOBUF, ExportLogsServiceResponse { partial_success }.encode_to_vec())
}

async fn start() -> (Arc<Mutex<Vec<String>>>, Receiver) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&kept);
    (kept, Receiver::start(move |asked| collector(asked, &keeps)).await)
}

fn sink(receiver: &Receiver, more: &str) -> Configured {
    Configured::new(&format!("type = \"otlp\"\nurl = \"{}\"\n{more}", receiver.url()))
}

#[tokio::test]
async fn a_message_is_a_log_record_with_time_severity_and_identity() {
    let (_, receiver) = start().await;
    let mut sink = sink(&receiver, "headers = { X-Scope-OrgID = \"soc\" }\n");
    assert_eq!(sink.deliver(&documents(2)).await.fates, vec![Fate::Taken; 2]);
    let asked = &receiver.asked()[0];
    assert_eq!(asked.path, "/v1/logs");
    assert_eq!(asked.header("x-scope-orgid"), "soc");
    let request = ExportLogsServiceRequest::decode(asked.body.clone()).unwrap();
    let resource = request.resource_logs[0].resource.clone().unwrap().attributes;
    assert_eq!(attribute(&resource, "service.name"), "scanwatch");
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(attribute(&resource, "host.name"), hostname.trim());
    let record = &records(asked)[1];
    assert_eq!(record.time_unix_nano, 1_833_000_000_123_456_789);
    assert_eq!((record.severity_number, record.severity_text.as_str()), (17, "high"));
    assert_eq!(body(record).as_bytes(), documents(2)[1].payload);
    assert_eq!(attribute(&record.attributes, "event.id"), "incident1-1");
    assert_eq!(attribute(&record.attributes, "log.record.uid"), "incident1-1");
}

#[tokio::test]
async fn a_path_that_is_configured_is_kept() {
    let (_, receiver) = start().await;
    let mut sink = Configured::new(&format!("type = \"otlp\"\nurl = \"{}/otlp/v1/logs\"\n", receiver.url()));
    sink.deliver(&documents(1)).await;
    assert_eq!(receiver.asked()[0].path, "/otlp/v1/logs");
}

#[tokio::test]
async fn what_a_part_of_a_request_was_rejected_for_is_found_out_record_by_record() {
    let (kept, receiver) = start().await;
    let mut batch = documents(7);
    batch[3] = envelope(3, "bad");
    let receipt = sink(&receiver, "").deliver(&batch).await;
    assert_eq!(receipt.outage, None);
    for (at, fate) in receipt.fates.iter().enumerate() {
        let refused = Fate::Refused(format!("{} rejects it: attribute limit", receiver.url()));
        assert_eq!(*fate, if at == 3 { refused } else { Fate::Taken });
    }
    let kept = kept.lock().unwrap();
    assert!(
        documents(7)
            .iter()
            .enumerate()
            .all(|(at, message)| at == 3 || kept.iter().any(|body| body.as_bytes() == message.payload))
    );
}

#[tokio::test]
async fn answers_in_json_and_without_a_body_are_understood() {
    let receiver =
        Receiver::start(|_| Reply::new(200, "application/json; charset=utf-8", "{\"partialSuccess\":{}}"))
            .await;
    assert_eq!(sink(&receiver, "").deliver(&documents(2)).await.fates, vec![Fate::Taken; 2]);
    let receiver = Receiver::start(|_| Reply::new(204, "text/plain", "")).await;
    assert_eq!(sink(&receiver, "").deliver(&documents(2)).await.fates, vec![Fate::Taken; 2]);
    let partial = "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"too old\"}}";
    let receiver = Receiver::start(move |_| Reply::new(200, "application/json", partial)).await;
    let fates = sink(&receiver, "").deliver(&documents(1)).await.fates;
    assert!(matches!(&fates[..], [Fate::Refused(why)] if why.ends_with("rejects it: too old")), "{fates:?}");
}

#[tokio::test]
async fn an_answer_that_is_no_otlp_is_an_outage() {
    for (content_type, body) in
        [("text/html", "<html>"), (PROTOBUF, "\u{1}\u{1}\u{1}"), ("application/json", "{")]
    {
        let receiver = Receiver::start(move |_| Reply::new(200, content_type, body)).await;
        let receipt = sink(&receiver, "").deliver(&documents(1)).await;
        assert_eq!(receipt.fates, [Fate::Again], "{content_type}");
        assert!(receipt.outage.unwrap().why.ends_with("answers 200, but not as OTLP does; check url"));
    }
}

#[tokio::test]
async fn statuses_that_may_pass_are_outages_and_bad_data_is_refused() {
    for status in [401, 404, 429, 502, 503, 504] {
        let receiver =
            Receiver::start(move |_| Reply::new(status, PROTOBUF, "").with("retry-after", "5")).await;
        let receipt = sink(&receiver, "").deliver(&documents(2)).await;
        assert!(receipt.fates.iter().all(|fate| *fate == Fate::Again), "{status}");
        assert_eq!(receipt.outage.unwrap().retry_after, Some(Duration::from_secs(5)));
    }
    let receiver = Receiver::start(|_| Reply::new(400, PROTOBUF, "")).await;
    let receipt = sink(&receiver, "").deliver(&documents(2)).await;
    assert!(
        receipt.fates.iter().all(|fate| matches!(fate, Fate::Refused(_))),
        "the specification forbids a second try"
    );
}

#[tokio::test]
async fn a_probe_sends_no_record() {
    let (_, receiver) = start().await;
    assert!(sink(&receiver, "").probe().await.unwrap().ends_with("takes logs by OTLP"));
    assert!(records(&receiver.asked()[0]).is_empty());
}
