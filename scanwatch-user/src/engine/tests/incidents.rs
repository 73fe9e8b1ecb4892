//! One scan, one incident: how it grows, is updated, and ends.

use super::lab::{Lab, host_in, policy};
use crate::engine::{Action, Kind};
use crate::policy::Direction;

const SCANNER: &str = "10.1.0.99";
const SERVER: &str = "10.2.0.10";

fn actions(lab: &Lab) -> Vec<Action> {
    lab.events.iter().map(|event| event.action).collect()
}

#[test]
fn a_short_scan_is_detected_updated_after_a_minute_and_ended_after_the_quiet_time() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=1_000, 250.0);
    lab.wait(200.0);
    assert_eq!(actions(&lab), [Action::Detected, Action::Updated, Action::Ended]);
    let [detected, updated, ended] = &lab.events[..] else { unreachable!() };
    let gap = updated.snapshot.at.since(detected.snapshot.at).as_secs_f64();
    assert!((60.0..=61.1).contains(&gap), "{gap} s between two records");
    let quiet = ended.snapshot.at.since(ended.snapshot.grew).as_secs_f64();
    assert!((60.0..=61.1).contains(&quiet), "ended after {quiet} s without anything new");
    assert_eq!([1, 2, 3].to_vec(), lab.events.iter().map(|e| e.snapshot.sequence).collect::<Vec<_>>());
    assert!(lab.events.iter().all(|event| event.snapshot.incident == detected.snapshot.incident));
    assert_eq!(lab.statistics().incidents.vertical.open, 0);
    assert_eq!(lab.statistics().incidents.vertical.total, 1);
}

#[test]
fn a_longer_quiet_time_is_waited_for() {
    let mut policy = policy();
    policy.limits.quiet = std::time::Duration::from_mins(5);
    let mut lab = Lab::new(policy);
    lab.scan_ports(SCANNER, SERVER, 1..=100, 100.0);
    lab.wait(295.0);
    assert!(lab.snapshots(Action::Ended).is_empty());
    lab.wait(10.0);
    assert_eq!(lab.snapshots(Action::Ended).len(), 1);
}

#[test]
fn a_slow_scan_ends_after_the_window_in_which_it_was_found() {
    let mut lab = Lab::new(policy());
    // Three a minute: 15 in ten minutes, never 10 in one.
    lab.scan_ports(SCANNER, SERVER, 30_000..=30_029, 0.05);
    assert_eq!(lab.the_detection().window.as_secs(), 600);
    lab.wait(570.0);
    assert!(lab.snapshots(Action::Ended).is_empty());
    lab.wait(30.0);
    let ended = lab.the_end();
    assert!((29..=30).contains(&ended.ports.rounded()), "{}", ended.reason);
}

#[test]
fn a_new_network_is_worth_a_record_once_a_minute() {
    let mut lab = Lab::new(policy());
    // A new /24 every ten seconds for five minutes.
    for network in 0..30 {
        lab.sweep(SCANNER, &format!("10.2.{network}"), 1..=25, 445, 2.5);
    }
    lab.finish();
    let updates = lab.snapshots(Action::Updated).len();
    assert!((4..=6).contains(&updates), "{updates} updates in five minutes");
    assert_eq!(lab.snapshots(Action::Detected).len(), 1);
    let hosts = lab.the_end().hosts;
    assert!((720..=780).contains(&hosts.rounded()), "{hosts:?}");
}

#[test]
fn a_sweep_without_news_is_not_updated() {
    let mut lab = Lab::new(policy());
    lab.sweep(SCANNER, "10.2.0", 1..=100, 445, 1.0);
    lab.wait(100.0);
    assert_eq!(
        actions(&lab),
        [Action::Detected, Action::Ended],
        "one service, one network, less than tenfold"
    );
}

#[test]
fn another_service_joins_the_sweep_and_is_worth_a_record() {
    let mut lab = Lab::new(policy());
    lab.sweep(SCANNER, "10.2.0", 1..=100, 445, 2.0);
    lab.wait(20.0);
    lab.sweep(SCANNER, "10.2.0", 1..=100, 3389, 2.0);
    lab.wait(100.0);
    assert_eq!(actions(&lab), [Action::Detected, Action::Updated, Action::Ended]);
    assert_eq!(lab.events[0].snapshot.services, ["smb"]);
    assert_eq!(lab.events[1].snapshot.services, ["remote", "smb"]);
}

#[test]
fn a_second_different_scan_is_its_own_incident() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=300, 50.0);
    lab.sweep(SCANNER, "10.2.0", 1..=100, 445, 20.0);
    lab.wait(200.0);
    assert_eq!(
        lab.detected().iter().map(|found| found.0).collect::<Vec<_>>(),
        ["vertical", "horizontal"],
        "neither swallows the other"
    );
    let ended = lab.snapshots(Action::Ended);
    let vertical = ended.iter().find(|s| s.kind.name() == "vertical").unwrap();
    let horizontal = ended.iter().find(|s| s.kind.name() == "horizontal").unwrap();
    assert_eq!(vertical.hosts.rounded(), 1);
    assert!((96..=104).contains(&horizontal.hosts.rounded()));
    assert_ne!(vertical.incident, horizontal.incident);
}

#[test]
fn two_scans_at_once_of_more_pairs_than_a_table_holds_are_two_incidents_each_about_its_own() {
    let mut lab = Lab::new(policy());
    for n in 1..=2_000u16 {
        lab.syn(SCANNER, SERVER, 10_000 + n);
        if n % 20 == 0 {
            lab.syn(SCANNER, &host_in("10.2.3", n / 20), 445);
        }
    }
    lab.wait(100.0);
    let ends: Vec<_> =
        lab.snapshots(Action::Ended).iter().map(|end| (end.kind, end.host.is_some())).collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends.contains(&(Kind::Vertical, true)) && ends.contains(&(Kind::Horizontal, false)), "{ends:?}");
}

#[test]
fn a_scan_after_the_first_has_ended_is_its_own_incident_and_about_itself_alone() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=200, 50.0);
    lab.wait(120.0);
    assert_eq!(lab.snapshots(Action::Ended).len(), 1);
    lab.scan_ports(SCANNER, "10.2.0.77", 1..=200, 50.0);
    lab.wait(120.0);
    let ended = lab.snapshots(Action::Ended);
    assert_eq!(ended.len(), 2, "{:?}", lab.detected());
    assert_eq!(ended[1].host, Some("10.2.0.77".parse().unwrap()), "{}", ended[1].reason);
    assert_ne!(ended[0].incident, ended[1].incident);
}

#[test]
fn the_same_pairs_again_and_again_are_one_incident_that_ends() {
    let mut lab = Lab::new(policy());
    for _ in 0..40 {
        lab.sweep(SCANNER, "10.2.0", 1..=60, 445, 30.0);
        lab.wait(28.0);
    }
    assert_eq!(actions(&lab), [Action::Detected, Action::Ended], "twenty minutes of the same");
    let ended = lab.the_end();
    assert!(ended.at.since(ended.first).as_secs() < 100);
}

#[test]
fn what_is_new_beyond_an_ended_incident_is_an_incident_again() {
    let mut lab = Lab::new(policy());
    for round in 0..6u16 {
        lab.sweep(SCANNER, "10.2.0", 1..=60, 445, 30.0);
        lab.wait(28.0);
        if round == 4 {
            lab.sweep(SCANNER, "10.2.1", 1..=60, 445, 30.0);
        }
    }
    assert_eq!(lab.snapshots(Action::Detected).len(), 2);
}

#[test]
fn host_after_host_becomes_a_block_within_the_first_incident() {
    let mut lab = Lab::new(policy());
    for host in 1..=12 {
        lab.scan_ports(SCANNER, &host_in("10.2.0", host), 1..=100, 50.0);
    }
    lab.wait(200.0);
    assert_eq!(lab.detected().iter().map(|found| found.0).collect::<Vec<_>>(), ["vertical"]);
    let ended = lab.the_end();
    assert_eq!(ended.kind.name(), "block");
    assert!((11..=13).contains(&ended.hosts.rounded()), "{}", ended.reason);
    assert!((95..=105).contains(&ended.ports.rounded()), "{}", ended.reason);
    assert_eq!(ended.incident, lab.events[0].snapshot.incident);
}

#[test]
fn port_after_port_becomes_a_block_within_the_first_incident() {
    let mut lab = Lab::new(policy());
    for port in [22, 80, 135, 445, 1433, 3306, 3389, 5432, 5985, 8080, 8983] {
        lab.sweep(SCANNER, "10.2.0", 1..=100, port, 50.0);
    }
    lab.wait(700.0);
    assert_eq!(lab.detected().iter().map(|found| found.0).collect::<Vec<_>>(), ["horizontal"]);
    let ended = lab.the_end();
    assert_eq!(ended.kind.name(), "block");
    assert!((96..=104).contains(&ended.hosts.rounded()), "{}", ended.reason);
    assert_eq!(ended.ports.rounded(), 11);
}

#[test]
fn a_block_takes_up_hosts_and_ports_that_follow() {
    let mut lab = Lab::new(policy());
    for port in 1..=40 {
        for host in 1..=64 {
            lab.syn(SCANNER, &host_in("10.2.0", host), port);
        }
        lab.wait(0.5);
    }
    for host in 65..=100 {
        lab.scan_ports(SCANNER, &host_in("10.2.0", host), 1..=40, 400.0);
    }
    lab.wait(200.0);
    assert_eq!(lab.detected().len(), 1, "{:?}", lab.detected());
    let ended = lab.the_end();
    assert!((97..=103).contains(&ended.hosts.rounded()), "{}", ended.reason);
    assert!((39..=41).contains(&ended.ports.rounded()), "{}", ended.reason);
}

#[test]
fn odd_flags_over_many_hosts_are_one_incident_whatever_shape_shows_first() {
    let mut lab = Lab::new(policy());
    for host in 1..=100 {
        for port in [80, 443] {
            lab.flags(SCANNER, &host_in("10.2.0", host), port, 1);
            lab.wait(0.2);
        }
    }
    lab.wait(100.0);
    assert_eq!(lab.detected().len(), 1, "{:?}", lab.detected());
    let ended = lab.the_end();
    assert_eq!((ended.kind.name(), ended.ports.rounded()), ("horizontal", 2));
    assert!((96..=104).contains(&ended.hosts.rounded()));
}

#[test]
fn two_techniques_on_one_host_are_one_incident() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=100, 50.0);
    for port in 1..=100 {
        lab.udp(SCANNER, SERVER, port);
        lab.flags(SCANNER, SERVER, port, 0x29);
        lab.wait(0.02);
    }
    lab.wait(4.0);
    lab.finish();
    let ended = lab.the_end();
    assert_eq!(lab.detected().len(), 1);
    assert_eq!(crate::engine::technique_names(ended.techniques, ended.connects), ["syn", "xmas", "udp"]);
}

#[test]
fn another_technique_on_the_same_ports_after_the_end_is_another_incident() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=200, 50.0);
    lab.wait(120.0);
    for port in 1..=200 {
        lab.flags(SCANNER, SERVER, port, 0x29);
        lab.wait(0.02);
    }
    lab.wait(120.0);
    let ended = lab.snapshots(Action::Ended);
    let techniques: Vec<_> =
        ended.iter().map(|s| crate::engine::technique_names(s.techniques, s.connects)).collect();
    assert_eq!(techniques, [["syn"], ["xmas"]]);
}

#[test]
fn what_was_seen_since_the_last_verdict_is_judged_at_the_end() {
    let mut lab = Lab::new(policy());
    lab.is_answering = true;
    (1..=200).for_each(|n| lab.syn(SCANNER, SERVER, 20_000 + n));
    lab.wait(0.3);
    let before = lab.snapshots(Action::Detected).len();
    lab.is_answering = false;
    (1..=20).for_each(|n| lab.flags(SCANNER, &host_in("10.2.3", n), 80, 0));
    lab.finish();
    assert_eq!(lab.snapshots(Action::Detected).len(), before + 1, "{:?}", lab.detected());
}

#[test]
fn finish_ends_every_open_incident_with_its_counts() {
    let mut lab = Lab::new(policy());
    lab.scan_ports(SCANNER, SERVER, 1..=200, 100.0);
    lab.sweep("10.1.0.98", "10.2.0", 1..=80, 445, 40.0);
    lab.wait(4.0);
    lab.finish();
    assert_eq!(lab.snapshots(Action::Ended).len(), 2);
    let before = lab.events.len();
    lab.finish();
    assert_eq!(lab.events.len(), before, "there is nothing left to end");
    assert!(!lab.engine.is_dirty());
}

#[test]
fn ordinary_work_of_the_scanner_is_not_in_its_incident() {
    let mut lab = Lab::new(policy());
    for port in 1..=300 {
        lab.syn(SCANNER, SERVER, port);
        lab.is_answering = true;
        lab.syn(SCANNER, &host_in("198.51.100", port % 50 + 1), 443);
        lab.udp(SCANNER, "10.2.0.53", 53);
        lab.syn(SCANNER, &host_in("10.2.3", port % 5 + 1), 445);
        lab.is_answering = false;
        lab.wait(0.05);
    }
    lab.finish();
    let ended = lab.the_end();
    assert_eq!((ended.hosts.rounded(), ended.host), (1, Some(SERVER.parse().unwrap())), "{}", ended.reason);
    assert!((290..=310).contains(&ended.ports.rounded()), "{}", ended.reason);
}

#[test]
fn beyond_the_limit_scans_are_counted_once_each_and_not_recorded() {
    let mut policy = policy();
    policy.limits.incidents = 3;
    let mut lab = Lab::new(policy);
    for source in 1..=8 {
        lab.ether = super::build::ether().from([2, 0, 0, 1, 0, source as u8]);
        lab.scan_ports(&host_in("10.1.7", source), SERVER, 1..=200, 100.0);
    }
    assert_eq!(lab.snapshots(Action::Detected).len(), 3);
    assert_eq!(lab.statistics().incidents.refused, 5);
    lab.wait(200.0);
    assert_eq!(lab.statistics().incidents.vertical.open, 0);
    lab.scan_ports("10.1.7.99", SERVER, 1..=200, 100.0);
    assert_eq!(lab.snapshots(Action::Detected).len(), 4, "there is room again");
}

/// So many machines scan, each for a minute, begun at the same time.
pub fn outbreak(lab: &mut Lab, machines: u16) {
    for n in 0..30 {
        for source in 1..=machines {
            lab.ether = super::build::ether().from([2, 0, 0, 1, 0, source as u8]);
            lab.syn(&host_in("10.1.7", source), &host_in("10.2.0", 1 + (n * 7 + source) % 200), 445);
        }
        lab.wait(2.0);
    }
}

#[test]
fn a_flood_of_scans_is_announced_and_counted_and_each_is_reported_as_soon_as_there_is_room() {
    let mut policy = policy();
    policy.limits.incidents_per_minute = 10;
    let mut lab = Lab::new(policy);
    outbreak(&mut lab, 25);
    let [flood] = &lab.floods[..] else { panic!("{:?}", lab.floods) };
    assert_eq!(lab.snapshots(Action::Detected).len(), 10);
    assert_eq!((flood.action, flood.directions[&Direction::Lateral]), (Action::Detected, flood.scans));
    outbreak(&mut lab, 25);
    let updated = lab.floods.last().unwrap();
    assert_eq!((updated.action, updated.scans, updated.sources.rounded()), (Action::Updated, 15, 15));
    assert_eq!(updated.services, [("smb".to_owned(), 15)]);
    outbreak(&mut lab, 25);
    assert_eq!(lab.snapshots(Action::Detected).len(), 25, "each has its incident by now");
    lab.wait(200.0);
    let actions: Vec<Action> = lab.floods.iter().map(|flood| flood.action).collect();
    assert_eq!(actions, [Action::Detected, Action::Updated, Action::Ended]);
    assert!(lab.floods.iter().all(|other| other.id == lab.floods[0].id));
}

#[test]
fn the_end_of_the_agent_ends_the_flood() {
    let mut policy = policy();
    policy.limits.incidents_per_minute = 2;
    let mut lab = Lab::new(policy);
    outbreak(&mut lab, 5);
    lab.finish();
    assert_eq!(lab.floods.last().map(|flood| (flood.action, flood.scans)), Some((Action::Ended, 3)));
}

#[test]
fn what_is_counted_only_makes_no_flood() {
    let mut policy = policy();
    policy.limits.incidents_per_minute = 1;
    let mut lab = Lab::new(policy);
    for source in 1..=5 {
        lab.scan_ports(&format!("198.51.100.{source}"), SERVER, 1..=100, 100.0);
    }
    lab.wait(100.0);
    lab.assert_silent("the internet");
    assert_eq!(lab.statistics().incidents.refused, 0);
}

#[test]
fn the_same_traffic_gives_the_same_records() {
    let run = || {
        let mut lab = Lab::new(policy());
        for source in 1..=5 {
            lab.scan_ports(&host_in("10.1.7", source), SERVER, 1..=200, 100.0);
        }
        lab.wait(200.0);
        lab.events
    };
    assert_eq!(run(), run());
}
