//! What an engine remembers over a restart.

use std::time::Duration;

use proptest::prelude::*;

use super::incidents::outbreak;
use super::lab::{Lab, host_in, policy};
use crate::engine::{Action, IncidentEvent};
use crate::policy::{Policy, Role, RoleKind, Treatment, Zone};

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";

fn actions(events: &[IncidentEvent]) -> Vec<Action> {
    events.iter().map(|event| event.action).collect()
}

/// Action and number of every record, which must all be of one incident.
fn of_one_incident(lab: &Lab) -> Vec<(Action, u32)> {
    let first = lab.events.first().map(|event| event.snapshot.incident);
    assert!(lab.events.iter().all(|event| Some(event.snapshot.incident) == first), "{:?}", lab.detected());
    lab.events.iter().map(|event| (event.action, event.snapshot.sequence)).collect()
}

#[test]
fn a_scan_goes_on_over_a_restart_as_one_incident() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=400, 50.0);
    assert_eq!(actions(&lab.events), [Action::Detected]);
    lab.restart(&policy(), 4.0);
    lab.reload_tables(&policy());
    lab.scan_ports(SCANNER, SERVER, 401..=4_000, 50.0);
    lab.wait(100.0);
    assert_eq!(of_one_incident(&lab), [(Action::Detected, 1), (Action::Updated, 2), (Action::Ended, 3)]);
    let end = lab.the_end();
    assert!((3_800..=4_200).contains(&end.ports.rounded()), "{}", end.reason);
    assert_eq!(end.first, lab.events[0].snapshot.first);
    assert_eq!(end.scanner.interface.as_deref(), Some("office0"));
    let vertical = lab.statistics().incidents.vertical;
    assert_eq!((vertical.open, vertical.total), (0, 1));
}

#[test]
fn a_scan_that_ended_meanwhile_is_told_at_the_first_look_with_its_own_times() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=100, 50.0);
    let last = lab.now_s();
    lab.restart(&policy(), 3_600.0);
    assert_eq!(lab.statistics().incidents.vertical.open, 1);
    lab.wait(1.1);
    assert_eq!(actions(&lab.events), [Action::Detected, Action::Ended]);
    let end = lab.the_end();
    let lasted = end.last.since(end.first).as_secs_f64();
    assert!((1.0..=2.1).contains(&lasted), "{lasted} s");
    assert!(end.at.since(end.last).as_secs_f64() > 3_590.0, "from {last} s");
}

#[test]
fn a_scan_that_ended_before_is_not_told_again() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=200, 50.0);
    lab.wait(100.0);
    let before = actions(&lab.events);
    assert_eq!(before.last(), Some(&Action::Ended));
    lab.restart(&policy(), 5.0);
    lab.reload_tables(&policy());
    lab.scan_ports(SCANNER, SERVER, 1..=200, 50.0);
    lab.wait(100.0);
    assert_eq!(actions(&lab.events), before);
}

#[test]
fn contacts_whose_answers_came_while_nobody_looked_are_no_failures() {
    let mut lab = Lab::exact(policy());
    // One below the limit have failed, and many more wait for an answer when the agent ends.
    lab.scan_ports(SCANNER, SERVER, 1..=9, 10.0);
    lab.wait(10.0);
    lab.scan_ports(SCANNER, SERVER, 20_001..=20_009, 10.0);
    lab.restart(&policy(), 5.0);
    lab.wait(30.0);
    lab.assert_silent("nine failures and nine contacts of which nothing is known");
}

#[test]
fn what_is_usual_is_remembered_and_the_first_hour_is_not_begun_again() {
    let mut strict = policy();
    strict.directions.inbound = Treatment::Alert;
    let mut lab = Lab::new(strict.clone());
    lab.syn("198.51.100.1", SERVER, 443);
    lab.wait(4_000.0);
    lab.restart(&strict, 10.0);
    // A stranger who is answered on ports that were not known to answer: only who has watched for an hour can say so.
    lab.is_answering = true;
    lab.scan_ports("198.51.100.7", SERVER, [22, 23, 135, 139, 445, 1433, 3306, 3389, 5432, 5900, 5985], 5.0);
    lab.is_answering = false;
    lab.scan_ports("198.51.100.7", SERVER, 30_000..=30_060, 5.0);
    assert!(lab.the_detection().escalated, "{}", lab.the_detection().reason);
}

#[test]
fn zones_services_and_roles_are_known_by_their_names_under_another_configuration() {
    let role = |name: &str, source: &str| Role {
        name: name.to_owned(),
        kind: RoleKind::Custom,
        sources: vec![super::lab::network(source)],
        services: None,
        zones: vec![0, 1, 2],
        hosts_max: None,
        expires_s: None,
        schedule: None,
    };
    let before = Policy { roles: vec![role("a", "10.1.0.1"), role("b", "10.1.0.2")], ..policy() };
    let mut after = Policy { roles: vec![role("c", "10.1.0.3"), role("b", "10.1.0.2")], ..before.clone() };
    after.zones.reverse();
    after
        .zones
        .insert(0, Zone { name: "lab".to_owned(), networks: vec![super::lab::network("10.9.0.0/16")] });
    after.services.reverse();
    after.roles.iter_mut().for_each(|role| role.zones = vec![0, 1, 2, 3]);

    let mut lab = Lab::new(before);
    lab.sweep("10.1.0.1", "10.2.0", 1..=50, 445, 20.0);
    lab.sweep("10.1.0.2", "10.2.0", 1..=100, 445, 20.0);
    lab.sweep(SCANNER, "10.2.0", 1..=100, 445, 20.0);
    lab.restart(&after, 1.0);
    lab.reload_tables(&after);
    lab.sweep(SCANNER, "10.2.0", 101..=200, 445, 20.0);
    lab.wait(100.0);
    assert_eq!(of_one_incident(&lab), [(Action::Detected, 1), (Action::Ended, 2)]);
    let end = lab.the_end();
    assert_eq!((&end.services[..], &end.zones[..]), (&["smb".to_owned()][..], &["servers".to_owned()][..]));
    assert_eq!(end.scanner.zone, "office");
    assert!((190..=210).contains(&end.hosts.rounded()), "{}", end.reason);
    let roles: Vec<_> = lab.statistics().roles.iter().map(|role| (role.name.clone(), role.hosts)).collect();
    assert_eq!(roles[0], ("c".to_owned(), 0));
    assert!(roles[1].0 == "b" && (90..=110).contains(&roles[1].1), "{roles:?}");
}

#[test]
fn a_surge_goes_on_over_a_restart_as_one_incident() {
    let mut strict = policy();
    let mut limit = strict.thresholds.surge.unwrap();
    limit.learning = Duration::ZERO;
    strict.thresholds.surge = Some(limit);
    let mut lab = Lab::new(strict.clone());
    lab.turns_a_second(1);
    let crowd = |lab: &mut Lab, hour: u16| {
        for n in 0..600u16 {
            lab.syn(&host_in("198.18.0", hour * 600 + n + 1), &host_in("10.2.0", n % 200 + 1), 8_983);
            lab.wait(6.0);
        }
    };
    for hour in 0..8 {
        crowd(&mut lab, hour);
        lab.restart(&strict, 0.5);
    }
    lab.wait(5.0 * 3_600.0);
    let records = of_one_incident(&lab);
    assert_eq!(records.first(), Some(&(Action::Detected, 1)), "{records:?}");
    assert_eq!(records.last().map(|record| record.0), Some(Action::Ended), "{records:?}");
    assert!(records.windows(2).all(|pair| pair[0].1 + 1 == pair[1].1), "{records:?}");
}

#[test]
fn a_flood_goes_on_over_restarts_under_its_identity_and_each_scan_of_it_gets_its_incident() {
    let mut few = policy();
    few.limits.incidents_per_minute = 10;
    let mut lab = Lab::new(few.clone());
    for _ in 0..3 {
        outbreak(&mut lab, 25);
        lab.restart(&few, 1.0);
    }
    lab.wait(200.0);
    assert_eq!(lab.snapshots(Action::Detected).len(), 25);
    let told: Vec<_> = lab.floods.iter().map(|flood| (flood.action, flood.sequence)).collect();
    assert_eq!(told, [(Action::Detected, 1), (Action::Updated, 2), (Action::Ended, 3)]);
    assert!(lab.floods.iter().all(|flood| flood.id == lab.floods[0].id));
}

/// What was written when the form was frozen. Where this cannot be taken up any more, upgrades end incidents: then the
/// version in `state/file.rs` must change, and old files must be read by what knows their version.
#[test]
fn what_an_older_scanwatch_wrote_is_taken_up() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=30, 20.0);
    let id = lab.the_detection().incident;
    let written = include_str!("state_v2.json");
    lab.take_up(written.trim_end());
    lab.reload_tables(&policy());
    lab.scan_ports(SCANNER, SERVER, 31..=60, 20.0);
    lab.wait(100.0);
    assert_eq!(of_one_incident(&lab).last(), Some(&(Action::Ended, 3)));
    assert_eq!(lab.the_end().incident, id);
    assert!((58..=62).contains(&lab.the_end().ports.rounded()), "{}", lab.the_end().reason);
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Ports { source: u8, host: u8, from: u16, count: u16 },
    Sweep { source: u8, from: u16, count: u16, port: u16 },
    Ping { source: u8, count: u16 },
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let source = || 1..5u8;
    prop_oneof![
        (source(), 1..4u8, 1..2_000u16, 1..120u16).prop_map(|(source, host, from, count)| Step::Ports {
            source,
            host,
            from,
            count
        }),
        (source(), 1..100u16, 1..60u16, prop::sample::select(vec![445, 22, 80, 8_983]))
            .prop_map(|(source, from, count, port)| Step::Sweep { source, from, count, port }),
        (source(), 1..40u16).prop_map(|(source, count)| Step::Ping { source, count }),
        (1..90u16).prop_map(Step::Wait),
    ]
}

fn play(lab: &mut Lab, step: &Step) {
    let address =
        |source: u8| if source < 4 { format!("10.1.0.{source}") } else { "198.51.100.9".to_owned() };
    match *step {
        Step::Ports { source, host, from, count } => {
            lab.scan_ports(&address(source), &format!("10.2.0.{host}"), from..from + count, 40.0);
        }
        Step::Sweep { source, from, count, port } => {
            lab.sweep(&address(source), "10.2.3", from..=from + count, port, 40.0);
        }
        Step::Ping { source, count } => {
            for host in 1..=count {
                lab.ping(&address(source), &host_in("10.2.4", host));
                lab.wait(0.05);
            }
        }
        Step::Wait(seconds) => lab.wait(f64::from(seconds)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_engine_that_took_up_what_another_knew_writes_what_that_one_would(
        steps in proptest::collection::vec(step(), 2..14),
        at in 0..14usize,
    ) {
        let mut alert = policy();
        alert.directions.inbound = Treatment::Alert;
        let records = |restarts: bool| {
            let mut lab = Lab::new(alert.clone());
            for (number, step) in steps.iter().enumerate() {
                play(&mut lab, step);
                match number == at {
                    true if restarts => lab.restart(&alert, 0.0),
                    true => lab.settle(),
                    false => {}
                }
            }
            lab.wait(200.0);
            lab.finish();
            (lab.events.clone(), lab.statistics())
        };
        let (plain, restarted) = (records(false), records(true));
        for (a, b) in plain.0.iter().zip(&restarted.0) {
            prop_assert!(a == b, "{:#?} became {:#?}", a, b);
        }
        prop_assert_eq!(actions(&plain.0), actions(&restarted.0));
        prop_assert_eq!(plain.1, restarted.1);
    }
}
