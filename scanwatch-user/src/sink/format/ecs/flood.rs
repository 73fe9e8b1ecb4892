//! The document of a flood of scans. It has no `source` and no `threat`: it is about many.

use serde_json::{Map, Value, json};

use super::{ECS_VERSION, direction_name, nanos, observer_fields, time};
use crate::engine::FloodEvent;
use crate::sink::Observer;

/// The document.
pub(super) fn record(event: &FloodEvent, observer: &Observer) -> Value {
    let action = event.action.of_flood();
    let related: Vec<String> = event.sample.iter().map(ToString::to_string).collect();
    json!({
        "@timestamp": time(event.at),
        "ecs": { "version": ECS_VERSION },
        "event": {
            "action": action,
            "category": ["network", "intrusion_detection"],
            "dataset": "scanwatch.flood",
            "duration": nanos(event.last.since(event.first)),
            "end": time(event.last),
            "id": format!("{}-{}", event.id, event.sequence),
            "kind": "alert",
            "module": "scanwatch",
            "reason": event.reason,
            "sequence": event.sequence,
            "severity": event.severity as u8,
            "start": time(event.first),
            "type": ["info"],
        },
        "message": event.reason,
        "observer": observer_fields(None, observer),
        "related": { "ip": related },
        "rule": { "name": "incidents_per_minute", "ruleset": "scanwatch" },
        "scanwatch": {
            "flood": {
                "directions": directions(event),
                "kinds": event.kinds,
                "scans": event.scans,
                "services": event.services.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                "sources": event.sources.rounded(),
            },
            "incident": { "id": event.id.to_string() },
            "losses": event.losses,
        },
    })
}

fn directions(event: &FloodEvent) -> Map<String, Value> {
    event
        .directions
        .iter()
        .map(|(direction, scans)| (direction_name(*direction).to_owned(), json!(scans)))
        .collect()
}
