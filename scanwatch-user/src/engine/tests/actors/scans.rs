//! Scanners, each found within the time that its pace allows.

use super::net::Fate::{Dropped, Open, Refused};
use super::net::{Fate, Net, lan, servers};
use super::{ACTOR, accused};

const SERVER: &str = "10.1.0.5";
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;

fn vertical(gap_s: f64, ports: usize, closed: Fate, target: &str) -> Net {
    let mut net = Net::new(1);
    for (n, port) in net.nmap_ports().into_iter().take(ports).enumerate() {
        let fate = if matches!(port, 22 | 80 | 443) { Open } else { closed };
        net.syn(n as f64 * gap_s, ACTOR, target, port, fate);
    }
    net
}

fn sweep(gap_s: f64, percent: u64, port: u16) -> Net {
    let mut net = Net::new(percent + u64::from(port));
    let mut hosts = lan("10.1.7.", 254);
    net.shuffle(&mut hosts);
    for (n, host) in hosts.iter().enumerate() {
        let fate = if net.chance(percent) {
            Open
        } else if net.chance(50) {
            Dropped
        } else {
            Refused
        };
        net.tcp(n as f64 * gap_s, ACTOR, host, port, fate);
    }
    net
}

#[test]
fn vertical_scans_fast() {
    accused("refused", vertical(0.002, 1_000, Refused, SERVER), false, 10.0);
    accused("filtered", vertical(0.005, 1_000, Dropped, SERVER), false, 10.0);
    accused("of the internet", vertical(0.005, 1_000, Dropped, "45.3.2.1"), false, 10.0);
    accused("polite", vertical(0.4, 1_000, Refused, SERVER), false, 10.0);
    accused("everything answers", vertical(0.01, 1_000, Open, SERVER), false, 10.0);
}

#[test]
fn vertical_scans_at_a_probe_every_15_seconds_and_every_5_minutes() {
    accused("15 s", vertical(15.0, 300, Refused, SERVER), false, 5.0 * MINUTE);
    accused("5 min", vertical(300.0, 280, Refused, SERVER), false, 2.0 * HOUR);
    accused("5 min, twenty ports", vertical(300.0, 20, Refused, SERVER), false, 2.0 * HOUR);
    let mut net = Net::new(3);
    for n in 0..280u32 {
        net.syn(f64::from(n) * 300.0, ACTOR, SERVER, (20_000 + n * 71) as u16, Refused);
    }
    accused("5 min, high ports", net, false, 4.0 * HOUR);
}

#[test]
fn sweeps_of_file_shares_that_mostly_fail() {
    for warm in [false, true] {
        for (percent, within_s) in [(30, 30.0), (60, 60.0)] {
            accused("a second", sweep(1.0, percent, 445), warm, within_s);
        }
        for (percent, within_s) in [(30, 8.0 * MINUTE), (60, 25.0 * MINUTE)] {
            accused("15 s", sweep(15.0, percent, 445), warm, within_s);
        }
        for (percent, within_s) in [(30, 4.5 * HOUR), (60, 7.0 * HOUR)] {
            accused("5 min", sweep(300.0, percent, 445), warm, within_s);
        }
    }
}

#[test]
fn sweeps_that_are_mostly_answered() {
    accused("warm, 1 s", sweep(1.0, 90, 445), true, 4.0 * MINUTE);
    accused("warm, 1 s, all", sweep(1.0, 100, 445), true, 4.0 * MINUTE);
    accused("warm, 1 s, desktops", sweep(1.0, 95, 3_389), true, 4.0 * MINUTE);
    accused("warm, 15 s", sweep(15.0, 90, 445), true, 30.0 * MINUTE);
    accused("warm, 5 min", sweep(300.0, 90, 445), true, 13.0 * HOUR);
    accused("cold, 1 s", sweep(1.0, 90, 445), false, 15.0 * MINUTE);
    accused("cold, 15 s", sweep(15.0, 90, 445), false, 65.0 * MINUTE);
    accused("cold, 5 min", sweep(300.0, 90, 445), false, 13.0 * HOUR);
}

#[test]
fn sweeps_of_other_services() {
    accused("8983", sweep(1.0, 30, 8_983), false, 40.0);
    accused("80", sweep(1.0, 60, 80), false, 70.0);
    let mut net = Net::new(5);
    net.scanner = "45.6.7.8".to_owned();
    let mut hosts = lan("10.1.7.", 200);
    net.shuffle(&mut hosts);
    for (n, host) in hosts.iter().enumerate() {
        net.syn(n as f64 * 3.0, "45.6.7.8", host, 8_081, Dropped);
    }
    accused("a stranger, slowly", net, false, 90.0);
}

#[test]
fn segments_of_no_conversation() {
    for flags in [0x10, 0x11] {
        let mut net = Net::new(6);
        for (n, port) in net.nmap_ports().into_iter().enumerate() {
            net.raw(n as f64 * 0.01, (ACTOR, 43_210), (SERVER, port), flags, Some(4));
        }
        accused("ACK and Maimon", net, false, 10.0);
    }
}

#[test]
fn fingerprinting() {
    let mut net = Net::new(7);
    for (n, (flags, port, reply)) in [
        (0, 22, None),
        (0x2b, 22, None),
        (0x10, 22, Some(4)),
        (2, 1, Some(0x14)),
        (0x10, 1, Some(4)),
        (0x29, 1, Some(0x14)),
    ]
    .into_iter()
    .enumerate()
    {
        net.raw(n as f64 * 0.1, (ACTOR, 50_000 + n as u16), (SERVER, port), flags, reply);
    }
    accused("nmap -O", net, false, 10.0);
}

#[test]
fn scans_by_udp() {
    let mut net = Net::new(8);
    for n in 0..100u16 {
        net.udp(f64::from(n) * 0.8, ACTOR, SERVER, 1 + n * 10, Refused);
    }
    accused("refused", net, false, 15.0);
    let mut net = Net::new(9);
    for n in 0..300u16 {
        net.udp(f64::from(n) * 0.1, ACTOR, SERVER, 1_024 + n * 190, Dropped);
    }
    accused("high ports, filtered", net, false, 10.0);
    let mut net = Net::new(10);
    for (n, host) in lan("10.1.7.", 254).iter().enumerate() {
        let fate = if net.chance(30) { Open } else { Dropped };
        net.udp(n as f64 * 0.2, ACTOR, host, 161, fate);
    }
    accused("snmp", net, false, 15.0);
    let mut net = Net::new(11);
    for (n, host) in net.internet(400).iter().enumerate() {
        net.udp_from(n as f64 * 0.05, (ACTOR, 40_000), (host, 1_434), Dropped, 376);
    }
    accused("a worm", net, false, 10.0);
}

#[test]
fn scans_of_the_internet() {
    let mut net = Net::new(12);
    for (n, host) in net.internet(600).iter().enumerate() {
        let fate = if net.chance(3) { Open } else { Dropped };
        net.syn(n as f64 * 0.2, ACTOR, host, 23, fate);
    }
    accused("telnet", net, false, 10.0);
    let mut net = Net::new(13);
    for (n, host) in net.internet(3_000).iter().enumerate() {
        let fate = if net.chance(5) { Open } else { Dropped };
        net.syn(n as f64 * 0.01, ACTOR, host, 80, fate);
    }
    accused("web", net, false, 10.0);
    let mut net = Net::new(14);
    for n in 1..255 {
        let fate = if net.chance(50) { Open } else { Dropped };
        net.tcp(f64::from(n) * 0.1, ACTOR, &format!("45.3.2.{n}"), 443, fate);
    }
    accused("one network", net, false, 15.0);
}

#[test]
fn block_scans() {
    let mut net = Net::new(15);
    let hosts = servers(1_000);
    for n in 0..3_000 {
        let (host, port) = (hosts[net.below(1_000) as usize].clone(), 1 + net.below(199) as u16);
        let fate = if net.chance(2) { Open } else { Dropped };
        net.syn(f64::from(n) * 0.01, ACTOR, &host, port, fate);
    }
    accused("inside", net, false, 10.0);
    let mut net = Net::new(16);
    let hosts = net.internet(5_000);
    for n in 0..3_000 {
        let (host, port) = (hosts[net.below(5_000) as usize].clone(), 1 + net.below(1_023) as u16);
        let fate = if net.chance(2) { Open } else { Dropped };
        net.syn(f64::from(n) * 0.01, ACTOR, &host, port, fate);
    }
    accused("internet", net, false, 10.0);
}

#[test]
fn a_tool_that_tries_six_ways_in_on_three_hosts() {
    let mut net = Net::new(17);
    for (n, host) in ["10.1.0.5", "10.1.0.6", "10.1.0.7"].into_iter().enumerate() {
        for (m, port) in [22, 445, 3_389, 5_985, 1_433, 3_306].into_iter().enumerate() {
            let fate = if port == 445 { Open } else { Refused };
            net.tcp(n as f64 + m as f64 * 0.1, ACTOR, host, port, fate);
        }
    }
    accused("six ways in", net, false, 10.0);
}

#[test]
fn sweeps_of_addresses() {
    let mut net = Net::new(18);
    for (n, host) in lan("10.1.7.", 254).iter().enumerate() {
        let ok = net.chance(50);
        net.ping(n as f64 * 0.05, ACTOR, host, ok);
    }
    accused("ping", net, false, 10.0);
    let mut net = Net::new(19);
    for (n, host) in lan("10.1.7.", 254).iter().enumerate() {
        let ok = net.chance(50);
        net.ping(n as f64 * 10.0, ACTOR, host, ok);
    }
    accused("ping, slowly", net, false, 8.0 * MINUTE);
    let mut net = Net::new(20);
    for (n, host) in lan("10.1.7.", 254).iter().enumerate() {
        let ok = net.chance(90);
        net.ping(n as f64 * 0.2, ACTOR, host, ok);
    }
    accused("ping, answered", net, true, 4.0 * MINUTE);
    let mut net = Net::new(21);
    net.scanner = "10.1.7.99".to_owned();
    for (n, host) in lan("10.1.7.", 254).iter().enumerate() {
        let ok = net.chance(20);
        net.arp(n as f64 * 0.05, "10.1.7.99", host, ok, false);
    }
    accused("ARP, answers unseen", net, false, 10.0);
    let mut net = Net::new(22);
    net.scanner = "10.1.7.99".to_owned();
    for (n, host) in lan("10.1.7.", 254).iter().enumerate() {
        net.arp(n as f64 * 0.05, "10.1.7.99", host, true, false);
    }
    accused("ARP, one try each", net, false, 10.0);
    let mut net = Net::new(24);
    net.scanner = "10.1.7.99".to_owned();
    let mut hosts = lan("10.1.7.", 254);
    net.shuffle(&mut hosts);
    for (n, host) in hosts.iter().enumerate() {
        net.arp(n as f64 * 0.05, "10.1.7.99", host, true, false);
    }
    accused("ARP in random order, one try each", net, false, 15.0);
}

#[test]
fn a_scan_of_protocols() {
    let mut net = Net::new(23);
    let mut numbers: Vec<u8> = (0..=255).filter(|number| ![0, 43, 44, 60].contains(number)).collect();
    net.shuffle(&mut numbers);
    for (n, number) in numbers.iter().take(100).enumerate() {
        let segment = super::super::build::raw(*number, &[0; 20]);
        net.send(n as f64 * 0.1, ACTOR, SERVER, segment);
    }
    accused("protocols", net, false, 10.0);
}
