//! What is shown to whoever asks.

use scanwatch_common::counters::Class;

use super::lab::{Lab, START_S, host_in, policy};
use crate::engine::{Kind, Timestamp};
use crate::policy::{Network, Role, RoleKind, Treatment};

fn at(lab: &Lab) -> Timestamp {
    #[allow(clippy::cast_sign_loss)]
    let since_ns = (lab.now_s() * 1e9) as u64;
    Timestamp::from_ns(START_S * 1_000_000_000 + since_ns)
}

#[test]
fn the_busiest_source_comes_first_with_what_it_did_in_each_window() {
    let mut lab = Lab::exact(policy());
    lab.scan_ports("10.1.0.98", "10.2.0.10", 1..=5, 5.0);
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=50, 10.0);
    lab.wait(5.0);
    let sources = lab.engine.busiest_sources(10, at(&lab));
    let shown: Vec<String> = sources.iter().map(|source| source.address.to_string()).collect();
    assert_eq!(shown[..2], ["10.1.0.99", "10.1.0.98"], "{shown:?}");
    let scanner = &sources[0];
    for window in scanner.windows {
        assert_eq!((window.hosts, window.covered), (1, 0), "{window:?}");
        assert!((48..=52).contains(&window.pairs) && (48..=52).contains(&window.ports), "{window:?}");
        assert!((45..=50).contains(&window.failed) && window.answered == 0, "{window:?}");
    }
    assert_eq!((scanner.zone.as_str(), scanner.interface.as_deref()), ("office", Some("office0")));
    assert!(scanner.services.contains(&"other".to_owned()), "{:?}", scanner.services);
    assert_eq!(scanner.incidents.len(), 1);
    assert_eq!(lab.engine.busiest_sources(1, at(&lab)).len(), 1);
    assert!(lab.engine.busiest_sources(0, at(&lab)).is_empty());
}

#[test]
fn a_source_that_fell_silent_leaves_the_shorter_windows_and_gives_up_its_rank() {
    let mut lab = Lab::exact(policy());
    lab.turns_a_second(1);
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=50, 50.0);
    lab.wait(1_300.0);
    lab.scan_ports("10.1.0.98", "10.2.0.10", 1..=3, 5.0);
    let sources = lab.engine.busiest_sources(10, at(&lab));
    assert_eq!(sources[0].address.to_string(), "10.1.0.98");
    let silent = sources.iter().find(|source| source.address.to_string() == "10.1.0.99").unwrap();
    let pairs = silent.windows.map(|window| window.pairs);
    assert_eq!(pairs[..2], [0, 0]);
    assert!((48..=52).contains(&pairs[3]), "{pairs:?}");
}

#[test]
fn what_a_role_covers_is_shown_as_such() {
    let mut policy = policy();
    policy.roles.push(Role {
        name: "proxies".to_owned(),
        kind: RoleKind::Proxy,
        sources: vec![Network { address: "10.1.0.20".parse().unwrap(), prefix: 32 }],
        services: None,
        zones: vec![2],
        hosts_max: None,
        expires_s: None,
        schedule: None,
    });
    let mut lab = Lab::exact(policy);
    lab.scan_ports("10.1.0.20", "10.2.0.10", 1..=20, 20.0);
    let sources = lab.engine.busiest_sources(1, at(&lab));
    let minute = sources[0].windows[0];
    assert_eq!((minute.pairs, minute.covered), (20, 20));
    assert_eq!(sources[0].roles, ["proxies"]);
}

#[test]
fn open_incidents_are_alerts_first_and_bounded() {
    let mut lab = Lab::exact(policy());
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=50, 50.0);
    for host in 1..=3 {
        lab.scan_ports(&host_in("198.51.100", host), "10.2.0.10", 1..=50, 50.0);
    }
    lab.wait(4.0);
    let open = lab.engine.open_incidents(10, at(&lab));
    let treatments: Vec<Treatment> = open.iter().map(|incident| incident.treatment).collect();
    assert_eq!(treatments[0], Treatment::Alert);
    assert!(treatments[1..].iter().all(|treatment| *treatment == Treatment::Statistics), "{treatments:?}");
    assert!(treatments.len() >= 2);
    assert_eq!(open[0].snapshot.scanner.address.to_string(), "10.1.0.99");
    assert_eq!(open[0].snapshot.kind, Kind::Vertical);
    assert_eq!(lab.engine.open_incidents(1, at(&lab)).len(), 1);
    let gauges = lab.engine.gauges();
    assert_eq!(gauges.incidents_open[0], [1, 0, 0, 0, 0]);
    assert_eq!(gauges.incidents_open[1].iter().sum::<usize>(), treatments.len() - 1);
    assert_eq!(gauges.incidents_opened[0][0][0], 1, "an alert, lateral, vertical");
    assert!(gauges.sources >= 4 && gauges.pairs >= 50);
    lab.finish();
    assert_eq!(lab.engine.gauges().incidents_open, [[0; 5]; 2]);
    assert_eq!(lab.engine.gauges().incidents_opened[0][0][0], 1, "it is counted when it is over, too");
}

#[test]
fn each_packet_is_in_one_counter_of_the_classes_of_packets() {
    for is_answering in [false, true] {
        let mut lab = Lab::new(policy());
        lab.is_answering = is_answering;
        for port in 1..=60 {
            lab.syn("10.1.0.99", "10.2.0.10", port);
            lab.syn("fd00:1::9", "fd00:2::1", port);
            lab.udp("10.1.0.99", "10.2.0.10", port);
            lab.udp("198.51.100.7", "10.2.0.10", 53);
            lab.sctp("10.1.0.98", "10.2.0.10", port);
            lab.flags("198.51.100.7", "10.2.0.10", port, port as u8);
            lab.ping("10.1.0.97", &host_in("10.2.0", port));
            lab.protocol("10.1.0.97", "10.2.0.10", port as u8);
            lab.arp("10.1.0.97", &host_in("10.1.0", port));
            lab.syn("10.1.0.99", "224.0.0.1", port);
            lab.syn("0.0.0.0", "10.2.0.1", port);
            lab.frame(&[0; 13]);
            lab.wait(0.5);
        }
        let counted =
            |class: Class| lab.counters().filter(|(of, _)| of.class() == class).map(|(_, n)| n).sum();
        let classes = [Class::Skipped, Class::Established, Class::Probe, Class::Reply];
        let packets: u64 = classes.map(counted).iter().sum();
        assert_eq!(packets, lab.frames);
        assert!(classes.iter().all(|class| class.is_of_packets()));
        let contacts: u64 = counted(Class::Contact);
        assert_eq!(
            contacts,
            counted(Class::Probe) + counted(Class::Reply),
            "each told something, or nothing"
        );
    }
}
