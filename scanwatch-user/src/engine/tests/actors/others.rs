//! Scans that are seen from one side only, and work that a role is for.

use super::net::Fate::{Dropped, Open};
use super::net::{Net, lan, servers};
use super::{ACTOR, accused, play};

/// Ordinary clients of three servers, ten minutes long.
fn ordinary() -> Net {
    let mut net = Net::new(60);
    for client in 0..10 {
        for minute in 0..11 {
            let at = f64::from(minute) * 60.0 + net.unit() * 50.0;
            let server = format!("10.1.0.{}", 2 + net.below(3));
            let port = [445, 443, 389, 88][net.below(4) as usize];
            net.tcp(at, &format!("10.1.0.7{client}"), &server, port, Open);
        }
    }
    net
}

#[test]
fn scanners_among_clients_whose_answers_are_unseen() {
    let clients: Vec<String> = (0..10).map(|n| format!("10.1.0.7{n}")).collect();
    let mut seen: Vec<&str> = clients.iter().map(String::as_str).collect();
    seen.push(ACTOR);
    let mut net = ordinary();
    let ports = net.nmap_ports();
    for (n, port) in ports.into_iter().take(300).enumerate() {
        net.syn(100.0 + n as f64 * 0.05, ACTOR, "10.1.0.5", port, Dropped);
    }
    accused("vertical", net.only_from(&seen), false, 120.0);
    let mut net = ordinary();
    for (n, host) in lan("10.1.7.", 254).iter().enumerate() {
        let fate = if n % 5 < 3 { Open } else { Dropped };
        net.tcp(100.0 + n as f64, ACTOR, host, 445, fate);
    }
    accused("horizontal", net.only_from(&seen), false, 300.0);
}

#[test]
fn clients_whose_answers_are_unseen_are_not_accused() {
    let clients: Vec<String> = (0..10).map(|n| format!("10.1.0.7{n}")).collect();
    let seen: Vec<&str> = clients.iter().map(String::as_str).collect();
    super::silent("one way", ordinary().only_from(&seen));
}

#[test]
fn a_push_to_machines_that_are_off_needs_a_role() {
    let mut net = Net::new(61);
    for (n, host) in servers(500).iter().enumerate() {
        let fate = if net.chance(60) { Open } else { Dropped };
        net.tcp(n as f64, "10.1.0.94", host, 445, fate);
    }
    let found = play(net, false).found;
    assert_eq!(found.iter().map(|found| found.1).collect::<Vec<_>>(), ["horizontal_lateral_sensitive"]);
}

#[test]
fn many_sources_that_share_a_scan() {
    for (gap_s, sources, count) in [(0.05, 200, 1_000), (4.0, 40, 800)] {
        let mut net = Net::new(62);
        let gateway = [2, 8, 8, 8, 8, 8];
        let ports = net.nmap_ports();
        for (n, port) in ports.into_iter().take(count).enumerate() {
            let source = if sources > 100 {
                format!("45.{}.7.9", n % sources)
            } else {
                format!("10.2.3.{}", n % sources + 1)
            };
            if sources > 100 {
                net.macs.insert(source.clone(), gateway);
            }
            net.syn(n as f64 * gap_s, &source, "10.1.0.5", port, Dropped);
        }
        let found = play(net, false).found;
        assert!(found[0].1 == "distributed" && found[0].2 < 300.0, "{found:?}");
        assert_eq!(found.iter().filter(|found| found.1 == "distributed").count(), 1, "{found:?}");
    }
}

#[test]
fn decoys_behind_one_link_layer_address_are_one_scanner() {
    let mut net = Net::new(63);
    let own = [2, 7, 7, 7, 7, 7];
    let names: Vec<String> =
        (150..158).map(|host| format!("10.1.0.{host}")).chain([ACTOR.to_owned()]).collect();
    for name in &names {
        net.macs.insert(name.clone(), own);
    }
    for host in [5, 6, 7] {
        net.arp(f64::from(host) * 0.01, ACTOR, &format!("10.1.0.{host}"), true, true);
    }
    for (n, port) in net.nmap_ports().into_iter().take(200).enumerate() {
        for name in &names {
            net.syn(1.0 + n as f64 * 0.02, name, "10.1.0.5", port, super::net::Fate::Refused);
        }
    }
    accused("decoys", net, false, 11.0);
}

#[test]
fn decoys_that_are_machines_of_the_segment_are_not_the_scanner() {
    let mut net = Net::new(64);
    let own = [2, 7, 7, 7, 7, 7];
    let decoys = ["10.1.0.10", "10.1.0.77"];
    // The router asks for everybody who is answered; each machine answers for itself.
    net.macs.insert(ACTOR.to_owned(), own);
    for (n, name) in decoys.iter().chain(&[ACTOR]).enumerate() {
        net.arp(n as f64 * 0.01, "10.1.0.1", name, true, true);
    }
    net.macs.extend(decoys.map(|name| (name.to_owned(), own)));
    for (n, port) in net.nmap_ports().into_iter().take(200).enumerate() {
        for name in decoys.iter().chain(&[ACTOR]) {
            net.syn(1.0 + n as f64 * 0.02, name, "10.1.0.5", port, super::net::Fate::Refused);
        }
    }
    accused("decoys", net, false, 11.0);
}
