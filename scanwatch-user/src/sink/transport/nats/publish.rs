//! A batch published, and what the stream says to each of its messages.

use std::error::Error as _;

use async_nats::jetstream::Error as Refusal;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use futures_util::future::join_all;

use super::session::{ACKNOWLEDGE_MAX, Session, no_stream};
use crate::policy::NatsPlan;
use crate::sink::Envelope;
use crate::sink::transport::{Fate, Outage, Receipt};

/// Publishes a batch in order, and waits for all acknowledgements together.
pub(super) async fn batch(session: &Session, plan: &NatsPlan, batch: &[Envelope]) -> Receipt {
    let bytes_max = session.bytes_max();
    let mut outage = None;
    let mut underway = Vec::with_capacity(batch.len());
    for envelope in batch {
        let bytes = headers_bytes(envelope, plan) + envelope.payload.len();
        if bytes > bytes_max {
            underway.push(Err(Fate::Refused(format!(
                "its {bytes} bytes are more than the {bytes_max} that {} takes; raise max_payload there",
                session.server
            ))));
            continue;
        }
        match session.jetstream.send_publish(plan.subject.clone(), message(envelope, plan)).await {
            Ok(acknowledged) => underway.push(Ok(acknowledged)),
            Err(error) => {
                outage = Some(why(session, plan, &error));
                break;
            }
        }
    }
    let settled = join_all(underway.into_iter().map(async |sent| match sent {
        Ok(acknowledged) => acknowledged.await.map(|_| Fate::Taken),
        Err(refused) => Ok(refused),
    }));
    let mut fates = Vec::with_capacity(batch.len());
    for settled in settled.await {
        fates.push(match settled {
            Ok(fate) => fate,
            Err(error) => refused(&error).unwrap_or_else(|| {
                outage.get_or_insert_with(|| why(session, plan, &error));
                Fate::Again
            }),
        });
    }
    Receipt { fates, outage }
}

fn message(envelope: &Envelope, plan: &NatsPlan) -> PublishMessage {
    let message = PublishMessage::build().payload(envelope.payload.clone()).message_id(&envelope.id);
    match &plan.stream {
        Some(stream) => message.expected_stream(stream),
        None => message,
    }
}

/// Bytes of a message's headers, which count towards what a server takes at once.
fn headers_bytes(envelope: &Envelope, plan: &NatsPlan) -> usize {
    let line = |name: &str, value: &str| name.len() + ": ".len() + value.len() + "\r\n".len();
    let stream = plan.stream.as_ref().map_or(0, |stream| line("Nats-Expected-Stream", stream));
    "NATS/1.0\r\n".len() + line("Nats-Msg-Id", &envelope.id) + stream + "\r\n".len()
}

/// A message that the stream will never take.
fn refused(error: &PublishError) -> Option<Fate> {
    let said = answer(error)?;
    (said.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM).then(|| {
        Fate::Refused(
            "it is larger than a message of its stream may be; raise the stream's max_msg_size".to_owned(),
        )
    })
}

/// What JetStream answered.
fn answer(error: &PublishError) -> Option<&Refusal> {
    error.source().and_then(|source| source.downcast_ref())
}

fn why(session: &Session, plan: &NatsPlan, error: &PublishError) -> Outage {
    let (server, subject) = (&session.server, &plan.subject);
    if let Some(said) = answer(error) {
        return Outage::new(match (said.error_code(), &plan.stream) {
            (ErrorCode::STREAM_NOT_MATCH, Some(stream)) => {
                format!(
                    "{server} keeps {subject} in another stream than {stream}; correct `stream` or `subject`"
                )
            }
            _ => format!("the stream at {server} does not take {subject} ({said}); see its limits"),
        });
    }
    match error.kind() {
        PublishErrorKind::StreamNotFound => no_stream(server, subject),
        PublishErrorKind::TimedOut => Outage::new(format!(
            "no stream at {server} acknowledged {subject} within {} s{}; make sure that one keeps it, and that we may \
             publish there",
            ACKNOWLEDGE_MAX.as_secs(),
            session.complaint()
        )),
        _ => Outage::new(format!(
            "{server} broke off before all was acknowledged ({error}){}; see its log",
            session.complaint()
        )),
    }
}
