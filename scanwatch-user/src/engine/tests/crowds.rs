//! More of everything than a network has: VLANs, sources, addresses that nobody owns.

use scanwatch_common::counters::Counter;

use super::build::{ether, ipv4, tcp};
use super::lab::{Lab, host_in, policy};
use crate::engine::Action;

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";

/// Sources of the default configuration, and the most that what is known of all of them may take. So many as are tried here
/// take this share of it.
const SOURCES_MAX: usize = 65_536;
const BYTES_MAX: usize = 256 << 20;

fn counter(lab: &Lab, wanted: Counter) -> u64 {
    lab.counters().find(|(counter, _)| *counter == wanted).unwrap().1
}

/// A few contacts in every VLAN: too few for any of them to be a scan.
fn in_every_vlan(lab: &mut Lab, tag: impl Fn(u16) -> super::build::Ether) {
    for vlan in 0..4_096 {
        lab.ether = tag(vlan);
        for port in [80, 443] {
            lab.syn(SCANNER, SERVER, port);
        }
        if vlan % 64 == 0 {
            lab.wait(0.1);
        }
    }
}

#[test]
fn every_vlan_at_once_is_bounded_and_hides_no_scan_in_one_of_them() {
    let tags: [fn(u16) -> super::build::Ether; 2] =
        [|vlan| ether().tag(vlan), |vlan| ether().tag_as(0x88a8, vlan).tag(4_095 - vlan)];
    for tag in tags {
        let mut lab = Lab::new(policy());
        in_every_vlan(&mut lab, tag);
        lab.wait(20.0);
        lab.assert_silent("two ports in each of 4,096 VLANs");
        // Tag 0 is a priority without a VLAN.
        assert!(
            (4_094..=4_096).contains(&lab.statistics().sources.tracked),
            "{:?}",
            lab.statistics().sources
        );
        assert_eq!(counter(&lab, Counter::CellRefused), 0);
        assert!(lab.engine.bytes() < 4_096 * 4_096, "{} bytes", lab.engine.bytes());

        lab.ether = tag(77);
        lab.scan_ports(SCANNER, SERVER, 1_000..=1_100, 50.0);
        lab.wait(100.0);
        let found = lab.the_detection();
        assert_eq!((found.scanner.vlan[0], found.kind.name()), (77, "vertical"), "{}", found.reason);
        assert_eq!(lab.snapshots(Action::Ended).len(), 1);
    }
}

#[test]
fn a_crowd_of_sources_at_the_limit_takes_no_more_memory_than_is_stated() {
    let mut policy = policy();
    policy.limits.sources = 1_024;
    let share = BYTES_MAX / SOURCES_MAX * policy.limits.sources;
    let mut lab = Lab::new(policy);
    lab.turns_a_second(1);
    let mut most = 0;
    // Each tries some ports of some hosts, and is answered by nobody; four times as many as there is room for.
    for source in 0..4_096u16 {
        let from = format!("10.1.{}.{}", source >> 8, source & 0xff);
        for contact in 0..4 {
            lab.syn(&from, &host_in("10.2.0", contact + 1), 1_000 + source % 7 + contact);
        }
        lab.wait(0.02);
        most = most.max(if source % 256 == 0 { lab.engine.bytes() } else { 0 });
    }
    let sources = lab.statistics().sources;
    assert!(sources.tracked <= 1_024 && sources.dropped > 2_500, "{sources:?}");
    assert!(most <= share, "{most} bytes of {share}");
}

#[test]
fn nobody_is_accused_under_an_address_that_nobody_owns() {
    for source in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1"] {
        is_counted_and_silent(source, SERVER);
    }
    for source in ["::", "::1", "ff02::1"] {
        is_counted_and_silent(source, "fd00:2::10");
    }
    // Its own target: the land attack.
    is_counted_and_silent(SERVER, SERVER);
}

fn is_counted_and_silent(source: &str, target: &str) {
    let mut lab = Lab::exact(policy());
    lab.scan_ports(source, target, 1..=200, 100.0);
    lab.wait(30.0);
    lab.assert_silent(source);
    assert_eq!(counter(&lab, Counter::SourceUnusable), 200, "{source}");
    assert_eq!(lab.statistics().sources.tracked, 0, "{source}");
}

/// Somebody in the segment sends under the address of the machine that watches: the alert names that address, with the
/// link-layer address it came from, and says that nothing shows it to be true.
#[test]
fn a_scan_under_our_own_address_is_told_with_who_sent_it_and_as_unconfirmed() {
    const FORGER: [u8; 6] = [2, 0, 0, 0, 0, 0x66];
    let own = std::net::Ipv4Addr::new(10, 1, 0, 1).to_ipv6_mapped().octets();
    let mut lab = Lab::new(policy());
    lab.engine.set_forwarding(2, &[own]);
    for port in 1..=200 {
        let probe = ipv4([10, 1, 0, 1], [10, 2, 0, 10]).carry(tcp(40_000, port));
        lab.frame(&ether().from(FORGER).carry(probe));
        lab.wait(0.02);
    }
    lab.wait(100.0);
    let found = lab.the_detection();
    assert_eq!(found.scanner.address.to_string(), "10.1.0.1");
    assert_eq!(found.scanner.mac, Some(FORGER));
    assert!(!found.source_confirmed, "{}", found.reason);
}
