//! The document that tells of records that never came: not an alert, but what an analyst must know of the silence.

use serde_json::{Value, json};

use super::{ECS_VERSION, nanos, observer_fields, time};
use crate::sink::{Dropped, Message, Observer};

/// The document.
pub(super) fn record(dropped: &Dropped, observer: &Observer) -> Value {
    let message = Message::Dropped(dropped);
    json!({
        "@timestamp": time(dropped.at),
        "ecs": { "version": ECS_VERSION },
        "event": {
            "action": message.action(),
            "category": ["process"],
            "dataset": "scanwatch.delivery",
            "duration": nanos(dropped.last.since(dropped.first)),
            "end": time(dropped.last),
            "id": dropped.id,
            "kind": "event",
            "module": "scanwatch",
            "outcome": "failure",
            "reason": dropped.reason,
            "severity": message.severity() as u8,
            "start": time(dropped.first),
            "type": ["info"],
        },
        "message": dropped.reason,
        "observer": observer_fields(None, observer),
        "scanwatch": { "delivery": { "dropped": dropped.records, "sink": dropped.sink } },
    })
}
