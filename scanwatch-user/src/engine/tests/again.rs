//! Who scanned scans again: what was told before is not told again, and is not taken for what is new.

use super::lab::{Lab, policy};
use crate::engine::Action;

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";

#[test]
fn a_sweep_of_another_port_some_minutes_later_is_an_incident_of_its_own() {
    let mut lab = Lab::new(policy());
    // Contacts in several cells of ports that are in no group: in ten minutes these are still known, and hold nothing new.
    for port in 17_000..17_012 {
        lab.syn(SCANNER, SERVER, port);
        lab.wait(120.0);
    }
    lab.wait(660.0);
    assert!(lab.detected().is_empty());
    lab.sweep(SCANNER, "10.2.0", 1..=100, 445, 20.0);
    lab.wait(500.0);
    assert_eq!(lab.snapshots(Action::Ended).len(), 1);
    lab.sweep(SCANNER, "10.2.0", 1..=100, 17_787, 100.0);
    lab.wait(100.0);
    let actions: Vec<Action> = lab.events.iter().map(|event| event.action).collect();
    assert_eq!(actions, [Action::Detected, Action::Ended, Action::Detected, Action::Ended]);
    let [_, _, detected, ended] = &lab.events[..] else { unreachable!() };
    assert_ne!(lab.events[0].snapshot.incident, detected.snapshot.incident);
    assert_eq!(ended.snapshot.services, ["tcp/17787"], "{}", ended.snapshot.reason);
    assert_eq!(ended.snapshot.ports.rounded(), 1, "{}", ended.snapshot.reason);
}

#[test]
fn a_scan_that_goes_on_after_it_was_told_as_ended_is_an_incident_with_an_identity_of_its_own() {
    let mut lab = Lab::new(policy());
    for ports in [1..=300, 1_001..=1_300, 2_001..=2_300] {
        lab.scan_ports(SCANNER, SERVER, ports, 100.0);
        lab.wait(120.0);
    }
    assert_eq!(lab.snapshots(Action::Ended).len(), 3);
    let detected = lab.snapshots(Action::Detected);
    let identities: std::collections::BTreeSet<_> = detected.iter().map(|found| found.incident).collect();
    assert_eq!(identities.len(), 3, "{identities:?}");
    assert!(detected.iter().all(|found| found.sequence == 1));
}
