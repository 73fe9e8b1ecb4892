//! Splunk's HTTP Event Collector.
//!
//! By Splunk's "Getting Data In": "Format events for HTTP Event Collector", "Troubleshoot HTTP Event Collector", whose
//! table of status codes is [`meaning`], and "About HTTP Event Collector Indexer Acknowledgment".

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Dialect;
use super::client::{Answer, Client, Request};
use super::pieces::Piece;
use crate::policy::HecPlan;
use crate::sink::transport::{Outage, Receipt};
use crate::sink::{Envelope, Format, Observer};

const MESSAGES_MAX: usize = 100;
/// A little below the million bytes that older receivers take in one request.
const BYTES_MAX: usize = 800_000;
const EVENT: &str = "/services/collector/event";
const ACK: &str = "/services/collector/ack";
const JSON: &str = "application/json";
/// Events that are not acknowledged within this time are sent again.
const ACK_WAIT: Duration = Duration::from_mins(2);
/// The first and the longest pause between two questions whether events are indexed.
const ACK_PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Questions in a row that may fail: what is indexed need not be sent again because of one lost answer.
const ACK_FAILURES_MAX: u32 = 3;

/// A collector.
pub(super) struct Hec {
    plan: HecPlan,
    host: String,
    /// Whether a message is a JSON document.
    json: bool,
    /// Identity of this sender, by which acknowledgements are asked for.
    channel: String,
}

/// What a code says.
enum Meaning {
    /// The events were accepted.
    Accepted,
    /// One of the events is at fault.
    BadEvent,
    /// No event is at fault; what to do about it, where that can be said.
    Outage(&'static str),
}

/// What the documented codes mean for the events of a request.
fn meaning(code: u64) -> Meaning {
    match code {
        0 => Meaning::Accepted,
        // No data, invalid data format, event field required, blank, error in handling indexed fields.
        5 | 6 | 12 | 13 | 15 => Meaning::BadEvent,
        1 | 22 => Meaning::Outage("; the token is disabled: enable it"),
        2 | 3 | 4 | 21 => Meaning::Outage("; check the token"),
        7 => Meaning::Outage(
            "; the token may not write to that index: check index, and the token's allowed indexes",
        ),
        10 => Meaning::Outage("; the token asks for acknowledgement: set ack = true"),
        11 => Meaning::Outage("; the channel is not accepted: set ack = true"),
        14 => Meaning::Outage("; the token does not acknowledge: enable that, or set ack = false"),
        _ => Meaning::Outage(""),
    }
}

impl Hec {
    pub fn new(plan: HecPlan, format: Format) -> Self {
        let host = plan.host.clone().or_else(|| Some(Observer::local().ok()?.hostname));
        Self { host: host.unwrap_or_default(), json: format.media_type() == JSON, plan, channel: guid() }
    }

    /// The events one after the other, as the collector reads them.
    fn body(&self, messages: &[Envelope]) -> Vec<u8> {
        let mut body = Vec::new();
        for message in messages {
            let time_s = (message.at.as_ns() / 1_000) as f64 / 1e6;
            let mut event = json!({
                "time": time_s,
                "host": self.host,
                "source": self.plan.source,
                "sourcetype": self.plan.sourcetype,
            });
            if let Some(index) = &self.plan.index {
                event["index"] = json!(index);
            }
            let text = event.to_string();
            body.extend_from_slice(text.trim_end_matches('}').as_bytes());
            body.extend_from_slice(b",\"event\":");
            if self.json {
                body.extend_from_slice(&message.payload);
            } else {
                body.extend_from_slice(
                    json!(String::from_utf8_lossy(&message.payload)).to_string().as_bytes(),
                );
            }
            body.extend_from_slice(b"}\n");
        }
        body
    }

    fn request<'a>(&self, path: &'a str, body: Vec<u8>) -> Request<'a> {
        let mut request = Request::new(Method::POST, JSON, body).at(path);
        if self.plan.ack {
            request.headers.push(("x-splunk-request-channel", self.channel.clone()));
        }
        request
    }

    async fn send(&self, client: &mut Client, messages: &[Envelope]) -> Piece {
        let answer = match client.send(self.request(EVENT, self.body(messages))).await {
            Ok(answer) => answer,
            Err(outage) => return Piece::outage(outage),
        };
        match judge(&answer, messages.len(), self.plan.ack) {
            Judged::Known(piece) => piece,
            Judged::Promised(id) => Piece::Settled(match self.wait_for_ack(client, &answer, id).await {
                Ok(()) => Receipt::taken(messages.len()),
                Err(outage) => Receipt::interrupted(0, outage),
            }),
        }
    }

    /// Asks until the events are indexed.
    async fn wait_for_ack(&self, client: &mut Client, answer: &Answer, id: u64) -> Result<(), Outage> {
        let begun = Instant::now();
        let mut pause = ACK_PAUSE.0;
        let mut failures = 0;
        while begun.elapsed() < ACK_WAIT {
            sleep(pause).await;
            pause = (pause * 2).min(ACK_PAUSE.1);
            match self.is_indexed(client, id).await {
                Ok(true) => return Ok(()),
                Ok(false) => failures = 0,
                Err(outage) if failures + 1 == ACK_FAILURES_MAX => return Err(outage),
                Err(_) => failures += 1,
            }
        }
        Err(Outage::new(format!(
            "{} took events and did not acknowledge them within {} s; check its indexers",
            answer.place,
            ACK_WAIT.as_secs()
        )))
    }

    async fn is_indexed(&self, client: &mut Client, id: u64) -> Result<bool, Outage> {
        let answer = client.send(self.request(ACK, json!({ "acks": [id] }).to_string().into_bytes())).await?;
        acknowledged(&answer, id)
    }
}

/// What an answer to events says.
pub(super) enum Judged {
    /// What became of them.
    Known(Piece),
    /// They were accepted, and are to be asked for by this number.
    Promised(u64),
}

/// What became of `count` events that were sent in one request; with `ack`, they are to be acknowledged later.
pub(super) fn judge(answer: &Answer, count: usize, ack: bool) -> Judged {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 413 {
        return Judged::Known(Piece::Halve("it is larger than the receiver takes (413)".to_owned()));
    }
    Judged::Known(match (said["code"].as_u64().map(meaning), answer.status.as_u16()) {
        (Some(Meaning::Accepted), 200) if ack => match said["ackId"].as_u64() {
            Some(id) => return Judged::Promised(id),
            None => Piece::outage(answer.outage(format!(
                "{} does not acknowledge what the token brings; enable indexer acknowledgement for the token, or \
                 set ack = false",
                answer.place
            ))),
        },
        (Some(Meaning::Accepted), 200) => Piece::Settled(Receipt::taken(count)),
        (Some(Meaning::BadEvent), 400) => bad_event(&said, count),
        _ => Piece::outage(outage(answer, &said)),
    })
}

/// Whether the events of this number are indexed.
pub(super) fn acknowledged(answer: &Answer, id: u64) -> Result<bool, Outage> {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let acknowledged = said["acks"][id.to_string()].as_bool();
    acknowledged.filter(|_| answer.status == 200).ok_or_else(|| outage(answer, &said))
}

/// `invalid-event-number` is the place of the event; were it not said, or wrong, halves would find it.
fn bad_event(said: &Value, count: usize) -> Piece {
    let text = said["text"].as_str().unwrap_or("no reason given");
    let why = super::client::one_line(&format!("{text} (code {})", said["code"]));
    match said["invalid-event-number"].as_u64().and_then(|at| usize::try_from(at).ok()) {
        Some(at) if at < count => Piece::Culprit(at, why),
        _ => Piece::Halve(why),
    }
}

fn outage(answer: &Answer, said: &Value) -> Outage {
    let place = &answer.place;
    let Some(code) = said["code"].as_u64() else {
        return if answer.status == 200 {
            answer.outage(format!(
                "{place} answers 200, but not as a Splunk HTTP Event Collector does: {}; check url",
                answer.excerpt
            ))
        } else {
            answer.outage_of_status()
        };
    };
    let text = super::client::one_line(said["text"].as_str().unwrap_or("no reason given"));
    let advice = match meaning(code) {
        Meaning::Outage(advice) => advice,
        _ => "",
    };
    answer
        .outage(format!("{place} takes no events: {text} ({}, code {code}){advice}", answer.status.as_u16()))
}

impl Dialect for Hec {
    fn batch_max(&self) -> (usize, usize) {
        (MESSAGES_MAX, BYTES_MAX)
    }

    fn afterwards(&self) -> Duration {
        if self.plan.ack { ACK_WAIT + ACK_PAUSE.1 } else { Duration::ZERO }
    }

    /// A request without events: whoever may write is told that there is no data (code 5), and nothing is written.
    fn probe<'a>(&'a mut self, client: &'a mut Client) -> BoxFuture<'a, Result<String, Outage>> {
        Box::pin(async move {
            let answer = client.send(self.request(EVENT, Vec::new())).await?;
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            match said["code"].as_u64() {
                Some(5) => {
                    Ok(format!("{} is a Splunk HTTP Event Collector and takes the token", answer.place))
                }
                _ => Err(outage(&answer, &said)),
            }
        })
    }

    fn send<'a>(&'a mut self, client: &'a mut Client, messages: &'a [Envelope]) -> BoxFuture<'a, Piece> {
        Box::pin(Hec::send(self, client, messages))
    }
}

/// A random UUID (RFC 9562, version 4), from the keys of a hash, which the system makes at random.
fn guid() -> String {
    let [high, low] = [1_u8, 2].map(|part| RandomState::new().hash_one(part));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}
