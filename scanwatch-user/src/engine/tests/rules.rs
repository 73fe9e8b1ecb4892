//! Each rule fires at its limit, not below it, and not on what it is not about.

use super::lab::{Lab, host_in, policy};
use crate::policy::{Limit, Policy, Treatment};

const CLIENT: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";
const STRANGER: &str = "198.51.100.7";

type Nth = fn(&mut Lab, u16);

/// A rule, its kind, limits with their windows in seconds, and what its n-th distinct probe is.
type Case = (&'static str, &'static str, &'static [(u16, u16)], Nth);

const RULES: &[Case] = &[
    ("vertical", "vertical", &[(10, 60), (15, 600), (20, 3_600), (40, 43_000)], |lab, n| {
        lab.syn(CLIENT, SERVER, 30_000 + n);
    }),
    ("vertical", "vertical", &[(10, 60), (15, 600)], |lab, n| lab.udp(CLIENT, SERVER, 30_000 + n)),
    ("vertical", "vertical", &[(10, 60), (15, 600)], |lab, n| lab.sctp(CLIENT, SERVER, 30_000 + n)),
    ("vertical", "vertical", &[(10, 60), (15, 600)], |lab, n| lab.syn(CLIENT, STRANGER, 30_000 + n)),
    ("vertical_known", "vertical", &[(12, 1_800), (15, 43_000)], |lab, n| lab.syn(CLIENT, SERVER, 600 + n)),
    ("vertical_ways_in", "vertical", &[(5, 60)], |lab, n| {
        lab.syn(CLIENT, SERVER, [22, 445, 3_389, 5_985, 1_433][usize::from(n) - 1]);
    }),
    (
        "horizontal_lateral_sensitive",
        "horizontal",
        &[(10, 60), (15, 600), (20, 3_600), (30, 43_000)],
        |lab, n| {
            lab.syn(CLIENT, &host_in("10.2.0", n), if n % 2 == 0 { 445 } else { 139 });
        },
    ),
    ("horizontal_lateral_sensitive", "horizontal", &[(10, 60), (15, 600)], |lab, n| {
        lab.udp(CLIENT, &host_in("10.2.0", n), 161);
    }),
    ("horizontal_lateral", "horizontal", &[(15, 60), (30, 600), (45, 3_600), (60, 43_000)], |lab, n| {
        lab.syn(CLIENT, &host_in("10.2.0", n), 8_983);
    }),
    ("horizontal_lateral", "horizontal", &[(15, 60), (30, 600)], |lab, n| {
        lab.syn("fd00:1::99", &host_in("fd00:2:", n), 443);
    }),
    ("horizontal_outbound_sensitive", "horizontal", &[(10, 60), (20, 600), (40, 3_600)], |lab, n| {
        lab.syn(CLIENT, &host_in("198.51.100", n), 445);
    }),
    ("horizontal_outbound", "horizontal", &[(30, 60), (100, 600)], |lab, n| {
        lab.syn(CLIENT, &format!("198.51.{n}.1"), 53);
    }),
    ("horizontal_outbound_noisy", "horizontal", &[(100, 60), (300, 600)], |lab, n| {
        lab.syn(CLIENT, &format!("198.{}.{}.1", 51 + n / 250, n % 250), 443);
    }),
    ("horizontal_outbound_noisy", "horizontal", &[(100, 60)], |lab, n| {
        lab.syn(CLIENT, &format!("198.51.{n}.1"), 8_983);
    }),
    ("horizontal_network", "horizontal", &[(15, 60), (25, 600), (40, 3_600)], |lab, n| {
        lab.syn(CLIENT, &host_in("198.51.100", n), 443);
    }),
    ("icmp_lateral", "horizontal", &[(15, 60), (30, 600)], |lab, n| lab.ping(CLIENT, &host_in("10.2.0", n))),
    ("icmp_outbound", "horizontal", &[(30, 60), (60, 600)], |lab, n| {
        lab.ping(CLIENT, &format!("198.51.{n}.1"));
    }),
    ("arp", "horizontal", &[(20, 60), (40, 600)], |lab, n| lab.arp(CLIENT, &host_in("10.1.4", n))),
    ("flags", "vertical", &[(3, 300)], |lab, n| lab.flags(CLIENT, SERVER, n, 1)),
    ("flags", "horizontal", &[(3, 300), (5, 43_000)], |lab, n| {
        lab.flags(CLIENT, &host_in("10.2.0", n), 80, 0);
    }),
    ("flags", "vertical", &[(3, 300)], |lab, n| {
        lab.flags(CLIENT, SERVER, 80, [0, 1, 0x29][usize::from(n) - 1]);
    }),
    ("protocols", "vertical", &[(5, 300)], |lab, n| lab.protocol(CLIENT, SERVER, 200 + n as u8)),
];

#[test]
fn every_rule_fires_at_its_limit_in_each_window_and_not_below() {
    for (number, (rule, kind, limits, nth)) in RULES.iter().enumerate() {
        for (limit, window_s) in *limits {
            // Too slowly for the shorter windows' limits.
            let pause_s = f64::from(*window_s) * 0.8 / f64::from(*limit);
            let mut lab = Lab::exact(policy());
            for n in 1..*limit {
                nth(&mut lab, n);
                lab.wait(pause_s);
            }
            lab.wait(4.2);
            lab.assert_silent(&format!("{number}: {rule} below {limit} in {window_s} s"));
            nth(&mut lab, *limit);
            lab.wait(4.2);
            let found: Vec<_> = lab.detected().into_iter().map(|(kind, rule, _)| (rule, kind)).collect();
            assert_eq!(found, [(*rule, *kind)], "{number}: at {limit} in {window_s} s");
            let shortest = if *window_s > 3_600 { 86_400 } else { 0 };
            assert!(lab.the_detection().window.as_secs() >= shortest, "{rule}");
        }
    }
}

#[test]
fn block_scans_are_found_where_neither_a_host_nor_a_port_stands_out() {
    let inside: Nth = |lab, n| lab.syn(CLIENT, &host_in("10.2.0", (n - 1) % 12 + 1), 30_000 + (n - 1));
    let outside: Nth = |lab, n| lab.syn(CLIENT, &format!("198.51.{}.1", (n - 1) % 25), 100 + (n - 1));
    for (rule, limit, nth) in [("block_lateral", 60, inside), ("block_outbound", 100, outside)] {
        let mut lab = Lab::exact(policy());
        for n in 1..=limit {
            if n == limit {
                lab.wait(4.2);
                lab.assert_silent(rule);
            }
            nth(&mut lab, n);
            lab.wait(1.0);
        }
        lab.wait(4.2);
        assert_eq!((lab.the_detection().rule, lab.the_detection().kind.name()), (rule, "block"));
    }
}

#[test]
fn a_rule_that_is_off_is_silent() {
    let mut off = policy();
    for limit in
        [&mut off.thresholds.vertical, &mut off.thresholds.vertical_known, &mut off.thresholds.vertical_any]
    {
        *limit = Limit::OFF;
    }
    off.thresholds.vertical_ways_in.tried = 1_000;
    let mut lab = Lab::new(off);
    lab.scan_ports(CLIENT, SERVER, 1..=500, 100.0);
    lab.wait(10.0);
    lab.assert_silent("all vertical rules are off");
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
        lab.is_answering = true;
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
        lab.wait(4.0);
        let snapshot = lab.the_detection();
        let event = lab.events.iter().find(|event| &event.snapshot == snapshot).unwrap();
        let document = crate::sink::ecs::incident(event, &crate::sink::Observer::on("lab"));
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
    lab.wait(4.0);
    assert_eq!(lab.the_detection().rule, "horizontal_lateral");
}

#[test]
fn a_stranger_who_is_answered_where_nothing_was_known_to_answer_is_an_alert() {
    let scan = |learning_s: u64, port_that_answers: u16| {
        let mut policy = policy();
        policy.thresholds.learning = std::time::Duration::from_secs(learning_s);
        let mut lab = Lab::new(policy);
        lab.wait(1.0);
        for port in 600..=700 {
            lab.is_answering = port == port_that_answers;
            lab.syn(STRANGER, SERVER, port);
            lab.wait(0.05);
        }
        lab.is_answering = port_that_answers == 22;
        lab.syn(STRANGER, SERVER, 22);
        lab.wait(10.0);
        lab
    };
    assert_eq!(scan(0, 0).detected(), [], "nothing answers");
    assert_eq!(scan(3_600, 650).detected(), [], "everything is new");
    for port in [650, 22] {
        let lab = scan(0, port);
        let found = lab.the_detection();
        assert!(found.escalated && found.reason.contains("nothing was known to answer"), "{}", found.reason);
        assert_eq!(found.severity, crate::engine::Severity::High);
    }
}
