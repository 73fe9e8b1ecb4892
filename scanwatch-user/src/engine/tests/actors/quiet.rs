//! Machines that do their work, with failures mixed in: none of them is accused.

use super::net::Fate::{Dropped, Open, Refused};
use super::net::{Fate, Net, servers};
use super::{ACTOR, silent, silent_when_warm};

fn browsing(net: &mut Net, sites: u32, span_s: f64, source: &str, v6: Option<&str>, quic: Option<Fate>) {
    let third = net.internet(40);
    let third6: Vec<String> = (1..=40).map(|host| format!("2a01:{host:x}::{host:x}")).collect();
    for site in 0..sites {
        let at = net.unit() * span_s;
        let mut hosts = net.internet(2);
        hosts.extend((0..6).map(|_| third[net.below(40) as usize].clone()));
        for (n, host) in hosts.iter().enumerate() {
            let later = n as f64 * 0.02;
            net.udp(at, source, "10.1.0.2", 53, Open);
            if let Some(source) = v6 {
                let host = if n < 2 {
                    format!("2a02:{site:x}::{:x}", n + 1)
                } else {
                    third6[net.below(40) as usize].clone()
                };
                net.tcp_as(at + later, source, &host, 443, Dropped, 1, super::net::End::Fin);
            }
            if let Some(fate) = quic {
                let from = 50_000 + net.below(10_000) as u16;
                net.udp_from(at + later, (source, from), (host, 443), fate, 1_230);
            }
            let fate = if net.chance(98) { Open } else { Dropped };
            net.tcp(at + 0.3 + later, source, host, 443, fate);
        }
    }
}

fn monitor(hosts: u16, ports: &[u16], down: u16, (every_s, rounds): (f64, u32), how: Fate) -> Net {
    let mut net = Net::new(u64::from(hosts + down));
    for round in 0..rounds {
        for (n, host) in servers(hosts).iter().enumerate() {
            let is_down = (n * 7 % usize::from(hosts)) < usize::from(down);
            for port in ports {
                let at = f64::from(round) * every_s + n as f64 * every_s / f64::from(hosts) * 0.8;
                net.tcp_as(
                    at,
                    "10.1.0.50",
                    host,
                    *port,
                    if is_down { how } else { Open },
                    1,
                    super::net::End::Fin,
                );
            }
        }
    }
    net
}

#[test]
fn browsers() {
    for span_s in [180.0, 600.0] {
        let mut net = Net::new(31);
        net.macs.insert("2001:db8::30".to_owned(), [2, 0, 0, 0, 0, 30]);
        net.macs.insert("10.1.0.30".to_owned(), [2, 0, 0, 0, 0, 30]);
        browsing(&mut net, 60, span_s, "10.1.0.30", Some("2001:db8::30"), None);
        silent("all of IPv6 is dead", net);
    }
    let mut net = Net::new(32);
    browsing(&mut net, 60, 300.0, "10.1.0.30", None, Some(Dropped));
    silent("QUIC is blocked", net);
    let mut net = Net::new(33);
    (0..600).for_each(|n| net.tcp(f64::from(n) * 0.5, ACTOR, "10.1.0.8", 3_128, Refused));
    silent("the proxy is down", net);
}

#[test]
fn proxies_and_relays() {
    let mut net = Net::new(34);
    let hosts = net.internet(4_000);
    for n in 0..12_000 {
        let skewed = net.below(16) * net.below(16) * net.below(16);
        let fate = if net.chance(96) { Open } else { Dropped };
        let host = hosts[skewed as usize].clone();
        net.tcp(f64::from(n) * 0.06, "10.1.0.8", &host, 443, fate);
    }
    silent("a proxy", net);
    for dead in [18, 35] {
        let mut net = Net::new(35);
        for (n, host) in net.internet(3_000).iter().enumerate() {
            let fate = if net.chance(dead) { Dropped } else { Open };
            net.tcp_as(n as f64 * 0.4, "10.1.0.9", host, 25, fate, 4, super::net::End::Fin);
        }
        silent("a mail relay", net);
    }
}

#[test]
fn monitoring() {
    silent("30 × 5", monitor(30, &[22, 80, 443, 161, 3_306], 3, (60.0, 20), Dropped));
    silent("30 × 5, sensitive", monitor(30, &[22, 445, 3_389, 5_985, 1_433], 3, (60.0, 20), Dropped));
    silent("30 × 5, refused", monitor(30, &[22, 25, 445, 5_432, 8_080], 3, (60.0, 20), Refused));
    silent("300 × 2", monitor(300, &[22, 443], 15, (60.0, 12), Dropped));
    silent("300, every 5 min", monitor(300, &[22], 9, (300.0, 14), Dropped));
    silent("modbus", monitor(20, &[502], 4, (5.0, 60), Dropped));
    silent("printers", monitor(200, &[9_100], 20, (120.0, 8), Dropped));
    silent("exporters", monitor(200, &[9_100, 8_080, 9_256], 8, (15.0, 30), Dropped));
    silent_when_warm("file servers", monitor(100, &[445], 0, (30.0, 60), Open));
    silent("health checks", monitor(100, &[8_080], 0, (5.0, 200), Open));
}

#[test]
fn a_rack_that_goes_down() {
    let mut net = Net::new(36);
    for round in 0..30 {
        for (n, host) in servers(100).iter().enumerate() {
            let fate = if round > 15 && n < 40 { Dropped } else { Open };
            net.tcp(f64::from(round) * 60.0 + n as f64 * 0.4, "10.1.0.50", host, 22, fate);
        }
    }
    silent("outage of a rack", net);
}

#[test]
fn an_outage_of_the_internet() {
    let mut net = Net::new(37);
    for client in 0..12 {
        let source = format!("10.1.0.{}", 100 + client);
        browsing(&mut net, 15, 1_200.0, &source, None, None);
        for host in net.internet(50) {
            let at = 1_220.0 + net.unit() * 200.0;
            net.tcp(at, &source, &host, 443, Dropped);
        }
    }
    let (known, new) = (net.internet(1_500), net.internet(1_200));
    for n in 0..4_000 {
        let host = known[net.below(1_500) as usize].clone();
        net.tcp(f64::from(n) * 0.3, "10.1.0.8", &host, 443, Open);
    }
    for n in 0..1_500 {
        let host = new[net.below(1_200) as usize].clone();
        net.tcp(1_220.0 + f64::from(n) * 0.13, "10.1.0.8", &host, 443, Dropped);
    }
    silent("everybody's contacts fail", net);
}

#[test]
fn clients_of_servers_that_are_gone() {
    let mut net = Net::new(38);
    for round in 0..20 {
        let at = f64::from(round) * 90.0;
        for port in [88, 135, 139, 389, 445, 464, 636, 3_268, 53] {
            net.tcp(at + f64::from(port) * 0.001, ACTOR, "10.1.0.3", port, Dropped);
        }
        for port in [53, 88, 123, 389, 137, 138] {
            net.udp(at + f64::from(port) * 0.001, ACTOR, "10.1.0.3", port, Dropped);
        }
        net.tcp(at, ACTOR, "10.1.0.4", 389, Open);
    }
    silent("a dead domain controller", net);
    let mut net = Net::new(39);
    for (n, host) in servers(28).iter().enumerate() {
        net.tcp(n as f64 * 2.0, ACTOR, host, 7_680, Dropped);
    }
    silent("delivery optimisation is blocked", net);
    let mut net = Net::new(40);
    for n in 0..40 {
        net.tcp(f64::from(n) * 600.0, ACTOR, "10.1.0.20", 21, Open);
        let port = 30_000 + net.below(30_000) as u16;
        net.tcp(f64::from(n) * 600.0 + 1.0, ACTOR, "10.1.0.20", port, Dropped);
    }
    silent("passive FTP is blocked", net);
    let mut net = Net::new(41);
    for n in 0..300 {
        let port = if n % 5 == 0 { 135 } else { 49_664 + net.below(26) as u16 };
        net.tcp(f64::from(n) * 10.0, ACTOR, "10.1.0.20", port, Open);
    }
    silent("the RPC mapper", net);
    let mut net = Net::new(42);
    for (n, host) in net.internet(40).iter().enumerate() {
        net.raw(n as f64 * 0.01, (ACTOR, 50_000 + n as u16), (host, 443), 0x18, Some(4));
    }
    silent("a laptop resumes", net);
}

#[test]
fn answers_and_backscatter() {
    let mut net = Net::new(43);
    for n in 0..10_000u32 {
        let client = servers(300)[net.below(300) as usize].clone();
        let port = 1_024 + net.below(64_000) as u16;
        net.send(f64::from(n) * 0.05, "10.1.0.2", &client, super::super::build::udp(53, port).payload(100));
    }
    silent("a resolver's answers", net);
    let mut net = Net::new(44);
    for n in 0..500 {
        let (from, to) = (1 + net.below(1_022) as u16, 1_024 + net.below(64_000) as u16);
        let reset = super::super::build::tcp(from, to).flags(0x14).numbers(0, 5);
        net.send(f64::from(n) * 0.1, "45.9.9.9", "10.1.0.80", reset);
    }
    silent("a flood's victim", net);
    let mut net = Net::new(45);
    for (n, host) in net.internet(5_000).iter().enumerate() {
        let port = 1 + net.below(65_000) as u16;
        net.syn(n as f64 * 0.01, host, "10.1.0.80", port, Dropped);
    }
    silent("a forged flood", net);
}

#[test]
fn peers_phones_and_gadgets() {
    let mut net = Net::new(46);
    for host in net.internet(400) {
        let at = net.unit() * 600.0;
        let port = if net.chance(30) { 6_346 } else { 1_024 + net.below(64_000) as u16 };
        let fate = if net.chance(15) { Open } else { Dropped };
        net.udp_from(at, ("10.1.0.61", 6_346), (&host, port), fate, 40);
    }
    silent("peers", net);
    let mut net = Net::new(47);
    for round in 0..15 {
        for (n, host) in servers(200).iter().enumerate() {
            let fate = if n % 12 == 0 { Dropped } else { Open };
            net.udp_from(
                f64::from(round) * 60.0 + n as f64 * 0.2,
                ("10.1.0.71", 5_060),
                (host, 5_060),
                fate,
                40,
            );
        }
    }
    silent("a telephone exchange", net);
    let mut net = Net::new(48);
    for n in 0..600 {
        let host = format!("10.1.0.{}", 1 + net.below(9));
        let port = [5_683, 6_668, 9_999, 38_899][net.below(4) as usize];
        let fate = if net.chance(66) { Open } else { Dropped };
        net.udp(f64::from(n) * 2.0, "10.1.0.91", &host, port, fate);
    }
    silent("a hub of gadgets", net);
    let mut net = Net::new(49);
    for (n, host) in net.internet(80).iter().enumerate() {
        let ok = net.chance(92);
        net.ping(n as f64 * 0.05, ACTOR, host, ok);
    }
    silent("a VPN client chooses", net);
}

#[test]
fn a_gateway_asks_for_whoever_strangers_look_for() {
    let mut net = Net::new(50);
    let gateway = [2, 9, 9, 9, 9, 9];
    net.macs.insert("10.2.0.1".to_owned(), gateway);
    for n in 0..20u16 {
        let stranger = format!("45.1.1.{}", n + 1);
        net.macs.insert(stranger.clone(), gateway);
        let client = "10.2.0.9";
        net.syn(f64::from(n) - 0.5, client, &stranger, 443, Dropped);
        let answer = super::super::build::tcp(443, 50_000).flags(0x12).numbers(5, 6);
        net.forwarded(f64::from(n), &stranger, client, answer);
    }
    for n in 0..1_000 {
        let host = format!("10.2.{}.{}", net.below(4), 2 + net.below(253));
        net.arp(1.0 + f64::from(n) * 0.1, "10.2.0.1", &host, false, true);
    }
    silent("a gateway", net);
}

#[test]
fn a_server_asks_for_desktops_whose_answers_pass_elsewhere() {
    let mut net = Net::new(54);
    for n in 0..120 {
        let host = format!("10.1.{}.{}", net.below(2), 10 + net.below(240));
        net.arp(f64::from(n) * 2.0, ACTOR, &host, true, false);
    }
    silent("a server behind a switch", net);
    let mut net = Net::new(55);
    for n in 0..1_200 {
        let host = servers(400)[net.below(400) as usize].clone();
        net.arp(f64::from(n) * 0.5, "10.2.3.3", &host, true, false);
    }
    silent("a busy server behind a switch", net);
    let mut net = Net::new(56);
    for n in 0..1_000 {
        let host = format!("10.2.{}.{}", net.below(4), 2 + net.below(253));
        net.arp(f64::from(n) * 0.1, "10.2.0.1", &host, true, false);
    }
    silent("a gateway of which nothing else is seen", net);
}

#[test]
fn servers_whose_clients_hang_up() {
    for end in [super::net::End::ClientReset, super::net::End::ServerReset] {
        let mut net = Net::new(51);
        for n in 0..2_000 {
            let client = servers(300)[net.below(300) as usize].clone();
            net.tcp_as(f64::from(n) * 0.1, &client, "10.1.0.80", 8_009, Open, 0, end);
        }
        silent("clients abort", net);
    }
}
