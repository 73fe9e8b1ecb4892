//! What a finding shows: who touched whom, one evidence a target, and one for each source where there are many.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::super::parts;
use crate::engine::{FloodEvent, Scanner, Snapshot, Target, ip_of};
use crate::policy::Direction;

/// Observables of this type are addresses.
const IP_ADDRESS: (u32, &str) = (2, "IP Address");

/// Evidences of an incident; never empty.
pub(super) fn of_incident(snapshot: &Snapshot) -> Value {
    let connection = connection(snapshot);
    let source = snapshot.source().map(source);
    let mut evidences: Vec<Value> = Vec::new();
    if source.is_none() {
        let host = snapshot.host.map(|host| endpoint(host, snapshot.port));
        evidences.extend(snapshot.others.iter().map(|other| {
            let mut evidence =
                json!({ "connection_info": connection, "src_endpoint": { "ip": other.to_string() } });
            if let Some(host) = &host {
                evidence["dst_endpoint"] = host.clone();
            }
            evidence
        }));
    }
    evidences.extend(snapshot.targets.iter().map(|target| touched(target, source.as_ref(), &connection)));
    if evidences.is_empty() {
        let mut evidence = json!({ "connection_info": connection });
        if let Some(source) = source {
            evidence["src_endpoint"] = source;
        }
        evidences.push(evidence);
    }
    evidences.into()
}

/// Evidences of a flood: its sources, as far as they are named.
pub(super) fn of_flood(event: &FloodEvent) -> Value {
    event.sample.iter().map(|source| json!({ "src_endpoint": { "ip": source.to_string() } })).collect()
}

/// Every address of the evidences, once.
pub(super) fn observables(evidences: &Value) -> Value {
    let mut seen = BTreeSet::new();
    let mut observables: Vec<Value> = Vec::new();
    let (type_id, type_name) = IP_ADDRESS;
    for side in ["src_endpoint", "dst_endpoint"] {
        for evidence in evidences.as_array().into_iter().flatten() {
            let Some(address) = evidence[side]["ip"].as_str().filter(|address| seen.insert(*address)) else {
                continue;
            };
            let name = format!("evidences[].{side}.ip");
            observables
                .push(json!({ "name": name, "type": type_name, "type_id": type_id, "value": address }));
        }
    }
    observables.into()
}

fn touched(target: &Target, source: Option<&Value>, connection: &Value) -> Value {
    let mut evidence = json!({
        "connection_info": connection,
        "data": { "answered": target.answered },
        "dst_endpoint": endpoint(ip_of(&target.address), target.port),
    });
    if let Some(source) = source {
        evidence["src_endpoint"] = source.clone();
    }
    evidence
}

fn endpoint(address: IpAddr, port: Option<u16>) -> Value {
    let mut endpoint = json!({ "ip": address.to_string() });
    if let Some(port) = port {
        endpoint["port"] = json!(port);
    }
    endpoint
}

fn source(scanner: &Scanner) -> Value {
    let mut source = endpoint(scanner.address, None);
    source["zone"] = json!(scanner.zone);
    if let Some(mac) = scanner.mac {
        source["mac"] = json!(parts::mac_name(mac));
    }
    let [outer, _] = scanner.vlan;
    if outer != 0 {
        source["vlan_uid"] = json!(outer.to_string());
    }
    source
}

fn connection(snapshot: &Snapshot) -> Value {
    let (direction, name) = match snapshot.direction {
        Direction::Lateral => (3, "Lateral"),
        Direction::Outbound => (2, "Outbound"),
        Direction::Inbound => (1, "Inbound"),
        Direction::Transit => (99, "Transit"),
    };
    let mut connection = Map::new();
    connection.insert("direction_id".to_owned(), json!(direction));
    connection.insert("direction".to_owned(), json!(name));
    if let Some(protocol) = parts::protocol(snapshot) {
        connection.insert("protocol_name".to_owned(), json!(protocol));
    }
    if let Some(scanner) = snapshot.source() {
        connection.insert("protocol_ver_id".to_owned(), json!(if scanner.address.is_ipv6() { 6 } else { 4 }));
    }
    connection.into()
}
