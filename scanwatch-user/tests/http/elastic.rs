//! `_bulk` of Elasticsearch and OpenSearch: statuses, items and types of errors as in Elastic's documentation of the
//! bulk API and of data streams.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scanwatch::sink::transport::Fate;
use serde_json::{Value, json};

use crate::receiver::{Asked, Configured, Receiver, Reply, SECRET, documents, envelope};

/// A cluster with one data stream.
#[derive(Default)]
struct Elastic {
    ids: Mutex<BTreeSet<String>>,
    body_max: Option<usize>,
}

impl Elastic {
    fn answer(&self, asked: &Asked) -> Reply {
        if asked.header("authorization") != format!("ApiKey {SECRET}") {
            let error = json!({ "type": "security_exception", "reason": "unable to authenticate with provided credentials" });
            return Reply::json(401, &json!({ "error": error, "status": 401 }));
        }
        if asked.path == "/" {
            return Reply::json(
                200,
                &json!({ "version": { "number": "9.1.0" }, "tagline": "You Know, for Search" }),
            );
        }
        assert_eq!(asked.path, "/logs-scanwatch-default/_bulk");
        assert_eq!(asked.header("content-type"), "application/x-ndjson");
        if self.body_max.is_some_and(|limit| asked.body.len() > limit) {
            return Reply::new(413, "text/plain", "");
        }
        let text = std::str::from_utf8(&asked.body).unwrap();
        assert!(text.ends_with('\n'), "the last line ends");
        let lines: Vec<&str> = text.lines().collect();
        let items: Vec<Value> = lines.chunks(2).map(|pair| self.item(pair[0], pair[1])).collect();
        let errors = items.iter().any(|item| item["create"]["status"] != 201);
        Reply::json(200, &json!({ "took": 3, "errors": errors, "items": items }))
    }

    fn item(&self, action: &str, document: &str) -> Value {
        let action: Value = serde_json::from_str(action).unwrap();
        let id = action["create"]["_id"].as_str().expect("data streams take create alone");
        let failed = |status: u16, kind: &str, reason: &str| {
            let error = json!({ "type": kind, "reason": reason });
            json!({ "create": { "_index": "logs-scanwatch-default", "_id": id, "status": status, "error": error } })
        };
        let document: Value = serde_json::from_str(document).unwrap();
        if document["@timestamp"].is_null() {
            return failed(
                400,
                "document_parsing_exception",
                "[1:2] data stream timestamp field [@timestamp] is missing",
            );
        }
        if document["message"] == "busy" {
            return failed(429, "es_rejected_execution_exception", "rejected execution of primary operation");
        }
        if !self.ids.lock().unwrap().insert(id.to_owned()) {
            return failed(409, "version_conflict_engine_exception", "document already exists");
        }
        json!({ "create": { "_index": ".ds-logs-scanwatch-default-000001", "_id": id, "result": "created", "status": 201 } })
    }
}

async fn start(elastic: Elastic) -> (Arc<Elastic>, Receiver) {
    let elastic = Arc::new(elastic);
    let answers = Arc::clone(&elastic);
    (elastic, Receiver::start(move |asked| answers.answer(asked)).await)
}

fn sink(receiver: &Receiver) -> Configured {
    let url = receiver.url();
    Configured::new(&format!(
        "type = \"http\"\ndialect = \"elastic_bulk\"\nurl = \"{url}\"\napi_key_file = \"SECRET_FILE\"\n"
    ))
}

#[tokio::test]
async fn documents_are_created_and_those_that_are_there_already_count_as_taken() {
    let (elastic, receiver) = start(Elastic::default()).await;
    let mut sink = sink(&receiver);
    let batch = documents(5);
    for delivery in 1..=2 {
        let receipt = sink.deliver(&batch).await;
        assert_eq!((receipt.fates, receipt.outage), (vec![Fate::Taken; 5], None), "delivery {delivery}");
    }
    let ids: Vec<String> = elastic.ids.lock().unwrap().iter().cloned().collect();
    assert_eq!(ids, batch.iter().map(|message| message.id.clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_item_has_its_own_fate() {
    let (_, receiver) = start(Elastic::default()).await;
    let mut sink = sink(&receiver);
    let mut batch = documents(4);
    batch[1] = envelope(1, "{}");
    batch[2] = envelope(2, "{\"@timestamp\":\"2028-02-01T10:40:00Z\",\"message\":\"busy\"}");
    let receipt = sink.deliver(&batch).await;
    let refused =
        "document_parsing_exception: [1:2] data stream timestamp field [@timestamp] is missing".to_owned();
    assert_eq!(receipt.fates, [Fate::Taken, Fate::Refused(refused), Fate::Again, Fate::Taken]);
    let why = receipt.outage.expect("one of them is to be sent again").why;
    assert!(why.contains("es_rejected_execution_exception"), "{why}");
}

#[tokio::test]
async fn the_flag_about_errors_is_not_believed() {
    let receiver = Receiver::start(|_| {
        let error = json!({ "type": "mapper_parsing_exception", "reason": "failed", "caused_by": { "reason": "no number" } });
        let item = json!({ "create": { "_id": "incident0-1", "status": 400, "error": error } });
        Reply::json(200, &json!({ "errors": false, "items": [item] }))
    })
    .await;
    let receipt = sink(&receiver).deliver(&documents(1)).await;
    assert_eq!(receipt.fates, [Fate::Refused("mapper_parsing_exception: failed (no number)".to_owned())]);
}

#[tokio::test]
async fn an_answer_about_other_documents_is_an_outage() {
    for items in [
        json!([]),
        json!([{ "create": { "_id": "incident0-1", "status": 201 } }]),
        json!([{ "create": { "_id": "incident1-1", "status": 201 } }, { "create": { "_id": "incident0-1", "status": 201 } }]),
        json!("many"),
    ] {
        let receiver =
            Receiver::start(move |_| Reply::json(200, &json!({ "errors": false, "items": items }))).await;
        let receipt = sink(&receiver).deliver(&documents(2)).await;
        assert!(receipt.outage.is_some() && !receipt.fates.contains(&Fate::Taken));
    }
}

#[tokio::test]
async fn blocks_and_missing_rights_of_single_items_are_no_fault_of_the_document() {
    for (status, kind) in [
        (403, "cluster_block_exception"),
        (404, "index_not_found_exception"),
        (503, "unavailable_shards_exception"),
    ] {
        let receiver = Receiver::start(move |_| {
            let item =
                json!({ "_id": "incident0-1", "status": status, "error": { "type": kind, "reason": "why" } });
            Reply::json(200, &json!({ "errors": true, "items": [{ "create": item }] }))
        })
        .await;
        let receipt = sink(&receiver).deliver(&documents(1)).await;
        assert_eq!(receipt.fates, [Fate::Again], "{kind}");
        assert!(receipt.outage.unwrap().why.contains(kind));
    }
}

#[tokio::test]
async fn what_is_too_large_goes_in_halves() {
    let (elastic, receiver) = start(Elastic { body_max: Some(300), ..Elastic::default() }).await;
    let mut sink = sink(&receiver);
    let mut batch = documents(9);
    batch[8] = envelope(8, &format!("{{\"message\":\"{}\"}}", "x".repeat(400)));
    let receipt = sink.deliver(&batch).await;
    assert_eq!(receipt.outage, None);
    assert_eq!(receipt.fates[8], Fate::Refused("it is larger than the receiver takes (413)".to_owned()));
    assert_eq!(elastic.ids.lock().unwrap().len(), 8);
}

#[tokio::test]
async fn a_request_that_is_not_understood_is_narrowed_down_where_elasticsearch_says_so_itself() {
    let receiver = Receiver::start(|asked| {
        if !String::from_utf8_lossy(&asked.body).contains("scan 2 ") {
            let ids = String::from_utf8_lossy(&asked.body)
                .lines()
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>();
            let item = |line: &String| {
                let action: Value = serde_json::from_str(line).unwrap();
                json!({ "create": { "_id": action["create"]["_id"], "status": 201 } })
            };
            return Reply::json(
                200,
                &json!({ "errors": false, "items": ids.iter().map(item).collect::<Vec<_>>() }),
            );
        }
        let error = json!({ "type": "illegal_argument_exception", "reason": "Malformed content" });
        Reply::json(400, &json!({ "error": error, "status": 400 }))
    })
    .await;
    let receipt = sink(&receiver).deliver(&documents(4)).await;
    let refused = Fate::Refused("illegal_argument_exception: Malformed content".to_owned());
    assert_eq!(receipt.fates, [Fate::Taken, Fate::Taken, refused, Fate::Taken]);
    let receiver =
        Receiver::start(|_| Reply::new(400, "text/html", "plain HTTP request sent to HTTPS port")).await;
    let receipt = sink(&receiver).deliver(&documents(2)).await;
    assert!(receipt.outage.is_some() && receipt.fates.iter().all(|fate| *fate == Fate::Again));
}

#[tokio::test]
async fn an_overloaded_cluster_says_when_to_come_back() {
    for status in [429, 502, 503, 504] {
        let receiver =
            Receiver::start(move |_| Reply::json(status, &json!({})).with("retry-after", "3")).await;
        let outage = sink(&receiver).deliver(&documents(1)).await.outage.unwrap();
        assert_eq!(outage.retry_after, Some(Duration::from_secs(3)));
        assert!(outage.why.contains("takes nothing for the moment"), "{}", outage.why);
    }
}

#[tokio::test]
async fn a_wrong_key_is_read_again_once_it_was_not_accepted() {
    let (elastic, receiver) = start(Elastic::default()).await;
    let mut sink = sink(&receiver);
    std::fs::write(sink.secret_file(), "yesterday's").unwrap();
    let why = sink.deliver(&documents(1)).await.outage.unwrap().why;
    assert!(why.contains("does not accept our credentials (401: {\"error\":"), "{why}");
    std::fs::write(sink.secret_file(), SECRET).unwrap();
    assert_eq!(sink.deliver(&documents(1)).await.fates, [Fate::Taken]);
    assert_eq!(elastic.ids.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_probe_names_the_version_and_knows_what_is_something_else() {
    let (_, receiver) = start(Elastic::default()).await;
    assert!(sink(&receiver).probe().await.unwrap().ends_with("is Elasticsearch 9.1.0"));
    let receiver = Receiver::start(|_| {
        Reply::json(200, &json!({ "version": { "number": "3.1.0", "distribution": "opensearch" } }))
    })
    .await;
    assert!(sink(&receiver).probe().await.unwrap().ends_with("is opensearch 3.1.0"));
    let receiver = Receiver::start(|_| Reply::new(200, "text/html", "hello")).await;
    assert!(
        sink(&receiver)
            .probe()
            .await
            .unwrap_err()
            .ends_with("neither Elasticsearch nor OpenSearch; check url")
    );
    let receiver =
        Receiver::start(|_| Reply::json(403, &json!({ "error": { "type": "security_exception" } }))).await;
    assert!(sink(&receiver).probe().await.unwrap().contains("knows us"));
}
