//! Splunk's HTTP Event Collector. Codes and texts are those of Splunk's table "Possible error codes" in "Troubleshoot
//! HTTP Event Collector"; acknowledgement is as in "About HTTP Event Collector Indexer Acknowledgment".

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scanwatch::sink::Envelope;
use scanwatch::sink::transport::Fate;
use serde_json::{Value, json};

use crate::receiver::{Asked, Configured, Receiver, Reply, SECRET, documents, envelope};

/// What a collector is and has.
#[derive(Default)]
struct Splunk {
    indexed: Mutex<Vec<Value>>,
    /// The token asks for acknowledgement.
    acknowledges: bool,
    /// Questions before an acknowledgement.
    questions: AtomicU64,
    body_max: Option<usize>,
}

impl Splunk {
    fn answer(&self, asked: &Asked) -> Reply {
        let says =
            |status, code: u64, text: &str| Reply::json(status, &json!({ "text": text, "code": code }));
        match asked.header("authorization") {
            "" => return says(401, 2, "Token is required"),
            token if token != format!("Splunk {SECRET}") => return says(403, 4, "Invalid token"),
            _ => {}
        }
        if self.acknowledges && asked.header("x-splunk-request-channel").len() != 36 {
            return says(400, 10, "Data channel is missing");
        }
        match asked.path.as_str() {
            "/services/collector/event" => self.event(asked),
            "/services/collector/ack" if !self.acknowledges => says(400, 14, "ACK is disabled"),
            "/services/collector/ack" => {
                let ids: Value = serde_json::from_slice(&asked.body).unwrap();
                assert_eq!(ids, json!({ "acks": [7] }));
                let is_indexed = self.questions.fetch_add(1, Ordering::Relaxed) > 0;
                Reply::json(200, &json!({ "acks": { "7": is_indexed } }))
            }
            _ => Reply::new(404, "text/html", "<html>The requested URL was not found on this server.</html>"),
        }
    }

    fn event(&self, asked: &Asked) -> Reply {
        if self.body_max.is_some_and(|limit| asked.body.len() > limit) {
            return Reply::new(413, "text/html", "<html>Content-Length too large</html>");
        }
        if asked.body.is_empty() {
            return Reply::json(400, &json!({ "text": "No data", "code": 5 }));
        }
        let mut events = Vec::new();
        for event in serde_json::Deserializer::from_slice(&asked.body).into_iter::<Value>() {
            let refused = |text: &str, code: u64| {
                Reply::json(400, &json!({ "text": text, "code": code, "invalid-event-number": events.len() }))
            };
            let Ok(event) = event else { return refused("Invalid data format", 6) };
            match &event["event"] {
                Value::Null => return refused("Event field is required", 12),
                Value::String(text) if text.is_empty() => return refused("Event field cannot be blank", 13),
                _ if event["index"] == "forbidden" => return refused("Incorrect index", 7),
                _ => events.push(event),
            }
        }
        self.indexed.lock().unwrap().append(&mut events);
        let ack = if self.acknowledges {
            json!({ "text": "Success", "code": 0, "ackId": 7 })
        } else {
            json!({ "text": "Success", "code": 0 })
        };
        Reply::json(200, &ack)
    }
}

async fn start(splunk: Splunk) -> (Arc<Splunk>, Receiver) {
    let splunk = Arc::new(splunk);
    let answers = Arc::clone(&splunk);
    (splunk, Receiver::start(move |asked| answers.answer(asked)).await)
}

fn sink(receiver: &Receiver, more: &str) -> Configured {
    let url = receiver.url();
    Configured::new(&format!(
        "type = \"http\"\ndialect = \"splunk_hec\"\nurl = \"{url}\"\ntoken_file = \"SECRET_FILE\"\n{more}"
    ))
}

#[tokio::test]
async fn events_have_their_time_their_place_and_the_document_as_it_is() {
    let (splunk, receiver) = start(Splunk::default()).await;
    let mut sink = sink(&receiver, "host = \"gw1\"\nindex = \"security\"\n");
    let batch = documents(3);
    let receipt = sink.deliver(&batch).await;
    assert_eq!((receipt.fates, receipt.outage), (vec![Fate::Taken; 3], None));
    let indexed = splunk.indexed.lock().unwrap();
    let expected = json!({
        "time": 1_833_000_000.123_456,
        "host": "gw1",
        "source": "scanwatch",
        "sourcetype": "scanwatch:alert",
        "index": "security",
        "event": { "@timestamp": "2028-02-01T10:40:00Z", "message": "scan 2 ü" },
    });
    assert_eq!(indexed[2], expected);
    assert_eq!(receiver.asked().len(), 1, "one request for all");
}

#[tokio::test]
async fn a_form_that_is_no_json_is_a_text() {
    let (splunk, receiver) = start(Splunk::default()).await;
    let mut sink = sink(&receiver, "format = \"text\"\n");
    sink.deliver(&[envelope(0, "10.1.0.99 \"tried\" 20 ports")]).await;
    assert_eq!(splunk.indexed.lock().unwrap()[0]["event"], "10.1.0.99 \"tried\" 20 ports");
}

#[tokio::test]
async fn events_at_fault_are_refused_and_the_others_taken_once_in_order() {
    let (splunk, receiver) = start(Splunk::default()).await;
    let mut sink = sink(&receiver, "format = \"text\"\n");
    let batch: Vec<Envelope> = ["a", "", "b", "c", "", "d"].iter().map(|text| envelope(0, text)).collect();
    let receipt = sink.deliver(&batch).await;
    let refused = Fate::Refused("Event field cannot be blank (code 13)".to_owned());
    let taken = Fate::Taken;
    let expected = [taken.clone(), refused.clone(), taken.clone(), taken.clone(), refused, taken];
    assert_eq!((&receipt.fates[..], receipt.outage), (&expected[..], None));
    let indexed: Vec<Value> =
        splunk.indexed.lock().unwrap().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(indexed, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_fault_without_a_number_is_found_by_halves() {
    let receiver = Receiver::start(|asked| {
        let bad = String::from_utf8_lossy(&asked.body).contains("scan 5");
        let said = if bad {
            json!({ "text": "Invalid data format", "code": 6 })
        } else {
            json!({ "text": "Success", "code": 0 })
        };
        Reply::json(if bad { 400 } else { 200 }, &said)
    })
    .await;
    let mut sink = sink(&receiver, "");
    let receipt = sink.deliver(&documents(8)).await;
    let refused: Vec<usize> = (0..8).filter(|at| receipt.fates[*at] != Fate::Taken).collect();
    assert_eq!(refused, [5]);
    assert_eq!(receipt.fates[5], Fate::Refused("Invalid data format (code 6)".to_owned()));
}

#[tokio::test]
async fn what_is_too_large_for_one_request_goes_in_several_and_what_is_too_large_alone_is_refused() {
    let (splunk, receiver) = start(Splunk { body_max: Some(1_000), ..Splunk::default() }).await;
    let mut sink = sink(&receiver, "");
    let mut batch = documents(12);
    batch[4] = envelope(4, &format!("{{\"message\":\"{}\"}}", "x".repeat(1_000)));
    let receipt = sink.deliver(&batch).await;
    assert_eq!(receipt.outage, None);
    assert_eq!(receipt.fates.iter().filter(|fate| **fate == Fate::Taken).count(), 11);
    assert_eq!(receipt.fates[4], Fate::Refused("it is larger than the receiver takes (413)".to_owned()));
    assert_eq!(splunk.indexed.lock().unwrap().len(), 11);
}

#[tokio::test]
async fn an_acknowledgement_is_waited_for() {
    let (splunk, receiver) = start(Splunk { acknowledges: true, ..Splunk::default() }).await;
    let mut sink = sink(&receiver, "ack = true\n");
    let receipt = sink.deliver(&documents(2)).await;
    assert_eq!((receipt.fates, receipt.outage), (vec![Fate::Taken; 2], None));
    assert_eq!(splunk.questions.load(Ordering::Relaxed), 2, "the first answer is false");
    let channels: Vec<String> =
        receiver.asked().iter().map(|asked| asked.header("x-splunk-request-channel").to_owned()).collect();
    assert_eq!(channels.len(), 3);
    assert!(channels.iter().all(|channel| *channel == channels[0]), "{channels:?}");
}

#[tokio::test]
async fn a_token_and_a_sink_that_disagree_about_acknowledgement_are_told_what_to_do() {
    let (splunk, receiver) = start(Splunk { acknowledges: true, ..Splunk::default() }).await;
    let why = sink(&receiver, "").deliver(&documents(1)).await.outage.expect("an outage").why;
    assert!(
        why.contains(
            "Data channel is missing (400, code 10); the token asks for acknowledgement: set ack = true"
        ),
        "{why}"
    );
    assert!(splunk.indexed.lock().unwrap().is_empty());
    let (_, receiver) = start(Splunk::default()).await;
    let receipt = sink(&receiver, "ack = true\n").deliver(&documents(1)).await;
    assert!(!receipt.fates.contains(&Fate::Taken), "it was not acknowledged");
    let why = receipt.outage.expect("an outage").why;
    assert!(why.contains("or set ack = false"), "{why}");
}

#[tokio::test]
async fn what_the_operator_has_to_mend_is_an_outage_that_says_what() {
    for (status, code, text, advice) in [
        (403, 1, "Token disabled", "the token is disabled: enable it"),
        (401, 3, "Invalid authorization", "check the token"),
        (403, 4, "Invalid token", "check the token"),
        (400, 7, "Incorrect index", "check index, and the token's allowed indexes"),
        (500, 8, "Internal server error", "code 8)"),
        (503, 9, "Server is busy", "code 9)"),
        (400, 11, "Invalid data channel", "set ack = true"),
        (400, 99, "Something of a later version", "code 99)"),
    ] {
        let receiver =
            Receiver::start(move |_| Reply::json(status, &json!({ "text": text, "code": code }))).await;
        let receipt = sink(&receiver, "").deliver(&documents(3)).await;
        let why = receipt.outage.expect(text).why;
        assert!(receipt.fates.iter().all(|fate| *fate == Fate::Again), "{text}: nothing is lost");
        assert!(why.contains(text) && why.ends_with(advice), "{why}");
    }
}

#[tokio::test]
async fn a_busy_collector_says_when_to_come_back() {
    let receiver = Receiver::start(|_| {
        Reply::json(503, &json!({ "text": "Server is busy", "code": 9 })).with("retry-after", "17")
    })
    .await;
    let outage = sink(&receiver, "").deliver(&documents(1)).await.outage.unwrap();
    assert_eq!(outage.retry_after, Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn an_answer_of_something_else_is_no_success() {
    let receiver = Receiver::start(|_| Reply::new(200, "text/html", "<h1>Welcome</h1>\nto nginx")).await;
    let receipt = sink(&receiver, "").deliver(&documents(2)).await;
    assert!(receipt.fates.iter().all(|fate| *fate == Fate::Again));
    let why = receipt.outage.unwrap().why;
    assert!(
        why.ends_with("not as a Splunk HTTP Event Collector does: <h1>Welcome</h1> to nginx; check url"),
        "{why}"
    );
}

#[tokio::test]
async fn a_probe_writes_nothing_and_tells_the_token() {
    let (splunk, receiver) = start(Splunk::default()).await;
    let mut sink = sink(&receiver, "");
    assert!(sink.probe().await.unwrap().ends_with("is a Splunk HTTP Event Collector and takes the token"));
    std::fs::write(sink.secret_file(), "another").unwrap();
    sink.transport.reopen().await;
    assert!(sink.probe().await.unwrap_err().ends_with("check the token"));
    assert!(splunk.indexed.lock().unwrap().is_empty());
}
