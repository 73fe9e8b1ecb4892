//! What the product promises, on the traffic it promises it for.

use super::build::{self, udp};
use super::lab::{Lab, host_in, policy};
use super::rules::everywhere;
use crate::engine::{Action, Severity};
use crate::sink::{Observer, ecs};
use scanwatch_common::abi::mapped;
use scanwatch_common::classify::tcp_flags;

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";

/// `nmap -sS -p1-1000`: host discovery, then the ports in no order.
fn nmap_vertical(lab: &mut Lab, source: &str, target: &str) {
    lab.ping(source, target);
    lab.syn(source, target, 443);
    lab.flags(source, target, 80, 0x10);
    lab.wait(0.1);
    // 7 generates all residues of the prime 1009 but 0.
    let mut port = 1u32;
    for _ in 0..1_008 {
        port = port * 11 % 1_009;
        if port <= 1_000 {
            lab.syn(source, target, port as u16);
            lab.wait(0.004);
        }
    }
}

#[test]
fn a_vertical_scan_is_one_incident_with_its_ports_host_and_source() {
    for (source, target) in [(SCANNER, SERVER), ("fd00:1::99", "fd00:2::10")] {
        let mut lab = Lab::new(policy());
        nmap_vertical(&mut lab, source, target);
        assert!(lab.now_s() < 10.0);
        let detected = lab.the_detection();
        assert!(
            detected.at.since(detected.first).as_millis() < 500,
            "found while it goes on, by its popular ports"
        );
        lab.wait(200.0);
        let ended = lab.the_end();
        assert_eq!(ended.incident, lab.the_detection().incident);
        assert_eq!((ended.kind.name(), ended.hosts.rounded()), ("vertical", 1));
        assert!((930..=1_070).contains(&ended.ports.rounded()), "{}", ended.ports.rounded());
        assert!(ended.relative_error() < 0.03);
        assert_eq!(ended.host, Some(target.parse().unwrap()));
        assert_eq!(ended.scanner.address.to_string(), source);
        assert_eq!(ended.scanner.mac, Some(build::MAC_SOURCE));
        assert_eq!(ended.scanner.interface.as_deref(), Some("office0"));
        assert_eq!(ended.targets.len(), 16);
        assert_eq!(ended.severity, Severity::High);
        let document = ecs::incident(lab.events.last().unwrap(), &Observer::on("lab"));
        assert_eq!(document["scanwatch"]["scan"]["technique"], serde_json::json!(["syn"]));
        assert_eq!(document["network"]["direction"], "internal");
    }
}

#[test]
fn tags_are_on_the_record_of_a_vertical_scan() {
    let cases = [(vec![100], ["100", ""]), (vec![200, 30], ["200", "30"])];
    for (tags, [outer, inner]) in cases {
        let mut lab = Lab::new(policy());
        lab.ether = tags.into_iter().fold(lab.ether.clone(), build::Ether::tag);
        nmap_vertical(&mut lab, SCANNER, SERVER);
        lab.finish();
        let document = ecs::incident(lab.events.last().unwrap(), &Observer::on("lab"));
        assert_eq!(lab.the_end().hosts.rounded(), 1);
        assert_eq!(document["network"]["vlan"]["id"], outer);
        assert_eq!(document["network"]["inner"]["vlan"]["id"].as_str().unwrap_or(""), inner);
    }
}

#[test]
fn the_same_address_under_two_tags_is_two_sources() {
    let mut lab = Lab::answering(policy());
    lab.is_answering = false;
    // What a source tries first counts where it tries its second, so the last tag has one less.
    for host in 1..=17u16 {
        lab.ether = build::ether().tag(host % 2 + 10);
        lab.syn(SCANNER, &host_in("10.2.0", host), 445);
        lab.wait(0.1);
    }
    lab.wait(5.0);
    lab.assert_silent("nine hosts each");
}

#[test]
fn a_sweep_of_file_shares_is_horizontal_and_names_smb() {
    let mut lab = Lab::new(policy());
    lab.sweep(SCANNER, "10.2.0", 1..=254, 445, 50.0);
    lab.finish();
    let (detected, ended) = (lab.the_detection(), lab.the_end());
    assert_eq!((detected.kind.name(), &detected.services[..]), ("horizontal", &["smb".to_owned()][..]));
    assert!((245..=262).contains(&ended.hosts.rounded()), "{}", ended.hosts.rounded());
    assert_eq!((ended.ports.rounded(), ended.port, ended.host), (1, Some(445), None));
    assert!(ended.reason.contains("smb on about 25"), "{}", ended.reason);
}

#[test]
fn an_arp_sweep_is_horizontal_and_has_no_ports() {
    let mut lab = Lab::new(policy());
    for host in 1..=254 {
        lab.arp(SCANNER, &host_in("10.1.0", host));
        lab.wait(0.01);
    }
    lab.wait(4.0);
    lab.finish();
    let ended = lab.the_end();
    assert_eq!((ended.kind.name(), ended.ports.rounded()), ("horizontal", 0));
    assert!((245..=262).contains(&ended.hosts.rounded()));
    assert!(ended.services.is_empty());
    assert!(ended.reason.contains("addresses by ARP (office → office)"), "{}", ended.reason);
    assert_eq!(ended.severity, Severity::Medium);
}

#[test]
fn a_host_that_forwards_asks_for_whoever_others_look_for() {
    let router = "10.2.0.1";
    for forwards in [true, false] {
        let mut lab = Lab::new(policy());
        if forwards {
            lab.engine.set_forwarding(2, &[mapped([10, 2, 0, 1])]);
        }
        for host in 2..=254 {
            lab.arp(router, &host_in("10.2.0", host));
            lab.wait(0.01);
        }
        lab.wait(4.0);
        assert_eq!(lab.detected().is_empty(), forwards, "{:?}", lab.detected());
    }
}

#[test]
fn segments_of_no_conversation_are_found_whatever_port_they_come_from() {
    for (own, port_first) in [(40_000, 1), (53, 1), (20, 400)] {
        let mut lab = Lab::new(policy());
        for port in port_first..port_first + 40 {
            lab.segment(SCANNER, SERVER, build::tcp(own, port).flags(tcp_flags::FIN | tcp_flags::ACK));
            lab.segment(SERVER, SCANNER, build::tcp(port, own).flags(tcp_flags::RST));
            lab.wait(0.01);
        }
        lab.wait(4.0);
        assert_eq!(lab.detected().len(), 1, "from port {own}: {:?}", lab.detected());
    }
}

#[test]
fn a_server_whose_clients_hang_up_is_not_refused() {
    let mut lab = Lab::new(policy());
    // Privileged clients, as those of NFS and rsh.
    for (port, own) in (512..1_024).chain(40_000..41_000).flat_map(|port| [(port, 111), (port, 2_049)]) {
        lab.segment(SCANNER, SERVER, build::tcp(port, own));
        lab.segment(SERVER, SCANNER, build::tcp(own, port).flags(tcp_flags::SYN | tcp_flags::ACK));
        lab.segment(SCANNER, SERVER, build::tcp(port, own).flags(tcp_flags::RST));
        lab.wait(0.01);
    }
    lab.wait(4.0);
    lab.assert_silent("a server of privileged clients");
}

#[test]
fn a_worm_is_known_by_the_sequence_numbers_of_its_packets() {
    let mut lab = Lab::new(policy());
    for host in 1..=60u8 {
        let target = [198, 51, 100, host];
        let text = std::net::Ipv4Addr::from(target).to_string();
        lab.segment(SCANNER, &text, build::tcp(40_000, 23).numbers(u32::from_be_bytes(target), 0));
        lab.wait(0.05);
    }
    lab.wait(4.0);
    assert_eq!(lab.the_detection().tool, Some("mirai"));
}

#[test]
fn who_aborts_the_connections_it_opens_connects() {
    let (own, server) = ((SCANNER, 40_000), "10.2.0.5");
    for (flags, connects) in [(tcp_flags::RST | tcp_flags::ACK, true), (tcp_flags::RST, false)] {
        let mut lab = Lab::new(policy());
        for port in 1..=40 {
            lab.segment(own.0, server, build::tcp(own.1, port));
            let answer = if port > 30 { tcp_flags::SYN } else { tcp_flags::RST };
            let number = if port > 30 { 77 } else { 0 };
            let reply = build::tcp(port, own.1).flags(answer | tcp_flags::ACK).numbers(number, 2);
            lab.segment(server, own.0, reply);
            if port > 30 {
                lab.segment(own.0, server, build::tcp(own.1, port).flags(flags).numbers(2, 78));
            }
            lab.wait(0.01);
        }
        lab.wait(4.0);
        lab.finish();
        assert_eq!(lab.the_end().connects, connects, "{flags:#x}");
    }
}

#[test]
fn host_discovery_before_a_sweep_is_part_of_it() {
    let mut lab = Lab::new(policy());
    for host in 1..=254 {
        lab.ping(SCANNER, &host_in("10.2.0", host));
        lab.syn(SCANNER, &host_in("10.2.0", host), 443);
        lab.flags(SCANNER, &host_in("10.2.0", host), 80, 0x10);
        lab.wait(0.02);
    }
    lab.sweep(SCANNER, "10.2.0", 1..=254, 445, 50.0);
    lab.wait(100.0);
    let (detected, ended) = (lab.the_detection(), lab.the_end());
    assert_eq!(detected.incident, ended.incident);
    assert_eq!(ended.services, ["smb", "web"]);
    let names: Vec<_> = crate::engine::technique_names(ended.techniques, ended.connects);
    assert_eq!(names, ["syn", "icmp", "refused"]);
}

#[test]
fn three_hundred_web_servers_without_a_role_are_browsing() {
    let mut lab = Lab::answering(policy());
    for host in 1..=300 {
        lab.syn(SCANNER, &host_in("198.51.100", host), 443);
        lab.syn(SCANNER, &host_in("198.51.100", host), 80);
        lab.wait(0.1);
    }
    lab.wait(60.0);
    lab.assert_silent("web towards the internet is not judged by breadth alone");
}

#[test]
fn browsing_sixty_sites_is_silent() {
    let mut lab = Lab::answering(policy());
    for site in 0..60u16 {
        lab.udp(SCANNER, "10.2.0.53", 53);
        for server in 1..=8 {
            let host = host_in("198.51.100", site * 8 + server);
            lab.udp(SCANNER, &host, 443);
            lab.syn(SCANNER, &host, 443);
            lab.syn("fd00:1::99", &format!("2001:db8::{site}:{server}"), 443);
        }
        lab.syn(SCANNER, &host_in("198.51.100", site * 8 + 1), 80);
        lab.wait(3.0);
    }
    lab.assert_silent("browsing");
}

#[test]
fn a_resolver_that_answers_five_hundred_queries_is_silent() {
    let mut lab = Lab::new(policy());
    for query in 0..500 {
        lab.segment(SCANNER, "10.2.0.53", udp(20_000 + query, 53).payload(40));
        lab.segment("10.2.0.53", SCANNER, udp(53, 20_000 + query).payload(120));
        lab.wait(0.05);
    }
    lab.assert_silent("answers");
}

#[test]
fn a_long_connection_is_silent() {
    let mut lab = Lab::new(policy());
    lab.syn(SCANNER, SERVER, 443);
    for _ in 0..10_000 {
        lab.flags(SCANNER, SERVER, 443, 0x18);
    }
    lab.wait(20.0);
    lab.assert_silent("established");
    assert_eq!(lab.statistics().sources.tracked, 0);
}

#[test]
fn a_scan_from_the_internet_is_counted_and_an_alert_only_where_configured() {
    for (policy, records) in [(policy(), 0), (everywhere(), 1)] {
        let mut lab = Lab::new(policy);
        lab.scan_ports("198.51.100.7", SERVER, 1..=400, 100.0);
        lab.wait(5.0);
        assert_eq!(lab.snapshots(Action::Detected).len(), records);
        lab.wait(100.0);
        assert_eq!(lab.snapshots(Action::Ended).len(), records);
        let statistics = lab.statistics();
        assert_eq!((statistics.directions.inbound.sources, statistics.directions.inbound.incidents), (1, 1));
        assert_eq!(statistics.directions.lateral.incidents, 0);
        assert_eq!(statistics.incidents.vertical.total, records as u64);
        let services: Vec<_> = statistics.services_from_outside.iter().map(|s| s.name.as_str()).collect();
        assert!(services.contains(&"smb") && services.contains(&"web"), "{services:?}");
        assert!(statistics.services_from_outside.iter().all(|service| service.sources == 1));
    }
}

#[test]
fn a_block_scan_in_random_order_is_one_block_with_all_its_hosts_and_ports() {
    let mut lab = Lab::new(policy());
    let mut at = 1u32;
    for _ in 0..4_098 {
        // 13 generates all residues of the prime 4099 but 0.
        at = at * 2 % 4_099;
        let (host, port) = ((at % 64) as u16 + 1, (at / 64) as u16 + 1);
        lab.syn(SCANNER, &host_in("10.2.0", host), port);
        lab.wait(0.001);
    }
    lab.wait(200.0);
    assert_eq!(lab.the_detection().kind.name(), "block");
    let ended = lab.the_end();
    assert_eq!(ended.kind.name(), "block");
    assert!((60..=68).contains(&ended.hosts.rounded()), "{}", ended.hosts.rounded());
    assert!((60..=69).contains(&ended.ports.rounded()), "{}", ended.ports.rounded());
    assert!((3_800..=4_400).contains(&ended.pairs.rounded()), "{}", ended.pairs.rounded());
}

/// `nmap --top-ports 20 10.2.0.0/24`: host discovery, then port after port on those who are there.
#[test]
fn stock_taking_is_one_block_scan_whatever_its_host_discovery_met() {
    const PORTS: [u16; 20] =
        [80, 23, 443, 21, 22, 25, 3389, 110, 445, 139, 143, 53, 135, 3306, 8080, 1723, 111, 995, 993, 5900];
    const ALIVE: std::ops::RangeInclusive<u16> = 10..=21;
    let mut lab = Lab::new(policy());
    for host in 1..=254 {
        let address = host_in("10.2.0", host);
        lab.is_answering = ALIVE.contains(&host);
        lab.ping(SCANNER, &address);
        lab.syn(SCANNER, &address, 443);
        lab.flags(SCANNER, &address, 80, 0x10);
        lab.wait(0.004);
    }
    lab.wait(1.0);
    for port in PORTS {
        for host in ALIVE {
            let is_web = host % 3 == 0 && matches!(port, 22 | 80 | 443 | 8080);
            let is_share = host % 3 == 1 && matches!(port, 22 | 139 | 445);
            lab.is_answering = is_web || is_share || (host % 3 == 2 && matches!(port, 25 | 53 | 3306));
            lab.syn(SCANNER, &host_in("10.2.0", host), port);
            lab.wait(0.002);
        }
    }
    lab.wait(200.0);
    assert_eq!(lab.detected().len(), 1, "{:?}", lab.detected());
    let ended = lab.the_end();
    assert_eq!((ended.kind.name(), ended.rule), ("block", "block_lateral"));
    assert!((240..=265).contains(&ended.hosts.rounded()), "{}", ended.hosts.rounded());
    assert!((19..=21).contains(&ended.ports.rounded()), "{}", ended.ports.rounded());
}

#[test]
fn statistics_have_the_names_that_others_read() {
    let mut lab = Lab::new(policy());
    lab.scan_ports("10.1.0.99", SERVER, 1..=100, 50.0);
    lab.scan_ports("198.51.100.7", SERVER, 1..=100, 50.0);
    let statistics = serde_json::to_value(lab.statistics()).unwrap();
    assert_eq!(statistics["directions"]["lateral"], serde_json::json!({ "sources": 1, "incidents": 1 }));
    assert_eq!(statistics["directions"]["inbound"], serde_json::json!({ "sources": 1, "incidents": 1 }));
    assert_eq!(statistics["incidents"]["vertical"], serde_json::json!({ "open": 1, "total": 1 }));
    assert_eq!(statistics["incidents"]["refused"], 0);
    assert_eq!(statistics["sources"], serde_json::json!({ "tracked": 2, "dropped": 0 }));
    assert_eq!(statistics["losses"], serde_json::json!({ "ring_lost": 0, "cells_refused": 0 }));
    assert_eq!(statistics["roles"], serde_json::json!([]));
    assert_eq!(
        statistics["services_from_outside"][0],
        serde_json::json!({ "name": "directory", "sources": 1 })
    );
}
