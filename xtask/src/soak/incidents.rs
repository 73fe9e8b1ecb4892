//! Records put together to incidents.

use std::collections::BTreeSet;

use super::log::read_time;
use crate::lab::agent::Record;

/// One incident, as all its records tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incident {
    /// `scanwatch.incident.id`.
    pub id: String,
    /// `source.ip`; empty where many share it.
    pub source: String,
    /// `network.direction`.
    pub direction: String,
    /// Every `scanwatch.scan.kind` it had.
    pub kinds: BTreeSet<String>,
    /// Every `scanwatch.scan.technique` it had.
    pub techniques: BTreeSet<String>,
    /// When it was told first, milliseconds since 1970.
    pub detected_ms: i64,
    /// First packet, and last one that was told.
    pub first_ms: i64,
    /// See `first_ms`.
    pub last_ms: i64,
    /// Times it was told for the first time.
    pub detections: u32,
    /// Its end was told.
    pub ended: bool,
    /// `event.reason` of the last record.
    pub reason: String,
}

/// The incidents in these records, in the order in which they were told.
#[must_use]
pub fn of(records: &[Record]) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    for record in records.iter().filter(|record| !record.incident().is_empty()) {
        let time = |name: &str| read_time(record.text(name)).unwrap_or_default();
        let known = incidents.iter().position(|incident| incident.id == record.incident());
        let place = known.unwrap_or_else(|| {
            incidents.push(Incident {
                id: record.incident().to_owned(),
                source: record.source().to_owned(),
                direction: record.text("network.direction").to_owned(),
                detected_ms: time("@timestamp"),
                first_ms: time("event.start"),
                ..Incident::default()
            });
            incidents.len() - 1
        });
        let incident = &mut incidents[place];
        incident.first_ms = incident.first_ms.min(time("event.start"));
        incident.last_ms = incident.last_ms.max(time("event.end"));
        incident.kinds.insert(record.kind().to_owned());
        incident.techniques.extend(record.texts("scanwatch.scan.technique").into_iter().map(str::to_owned));
        incident.detections += u32::from(record.action() == "scan-detected");
        incident.ended |= record.action() == "scan-ended";
        record.text("event.reason").clone_into(&mut incident.reason);
    }
    incidents
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn record(id: &str, action: &str, second: u32, technique: &str) -> Record {
        let at = format!("2027-01-15T08:00:{second:02}.000000Z");
        let value = json!({
            "@timestamp": at, "source": {"ip": "10.1.0.99"}, "network": {"direction": "internal"},
            "event": {"action": action, "start": "2027-01-15T08:00:01.000000Z", "end": at, "reason": action},
            "scanwatch": {"incident": {"id": id}, "scan": {"kind": "vertical", "technique": [technique]}},
        });
        Record { at: Instant::now(), line: String::new(), value }
    }

    #[test]
    fn records_of_an_incident_are_one_whoever_wrote_them() {
        let records = [
            record("a", "scan-detected", 2, "syn"),
            record("b", "scan-detected", 3, "udp"),
            record("a", "scan-ended", 9, "connect"),
        ];
        let incidents = of(&records);
        assert_eq!(incidents.len(), 2);
        let a = &incidents[0];
        assert_eq!((a.id.as_str(), a.detections, a.ended), ("a", 1, true));
        assert_eq!((a.last_ms - a.first_ms, a.detected_ms - a.first_ms), (8_000, 1_000));
        assert_eq!(a.techniques, BTreeSet::from(["connect".to_owned(), "syn".to_owned()]));
        assert!(!incidents[1].ended);
    }
}
