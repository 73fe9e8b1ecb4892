//! Another configuration for an engine at work.

use super::lab::{Lab, network, policy};
use crate::engine::{Action, Kind};
use crate::policy::{Direction, Limit, Policy, Role, RoleKind, Service, Zone};

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";

/// Action and number of every record, which must all be of one incident.
fn of_one_incident(lab: &Lab) -> Vec<(Action, u32)> {
    let first = lab.events.first().map(|event| event.snapshot.incident);
    assert!(lab.events.iter().all(|event| Some(event.snapshot.incident) == first), "{:?}", lab.detected());
    lab.events.iter().map(|event| (event.action, event.snapshot.sequence)).collect()
}

fn anything_inside(source: &str) -> Role {
    Role {
        name: "scanner of ours".to_owned(),
        kind: RoleKind::AssetManager,
        sources: vec![network(source)],
        services: None,
        zones: vec![1, 2],
        hosts_max: None,
        expires_s: None,
        schedule: None,
    }
}

#[test]
fn a_scan_goes_on_under_other_numbers_and_a_zone_of_another_name() {
    let mut other = policy();
    other.zones.reverse();
    "machines".clone_into(&mut other.zones[0].name);
    other.zones.insert(0, Zone { name: "lab".to_owned(), networks: vec![network("10.9.0.0/16")] });
    other.services.rotate_left(3);
    let mut lab = Lab::new(policy());
    lab.sweep(SCANNER, "10.2.0", 1..=100, 445, 20.0);
    lab.reload(&other);
    lab.sweep(SCANNER, "10.2.0", 101..=200, 445, 20.0);
    lab.wait(100.0);
    assert_eq!(of_one_incident(&lab), [(Action::Detected, 1), (Action::Ended, 2)]);
    let end = lab.the_end();
    assert_eq!((&end.services[..], &end.zones[..]), (&["smb".to_owned()][..], &["machines".to_owned()][..]));
    assert!((190..=210).contains(&end.hosts.rounded()), "{}", end.reason);
    assert_eq!(lab.statistics().incidents.horizontal.total, 1);
}

#[test]
fn a_zone_that_is_divided_stays_inside_and_its_scan_is_none_of_the_internet() {
    let zone = |name: &str, networks| Zone { name: name.to_owned(), networks: vec![network(networks)] };
    let whole = Policy { zones: vec![zone("inside", "10.0.0.0/8")], ..policy() };
    let parts = vec![zone("office", "10.1.0.0/16"), zone("servers", "10.2.0.0/16")];
    let divided = Policy { zones: parts, ..policy() };
    let mut lab = Lab::new(whole);
    lab.sweep(SCANNER, "10.2.0", 1..=200, 16_833, 200.0);
    lab.wait(10.0);
    lab.reload(&divided);
    lab.wait(100.0);
    assert_eq!(of_one_incident(&lab), [(Action::Detected, 1), (Action::Ended, 2)]);
}

#[test]
fn a_role_that_covers_a_scan_lets_its_incident_end() {
    let covered = Policy { roles: vec![anything_inside(SCANNER)], ..policy() };
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=300, 20.0);
    let before = lab.the_detection().incident;
    lab.reload(&covered);
    lab.scan_ports(SCANNER, SERVER, 301..=3_000, 20.0);
    lab.wait(60.0);
    let end = lab.the_end();
    assert_eq!(end.incident, before);
    assert!((280..=320).contains(&end.ports.rounded()), "{}", end.reason);
    assert_eq!(lab.detected().len(), 1, "{:?}", lab.detected());
    assert!(lab.statistics().roles[0].pairs > 2_500, "{:?}", lab.statistics().roles);
}

#[test]
fn what_a_role_that_is_gone_covered_is_no_scan_of_its_source() {
    let covered = Policy { roles: vec![anything_inside(SCANNER)], ..policy() };
    let mut lab = Lab::new(covered);
    lab.scan_ports(SCANNER, SERVER, 1..=300, 20.0);
    lab.reload(&policy());
    lab.wait(100.0);
    lab.assert_silent("what was covered when it was done");
    lab.scan_ports(SCANNER, SERVER, 301..=600, 20.0);
    let detected = lab.the_detection();
    assert!(detected.ports.rounded() < 100, "{}", detected.reason);
}

#[test]
fn a_budget_that_is_gone_with_its_role_ends_as_an_incident_of_its_own() {
    let budget = Role { hosts_max: Some(50), ..anything_inside(SCANNER) };
    // In the place of the role that is gone stands another one, which has nothing to do with it.
    let other = Role { name: "other".to_owned(), ..anything_inside("10.1.0.7") };
    let mut lab = Lab::new(Policy { roles: vec![budget], ..policy() });
    lab.sweep(SCANNER, "10.2.0", 1..=120, 445, 20.0);
    assert_eq!(lab.the_detection().rule, "hosts_max");
    lab.reload(&Policy { roles: vec![other], ..policy() });
    lab.wait(3_700.0 * 24.0);
    assert_eq!(of_one_incident(&lab).last().map(|record| record.0), Some(Action::Ended));
    assert_eq!(lab.the_end().role, None);
}

#[test]
fn a_lower_threshold_finds_what_was_counted_before() {
    let mut strict = policy();
    strict.thresholds.vertical = Limit { minute: Some(5), ten_minutes: Some(5), hour: Some(5), day: Some(5) };
    let mut lab = Lab::exact(policy());
    strict.limits = lab_limits();
    lab.scan_ports(SCANNER, SERVER, 30_001..=30_007, 1.0);
    lab.wait(20.0);
    lab.assert_silent("seven ports of ten");
    lab.reload(&strict);
    lab.wait(5.0);
    assert_eq!(lab.the_detection().kind, Kind::Vertical);
}

/// As [`Lab::exact`] has them.
fn lab_limits() -> crate::policy::Limits {
    crate::policy::Limits { admit_internal: 1, admit_external: 1, ..crate::policy::Limits::default() }
}

#[test]
fn hosts_that_are_inside_from_now_on_are_scanned_inside() {
    let mut wider = policy();
    wider.zones.push(Zone { name: "dmz".to_owned(), networks: vec![network("203.0.113.0/24")] });
    let mut lab = Lab::new(policy());
    // Below every limit of scans of the internet.
    lab.sweep(SCANNER, "203.0.113", 1..=9, 3_389, 1.0);
    lab.wait(10.0);
    lab.assert_silent("nine hosts outside");
    lab.reload(&wider);
    lab.sweep(SCANNER, "203.0.113", 10..=40, 3_389, 1.0);
    assert_eq!(lab.the_detection().direction, Direction::Lateral);
    assert_eq!(lab.the_detection().zones, ["dmz"]);
    lab.wait(100.0);
    let end = lab.the_end();
    assert!((38..=42).contains(&end.hosts.rounded()), "those of before are in it: {}", end.reason);
}

#[test]
fn a_port_that_joins_a_group_keeps_its_scan_one_incident() {
    let mut named = policy();
    let group = Service { name: "solr".to_owned(), tcp: vec![8_983], udp: vec![], sensitive: false };
    named.services.insert(0, group);
    let mut lab = Lab::new(policy());
    lab.sweep(SCANNER, "10.2.0", 1..=100, 8_983, 20.0);
    lab.reload(&named);
    lab.sweep(SCANNER, "10.2.0", 101..=250, 8_983, 20.0);
    lab.wait(100.0);
    of_one_incident(&lab);
    let end = lab.the_end();
    // What only cells counted while it was in no group stays there.
    assert_eq!(end.services[0], "solr");
    assert!((240..=260).contains(&end.hosts.rounded()), "{}", end.reason);
}
