//! A message ready to be sent: what a transport needs to know of it, and its bytes.

use bytes::Bytes;

use super::Message;
use crate::engine::{Severity, Timestamp};

/// A message as it is spooled and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Identity, by which a receiver knows what it has already: [`Message::id`].
    pub id: String,
    /// What belongs together and stays in order: [`Message::key`].
    pub key: String,
    /// When it was said.
    pub at: Timestamp,
    /// How bad it is.
    pub severity: Severity,
    /// What is sent, in the sink's form, without an end of line.
    pub payload: Bytes,
}

impl Envelope {
    /// The envelope of a message whose form is `payload`.
    #[must_use]
    pub fn new(message: &Message, payload: impl Into<Bytes>) -> Self {
        Self {
            id: message.id(),
            key: message.key(),
            at: message.at(),
            severity: message.severity(),
            payload: payload.into(),
        }
    }
}
