//! Records as documents of the Elastic Common Schema, with the fields that scanwatch adds under `scanwatch`.

mod dropped;
mod flood;

use std::collections::BTreeSet;
use std::net::IpAddr;

use scanwatch_common::sketch::Estimate;
use serde_json::{Map, Value, json};

use super::parts::{
    addresses, direction_name, mac_name, others_name, protocol, rfc3339 as time, visibility_name,
};
use super::{Message, Observer};
use crate::engine::{
    AttackTechnique, IncidentEvent, Scanner, Snapshot, Target, attack_techniques, ip_of, technique_names,
};

/// The version of the schema that is followed.
pub const ECS_VERSION: &str = "9.4.0";

/// The document of a message.
#[must_use]
pub fn message(message: &Message, observer: &Observer) -> Value {
    match message {
        Message::Incident(event) => incident(event, observer),
        Message::Flood(event) => flood::record(event, observer),
        Message::Dropped(dropped) => dropped::record(dropped, observer),
    }
}

/// The document of an incident's record.
#[must_use]
pub fn incident(event: &IncidentEvent, observer: &Observer) -> Value {
    let snapshot = &event.snapshot;
    let mut document = json!({
        "@timestamp": time(snapshot.at),
        "ecs": { "version": ECS_VERSION },
        "event": event_fields(event),
        "message": snapshot.reason,
        "network": network(snapshot),
        "observer": observer_fields(snapshot.scanner.interface.as_deref(), observer),
        "related": { "ip": related(snapshot) },
        "rule": { "name": snapshot.rule, "ruleset": "scanwatch" },
        "scanwatch": scanwatch(snapshot),
        "threat": threat(snapshot),
    });
    if let Some(scanner) = snapshot.source() {
        document["source"] = source(scanner);
    }
    if let Some(destination) = destination(snapshot) {
        document["destination"] = destination;
    }
    document
}

fn event_fields(event: &IncidentEvent) -> Value {
    let snapshot = &event.snapshot;
    let action = event.action.of_scan();
    json!({
        "action": action,
        "category": ["network", "intrusion_detection"],
        "dataset": "scanwatch.scan",
        "duration": nanos(snapshot.last.since(snapshot.first)),
        "end": time(snapshot.last),
        "id": format!("{}-{}", snapshot.incident, snapshot.sequence),
        "kind": "alert",
        "module": "scanwatch",
        "reason": snapshot.reason,
        "risk_score": snapshot.risk,
        "sequence": snapshot.sequence,
        "severity": snapshot.severity as u8,
        "start": time(snapshot.first),
        "type": ["info"],
    })
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn source(scanner: &Scanner) -> Value {
    let mut source = Map::new();
    source.insert("address".into(), json!(scanner.address.to_string()));
    source.insert("ip".into(), json!(scanner.address.to_string()));
    if let Some(mac) = scanner.mac {
        source.insert("mac".into(), json!(mac_name(mac)));
    }
    source.into()
}

fn destination(snapshot: &Snapshot) -> Option<Value> {
    let mut destination = Map::new();
    if let Some(host) = snapshot.host {
        destination.insert("address".into(), json!(host.to_string()));
        destination.insert("ip".into(), json!(host.to_string()));
    }
    if let Some(port) = snapshot.port {
        destination.insert("port".into(), json!(port));
    }
    (!destination.is_empty()).then(|| destination.into())
}

fn network(snapshot: &Snapshot) -> Value {
    let is_v6 = matches!(snapshot.scanner.address, IpAddr::V6(_));
    let mut network = Map::new();
    network.insert("direction".into(), json!(direction_name(snapshot.direction)));
    // A surge is of both.
    if snapshot.surge.is_none() {
        network.insert("type".into(), json!(if is_v6 { "ipv6" } else { "ipv4" }));
    }
    if let Some(transport) = protocol(snapshot) {
        network.insert("transport".into(), json!(transport));
    }
    let [outer, inner] = snapshot.scanner.vlan;
    if outer != 0 {
        network.insert("vlan".into(), json!({ "id": outer.to_string() }));
    }
    if inner != 0 {
        network.insert("inner".into(), json!({ "vlan": { "id": inner.to_string() } }));
    }
    network.into()
}

fn observer_fields(interface: Option<&str>, observer: &Observer) -> Value {
    let mut fields = json!({
        "hostname": observer.hostname,
        "product": "scanwatch",
        "type": "ids",
        "vendor": "scanwatch",
        "version": observer.version,
    });
    if let Some(interface) = interface {
        fields["ingress"] = json!({ "interface": { "name": interface } });
    }
    fields
}

/// Every address in the document.
fn related(snapshot: &Snapshot) -> Vec<String> {
    let targets = snapshot.targets.iter().map(|target| ip_of(&target.address));
    let others: BTreeSet<IpAddr> =
        targets.chain(snapshot.host).chain(snapshot.others.iter().copied()).collect();
    let source = snapshot.source().map(|scanner| scanner.address);
    let others = others.into_iter().filter(|address| Some(*address) != source);
    source.into_iter().chain(others).map(|address| address.to_string()).collect()
}

fn threat(snapshot: &Snapshot) -> Value {
    let techniques = attack_techniques(snapshot);
    let list = |of: fn(&AttackTechnique) -> &'static str, techniques: &[AttackTechnique]| {
        let mut names: Vec<_> = techniques.iter().map(of).collect();
        names.dedup();
        names
    };
    let named = |techniques: &[AttackTechnique]| json!({ "id": list(|t| t.id, techniques), "name": list(|t| t.name, techniques) });
    let mut threat = json!({
        "framework": "MITRE ATT&CK",
        "tactic": { "id": list(|t| t.tactic_id, &techniques), "name": list(|t| t.tactic, &techniques) },
        "technique": named(&techniques),
    });
    let parts: Vec<_> = techniques.into_iter().filter(|technique| technique.id.contains('.')).collect();
    if !parts.is_empty() {
        threat["technique"]["subtechnique"] = named(&parts);
    }
    threat
}

fn scanwatch(snapshot: &Snapshot) -> Value {
    json!({
        "incident": { "id": snapshot.incident.to_string() },
        "losses": snapshot.losses,
        "role": snapshot.role.as_ref().map(|role| &role.name),
        "role_verdict": snapshot.role.as_ref().map(|role| role.verdict.name()),
        "scan": scan(snapshot),
        "source_confirmed": snapshot.source_confirmed,
        "visibility": visibility_name(snapshot.visibility),
        "zone": { "source": snapshot.scanner.zone, "targets": snapshot.zones },
    })
}

fn scan(snapshot: &Snapshot) -> Value {
    let count = |estimate: Estimate| estimate.rounded();
    let targets: Vec<Value> = snapshot.targets.iter().map(target).collect();
    let mut scan = json!({
        "answered": count(snapshot.answered),
        "hosts": count(snapshot.hosts),
        "kind": snapshot.kind.name(),
        "pairs": count(snapshot.pairs),
        "ports": count(snapshot.ports),
        "relative_error": rounded(snapshot.relative_error(), 4),
        "services": snapshot.services,
        "targets": targets,
        "refused": count(snapshot.refused),
        "technique": technique_names(snapshot.techniques, snapshot.connects),
        "window_s": snapshot.window.as_secs(),
    });
    if let Some(rate) = snapshot.rate {
        scan["new_pairs_per_s"] = json!(rounded(rate, 3));
    }
    if let Some(length) = snapshot.length {
        scan["length_mean_bytes"] = json!(rounded(length.mean, 1));
        scan["length_deviation_bytes"] = json!(rounded(length.deviation, 1));
    }
    if snapshot.others_count > 0 {
        let sample = addresses(&snapshot.others);
        scan[others_name(snapshot)] = json!({ "count": snapshot.others_count, "sample": sample });
    }
    if let Some(surge) = &snapshot.surge {
        scan["surge"] = json!({
            "relative_error": rounded(surge.sources.relative_error, 4),
            "slot_s": surge.slot.as_secs(),
            "sources_least": rounded(surge.least, 1),
            "sources_usual": rounded(surge.usual, 1),
        });
    }
    if let Some(tool) = snapshot.tool {
        scan["tool"] = json!(tool);
    }
    if let Some(ttl) = snapshot.scanner.ttl {
        scan["ttl"] = json!(ttl);
    }
    scan
}

fn target(target: &Target) -> Value {
    let mut fields = json!({ "answered": target.answered, "ip": ip_of(&target.address).to_string() });
    if let Some(port) = target.port {
        fields["port"] = json!(port);
    }
    fields
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
