//! `_bulk` of Elasticsearch and OpenSearch, into a data stream.
//!
//! By Elastic's documentation of the bulk API: a data stream takes `create` only; the answer is 200 whatever became of
//! the documents, of which each has an item with a status of its own, in their order. An `_id` that is there already is
//! answered with 409, so a document that is sent twice is kept once (within one backing index: a rollover between the
//! two lets both in).

use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};

use super::Dialect;
use super::client::{Answer, Client, Request};
use super::pieces::Piece;
use crate::policy::BulkPlan;
use crate::sink::Envelope;
use crate::sink::transport::{Fate, Outage, Receipt};

const MESSAGES_MAX: usize = 500;
const BYTES_MAX: usize = 4 << 20;
/// Bytes of an `_id` (`IndexRequest.MAX_DOCUMENT_ID_LENGTH_IN_BYTES`).
const ID_MAX: usize = 512;
/// Newline-delimited JSON, as the bulk API asks for.
const NDJSON: &str = "application/x-ndjson";

/// A data stream.
pub(super) struct Bulk {
    path: String,
}

impl Bulk {
    pub fn new(plan: &BulkPlan) -> Self {
        Self { path: format!("/{}/_bulk", plan.data_stream) }
    }

    async fn send(&self, client: &mut Client, messages: &[Envelope]) -> Piece {
        if let Some(at) = messages.iter().position(|message| message.id.len() > ID_MAX) {
            return Piece::Culprit(
                at,
                format!("its id is longer than {ID_MAX} bytes, which Elasticsearch refuses"),
            );
        }
        match client.send(Request::new(Method::POST, NDJSON, body(messages)).at(&self.path)).await {
            Ok(answer) => judge(&answer, messages),
            Err(outage) => Piece::outage(outage),
        }
    }
}

/// Two lines a message: what to do, and the document.
fn body(messages: &[Envelope]) -> Vec<u8> {
    let mut body = Vec::new();
    for message in messages {
        body.extend_from_slice(json!({ "create": { "_id": message.id } }).to_string().as_bytes());
        body.push(b'\n');
        body.extend_from_slice(&message.payload);
        body.push(b'\n');
    }
    body
}

pub(super) fn judge(answer: &Answer, messages: &[Envelope]) -> Piece {
    let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
    match answer.status.as_u16() {
        200 => items(answer, said.as_ref(), messages),
        413 => Piece::Halve("it is larger than the receiver takes (413)".to_owned()),
        // One line that is not understood, and nothing is done. What stands between us and the receiver answers 400 as
        // well, but has no `error.type` to show, and says nothing about messages.
        400 => match said.as_ref().and_then(|said| reason(&said["error"])) {
            Some(why) => Piece::Halve(why),
            None => Piece::outage(answer.outage_of_status()),
        },
        _ => Piece::outage(answer.outage_of_status()),
    }
}

/// What became of each document. `errors` beside the items is not asked: the items say it all.
fn items(answer: &Answer, said: Option<&Value>, messages: &[Envelope]) -> Piece {
    let place = &answer.place;
    let Some(items) = said.and_then(|said| said["items"].as_array()) else {
        let why = format!("{place} answers 200, but not as a bulk API does: {}; check url", answer.excerpt);
        return Piece::outage(answer.outage(why));
    };
    let fits = |(item, message): (&Value, &Envelope)| item["create"]["_id"] == message.id.as_str();
    if items.len() != messages.len() || !items.iter().zip(messages).all(fits) {
        let why = format!(
            "{place} answers with {} items to {} documents, or to others",
            items.len(),
            messages.len()
        );
        return Piece::outage(answer.outage(why));
    }
    let mut outage = None;
    let mut fates = Vec::with_capacity(items.len());
    for item in items.iter().map(|item| &item["create"]) {
        let status = item["status"].as_u64().unwrap_or_default();
        let why = reason(&item["error"]).unwrap_or_else(|| format!("status {status} without a reason"));
        fates.push(match status {
            200..=299 | 409 => Fate::Taken,
            // Overload, blocks (a disk that is full makes an index read-only), rights, an index that is not made by
            // itself: what the operator of the receiver mends, while the document has no fault.
            401 | 403 | 404 | 408 | 429 | 500..=599 | 0 => {
                outage.get_or_insert_with(|| {
                    answer.outage(format!("{place} does not take documents now: {why}"))
                });
                Fate::Again
            }
            _ => Fate::Refused(why),
        });
    }
    Piece::Settled(Receipt { fates, outage })
}

/// Type and reason of an error.
fn reason(error: &Value) -> Option<String> {
    let kind = error["type"].as_str()?;
    let mut why = format!("{kind}: {}", error["reason"].as_str().unwrap_or("no reason given"));
    // What is wrong with a field is in the cause.
    if let Some(cause) = error["caused_by"]["reason"].as_str() {
        why = format!("{why} ({cause})");
    }
    Some(super::client::one_line(&why))
}

impl Dialect for Bulk {
    fn batch_max(&self) -> (usize, usize) {
        (MESSAGES_MAX, BYTES_MAX)
    }

    fn probe<'a>(&'a mut self, client: &'a mut Client) -> BoxFuture<'a, Result<String, Outage>> {
        Box::pin(async move {
            let answer = client.send(Request::new(Method::GET, "application/json", "").at("/")).await?;
            let place = &answer.place;
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            match (answer.status.as_u16(), said["version"]["number"].as_str()) {
                (200, Some(version)) => {
                    let name = said["version"]["distribution"].as_str().unwrap_or("Elasticsearch");
                    Ok(super::client::one_line(&format!("{place} is {name} {version}")))
                }
                (200, None) => {
                    let why =
                        format!("{place} answers, but is neither Elasticsearch nor OpenSearch; check url");
                    Err(answer.outage(why))
                }
                // A key that may write to the data stream alone may not ask for this.
                (403, _) if said["error"]["type"] == "security_exception" => {
                    Ok(format!("{place} knows us, and does not tell us its version"))
                }
                _ => Err(answer.outage_of_status()),
            }
        })
    }

    fn send<'a>(&'a mut self, client: &'a mut Client, messages: &'a [Envelope]) -> BoxFuture<'a, Piece> {
        Box::pin(Bulk::send(self, client, messages))
    }
}
