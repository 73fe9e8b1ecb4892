//! A batch in as many requests as it takes: where a receiver takes none of several messages because of one of them, or
//! because they are too many, they are sent in smaller pieces.

use std::ops::Range;

use tokio::time::Instant;

use super::client::Client;
use super::{DELIVERY, Dialect};
use crate::sink::Envelope;
use crate::sink::transport::{Fate, Outage, Receipt};

/// What became of messages that were sent in one request.
pub(super) enum Piece {
    /// Each has its fate; after an outage, nothing else is sent.
    Settled(Receipt),
    /// None was taken because of one of them, the one at this place.
    Culprit(usize, String),
    /// None was taken because of one of them, which is not said, or because they are too many: sent again in halves. A
    /// single one is refused.
    Halve(String),
}

impl Piece {
    /// Nothing is known but that the way is closed.
    pub fn outage(outage: Outage) -> Self {
        Self::Settled(Receipt::interrupted(0, outage))
    }
}

/// Delivers a batch, in order as far as the receiver lets it.
pub(super) async fn deliver(dialect: &mut dyn Dialect, client: &mut Client, batch: &[Envelope]) -> Receipt {
    let begun = Instant::now();
    let mut fates = vec![Fate::Again; batch.len()];
    // The last is the next, so that order is kept.
    let mut pieces: Vec<Range<usize>> = std::iter::once(0..batch.len()).collect();
    while let Some(piece) = pieces.pop() {
        if piece.is_empty() {
            continue;
        }
        if begun.elapsed() > DELIVERY {
            let why = "the receiver takes long, and a part of the messages is kept for the next delivery";
            return Receipt { fates, outage: Some(Outage::new(why)) };
        }
        match dialect.send(client, &batch[piece.clone()]).await {
            Piece::Settled(receipt) => {
                for (fate, known) in fates[piece].iter_mut().zip(receipt.fates) {
                    *fate = known;
                }
                if receipt.outage.is_some() {
                    return Receipt { fates, outage: receipt.outage };
                }
            }
            Piece::Culprit(at, why) if at < piece.len() => {
                let culprit = piece.start + at;
                fates[culprit] = Fate::Refused(why);
                pieces.push(culprit + 1..piece.end);
                pieces.push(piece.start..culprit);
            }
            Piece::Culprit(_, why) | Piece::Halve(why) if piece.len() == 1 => {
                fates[piece.start] = Fate::Refused(why);
            }
            Piece::Culprit(..) | Piece::Halve(_) => {
                let middle = piece.start + piece.len() / 2;
                pieces.push(middle..piece.end);
                pieces.push(piece.start..middle);
            }
        }
    }
    Receipt { fates, outage: None }
}
