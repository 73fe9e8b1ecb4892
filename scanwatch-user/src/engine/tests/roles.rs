//! Roles are budgets: what they cover is left out and counted, everything else is judged.

use super::lab::{Lab, START_S, host_in, network, policy, service};
use crate::engine::{RoleVerdict, Severity};
use crate::policy::{INTERNET, Policy, Role, RoleKind, Schedule};

const PROXY: &str = "10.1.0.8";
const RELAY: &str = "10.1.0.25";
const MANAGER: &str = "10.1.0.50";
const CLIENT: &str = "10.1.0.99";

fn role(name: &str, kind: RoleKind, source: &str) -> Role {
    Role {
        name: name.to_owned(),
        kind,
        sources: vec![network(source)],
        services: None,
        zones: vec![INTERNET],
        hosts_max: None,
        expires_s: None,
        schedule: None,
    }
}

fn with_roles() -> Policy {
    let mut policy = policy();
    let services = |names: &[&str]| Some(names.iter().map(|name| service(&policy, name)).collect());
    policy.roles = vec![
        Role { services: services(&["web"]), ..role("egress proxies", RoleKind::Proxy, "10.1.0.8/30") },
        Role { services: services(&["mail", "dns"]), ..role("relay", RoleKind::MailRelay, RELAY) },
        Role { zones: vec![1, 2], ..role("assets", RoleKind::AssetManager, MANAGER) },
    ];
    policy
}

fn reach_mail_servers(lab: &mut Lab, source: &str) {
    lab.sweep(source, "198.51.100", 1..=200, 25, 5.0);
    lab.wait(20.0);
}

fn sweep_segment(lab: &mut Lab, source: &str) {
    const PORTS: [u16; 20] =
        [21, 22, 23, 25, 53, 80, 110, 135, 139, 143, 161, 443, 445, 993, 1433, 3306, 3389, 5432, 5985, 8080];
    for host in 1..=30 {
        lab.ping(source, &host_in("10.2.0", host));
        lab.flags(source, &host_in("10.2.0", host), 80, 0x10);
        for port in PORTS {
            lab.syn(source, &host_in("10.2.0", host), port);
        }
        lab.wait(0.3);
    }
    lab.wait(20.0);
}

#[test]
fn a_proxy_on_web_towards_the_internet_is_silent_and_counted() {
    let mut lab = Lab::new(with_roles());
    for host in 1..=300 {
        lab.syn(PROXY, &host_in("198.51.100", host), 443);
        lab.syn(PROXY, &host_in("198.51.100", host), 80);
        lab.wait(0.1);
    }
    lab.wait(20.0);
    lab.assert_silent("covered");
    let proxies = &lab.statistics().roles[0];
    assert_eq!((proxies.name.as_str(), proxies.sources), ("egress proxies", 1));
    assert!((290..=310).contains(&proxies.hosts), "{proxies:?}");
    assert!((570..=630).contains(&proxies.pairs), "{proxies:?}");
}

#[test]
fn a_proxy_on_file_shares_inside_is_outside_its_role() {
    let mut lab = Lab::new(with_roles());
    for host in 1..=300 {
        lab.syn(PROXY, &host_in("198.51.100", host), 443);
        if host <= 60 {
            lab.syn(PROXY, &host_in("10.2.0", host), 445);
        }
        lab.wait(0.1);
    }
    lab.finish();
    let detected = lab.the_detection();
    let role = detected.role.as_ref().unwrap();
    assert_eq!((role.name.as_str(), role.verdict), ("egress proxies", RoleVerdict::Outside));
    assert_eq!(detected.severity, Severity::Critical, "risk {}", detected.risk);
    assert!(detected.reason.contains("outside its role `egress proxies`"), "{}", detected.reason);
    let ended = lab.the_end();
    assert!(
        (59..=61).contains(&ended.hosts.rounded()),
        "what the role covers is not in it: {}",
        ended.reason
    );
}

#[test]
fn a_mail_relay_is_silent_and_an_unlisted_machine_on_mail_is_not() {
    let mut lab = Lab::new(with_roles());
    reach_mail_servers(&mut lab, RELAY);
    lab.assert_silent("the relay");
    reach_mail_servers(&mut lab, CLIENT);
    assert_eq!(lab.detected(), [("horizontal", "horizontal_network", CLIENT.to_owned())]);
    assert_eq!(lab.snapshots(crate::engine::Action::Detected)[0].role, None);
}

#[test]
fn mail_that_every_server_takes_is_what_only_a_relay_may_send() {
    let deliver = |source: &str, servers: u16| {
        let mut lab = Lab::answering(with_roles());
        for n in 0..servers {
            lab.syn(source, &format!("203.0.{n}.25"), 25);
            lab.wait(0.25);
        }
        lab.wait(20.0);
        lab
    };
    deliver(RELAY, 200).assert_silent("the relay");
    deliver(CLIENT, 170).assert_silent("a small relay without a role");
    assert_eq!(deliver(CLIENT, 200).detected(), [("horizontal", "fan_out_mail", CLIENT.to_owned())]);
}

#[test]
fn an_asset_manager_is_silent_and_an_unlisted_machine_that_does_the_same_is_a_block_scan() {
    let mut lab = Lab::new(with_roles());
    sweep_segment(&mut lab, MANAGER);
    lab.assert_silent("the asset manager");
    assert!((29..=31).contains(&lab.statistics().roles[2].hosts));
    sweep_segment(&mut lab, CLIENT);
    lab.finish();
    let ended = lab.snapshots(crate::engine::Action::Ended);
    let block = ended.iter().find(|snapshot| snapshot.kind.name() == "block").unwrap();
    assert!((29..=31).contains(&block.hosts.rounded()));
}

#[test]
fn no_role_covers_headers_that_no_stack_sends() {
    let mut lab = Lab::new(with_roles());
    (1..=10).for_each(|port| lab.flags(MANAGER, "10.2.0.10", port, 1));
    lab.wait(1.0);
    assert_eq!(lab.the_detection().role.as_ref().unwrap().verdict, RoleVerdict::Outside);
}

#[test]
fn more_hosts_than_the_budget_allows_is_over_the_budget() {
    let mut policy = with_roles();
    policy.roles[0].hosts_max = Some(50);
    let mut lab = Lab::exact(policy);
    lab.sweep(PROXY, "198.51.100", 1..=50, 443, 5.0);
    lab.wait(20.0);
    lab.assert_silent("as many as allowed");
    lab.sweep(PROXY, "198.51.100", 51..=120, 443, 5.0);
    lab.finish();
    let detected = lab.the_detection();
    let role = detected.role.as_ref().unwrap();
    assert_eq!((role.name.as_str(), role.verdict), ("egress proxies", RoleVerdict::OverBudget));
    assert_eq!((detected.rule, detected.kind.name()), ("hosts_max", "horizontal"));
    let ended = lab.the_end();
    assert!((115..=125).contains(&ended.hosts.rounded()), "{}", ended.reason);
    assert!(!ended.targets.is_empty());
    assert_eq!(ended.services, ["web"]);
}

#[test]
fn outside_its_hours_a_source_is_outside_its_role_and_after_its_end_it_has_none() {
    let night = Schedule { days: [true; 7], from_minute: 60, to_minute: 120 };
    let mut policy = with_roles();
    policy.roles[1].schedule = Some(night);
    let mut lab = Lab::new(policy.clone());
    reach_mail_servers(&mut lab, RELAY);
    let found = lab.the_detection();
    assert_eq!(found.role.as_ref().unwrap().verdict, RoleVerdict::Outside, "it is midnight");

    let mut lab = Lab::new(policy.clone());
    lab.wait(3_600.0);
    reach_mail_servers(&mut lab, RELAY);
    lab.assert_silent("it is one o'clock");

    policy.roles[1].schedule = None;
    policy.roles[1].expires_s = Some(START_S.cast_signed());
    let mut lab = Lab::new(policy);
    reach_mail_servers(&mut lab, RELAY);
    assert_eq!(lab.the_detection().role, None, "the role has ended");
}
