//! How far somebody comes who has read every threshold: what stays unseen, and what it costs.

use std::net::Ipv6Addr;

use super::build::ether;
use super::lab::{Lab, host_in, network, policy, service};
use crate::engine::{RoleVerdict, Severity, Window};
use crate::policy::{INTERNET, Policy, Role, RoleKind};

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";
const SMB: u16 = 445;
/// A SYN that nobody answers is judged by then, seconds.
const JUDGED_S: f64 = 6.0;

type Nth = fn(&mut Lab, u16);

/// A rule, its last window with its limit there, and what its n-th distinct probe is.
const SLOWEST: &[(&str, Window, u16, Nth)] = &[
    ("vertical", Window::Day, 40, |lab, n| lab.syn(SCANNER, SERVER, 30_000 + n)),
    ("vertical_known", Window::Day, 15, |lab, n| lab.syn(SCANNER, SERVER, 600 + n)),
    ("horizontal_lateral_sensitive", Window::Day, 30, |lab, n| lab.syn(SCANNER, &host_in("10.2.0", n), SMB)),
    ("horizontal_lateral", Window::Day, 60, |lab, n| lab.syn(SCANNER, &host_in("10.2.0", n), 8_983)),
    ("horizontal_outbound_sensitive", Window::Day, 80, |lab, n| lab.syn(SCANNER, &elsewhere(n), SMB)),
    ("horizontal_outbound", Window::Day, 1_000, |lab, n| lab.syn(SCANNER, &elsewhere(n), 53)),
    ("horizontal_outbound_noisy", Window::Day, 3_000, |lab, n| lab.syn(SCANNER, &elsewhere(n), 443)),
    ("horizontal_network", Window::Hour, 40, |lab, n| lab.syn(SCANNER, &host_in("198.51.100", n), 443)),
    ("icmp_lateral", Window::Day, 120, |lab, n| lab.ping(SCANNER, &host_in("10.2.0", n))),
    ("icmp_outbound", Window::Hour, 120, |lab, n| lab.ping(SCANNER, &elsewhere(n))),
    ("arp", Window::Hour, 80, |lab, n| lab.arp(SCANNER, &host_in("10.1.4", n))),
    ("flags", Window::Day, 5, |lab, n| lab.flags(SCANNER, &host_in("10.2.0", n), 80, 0)),
];

/// A host on the internet in a network of its own.
fn elsewhere(n: u16) -> String {
    format!("198.{}.{}.1", 51 + n / 250, n % 250)
}

/// A scan of so many probes, one every so many seconds.
fn slow_scan(probes: u16, gap_s: f64, nth: Nth) -> Lab {
    let mut lab = Lab::exact(policy());
    lab.turns_a_second(1);
    for n in 1..=probes {
        nth(&mut lab, n);
        lab.wait(JUDGED_S);
        // Nobody does anything, so nobody need look.
        lab.set_clock(gap_s - JUDGED_S);
    }
    lab
}

#[test]
fn the_slowest_scan_that_is_found_is_that_of_the_longest_window_and_a_slower_one_is_not() {
    for (rule, window, limit, nth) in SLOWEST {
        let fair_s = window.length().as_secs_f64() / f64::from(*limit);
        // One probe less than the limit in any time as long as the window, and for three such times.
        let below_s = window.length().as_secs_f64() / f64::from(limit - 1) * 1.001;
        slow_scan(limit * 3, below_s, *nth).assert_silent(&format!("{rule}: a probe every {below_s:.0} s"));
        let above = slow_scan(limit * 3, fair_s * 0.97, *nth);
        let found: Vec<&str> = above.detected().into_iter().map(|(_, rule, _)| rule).collect();
        assert_eq!(found.first(), Some(rule), "a probe every {:.0} s", fair_s * 0.97);
        let per_day = 86_400.0 / below_s;
        println!("{rule}: unseen up to {per_day:.0} a day, a probe every {below_s:.0} s");
    }
}

/// A machine that takes another address whenever one has done as much as a minute allows.
fn sweep_by_turns(addresses: u16, prefix: &str, hosts: u16) -> Lab {
    let mut lab = Lab::exact(policy());
    for host in 1..=hosts {
        let source = host_in(prefix, host % addresses + 1);
        let target = host_in(if prefix.contains(':') { "fd00:2:" } else { "10.2.0" }, host);
        lab.syn(&source, &target, SMB);
        lab.wait(0.1);
    }
    lab.wait(JUDGED_S);
    lab
}

/// Each address has limits of its own: whoever has enough of them sweeps unseen. Here all are in one segment, with one
/// link-layer address.
#[test]
fn a_sweep_of_254_hosts_in_a_minute_takes_29_addresses_of_its_own() {
    for prefix in ["10.1.0", "fd00:1:"] {
        // Ten hosts each, or eleven; and then nine, or eight.
        assert!(!sweep_by_turns(25, prefix, 254).events.is_empty(), "{prefix}");
        sweep_by_turns(29, prefix, 254).assert_silent(prefix);
    }
}

#[test]
fn a_sweep_over_several_vlans_takes_as_many_of_them_as_one_over_several_addresses() {
    let sweep = |vlans: u16| {
        let mut lab = Lab::exact(policy());
        for host in 1..=27 {
            lab.ether = ether().tag(100 + host % vlans);
            lab.syn(SCANNER, &host_in("10.2.0", host), SMB);
            lab.wait(0.1);
        }
        lab.wait(JUDGED_S);
        lab
    };
    sweep(3).assert_silent("nine hosts in each of three networks");
    assert_eq!(sweep(2).detected()[0].1, "horizontal_lateral_sensitive");
}

/// Outside, all addresses of a /64 are one source: an attacker needs networks, which its provider gives it.
#[test]
fn outside_another_address_of_the_same_network_is_no_other_source() {
    let scan = |source: fn(u16) -> Ipv6Addr| {
        let mut alert = policy();
        alert.directions.inbound = crate::policy::Treatment::Alert;
        let mut lab = Lab::exact(alert);
        for port in 1..=30 {
            lab.syn(&source(port).to_string(), "fd00:2::10", 30_000 + port);
            lab.wait(0.1);
        }
        lab.wait(JUDGED_S);
        lab
    };
    let addresses = scan(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, 7, n, 0, 0, n));
    assert_eq!(addresses.detected().len(), 1, "{:?}", addresses.detected());
    scan(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, n, 0, 0, 0, 1)).assert_silent("thirty networks, a port each");
}

/// Machines, each with an address of its own, that share the ports of one host.
fn shared_scan(machines: u8, ports_each: u16, gap_s: f64) -> Lab {
    let mut lab = Lab::exact(policy());
    lab.turns_a_second(1);
    for round in 0..ports_each {
        for machine in 1..=machines {
            lab.ether = ether().from([2, 0, 0, 0, 9, machine]);
            let port = 20_000 + round * u16::from(machines) + u16::from(machine);
            lab.syn(&format!("10.1.0.{machine}"), SERVER, port);
        }
        lab.wait(JUDGED_S);
        lab.set_clock(gap_s - JUDGED_S);
    }
    lab.wait(JUDGED_S);
    lab
}

#[test]
fn nineteen_machines_that_share_a_scan_are_too_few_to_be_told_and_twenty_are_not() {
    shared_scan(19, 9, 6.5).assert_silent("171 ports in a minute");
    let found = shared_scan(20, 9, 6.5);
    assert_eq!(found.the_detection().rule, "distributed");
}

#[test]
fn two_hundred_machines_that_share_a_scan_slowly_enough_are_not_found() {
    // Five ports each, one in 72 minutes: a thousand ports in six hours. An hour remembers one contact a machine.
    shared_scan(200, 5, 4_320.0).assert_silent("a thousand ports in six hours");
}

const PROXY: &str = "10.1.0.8";
const PROXY_MAC: [u8; 6] = [2, 0, 0, 0, 1, 8];
const FORGER_MAC: [u8; 6] = [2, 0, 0, 0, 1, 0x66];

/// A proxy that may reach so many web servers on the internet.
fn with_proxy(hosts_max: Option<u64>) -> Policy {
    let mut policy = policy();
    policy.roles = vec![Role {
        name: "proxy".to_owned(),
        kind: RoleKind::Proxy,
        sources: vec![network(PROXY)],
        services: Some(vec![service(&policy, "web")]),
        zones: vec![INTERNET],
        hosts_max,
        expires_s: None,
        schedule: None,
    }];
    policy
}

fn forge(lab: &mut Lab, source: &str, target: &str, port: u16) {
    lab.ether = ether().from(FORGER_MAC);
    lab.syn(source, target, port);
    lab.wait(0.1);
}

#[test]
fn whoever_forges_a_proxys_address_hides_what_the_proxy_may_do_and_no_more_of_it_than_its_budget() {
    let web = |hosts_max| {
        let mut lab = Lab::exact(with_proxy(hosts_max));
        (1..=400).for_each(|n| forge(&mut lab, PROXY, &elsewhere(n), 443));
        lab.wait(60.0);
        lab
    };
    web(None).assert_silent("web servers, without a budget");
    web(Some(1_000)).assert_silent("web servers, within the budget");
    let over = web(Some(200));
    assert_eq!(over.the_detection().scanner.address.to_string(), PROXY);
    let role = over.the_detection().role.as_ref().expect("it is about the role");
    assert_eq!(role.verdict, RoleVerdict::OverBudget);
    assert!(!over.the_detection().source_confirmed);
}

#[test]
fn whatever_else_is_done_in_a_proxys_name_is_told_at_a_higher_severity_and_as_unconfirmed() {
    let sweep = |source: &str| {
        let mut lab = Lab::exact(with_proxy(None));
        // The proxy is there, and says so.
        lab.ether = ether().from(PROXY_MAC);
        lab.arp(PROXY, "10.1.0.1");
        (1..=30).for_each(|n| forge(&mut lab, source, &host_in("10.2.0", n), SMB));
        lab.wait(60.0);
        lab
    };
    let (forged, plain) = (sweep(PROXY), sweep(SCANNER));
    let (forged, plain) = (forged.the_detection(), plain.the_detection());
    assert_eq!(forged.role.as_ref().map(|role| role.verdict), Some(RoleVerdict::Outside));
    assert!(forged.risk > plain.risk, "{} and {}", forged.risk, plain.risk);
    assert!(forged.severity >= plain.severity && forged.severity >= Severity::High);
    assert!(!forged.source_confirmed && forged.reason.contains("unconfirmed"), "{}", forged.reason);
}
