//! The wall clock is set, and the machine sleeps.

use std::time::Duration;

use super::lab::{Lab, policy, service};
use crate::engine::{Action, Ahead, Timestamp};
use crate::policy::{INTERNET, Policy, Role, RoleKind, Schedule};

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";
const HOUR_NS: i64 = 3_600_000_000_000;

#[test]
fn a_wall_clock_that_is_set_in_the_middle_of_a_scan_neither_ends_nor_repeats_it_and_no_time_is_negative() {
    for hours in [-30, -3, 3, 30] {
        let mut lab = Lab::new(policy());
        lab.scan_ports(SCANNER, SERVER, 1..=400, 50.0);
        let detected = lab.the_detection().clone();
        lab.engine.set_ahead(Ahead::from_ns(hours * HOUR_NS));
        lab.scan_ports(SCANNER, SERVER, 401..=4_000, 50.0);
        assert_eq!(lab.snapshots(Action::Ended).len(), 0, "{hours} h");
        lab.wait(100.0);
        let end = lab.the_end().clone();
        assert_eq!(lab.snapshots(Action::Detected).len(), 1, "{hours} h");
        assert_eq!(end.incident, detected.incident);
        assert!((3_800..=4_200).contains(&end.ports.rounded()), "{}", end.reason);
        assert!(end.first <= end.grew && end.grew <= end.last && end.last <= end.at, "{end:?}");
        let lasted = end.last.since(end.first).as_secs_f64();
        assert!((79.0..81.0).contains(&lasted), "{hours} h: it lasted {lasted} s");
        let shift = i128::from(end.first.as_ns()) - i128::from(detected.first.as_ns());
        assert_eq!(shift, i128::from(hours * HOUR_NS), "records carry the time of the wall clock");
    }
}

#[test]
fn a_clock_that_is_set_is_remembered_over_a_restart() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=400, 50.0);
    lab.engine.set_ahead(Ahead::from_ns(-5 * HOUR_NS));
    lab.settle();
    let state = serde_json::to_string(&lab.engine.state(crate::engine::Extent::Open)).unwrap();
    let state: crate::engine::EngineState = serde_json::from_str(&state).unwrap();
    assert_eq!(state.ahead().as_ns(), -5 * HOUR_NS);
}

#[test]
fn hours_of_a_role_are_those_of_the_wall_clock() {
    let at = |from_hour: u16| {
        let schedule =
            Schedule { days: [true; 7], from_minute: from_hour * 60, to_minute: from_hour * 60 + 60 };
        let role = Role {
            name: "night".to_owned(),
            kind: RoleKind::Proxy,
            sources: vec![super::lab::network("10.1.0.8")],
            services: Some(vec![service(&policy(), "web")]),
            zones: vec![INTERNET],
            hosts_max: None,
            expires_s: None,
            schedule: Some(schedule),
        };
        let mut lab = Lab::new(Policy { roles: vec![role], ..policy() });
        // The engine's day has just begun; the wall clock says that it is five.
        lab.engine.set_ahead(Ahead::from_ns(5 * HOUR_NS));
        lab.sweep("10.1.0.8", "198.51.100", 1..=100, 443, 20.0);
        lab.wait(20.0);
        lab.statistics().roles[0].hosts
    };
    assert!(at(5) > 90);
    assert_eq!(at(0), 0);
}

/// A clock that goes on while the machine sleeps jumps forward between two epochs.
#[test]
fn windows_and_incidents_know_a_gap_in_which_the_machine_slept() {
    // Less than ten minutes may hold, before and after; together it is more.
    let twice = |pause_s: f64| {
        let mut lab = Lab::new(policy());
        lab.scan_ports(SCANNER, SERVER, 30_001..=30_008, 2.0);
        lab.set_clock(pause_s);
        lab.scan_ports(SCANNER, SERVER, 30_009..=30_016, 2.0);
        lab.wait(30.0);
        lab
    };
    assert_eq!(twice(1.0).snapshots(Action::Detected).len(), 1);
    let mut lab = twice(7_200.0);
    lab.assert_silent("what lies hours apart is no minute's work");

    lab.scan_ports("10.1.0.98", SERVER, 1..=100, 50.0);
    let detected = lab.the_detection().incident;
    let before = lab.now_s();
    lab.set_clock(7_200.0);
    lab.wait(2.0);
    let end = lab.the_end().clone();
    assert_eq!(end.incident, detected);
    let lasted = end.last.since(end.first);
    assert!(lasted < Duration::from_secs(5), "the sleep is no part of it: {lasted:?} from {before} s");
    lab.scan_ports("10.1.0.98", SERVER, 201..=300, 50.0);
    lab.wait(100.0);
    assert_eq!(lab.snapshots(Action::Detected).len(), 2, "a scan after the sleep is another");
    assert_eq!(lab.snapshots(Action::Ended).len(), 2);
}

#[test]
fn moments_by_the_wall_clock_stay_within_what_can_be_told() {
    let at = Timestamp::from_ns(5);
    assert_eq!(Ahead::from_ns(-9).wall(at), Timestamp::from_ns(0));
    assert_eq!(Ahead::from_ns(i64::MAX).wall(Timestamp::from_ns(u64::MAX)), Timestamp::from_ns(u64::MAX));
    assert_eq!(Ahead::default().wall(at), at);
}
