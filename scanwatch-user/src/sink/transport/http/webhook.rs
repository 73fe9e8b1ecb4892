//! A webhook: a request a message.

use futures_util::future::BoxFuture;
use reqwest::Method;

use super::Dialect;
use super::client::{Answer, Client, Request};
use super::pieces::Piece;
use crate::policy::{Method as Carries, WebhookPlan};
use crate::sink::transport::{Fate, Outage, Receipt};
use crate::sink::{Envelope, Format};

/// They are sent one after the other.
const MESSAGES_MAX: usize = 32;
const BYTES_MAX: usize = 1 << 20;
/// Says which message it is, so that a receiver can tell a second delivery
/// (draft-ietf-httpapi-idempotency-key-header).
const IDENTITY: &str = "idempotency-key";

/// A webhook.
pub(super) struct Webhook {
    method: Method,
    content_type: String,
}

impl Webhook {
    pub fn new(plan: &WebhookPlan, format: Format) -> Self {
        let method = match plan.method {
            Carries::Post => Method::POST,
            Carries::Put => Method::PUT,
        };
        let content_type = plan.content_type.clone().unwrap_or_else(|| format.media_type().to_owned());
        Self { method, content_type }
    }

    async fn send(&self, client: &mut Client, messages: &[Envelope]) -> Piece {
        let mut receipt = Receipt { fates: Vec::with_capacity(messages.len()), outage: None };
        for message in messages {
            let mut request = Request::new(self.method.clone(), &self.content_type, message.payload.clone());
            request.headers.push((IDENTITY, format!("\"{}\"", message.id)));
            match client.send(request).await.and_then(|answer| judge(&answer)) {
                Ok(fate) => receipt.fates.push(fate),
                Err(outage) => {
                    receipt.outage = Some(outage);
                    break;
                }
            }
        }
        Piece::Settled(receipt)
    }
}

/// What a status says of a message. What is the configuration's fault, or will pass, is an outage.
pub(super) fn judge(answer: &Answer) -> Result<Fate, Outage> {
    match answer.status.as_u16() {
        200..=299 => Ok(Fate::Taken),
        401 | 403 | 404 | 405 | 407 | 408 | 425 | 429 => Err(answer.outage_of_status()),
        status @ 400..=499 => {
            Ok(Fate::Refused(format!("{} answers {status}: {}", answer.place, answer.excerpt)))
        }
        _ => Err(answer.outage_of_status()),
    }
}

impl Dialect for Webhook {
    fn batch_max(&self) -> (usize, usize) {
        (MESSAGES_MAX, BYTES_MAX)
    }

    /// What a webhook says to a question is not agreed, so any answer will do but that of one that has failed.
    fn probe<'a>(&'a mut self, client: &'a mut Client) -> BoxFuture<'a, Result<String, Outage>> {
        Box::pin(async move {
            let answer = client.send(Request::new(Method::HEAD, &self.content_type, "")).await?;
            match answer.status.as_u16() {
                401 | 403 | 407 | 500.. => Err(answer.outage_of_status()),
                status => Ok(format!("{} answers ({status} to HEAD); messages were not tried", answer.place)),
            }
        })
    }

    fn send<'a>(&'a mut self, client: &'a mut Client, messages: &'a [Envelope]) -> BoxFuture<'a, Piece> {
        Box::pin(Webhook::send(self, client, messages))
    }
}
