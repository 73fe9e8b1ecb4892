//! The ring is a hint, the cells are the truth.

use super::lab::{Lab, host_in, policy};
use crate::engine::Action;

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";

#[test]
fn scans_are_found_by_cells_alone() {
    type Scan = fn(&mut Lab);
    let scans: [(&str, Scan); 6] = [
        ("vertical", |lab| lab.scan_ports(SCANNER, SERVER, 1..=500, 100.0)),
        ("horizontal", |lab| lab.sweep(SCANNER, "10.2.0", 1..=200, 445, 40.0)),
        ("horizontal", |lab| lab.sweep(SCANNER, "10.2.0", 1..=200, 8983, 40.0)),
        ("horizontal", |lab| (1..=200).for_each(|host| lab.ping(SCANNER, &host_in("10.2.0", host)))),
        ("block", |lab| {
            (1..=20).for_each(|port| lab.sweep(SCANNER, "10.2.0", 1..=30, port, 200.0));
        }),
        ("vertical", |lab| (1..=20).for_each(|port| lab.flags(SCANNER, SERVER, port, 1))),
    ];
    for (kind, scan) in scans {
        let mut lab = Lab::new(policy());
        lab.ring_is_full = true;
        scan(&mut lab);
        lab.wait(1_000.0);
        let detected = lab.the_detection();
        assert_eq!(detected.kind.name(), kind, "{}", detected.reason);
        assert_eq!(detected.scanner.mac, Some(super::build::MAC_SOURCE));
        assert_eq!(lab.snapshots(Action::Ended).len(), 1);
    }
}

#[test]
fn counts_are_whole_where_the_ring_lost_most_records() {
    let mut lab = Lab::new(policy());
    for port in 1..=1_000 {
        lab.ring_is_full = port % 100 >= 40;
        lab.syn(SCANNER, SERVER, port);
        lab.wait(0.02);
    }
    lab.finish();
    let ended = lab.the_end();
    assert_eq!(ended.hosts.rounded(), 1);
    assert!((930..=1_070).contains(&ended.ports.rounded()), "{}", ended.reason);
}

#[test]
fn a_sweep_over_an_unnamed_port_is_whole_where_records_were_lost() {
    let mut lab = Lab::new(policy());
    for host in 1..=250 {
        lab.ring_is_full = host > 100;
        lab.syn(SCANNER, &host_in("10.2.0", host), 8983);
        lab.wait(0.05);
    }
    lab.finish();
    assert!((240..=260).contains(&lab.the_end().hosts.rounded()), "{}", lab.the_end().reason);
}

#[test]
fn what_one_cell_mixes_is_not_blamed_on_the_scan() {
    let mut lab = Lab::new(policy());
    for host in 1..=100 {
        lab.syn(SCANNER, &host_in("10.2.0", host), 8983);
        lab.syn(SCANNER, &host_in("10.2.5", host % 5 + 1), 30_000 + host % 3);
        lab.wait(0.05);
    }
    lab.finish();
    let ended = lab.the_end();
    assert!((96..=104).contains(&ended.hosts.rounded()), "{}", ended.reason);
    assert_eq!(ended.services, ["tcp/8983"]);
}

#[test]
fn quiet_machines_stay_quiet_by_cells_alone() {
    let mut lab = Lab::answering(policy());
    lab.ring_is_full = true;
    for n in 1..=500 {
        lab.syn(SCANNER, &host_in("198.51.100", n), 443);
        lab.udp(SCANNER, "10.2.0.53", 53);
        lab.syn(SCANNER, &host_in("10.2.0", n % 20 + 1), 445);
        lab.wait(0.3);
    }
    lab.assert_silent("browsing and twenty file servers");
}
