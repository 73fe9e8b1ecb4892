//! Screens, character by character. Where one is to change, the failing test prints it as it is now.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::data::Data;
use super::draw::draw;
use super::view::View;
use crate::policy::Endpoint;
use crate::watch::Unreachable;

const NOW: &str = "2028-01-03T10:00:00.000Z";

fn incident(id: u8, severity: &str, source: Option<&str>, more: &serde_json::Value) -> serde_json::Value {
    let mut incident = json!({
        "id": format!("{id:032x}"), "treatment": "alert", "kind": "vertical", "rule": "vertical",
        "direction": "lateral", "severity": severity, "risk": 65, "source": source, "vlan": [0, 0],
        "zone": "office", "role": null, "others": 0, "hosts": 1, "ports": 998, "pairs": 1_012, "answered": 2,
        "refused": 990, "services": ["remote", "smb", "web"], "techniques": ["syn"],
        "targets": [
            { "address": "10.2.0.10", "port": 22, "answered": true },
            { "address": "fd00:2::10", "port": 443, "answered": true },
            { "address": "10.2.0.10", "port": 23, "answered": false },
        ],
        "first": "2028-01-03T09:58:00.000Z", "last": "2028-01-03T09:59:52.000Z",
        "reason": "10.1.0.99 has by now tried about 998 ports on 10.2.0.10 (office → servers) in 2 minutes, 990 \
                   refused, 20 silent, 2 answered of 1012: a vertical scan from inside the network.",
    });
    for (name, value) in more.as_object().unwrap() {
        incident[name] = value.clone();
    }
    incident
}

fn source(address: &str, pairs: u64, more: &serde_json::Value) -> serde_json::Value {
    let window = |pairs: u64| {
        json!({
            "hosts": pairs / 10 + 1, "ports": pairs / 2, "pairs": pairs, "covered": 0,
            "answered": pairs / 4, "failed": pairs / 2,
        })
    };
    let mut source = json!({
        "address": address, "vlan": [0, 0], "mac": "02-00-00-00-00-99", "side": "internal", "zone": "office",
        "roles": [], "interface": "office", "services": ["web", "dns"],
        "windows": {
            "1m": window(pairs / 10), "10m": window(pairs), "1h": window(2 * pairs), "24h": window(3 * pairs),
        },
        "first_seen": "2028-01-03T08:00:00.000Z", "last_seen": "2028-01-03T09:59:58.000Z", "incidents": [],
    });
    for (name, value) in more.as_object().unwrap() {
        source[name] = value.clone();
    }
    source
}

fn status(syn: u64, now: &str) -> serde_json::Value {
    json!({
        "version": "1.2.3", "hostname": "gw1", "now": now, "began": "2028-01-03T08:00:00.000Z",
        "uptime_s": 7_200, "health": { "status": "degraded", "reasons": ["sink siem: connection refused"] },
        "rates": { "packets_per_s": 123_456.7, "probes_per_s": 12.0, "novelties_per_s": 3.0 },
        "counters": { "tcp_established": 9_000_000, "probe_syn": syn, "not_novel": 40_000, "dhcp": 0 },
        "cells": {
            "internal": { "used": 7, "capacity": 16_384 }, "external": { "used": 0, "capacity": 8_192 },
        },
        "sources": { "tracked": 1_234, "dropped": 0 },
        "incidents": { "open_alerts": 3, "open_statistics": 1, "refused": 0 },
        "losses": { "ring_lost": 1_700, "cells_refused": 0 },
        "reloads": { "reloads": 0, "failures": 0, "last_error": null },
        "interfaces": [
            { "name": "office", "watched": true, "mode": "xdp native", "egress": "tc (tcx)" },
            { "name": "servers", "watched": false, "mode": null, "egress": null },
        ],
        "sinks": [
            {
                "name": "siem", "type": "syslog", "queued": 12, "queued_bytes": 40_000, "delivered": 1_000,
                "retried": 4, "dropped": 0, "refused": 0, "outage": "connection refused",
                "spool_trouble": null,
            },
        ],
    })
}

fn data() -> Data {
    let block = json!({ "kind": "horizontal", "hosts": 254, "ports": 1, "risk": 80 });
    let incidents = json!({
        "now": NOW, "open_total": 4,
        "open": [
            incident(1, "high", Some("10.1.0.99"), &json!({})),
            incident(2, "critical", Some("fd00:1:aaaa:bbbb:cccc:dddd:eeee:ffff"), &block),
            incident(3, "low", None, &json!({
                "kind": "surge", "direction": "inbound", "others": 2_400, "zone": "internet",
                "reason": "About 2400 sources tried tcp/8291 (management).", "targets": [],
            })),
            incident(4, "low", Some("198.51.100.7"), &json!({
                "treatment": "statistics", "direction": "inbound", "vlan": [7, 0],
            })),
        ],
        "ended": [incident(5, "medium", Some("10.1.0.5"), &json!({ "kind": "block", "hosts": 12 }))],
    });
    let sources = json!({
        "now": NOW, "tracked": 1_234,
        "sources": [
            source("10.1.0.99", 1_012, &json!({ "incidents": ["1"], "services": ["remote", "smb", "web"] })),
            source("fd00:1:aaaa:bbbb:cccc:dddd:eeee:ffff", 254, &json!({ "roles": ["egress \u{202e}proxies"] })),
            source("10.1.0.5", 20, &json!({ "vlan": [7, 0], "last_seen": "2028-01-03T09:50:00.000Z" })),
        ],
    });
    let ports = json!({
        "tried": 3,
        "top": [
            { "port": "tcp/445", "service": "smb", "sources": 3_210 },
            { "port": "tcp/23", "service": "remote", "sources": 2_100 },
            { "port": "udp/40000", "service": null, "sources": 3 },
        ],
        "rare_in_use": [{ "port": "tcp/8291", "service": "management", "answered": 1 }],
        "services": [{ "name": "smb", "sources": 3_210 }],
    });
    Data {
        status: serde_json::from_value(status(50_000, NOW)).unwrap(),
        incidents: serde_json::from_value(incidents).unwrap(),
        sources: serde_json::from_value(sources).unwrap(),
        ports: serde_json::from_value(ports).unwrap(),
        rates: std::collections::BTreeMap::new(),
    }
}

fn view() -> View {
    View::new(data())
}

fn press(view: &mut View, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\t' => KeyCode::Tab,
            'v' => KeyCode::Down,
            '^' => KeyCode::Up,
            '$' => KeyCode::End,
            c => KeyCode::Char(c),
        };
        view.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

/// The characters of a screen, a line each, without blanks at their ends.
fn screen(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, view)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..height {
        let mut x = 0;
        let mut line = String::new();
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(super::fit::width(symbol).max(1)).unwrap();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[track_caller]
fn assert_screen(view: &View, expected: &str) {
    let found = screen(view, 80, 24);
    assert!(found == expected, "the screen is now:\n{found}");
}

#[test]
fn incidents_open_ones_and_worst_first_with_the_chosen_one_in_full() {
    let mut view = view();
    assert_screen(&view, include_str!("golden/incidents.txt"));
    press(&mut view, "v");
    assert!(screen(&view, 80, 24).contains("incident 00000000000000000000000000000001"));
    press(&mut view, "$");
    assert!(screen(&view, 80, 24).contains("over, alert;"));
    press(&mut view, "^^^^^^^^");
    assert!(screen(&view, 80, 24).contains("incident 00000000000000000000000000000002"));
}

#[test]
fn sources_by_pairs_and_by_what_else_is_chosen() {
    let mut view = view();
    press(&mut view, "2");
    assert_screen(&view, include_str!("golden/sources.txt"));
    press(&mut view, "ssssv");
    let text = screen(&view, 80, 24);
    assert!(text.contains("by last seen"), "{text}");
    press(&mut view, "s");
    assert!(screen(&view, 80, 24).contains("by pairs"), "orders come round");
}

#[test]
fn ports_that_are_tried_beside_those_hardly_known() {
    let mut view = view();
    press(&mut view, "\t\t");
    assert_screen(&view, include_str!("golden/ports.txt"));
    press(&mut view, "s");
    let text = screen(&view, 80, 24);
    let place = |port: &str| text.find(port).unwrap();
    assert!(place("tcp/23") < place("tcp/445"), "{text}");
}

#[test]
fn rates_are_those_between_two_rounds() {
    let mut view = view();
    let mut later = data();
    later.status = serde_json::from_value(status(50_500, "2028-01-03T10:00:02.000Z")).unwrap();
    view.take(Ok(later));
    press(&mut view, "4");
    assert_screen(&view, include_str!("golden/rates.txt"));
}

#[test]
fn help_fits_and_any_key_goes_back() {
    let mut view = view();
    press(&mut view, "?");
    assert_screen(&view, include_str!("golden/help.txt"));
    press(&mut view, "2");
    assert_screen(&view, include_str!("golden/incidents.txt"));
}

#[test]
fn a_long_address_is_cut_visibly_where_it_must_be_and_whole_where_it_fits() {
    let mut view = view();
    press(&mut view, "2");
    let address = "fd00:1:aaaa:bbbb:cccc:dddd:eeee:ffff";
    let narrow = screen(&view, 80, 24);
    assert!(narrow.contains("fd00:1:aaaa:bbbb:cc…") && !narrow.contains(address), "{narrow}");
    let wide = screen(&view, 200, 50);
    assert!(wide.contains(address), "{wide}");
    assert!(wide.lines().all(|line| super::fit::width(line) <= 200));
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    let text = screen(&view(), 40, 10);
    assert_eq!(text.trim_end(), "This terminal has 40 × 10 characters;\ntop needs 60 × 12.");
    // And none is so small that anything breaks.
    for (width, height) in [(1, 1), (60, 12), (61, 13), (300, 100), (60, 200), (500, 12)] {
        for keys in ["1", "2", "3", "4", "?"] {
            let mut view = view();
            press(&mut view, keys);
            screen(&view, width, height);
        }
    }
}

#[test]
fn pause_holds_what_is_shown_and_a_fault_is_told_and_goes() {
    let mut view = view();
    press(&mut view, "p");
    let mut later = data();
    later.status.hostname = "gw2".to_owned();
    view.take(Ok(later.clone()));
    let text = screen(&view, 80, 24);
    assert!(text.contains("PAUSED") && text.contains("on gw1"), "{text}");
    press(&mut view, "p");
    let endpoint: Endpoint = "127.0.0.1:9477".parse().unwrap();
    let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    view.take(Err(Unreachable::Nobody { endpoint, error }));
    let text = screen(&view, 80, 24);
    assert!(text.contains("no agent listens on 127.0.0.1:9477") && text.contains("on gw1"), "{text}");
    view.take(Ok(later));
    let text = screen(&view, 80, 24);
    assert!(text.contains("on gw2") && !text.contains("no agent"), "{text}");
}

#[test]
fn rows_that_are_gone_are_not_looked_at() {
    let mut view = view();
    press(&mut view, "2$");
    let mut fewer = data();
    fewer.sources.sources.truncate(1);
    view.take(Ok(fewer.clone()));
    assert_eq!(view.row(), 0);
    fewer.sources.sources.clear();
    view.take(Ok(fewer));
    assert!(screen(&view, 80, 24).contains("none"));
    press(&mut view, "v^$");
    assert_eq!(view.row(), 0);
}

#[test]
fn q_and_control_c_end_it() {
    for key in [
        KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE),
        KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
        KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
    ] {
        let mut view = view();
        view.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!view.is_over());
        view.press(key);
        assert!(view.is_over(), "{key:?}");
    }
    let mut view = view();
    press(&mut view, "?q");
    assert!(view.is_over(), "also from the help");
}
