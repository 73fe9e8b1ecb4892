//! Envelopes as bytes on disk.
//!
//! A record is its body's length and CRC-32 (IEEE 802.3), four bytes each, little-endian, and the body: time in
//! nanoseconds (8), severity (1), length of the id (2), id, length of the key (2), key, payload.

use bytes::{Buf, BufMut, Bytes};

use crate::engine::{Severity, Timestamp};
use crate::sink::Envelope;

/// Length and checksum.
pub const HEAD_BYTES: usize = 8;
/// The largest body: no form of a message comes near, and a damaged length stays harmless.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// What of a record tells whether it can be one: its head, and of its body time, severity, and length of the id.
pub const LOOK_BYTES: usize = HEAD_BYTES + 8 + 1 + 2;
/// The shortest body: id, key and payload are empty.
const BODY_BYTES_MIN: usize = 8 + 1 + 2 + 2;

const SEVERITIES: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

/// The record of an envelope; `None` where it is larger than any message.
pub fn encode(envelope: &Envelope) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(envelope.payload.len() + 128);
    body.put_u64_le(envelope.at.as_ns());
    body.put_u8(envelope.severity as u8);
    for text in [&envelope.id, &envelope.key] {
        body.put_u16_le(u16::try_from(text.len()).ok()?);
        body.put_slice(text.as_bytes());
    }
    body.put_slice(&envelope.payload);
    if body.len() > BODY_BYTES_MAX {
        return None;
    }
    let mut record = Vec::with_capacity(HEAD_BYTES + body.len());
    record.put_u32_le(body.len() as u32);
    record.put_u32_le(crc32fast::hash(&body));
    record.put_slice(&body);
    Some(record)
}

/// Length of the body, and its checksum; `None` where it is none of ours.
pub fn head(bytes: [u8; HEAD_BYTES]) -> Option<(usize, u32)> {
    let mut bytes = &bytes[..];
    let length = bytes.get_u32_le() as usize;
    (length <= BODY_BYTES_MAX).then(|| (length, bytes.get_u32_le()))
}

/// The length of the body where these first bytes, at least [`LOOK_BYTES`], can be those of a record.
pub fn looks_like_a_record(bytes: &[u8]) -> Option<usize> {
    let (head_of, mut body) = bytes.split_first_chunk()?;
    let (length, _) = head(*head_of)?;
    body.try_get_u64_le().ok()?;
    let level = body.try_get_u8().ok()?;
    let id = usize::from(body.try_get_u16_le().ok()?);
    let is_one = BODY_BYTES_MIN + id <= length && SEVERITIES.iter().any(|severity| *severity as u8 == level);
    is_one.then_some(length)
}

/// The envelope of a body with this checksum; `None` where it is damaged.
pub fn decode(body: Vec<u8>, checksum: u32) -> Option<Envelope> {
    if crc32fast::hash(&body) != checksum {
        return None;
    }
    let mut rest = Bytes::from(body);
    let at = Timestamp::from_ns(rest.try_get_u64_le().ok()?);
    let level = rest.try_get_u8().ok()?;
    let severity = SEVERITIES.into_iter().find(|severity| *severity as u8 == level)?;
    let (id, key) = (text(&mut rest)?, text(&mut rest)?);
    Some(Envelope { id, key, at, severity, payload: rest })
}

fn text(rest: &mut Bytes) -> Option<String> {
    let length = usize::from(rest.try_get_u16_le().ok()?);
    if rest.len() < length {
        return None;
    }
    String::from_utf8(rest.split_to(length).to_vec()).ok()
}
