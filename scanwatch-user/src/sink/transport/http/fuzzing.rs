//! What must be true whatever a receiver answers: for fuzzers and tests.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;

use super::client::{Answer, Client};
use super::hec::{self, Judged};
use super::pieces::{self, Piece};
use super::{Dialect, bulk, otlp, webhook};
use crate::engine::{Severity, Timestamp};
use crate::policy::{Address, Credentials, HttpReceiver, TlsPlan};
use crate::sink::Envelope;
use crate::sink::transport::{Fate, Outage, Receipt};

/// Most messages of a delivery.
const MESSAGES_MAX: u8 = 24;
/// Longest sentence about an answer, bytes: what it repeats is bounded.
const SENTENCE_MAX: usize = 2_000;

/// Media types of answers.
const TYPES: [&str; 6] =
    ["application/x-protobuf", "application/json", "application/json; charset=utf-8", "text/html", "", "x"];

/// What the receiver is taken for.
#[derive(Clone, Copy, Debug)]
enum Speaks {
    Hec { ack: bool },
    Bulk,
    Otlp,
    Webhook,
}

impl Speaks {
    fn of(byte: u8) -> Self {
        match byte % 5 {
            0 => Self::Hec { ack: false },
            1 => Self::Hec { ack: true },
            2 => Self::Bulk,
            3 => Self::Otlp,
            _ => Self::Webhook,
        }
    }
}

/// A receiver that answers as an input says, and does not answer any more at its end.
struct Scripted<'a> {
    speaks: Speaks,
    script: &'a [u8],
    requests: usize,
    /// Messages of requests that were answered with success.
    accepted: usize,
}

impl Scripted<'_> {
    /// The next answer: a number by which its status is chosen, two bytes; its media type, a byte; the lengths of
    /// `Retry-After`, a byte, and of the body, two bytes, little-endian; and these.
    fn answer(&mut self) -> Option<Answer> {
        let [high, low, kind, wait, body_low, body_high, rest @ ..] = self.script else { return None };
        let status = u16::from_be_bytes([*high, *low]) % 500 + 100;
        let (wait, rest) = rest.split_at(usize::from(*wait).min(rest.len()));
        let length = usize::from(u16::from_le_bytes([*body_low, *body_high]));
        let (body, rest) = rest.split_at(length.min(rest.len()));
        self.script = rest;
        let status = StatusCode::from_u16(status).expect("from 100 to 599");
        let kind = TYPES[usize::from(*kind) % TYPES.len()];
        Some(Answer::made_up(status, kind, &String::from_utf8_lossy(wait), body))
    }

    fn piece(&mut self, messages: &[Envelope]) -> Piece {
        self.requests += 1;
        let Some(answer) = self.answer() else { return Piece::outage(Outage::new("nothing was answered")) };
        if answer.status.is_success() {
            self.accepted += messages.len();
        }
        let piece = match self.speaks {
            Speaks::Bulk => bulk::judge(&answer, messages),
            Speaks::Otlp => otlp::judge(&answer, messages.len()),
            Speaks::Webhook => Piece::Settled(match webhook::judge(&answer) {
                Ok(fate) => Receipt { fates: vec![fate], outage: None },
                Err(outage) => Receipt::interrupted(0, outage),
            }),
            Speaks::Hec { ack } => match hec::judge(&answer, messages.len(), ack) {
                Judged::Known(piece) => piece,
                Judged::Promised(id) => self.promised(id, messages.len()),
            },
        };
        if let Piece::Settled(receipt) = &piece {
            assert!(receipt.fates.len() <= messages.len(), "more is known than was sent");
        }
        piece
    }

    fn promised(&mut self, id: u64, count: usize) -> Piece {
        while let Some(answer) = self.answer() {
            match hec::acknowledged(&answer, id) {
                Ok(true) => return Piece::Settled(Receipt::taken(count)),
                Ok(false) => {}
                Err(outage) => return Piece::outage(outage),
            }
        }
        Piece::outage(Outage::new("nothing was answered"))
    }
}

impl Dialect for Scripted<'_> {
    fn batch_max(&self) -> (usize, usize) {
        (usize::from(MESSAGES_MAX), usize::MAX)
    }

    fn probe<'a>(&'a mut self, _: &'a mut Client) -> BoxFuture<'a, Result<String, Outage>> {
        Box::pin(std::future::ready(Ok(String::new())))
    }

    fn send<'a>(&'a mut self, _: &'a mut Client, messages: &'a [Envelope]) -> BoxFuture<'a, Piece> {
        Box::pin(std::future::ready(self.piece(messages)))
    }
}

/// Delivers a batch to a receiver that answers as the input says: what it speaks and how many messages there are, a byte
/// each, and its answers.
///
/// # Panics
/// Where a message has no fate or two, where one is taken that no answer accepted, where a batch takes more requests than
/// halving explains, or where a reason is no sentence that fits a log line.
pub fn deliver(input: &[u8]) {
    let [speaks, count, script @ ..] = input else { return };
    let batch: Vec<Envelope> = (0..count % (MESSAGES_MAX + 1)).map(envelope).collect();
    let mut receiver = Scripted { speaks: Speaks::of(*speaks), script, requests: 0, accepted: 0 };
    let mut client = Client::new(nobody());
    let receipt = pieces::deliver(&mut receiver, &mut client, &batch).now_or_never().expect("nothing waits");
    assert_eq!(receipt.fates.len(), batch.len(), "a fate a message");
    assert!(receiver.requests <= 3 * batch.len() + 1, "{} requests", receiver.requests);
    let taken = receipt.fates.iter().filter(|fate| **fate == Fate::Taken).count();
    assert!(taken <= receiver.accepted, "{taken} are taken, and {} were accepted", receiver.accepted);
    let open = receipt.fates.contains(&Fate::Again);
    let speaks = receiver.speaks;
    assert!(!open || receipt.outage.is_some() || matches!(speaks, Speaks::Webhook), "kept without a reason");
    let refusals = receipt.fates.iter().filter_map(|fate| match fate {
        Fate::Refused(why) => Some(why),
        _ => None,
    });
    for why in refusals.chain(receipt.outage.iter().map(|outage| &outage.why)) {
        assert!(!why.is_empty() && why.len() <= SENTENCE_MAX, "{} bytes: {why:?}", why.len());
        assert!(!why.contains(char::is_control), "{why:?}");
    }
}

fn envelope(number: u8) -> Envelope {
    Envelope {
        id: format!("m{number}"),
        key: format!("incident-{number}"),
        at: Timestamp::from_ns(1),
        severity: Severity::Low,
        payload: format!("{{\"n\":{number}}}").into(),
    }
}

fn nobody() -> HttpReceiver {
    HttpReceiver {
        url: Address::Plain("http://127.0.0.1:9200".to_owned()),
        credentials: Credentials::None,
        headers: Vec::new(),
        tls: TlsPlan::default(),
        proxy: None,
        timeout: std::time::Duration::from_secs(1),
    }
}

/// An answer of a script.
fn answer(status: u16, kind: u8, wait: &str, body: &[u8]) -> Vec<u8> {
    let status = (status - 100).to_be_bytes();
    let length = (body.len() as u16).to_le_bytes();
    [&status[..], &[kind, wait.len() as u8], &length, wait.as_bytes(), body].concat()
}

/// Answers as they are documented: all accepted, some refused, none, overload, and what proxies say.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let json = |status, body: &str| answer(status, 1, "", body.as_bytes());
    let script =
        |speaks: u8, count: u8, answers: &[Vec<u8>]| [vec![speaks, count], answers.concat()].concat();
    let item = |number: u8, status: u16, error: &str| {
        format!(r#"{{"create":{{"_index":"i","_id":"m{number}","status":{status}{error}}}}}"#)
    };
    let items =
        |items: &[String]| json(200, &format!(r#"{{"took":1,"errors":true,"items":[{}]}}"#, items.join(",")));
    let why = r#","error":{"type":"mapper","reason":"no","caused_by":{"reason":"a\nb"}}"#;
    let full = r#"{"error":{"type":"illegal_argument_exception","reason":"bad line"},"status":400}"#;
    vec![
        script(0, 3, &[json(200, r#"{"text":"Success","code":0}"#)]),
        script(
            0,
            3,
            &[json(400, r#"{"text":"Event field is required","code":12,"invalid-event-number":1}"#)],
        ),
        script(0, 3, &[answer(503, 1, "120", br#"{"text":"Server is busy","code":9}"#)]),
        script(0, 2, &[json(403, r#"{"text":"Invalid token","code":4}"#)]),
        script(
            1,
            2,
            &[
                json(200, r#"{"text":"Success","code":0,"ackId":7}"#),
                json(200, r#"{"acks":{"7":false}}"#),
                json(200, r#"{"acks":{"7":true}}"#),
            ],
        ),
        script(2, 3, &[items(&[item(0, 201, ""), item(1, 409, why), item(2, 400, why)])]),
        script(2, 2, &[items(&[item(0, 429, why), item(1, 201, "")])]),
        script(
            2,
            4,
            &[
                answer(413, 3, "", b"<html>too large</html>"),
                items(&[item(0, 201, ""), item(1, 201, "")]),
                json(400, full),
            ],
        ),
        script(2, 1, &[answer(502, 3, "Sun, 06 Nov 2033 08:49:37 GMT", b"<html>bad\ngateway</html>")]),
        script(3, 4, &[answer(200, 0, "", b"")]),
        script(
            3,
            2,
            &[
                answer(200, 0, "", &[0x0a, 7, 0x08, 1, 0x12, 3, b'b', b'a', b'd']),
                answer(200, 0, "", b""),
                answer(429, 0, "5", b""),
            ],
        ),
        script(
            3,
            2,
            &[
                json(200, r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}"#),
                json(400, "{}"),
            ],
        ),
        script(4, 1, &[answer(204, 4, "", b"")]),
        script(4, 1, &[answer(422, 3, "", b"no\r\nno")]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_of_the_fuzzer_comes_to_fates() {
        for seed in seeds() {
            deliver(&seed);
        }
    }
}
