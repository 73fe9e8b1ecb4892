//! Each rule fires at its limit, not below it, and not on what it is not about.

use super::lab::{Lab, host_in, policy};
use crate::policy::{Limit, Policy, Treatment};

const CLIENT: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";
const STRANGER: &str = "198.51.100.7";

type Nth = fn(&mut Lab, u16);

/// Rule, kind, limits of the two windows, and what its n-th distinct probe is.
const RULES: &[(&str, &str, [u16; 2], Nth)] = &[
    ("vertical", "vertical", [30, 50], |lab, n| lab.syn(CLIENT, SERVER, 30_000 + n)),
    ("vertical", "vertical", [30, 50], |lab, n| lab.udp(CLIENT, SERVER, 800 + n)),
    ("vertical", "vertical", [30, 50], |lab, n| lab.sctp(CLIENT, SERVER, 30_000 + n)),
    ("vertical", "vertical", [30, 50], |lab, n| lab.syn(CLIENT, STRANGER, 30_000 + n)),
    ("vertical_known", "vertical", [15, 20], |lab, n| lab.syn(CLIENT, SERVER, n)),
    ("vertical_known", "vertical", [15, 20], |lab, n| {
        const SERVICES: [u16; 20] = [
            1433, 1434, 1521, 3306, 5432, 5984, 6379, 9042, 9200, 11211, 3268, 3269, 5060, 5061, 9100, 3128,
            8000, 8080, 8443, 8888,
        ];
        lab.syn("fd00:1::99", "fd00:2::10", SERVICES[usize::from(n) - 1]);
    }),
    ("horizontal_lateral_sensitive", "horizontal", [30, 50], |lab, n| {
        lab.syn(CLIENT, &host_in("10.2.0", n), if n % 2 == 0 { 445 } else { 139 });
    }),
    ("horizontal_lateral_sensitive", "horizontal", [30, 50], |lab, n| {
        lab.udp(CLIENT, &host_in("10.2.0", n), 161);
    }),
    ("horizontal_lateral", "horizontal", [60, 100], |lab, n| lab.syn(CLIENT, &host_in("10.2.0", n), 25)),
    ("horizontal_lateral", "horizontal", [60, 100], |lab, n| lab.syn(CLIENT, &host_in("10.2.0", n), 8983)),
    ("horizontal_lateral", "horizontal", [60, 100], |lab, n| {
        lab.syn("fd00:1::99", &host_in("fd00:2:", n), 443);
    }),
    ("horizontal_outbound_sensitive", "horizontal", [30, 100], |lab, n| {
        lab.syn(CLIENT, &host_in("198.51.100", n), 445);
    }),
    ("horizontal_outbound", "horizontal", [60, 100], |lab, n| lab.syn(CLIENT, &host_in("198.51.100", n), 25)),
    ("horizontal_outbound", "horizontal", [60, 100], |lab, n| {
        lab.syn(CLIENT, &host_in("198.51.100", n), 700);
    }),
    ("icmp", "horizontal", [60, 100], |lab, n| lab.ping(CLIENT, &host_in("10.2.0", n))),
    ("arp", "horizontal", [60, 100], |lab, n| lab.arp(CLIENT, &host_in("10.1.4", n))),
    ("flags", "vertical", [3, 3], |lab, n| lab.flags(CLIENT, SERVER, n, 1)),
    ("flags", "horizontal", [3, 3], |lab, n| lab.flags(CLIENT, &host_in("10.2.0", n), 80, 0)),
    ("flags", "vertical", [3, 3], |lab, n| lab.flags(CLIENT, SERVER, 80, [0, 1, 0x29][usize::from(n) - 1])),
    ("protocols", "vertical", [10, 10], |lab, n| lab.protocol(CLIENT, SERVER, 200 + n as u8)),
    ("block_lateral", "block", [60, 60], |lab, n| {
        lab.syn(CLIENT, &host_in("10.2.0", (n - 1) % 12 + 1), 30_000 + (n - 1) / 12);
    }),
    ("block_outbound", "block", [100, 100], |lab, n| {
        lab.syn(CLIENT, &host_in("198.51.100", (n - 1) % 10 + 1), 30_000 + (n - 1) / 10);
    }),
];

#[test]
fn every_rule_fires_at_its_limit_in_each_window_and_not_below() {
    for (rule, kind, limits, nth) in RULES {
        for (limit, window_s) in limits.iter().zip([60u16, 600]) {
            // Within the minute, or too slowly for the minute's limit but within the ten.
            let pause_s = f64::from(window_s) * 0.9 / f64::from(*limit);
            let mut lab = Lab::exact(policy());
            for n in 1..*limit {
                nth(&mut lab, n);
                lab.wait(pause_s);
            }
            lab.wait(1.0);
            lab.assert_silent(&format!("{rule} below {limit} in {window_s} s"));
            nth(&mut lab, *limit);
            lab.wait(1.0);
            let found: Vec<_> = lab.detected().into_iter().map(|(kind, rule, _)| (rule, kind)).collect();
            assert_eq!(found, [(*rule, *kind)], "at {limit} in {window_s} s");
            let found = lab.the_detection();
            if limits[0] != limits[1] {
                assert_eq!(found.window.as_secs(), u64::from(window_s), "{rule}");
            }
        }
    }
}

#[test]
fn a_rule_that_is_off_is_silent() {
    let mut off = policy();
    off.thresholds.vertical = Limit { minute: None, ten_minutes: None };
    off.thresholds.vertical_known = off.thresholds.vertical;
    let mut lab = Lab::new(off);
    lab.scan_ports(CLIENT, SERVER, 1..=500, 100.0);
    lab.wait(10.0);
    lab.assert_silent("both vertical rules are off");
}

#[test]
fn the_noisy_rule_is_for_web_peers_and_unnamed_high_ports_of_the_internet() {
    for port in [443, 6881, 8983] {
        let mut lab = Lab::exact(policy());
        lab.sweep(CLIENT, "198.51.100", 1..=250, port, 20.0);
        lab.wait(10.0);
        lab.assert_silent("it is off by default");

        let mut noisy = policy();
        noisy.thresholds.horizontal_outbound_noisy = Limit { minute: Some(100), ten_minutes: Some(300) };
        let mut lab = Lab::exact(noisy);
        lab.sweep(CLIENT, "198.51.100", 1..=99, port, 20.0);
        lab.assert_silent("below");
        lab.sweep(CLIENT, "198.51.100", 100..=100, port, 20.0);
        lab.wait(0.2);
        assert_eq!(lab.the_detection().rule, "horizontal_outbound_noisy");
    }
}

/// What ordinary machines do by the hundred.
const QUIET: &[(&str, Nth)] = &[
    ("traceroute", |lab, n| lab.udp(CLIENT, STRANGER, 33_434 + n % 256)),
    ("media on unnamed ports", |lab, n| lab.udp(CLIENT, SERVER, 16_384 + n)),
    ("a resolver asks many", |lab, n| lab.udp(CLIENT, &host_in("198.51.100", n), 53)),
    ("a resolver asks many inside", |lab, n| lab.udp(CLIENT, &host_in("10.2.0", n), 53)),
    ("clocks", |lab, n| lab.udp(CLIENT, &host_in("198.51.100", n), 123)),
    ("calls", |lab, n| lab.udp(CLIENT, &host_in("10.2.0", n), 5060)),
    ("QUIC", |lab, n| lab.udp(CLIENT, &host_in("198.51.100", n), 443)),
    ("peers on ports of their own", |lab, n| lab.udp(CLIENT, &host_in("198.51.100", n), 20_001 + n)),
    ("peers by TCP", |lab, n| lab.syn(CLIENT, &host_in("198.51.100", n), 30_000 + n)),
    ("one pair again and again", |lab, _| lab.syn(CLIENT, SERVER, 445)),
    ("a few pairs again and again", |lab, n| lab.syn(CLIENT, &host_in("10.2.0", n % 10 + 1), 445)),
];

#[test]
fn breadth_that_is_ordinary_is_silent() {
    for (what, nth) in QUIET {
        let mut lab = Lab::exact(policy());
        for n in 1..=500 {
            nth(&mut lab, n);
            lab.wait(0.2);
        }
        lab.wait(20.0);
        lab.assert_silent(what);
    }
}

/// A policy in which scans in every direction are alerts.
pub fn everywhere() -> Policy {
    let mut policy = policy();
    policy.directions.inbound = Treatment::Alert;
    policy.directions.transit = Treatment::Alert;
    policy
}

#[test]
fn directions_follow_the_zones_of_source_and_target() {
    let cases = [
        (CLIENT, "10.2.0", "internal"),
        (CLIENT, "198.51.100", "outbound"),
        (STRANGER, "10.2.0", "inbound"),
        (STRANGER, "203.0.113", "external"),
    ];
    for (source, net, direction) in cases {
        let mut lab = Lab::new(everywhere());
        lab.sweep(source, net, 1..=120, 22, 20.0);
        lab.wait(2.0);
        let snapshot = lab.the_detection();
        let event = lab.events.iter().find(|event| &event.snapshot == snapshot).unwrap();
        let document = crate::sink::ecs::record(event, &crate::sink::Observer::on("lab"));
        assert_eq!(document["network"]["direction"], direction);
    }
}

#[test]
fn a_stranger_who_asks_many_of_our_resolvers_is_judged() {
    let mut lab = Lab::new(everywhere());
    for host in 1..=120 {
        lab.udp(STRANGER, &host_in("10.2.0", host), 53);
        lab.wait(0.05);
    }
    lab.wait(1.0);
    assert_eq!(lab.the_detection().rule, "horizontal_lateral");
}
