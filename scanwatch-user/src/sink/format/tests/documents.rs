//! Documents as they are written, field by field.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{ecs, text};
use crate::engine::tests::lab::{Lab, host_in, network, policy, service};
use crate::engine::{IncidentEvent, Kind};
use crate::policy::{INTERNET, Role, RoleKind};
use crate::sink::{Message, Observer};

fn observer() -> Observer {
    Observer { hostname: "gw1".to_owned(), version: "1.2.3".to_owned() }
}

/// A document without the fields that are compared elsewhere: samples, and ids that follow from hashes.
fn document(event: &IncidentEvent) -> Value {
    let mut document = ecs::incident(event, &observer());
    let incident = event.snapshot.incident.to_string();
    assert_eq!(document["scanwatch"]["incident"]["id"], incident);
    assert_eq!(document["event"]["id"], format!("{incident}-{}", event.snapshot.sequence));
    assert_eq!(document["message"], document["event"]["reason"]);
    let related = document["related"]["ip"].as_array().unwrap();
    assert_eq!(related[0], document["source"]["ip"]);
    for target in document["scanwatch"]["scan"]["targets"].as_array().unwrap() {
        assert!(related.contains(&target["ip"]), "{target} is related");
    }
    document["scanwatch"].as_object_mut().unwrap().remove("incident");
    document["scanwatch"]["scan"].as_object_mut().unwrap().remove("targets");
    document["event"].as_object_mut().unwrap().remove("id");
    document.as_object_mut().unwrap().remove("message");
    document.as_object_mut().unwrap().remove("related");
    document
}

#[test]
fn a_vertical_scan_in_full() {
    let mut lab = Lab::new(policy());
    lab.ether = lab.ether.clone().tag(200).tag(30);
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=20, 10.0);
    lab.wait(3.0);
    lab.finish();
    let golden = json!({
        "@timestamp": "2028-01-03T00:00:05.000000Z",
        "destination": { "address": "10.2.0.10", "ip": "10.2.0.10" },
        "ecs": { "version": "9.4.0" },
        "event": {
            "action": "scan-ended",
            "category": ["network", "intrusion_detection"],
            "dataset": "scanwatch.scan",
            "duration": 1_800_000_000,
            "end": "2028-01-03T00:00:01.900000Z",
            "kind": "alert",
            "module": "scanwatch",
            "reason": "10.1.0.99 tried 20 ports on 10.2.0.10 (office → servers) in 1 s, all silent: a vertical scan \
                       from inside the network, source unconfirmed, now over.",
            "risk_score": 65,
            "sequence": 2,
            "severity": 73,
            "start": "2028-01-03T00:00:00.100000Z",
            "type": ["info"],
        },
        "network": {
            "direction": "internal",
            "inner": { "vlan": { "id": "30" } },
            "transport": "tcp",
            "type": "ipv4",
            "vlan": { "id": "200" },
        },
        "observer": {
            "hostname": "gw1",
            "ingress": { "interface": { "name": "office0" } },
            "product": "scanwatch",
            "type": "ids",
            "vendor": "scanwatch",
            "version": "1.2.3",
        },
        "rule": { "name": "vertical_any", "ruleset": "scanwatch" },
        "scanwatch": {
            "losses": { "cells_refused": 0, "ring_lost": 0 },
            "role": null,
            "role_verdict": null,
            "scan": {
                "answered": 0,
                "hosts": 1,
                "kind": "vertical",
                "length_deviation_bytes": 0.0,
                "length_mean_bytes": 40.0,
                "new_pairs_per_s": 11.163,
                "pairs": 20,
                "ports": 20,
                "refused": 0,
                "relative_error": 0.016,
                "services": ["file", "other"],
                "technique": ["syn"],
                "ttl": 64,
                "window_s": 600,
            },
            "source_confirmed": false,
            "visibility": "symmetric",
            "zone": { "source": "office", "targets": ["servers"] },
        },
        "source": { "address": "10.1.0.99", "ip": "10.1.0.99", "mac": "02-00-00-00-00-01" },
        "threat": {
            "framework": "MITRE ATT&CK",
            "tactic": { "id": ["TA0007"], "name": ["Discovery"] },
            "technique": { "id": ["T1046"], "name": ["Network Service Discovery"] },
        },
    });
    let found = document(lab.events.last().unwrap());
    assert_eq!(found, golden, "{found:#}");
}

#[test]
fn a_horizontal_scan_outside_a_role() {
    let mut policy = policy();
    policy.roles.push(Role {
        name: "egress proxies".to_owned(),
        kind: RoleKind::Proxy,
        sources: vec![network("fd00:1::8")],
        services: Some(vec![service(&policy, "web")]),
        zones: vec![INTERNET],
        hosts_max: None,
        expires_s: None,
        schedule: None,
    });
    let mut lab = Lab::exact(policy);
    lab.sweep("fd00:1::8", "2001:db8:0:1:0:0:0", 1..=30, 445, 10.0);
    lab.wait(4.0);
    let found = document(&lab.events[0]);
    assert_eq!(found["event"]["action"], "scan-detected");
    assert_eq!(found["network"], json!({ "direction": "outbound", "transport": "tcp", "type": "ipv6" }));
    assert_eq!(found["destination"], json!({ "port": 445 }));
    assert_eq!(found["scanwatch"]["role"], json!("egress proxies"));
    assert_eq!(found["scanwatch"]["scan"]["services"], json!(["smb"]));
    assert_eq!(found["scanwatch"]["zone"]["targets"], json!(["internet"]));
    assert_eq!(found["threat"]["technique"]["id"], json!(["T1595.001"]));
    assert_eq!(found["rule"]["name"], "horizontal_outbound_sensitive");
    assert_eq!(
        found["event"]["reason"],
        "fd00:1::8 tried smb on 30 hosts (office → internet) in 2 s, all silent: a horizontal scan of the internet from inside \
         the network, outside its role `egress proxies`, source unconfirmed."
    );
}

#[test]
fn a_sweep_without_ports_has_no_port_anywhere() {
    let mut lab = Lab::exact(policy());
    for host in 1..=60 {
        lab.ping("10.1.0.99", &host_in("10.2.0", host));
        lab.wait(0.1);
    }
    let event = &lab.events[0];
    let found = document(event);
    assert_eq!(found["network"]["transport"], "icmp");
    assert_eq!(found["scanwatch"]["scan"]["ports"], 0);
    assert_eq!(found["scanwatch"]["scan"]["services"], json!([]));
    assert_eq!(found["threat"]["technique"]["id"], json!(["T1018"]));
    assert!(found.get("destination").is_none());
    let targets = ecs::incident(event, &observer())["scanwatch"]["scan"]["targets"].clone();
    assert_eq!(targets.as_array().unwrap().len(), 16);
    assert!(targets.as_array().unwrap().iter().all(|target| target.get("port").is_none()));
}

#[test]
fn targets_have_address_and_port() {
    let mut lab = Lab::exact(policy());
    lab.sweep("10.1.0.99", "10.2.0", 1..=30, 8983, 30.0);
    lab.sweep("10.1.0.99", "10.2.0", 31..=60, 8983, 30.0);
    lab.wait(4.0);
    let found = ecs::incident(&lab.events[0], &observer());
    for target in found["scanwatch"]["scan"]["targets"].as_array().unwrap() {
        assert_eq!(target["port"], 8983);
        assert!(target["ip"].as_str().unwrap().starts_with("10.2.0."));
    }
    assert_eq!(found["scanwatch"]["scan"]["services"], json!(["tcp/8983"]));
}

#[test]
fn a_surge_has_a_port_and_no_source() {
    let mut policy = policy();
    let surge = policy.thresholds.surge.as_mut().unwrap();
    (surge.slots, surge.slot, surge.learning) = (2, Duration::from_mins(10), Duration::ZERO);
    let mut lab = Lab::new(policy);
    lab.turns_a_second(1);
    // Some try four hosts, and so are known.
    for source in 1..=240 {
        let from = host_in("198.51.100", source);
        let hosts = if source % 20 == 0 { 4 } else { 1 };
        (0..hosts).for_each(|host| lab.syn(&from, &host_in("10.2.0", source % 50 + host + 1), 8291));
        lab.wait(5.0);
    }
    lab.wait(30.0);
    let event = lab.events.iter().find(|event| event.snapshot.kind == Kind::Surge).expect("a surge");
    let found = ecs::incident(event, &observer());
    assert!(found.get("source").is_none(), "{found:#}");
    assert_eq!(found["destination"], json!({ "port": 8291 }));
    assert_eq!(found["network"], json!({ "direction": "inbound", "transport": "tcp" }));
    assert_eq!((&found["event"]["severity"], &found["event"]["risk_score"]), (&json!(21), &json!(15)));
    assert_eq!(found["rule"]["name"], "surge");
    assert_eq!(found["threat"]["technique"]["id"], json!(["T1595.001"]));
    let scan = &found["scanwatch"]["scan"];
    assert_eq!((&scan["kind"], &scan["technique"]), (&json!("surge"), &json!(["syn"])));
    assert_eq!((&scan["ports"], &scan["services"]), (&json!(1), &json!(["management"])));
    assert_eq!((&scan["surge"]["slot_s"], &scan["surge"]["sources_usual"]), (&json!(600), &json!(0.0)));
    let count = scan["sources"]["count"].as_u64().unwrap();
    assert!((100..=260).contains(&count), "{scan:#}");
    let sample = scan["sources"]["sample"].as_array().unwrap();
    assert!((3..=16).contains(&sample.len()), "{scan:#}");
    let related = found["related"]["ip"].as_array().unwrap();
    assert!(sample.iter().all(|source| related.contains(source)), "{found:#}");
    assert!(!related.contains(&json!("0.0.0.0")), "{found:#}");
    assert!(scan["targets"].as_array().unwrap().iter().all(|target| target["port"] == 8291), "{scan:#}");
    let line = text::incident(event);
    assert!(line.contains(" low scan-detected: about ") && !line.contains("0.0.0.0"), "{line}");
}

#[test]
fn a_line_tells_a_person_when_how_bad_who_what_and_what_was_learned() {
    let mut lab = Lab::new(policy());
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=20, 10.0);
    lab.is_answering = true;
    lab.syn("10.1.0.99", "10.2.0.10", 22);
    lab.syn("10.1.0.99", "10.2.0.10", 445);
    lab.wait(3.0);
    lab.finish();
    let event = lab.events.last().unwrap();
    let line = text::incident(event);
    let reason = &event.snapshot.reason;
    let expected = format!(
        "2028-01-03T00:00:05Z high scan-ended: {reason} Answered: 10.2.0.10:22, 10.2.0.10:445. [rule vertical_any; \
         syn; T1046; MAC 02-00-00-00-00-01; incident {}]",
        event.snapshot.incident
    );
    assert_eq!(line, expected);
}

#[test]
fn names_cannot_forge_a_line_or_move_the_terminal() {
    let mut policy = policy();
    policy.zones[0].name = "of\nfice\u{1b}[2J\u{202e}".to_owned();
    let mut lab = Lab::new(policy);
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=20, 10.0);
    lab.finish();
    let line = text::incident(&lab.events[0]);
    assert!(line.contains("(of\\u{a}fice\\u{1b}[2J\\u{202e} → servers)"), "{line}");
    assert!(!line.chars().any(char::is_control), "{line:?}");
}

#[test]
fn a_flood_in_full() {
    let mut policy = policy();
    policy.limits.incidents_per_minute = 1;
    let mut lab = Lab::new(policy);
    for source in 1..=2 {
        lab.ether = lab.ether.clone().from([2, 0, 0, 1, 0, source as u8]);
        lab.scan_ports(&host_in("10.1.7", source), "10.2.0.10", 20_001..=20_040, 100.0);
    }
    lab.wait(5.0);
    let [flood] = &lab.floods[..] else { panic!("{:?}", lab.floods) };
    let line = text::message(&Message::Flood(flood));
    assert!(line.contains(&format!("Z critical flood-detected: {} [", flood.reason)), "{line}");
    assert!(line.ends_with(&format!("[sources 10.1.7.2; incident {}]", flood.id)), "{line}");
    let mut found = ecs::message(&Message::Flood(flood), &observer());
    let id = found["scanwatch"]["incident"]["id"].as_str().unwrap().to_owned();
    assert_eq!(found["event"]["id"], format!("{id}-1"));
    for time in ["start", "end", "duration", "id"] {
        found["event"].as_object_mut().unwrap().remove(time);
    }
    found.as_object_mut().unwrap().remove("@timestamp");
    let reason = "A flood of scans: more begin than are reported one by one; gathered here so far: \
                  1 (distinct sources: 1).";
    assert_eq!(
        found,
        json!({
            "ecs": { "version": "9.4.0" },
            "event": {
                "action": "flood-detected",
                "category": ["network", "intrusion_detection"],
                "dataset": "scanwatch.flood",
                "kind": "alert",
                "module": "scanwatch",
                "reason": reason,
                "sequence": 1,
                "severity": 99,
                "type": ["info"],
            },
            "message": reason,
            "observer": {
                "hostname": "gw1", "product": "scanwatch", "type": "ids", "vendor": "scanwatch", "version": "1.2.3"
            },
            "related": { "ip": ["10.1.7.2"] },
            "rule": { "name": "incidents_per_minute", "ruleset": "scanwatch" },
            "scanwatch": {
                "flood": {
                    "directions": { "internal": 1 },
                    "kinds": { "vertical": 1 },
                    "scans": 1,
                    "services": [],
                    "sources": 1,
                },
                "incident": { "id": id },
                "losses": { "cells_refused": 0, "ring_lost": 0 },
            },
        })
    );
}
