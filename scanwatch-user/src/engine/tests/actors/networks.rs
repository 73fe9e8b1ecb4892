//! More of what a network does all day: none of it is accused, or a role is for it.

use super::net::Fate::{Dropped, Open, Refused};
use super::net::{End, Net, servers};
use super::{ACTOR, play, silent, silent_when_warm};

#[test]
fn peer_to_peer_programs() {
    let mut net = Net::new(71);
    for host in net.internet(1_500) {
        let at = net.unit() * 600.0;
        let port = match net.below(15) {
            0 => 6_881,
            1 => 51_413,
            2 => [80, 443, 8_080, 6_889, 8_999][net.below(5) as usize],
            _ => 1_024 + net.below(64_000) as u16,
        };
        let luck = net.below(100);
        let fate = if luck < 35 {
            Open
        } else if luck < 40 {
            Refused
        } else {
            Dropped
        };
        net.udp_from(at, ("10.1.0.61", 51_413), (&host, port), fate, 40);
        if net.chance(50) {
            let fate = if luck < 20 {
                Open
            } else if luck < 30 {
                Refused
            } else {
                Dropped
            };
            net.tcp(at + 1.0, "10.1.0.61", &host, port, fate);
        }
    }
    silent("bittorrent", net);
    let mut net = Net::new(72);
    for (n, host) in net.internet(800).iter().enumerate() {
        let fate = if net.chance(50) { Open } else { Dropped };
        net.udp(n as f64 * 0.05, ACTOR, host, 27_015 + n as u16 % 20, fate);
    }
    silent("a list of game servers", net);
    let mut net = Net::new(73);
    for call in 0..10u16 {
        let at = f64::from(call) * 60.0;
        for n in 0..12 {
            let host = format!("192.168.{}.{}", net.below(10), 2 + net.below(198));
            let port = 49_152 + net.below(16_000) as u16;
            net.udp_from(at + f64::from(n) * 0.05, (ACTOR, 50_000 + call), (&host, port), Dropped, 40);
        }
    }
    silent("candidates of a call", net);
}

#[test]
fn management_stations() {
    let mut net = Net::new(74);
    for round in 0..8 {
        for (n, host) in servers(200).iter().enumerate() {
            let fate = if n % 10 == 0 { Dropped } else { Open };
            net.udp(f64::from(round) * 300.0 + n as f64 * 0.3, "10.1.0.54", host, 161, fate);
        }
    }
    silent("snmp", net);
    let mut net = Net::new(75);
    for round in 0..12 {
        for n in 0..12 {
            let at = f64::from(round) * 30.0 + f64::from(n) * 0.1;
            net.ping(at, ACTOR, &format!("10.1.0.{}", n + 1), n % 3 > 0);
        }
    }
    silent("presence", net);
    let mut net = Net::new(76);
    for round in 0..5 {
        for (n, host) in servers(80).iter().enumerate() {
            let fate = if n % 20 == 0 { Dropped } else { Open };
            net.tcp(f64::from(round) * 3_600.0 + n as f64 * 2.0, "10.1.0.92", host, 22, fate);
        }
    }
    silent("orchestration", net);
    let mut net = Net::new(77);
    for (n, host) in servers(300).iter().enumerate() {
        let fate = if net.chance(97) { Open } else { Dropped };
        net.tcp(n as f64 * 4.0, "10.1.0.52", host, 6_106, fate);
    }
    silent("backup", net);
}

#[test]
fn resolvers_controllers_and_clusters() {
    let mut net = Net::new(78);
    for n in 0..10_000 {
        let at = f64::from(n) * 0.05;
        let client = servers(300)[net.below(300) as usize].clone();
        net.udp(at, &client, "10.1.0.2", 53, Open);
        let server = format!("{}.{}.{}.53", 20 + net.below(70), net.below(40), net.below(4));
        let fate = if net.chance(93) { Open } else { Dropped };
        net.udp(at + 0.01, "10.1.0.2", &server, 53, fate);
    }
    silent("a resolver", net);
    let mut net = Net::new(79);
    for n in 0..10_000 {
        let client = servers(400)[net.below(400) as usize].clone();
        let port = [88, 389, 445, 135, 49_667, 3_268, 464][net.below(7) as usize];
        let end = [End::Fin, End::ClientReset, End::ServerReset][net.below(3) as usize];
        net.tcp_as(f64::from(n) * 0.06, &client, "10.1.0.3", port, Open, 0, end);
    }
    silent_when_warm("a domain controller", net);
    let mut net = Net::new(80);
    let pods: Vec<String> = (1..=60).map(|pod| format!("10.244.0.{pod}")).collect();
    for n in 0..3_000 {
        let pod = pods[net.below(60) as usize].clone();
        let port = [8_080, 9_090, 10_250, 53, 9_153][net.below(5) as usize];
        let fate = if net.chance(93) { Open } else { Refused };
        net.tcp(f64::from(n) * 0.2, "10.1.0.90", &pod, port, fate);
    }
    silent("a host of containers", net);
    let mut net = Net::new(81);
    for n in 0..3_000 {
        let host = servers(150)[net.below(150) as usize].clone();
        net.udp_from(f64::from(n) * 0.5, ("10.2.9.1", 8_301), (&host, 8_301), Open, 40);
    }
    silent("gossip", net);
}

#[test]
fn calls_and_traces() {
    let mut net = Net::new(82);
    for n in 0..400 {
        let at = f64::from(n) * 1.5;
        let port = 10_000 + net.below(5_000) as u16 * 2;
        let from = 10_000 + net.below(5_000) as u16 * 2;
        net.udp_from(at, ("10.1.0.70", from), ("10.1.0.71", port), Open, 172);
        net.udp_from(at + 0.1, ("10.1.0.70", from + 1), ("10.1.0.71", port + 1), Dropped, 172);
    }
    silent("RTCP goes unanswered", net);
    let mut net = Net::new(83);
    for round in 0..5 {
        for hop in 0..90u16 {
            let at = f64::from(round) * 30.0 + f64::from(hop) * 0.1;
            let fate = if hop < 87 { Dropped } else { Refused };
            net.udp(at, ACTOR, &format!("45.{}.3.1", round + 1), 33_434 + hop, fate);
        }
    }
    silent("traceroute", net);
    let mut net = Net::new(84);
    net.macs.extend(
        ["24.166.172.1", "69.76.216.1", "65.28.78.1"].map(|name| (name.to_owned(), [2, 5, 5, 5, 5, 5])),
    );
    for n in 0..600 {
        let own = ["24.166.172.1", "69.76.216.1", "65.28.78.1"][net.below(3) as usize];
        let host = format!("24.166.{}.{}", 172 + net.below(4), 2 + net.below(253));
        net.arp(f64::from(n) * 0.05, own, &host, false, false);
    }
    silent("a cable network's head end", net);
}

#[test]
fn a_proxy_whose_ipv6_is_dead() {
    let mut net = Net::new(85);
    net.macs.insert("2001:db8::8".to_owned(), [2, 0, 0, 0, 0, 8]);
    net.macs.insert("10.1.0.8".to_owned(), [2, 0, 0, 0, 0, 8]);
    let hosts = net.internet(3_000);
    for n in 0..6_000 {
        let at = f64::from(n) * 0.06;
        // More hosts than a pair table holds.
        let which = net.below(54) * net.below(54);
        net.tcp(at, "2001:db8::8", &format!("2a01:{which:x}::1"), 443, Dropped);
        let fate = if net.chance(97) { Open } else { Dropped };
        net.tcp(at + 0.3, "10.1.0.8", &hosts[which as usize].clone(), 443, fate);
    }
    silent("dead IPv6 is followed by IPv4 that works", net);
}

#[test]
fn the_first_nights_backup_needs_a_role_and_the_next_ones_do_not() {
    let mut net = Net::new(86);
    for night in 0..4 {
        for (n, host) in servers(120).iter().enumerate() {
            let fate = if net.chance(97) { Open } else { Dropped };
            let at = 19_000.0 + f64::from(night) * 86_400.0 + n as f64 * 3.0;
            net.tcp(at, "10.1.0.52", host, 445, fate);
        }
    }
    for n in 0..200 {
        net.tcp(f64::from(n) * 1_800.0, "10.1.0.77", "10.1.0.3", 445, Open);
    }
    let found = play(net, false).found;
    assert!(found.len() == 1 && found[0].1 == "fan_out_sensitive" && found[0].2 < 86_400.0, "{found:?}");
}
