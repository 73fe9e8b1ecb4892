//! Roles are budgets: what they cover is silent and counted, the same by anybody else or on anything else is not.
//! Needs root.

mod support;

use std::net::IpAddr;

use anyhow::{Result, ensure};
use support::{
    COUNT_ERROR, Incident, LIMIT, assert_about, assert_silent, counter, covered, number, only_incident,
    settle_and_end, watching,
};
use xtask::lab::agent::Report;
use xtask::lab::plan::ROLES;
use xtask::lab::{Host, Lab, Scanwatch, internet_hosts};

/// Looks for file shares on every address of the server segment.
const FILE_SHARES: &str = "nmap -n -Pn -sT -p445 --min-rate 200 --max-retries 1 10.2.0.0/24";
/// Takes stock of the server segment: who is there, and which of 20 services run.
const STOCK: &str = "nmap -n -sS --top-ports 20 --min-rate 500 --max-retries 1 10.2.0.0/24";

/// What scanwatch, with these roles, makes of what is done meanwhile.
fn watch(lab: &Lab, config: &str, work: impl FnOnce() -> Result<()>) -> Result<Report> {
    let agent = watching(Scanwatch::on(lab).config(config))?;
    work()?;
    settle_and_end(agent)
}

/// Connects to `count` hosts of the internet side, all of which let everybody in on `ports`.
fn reach(host: &Host, count: usize, ports: &[u16]) -> Result<()> {
    let hosts: Vec<IpAddr> = internet_hosts(count);
    let contacts = host.connect_many(&hosts, ports, 1_000, 16)?;
    ensure!(contacts.answered == count * ports.len(), "not all were let in: {contacts:?}");
    Ok(())
}

fn run(host: &Host, line: &str) -> Result<()> {
    host.run_line(line, LIMIT).map(drop)
}

/// Fails unless the role's counters hold this many hosts and pairs, by one source.
fn assert_covered(report: &Report, role: &str, hosts: u64, pairs: u64) {
    let about = |figure: &str, expected: u64| {
        let found = covered(report, role, figure);
        let error = COUNT_ERROR * expected as f64;
        assert!(found.abs_diff(expected) as f64 <= error, "{role} covered {found} {figure}, not {expected}");
    };
    about("hosts", hosts);
    about("pairs", pairs);
    assert_eq!(covered(report, role, "sources"), 1);
}

/// Fails unless all records say how the scan stands to this role.
fn assert_role(incident: &Incident<'_>, role: &str, verdict: &str, words: &str) {
    for record in [incident.detected, incident.ended] {
        assert_eq!(record.text("scanwatch.role"), role, "{}", record.line);
        assert_eq!(record.text("scanwatch.role_verdict"), verdict, "{}", record.line);
        let reason = record.text("event.reason");
        assert!(reason.contains(words) && reason.contains(role), "{reason}");
    }
}

/// Fails if any record names a role.
fn assert_no_role(incident: &Incident<'_>) {
    for record in [incident.detected, incident.ended] {
        assert_eq!(record.text("scanwatch.role"), "", "{}", record.line);
        assert!(!record.text("event.reason").contains("role"), "{}", record.line);
    }
}

#[test]
fn a_proxy_opens_300_web_sites_in_silence_and_the_counters_say_what_its_role_covered() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, ROLES, || reach(&lab.proxy, 300, &[80, 443]))?;
    assert_silent(&report);
    assert_covered(&report, "egress proxies", 300, 600);
    assert_eq!(covered(&report, "mail relays", "hosts"), 0);
    Ok(())
}

#[test]
fn the_web_by_a_client_without_a_role_is_silent_where_it_answers_and_a_scan_where_it_does_not() -> Result<()>
{
    const DARK: u8 = 200;
    let lab = Lab::new()?;
    let report = watch(&lab, ROLES, || reach(&lab.client, 300, &[80, 443]))?;
    assert_silent(&report);
    assert_eq!(covered(&report, "egress proxies", "hosts"), 0, "nobody has that role");
    assert_eq!(counter(&report, "directions.outbound.sources"), 1);

    let report = watch(&lab, ROLES, || {
        let dark: Vec<IpAddr> = (0..DARK).map(|n| [198, 19, n, 80].into()).collect();
        let contacts = lab.client.connect_many(&dark, &[443], 500, 64)?;
        ensure!(contacts.silent == dark.len(), "not all were silent: {contacts:?}");
        Ok(())
    })?;
    let incident = only_incident(&report);
    assert_eq!((incident.ended.kind(), incident.ended.text("network.direction")), ("horizontal", "outbound"));
    assert_eq!(incident.ended.text("rule.name"), "horizontal_outbound_noisy");
    assert_eq!(incident.ended.texts("scanwatch.scan.services"), ["web"]);
    assert_about(incident.ended, "scanwatch.scan.hosts", DARK.into());
    assert_eq!(covered(&report, "egress proxies", "hosts"), 0);
    Ok(())
}

#[test]
fn a_proxy_that_looks_for_file_shares_is_outside_its_role_and_worse_than_anybody_who_does() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, ROLES, || run(&lab.proxy, FILE_SHARES))?;
    let by_proxy = only_incident(&report);
    assert_role(&by_proxy, "egress proxies", "outside its role", "outside its role");
    assert_eq!(by_proxy.ended.source(), lab.proxy.v4().to_string());

    let report = watch(&lab, ROLES, || run(&lab.client, FILE_SHARES))?;
    let by_client = only_incident(&report);
    assert_no_role(&by_client);
    for (proxy, client) in [(by_proxy.detected, by_client.detected), (by_proxy.ended, by_client.ended)] {
        assert_eq!((proxy.kind(), client.kind()), ("horizontal", "horizontal"));
        assert_eq!(proxy.texts("scanwatch.scan.services"), ["smb"], "{}", proxy.line);
        assert_eq!(client.texts("scanwatch.scan.services"), ["smb"], "{}", client.line);
        assert!(number(proxy, "event.severity") > number(client, "event.severity"), "{}", proxy.line);
        assert!(number(proxy, "event.risk_score") > number(client, "event.risk_score"), "{}", proxy.line);
    }
    Ok(())
}

#[test]
fn what_a_role_covers_does_not_hide_what_it_does_not() -> Result<()> {
    let lab = Lab::new()?;
    let both = || reach(&lab.proxy, 300, &[80, 443]).and_then(|()| run(&lab.proxy, FILE_SHARES));
    let report = watch(&lab, ROLES, both)?;
    let incident = only_incident(&report);
    assert_role(&incident, "egress proxies", "outside its role", "outside its role");
    assert_eq!(incident.ended.texts("scanwatch.scan.services"), ["smb"], "{}", incident.ended.line);
    assert_about(incident.ended, "scanwatch.scan.hosts", 256.0);
    assert_covered(&report, "egress proxies", 300, 600);
    Ok(())
}

#[test]
fn a_role_that_spends_more_than_its_budget_of_hosts_alerts() -> Result<()> {
    let lab = Lab::new()?;
    let budget = |hosts_max: u32| {
        ROLES.replacen("kind = \"proxy\"", &format!("kind = \"proxy\"\nhosts_max = {hosts_max}"), 1)
    };
    let report = watch(&lab, &budget(400), || reach(&lab.proxy, 300, &[80, 443]))?;
    assert_silent(&report);

    let report = watch(&lab, &budget(100), || reach(&lab.proxy, 300, &[80, 443]))?;
    let incident = only_incident(&report);
    assert_role(&incident, "egress proxies", "over its budget", "over the budget of its role");
    for record in [incident.detected, incident.ended] {
        assert_eq!(record.texts("scanwatch.zone.targets"), ["internet"], "{}", record.line);
        assert!(record.text("event.reason").contains("(internal → internet)"), "{}", record.line);
    }
    assert_eq!(incident.ended.text("rule.name"), "hosts_max");
    assert_eq!(incident.ended.text("network.direction"), "outbound");
    assert_eq!(incident.ended.texts("scanwatch.scan.services"), ["web"]);
    assert_about(incident.ended, "scanwatch.scan.hosts", 300.0);
    assert_covered(&report, "egress proxies", 300, 600);
    Ok(())
}

#[test]
fn a_mail_relay_delivers_to_200_hosts_in_silence() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, ROLES, || reach(&lab.relay, 200, &[25]))?;
    assert_silent(&report);
    assert_covered(&report, "mail relays", 200, 200);
    Ok(())
}

#[test]
fn mail_to_200_hosts_by_a_machine_without_a_role_alerts() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, ROLES, || reach(&lab.client, 200, &[25]))?;
    let incident = only_incident(&report);
    assert_no_role(&incident);
    for record in [incident.detected, incident.ended] {
        assert_eq!(record.kind(), "horizontal", "{}", record.line);
        assert_eq!(record.source(), lab.client.v4().to_string(), "{}", record.line);
        assert_eq!(record.text("network.direction"), "outbound", "{}", record.line);
        assert_eq!(record.texts("scanwatch.scan.services"), ["mail"], "{}", record.line);
        assert_eq!(record.number("destination.port"), Some(25.0), "{}", record.line);
    }
    assert_about(incident.ended, "scanwatch.scan.hosts", 200.0);
    assert_eq!(covered(&report, "mail relays", "hosts"), 0);
    Ok(())
}

#[test]
fn an_asset_manager_takes_stock_of_the_servers_in_silence() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, ROLES, || run(&lab.assets, STOCK))?;
    assert_silent(&report);
    let hosts = covered(&report, "asset managers", "hosts");
    assert!(hosts.abs_diff(256) <= 13, "{hosts} hosts were looked for");
    // Twelve addresses are in use; each is asked for twenty services.
    assert!(covered(&report, "asset managers", "pairs") > 12 * 20 + 256);
    Ok(())
}

#[test]
fn stock_taken_by_a_machine_without_a_role_is_one_block_incident() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, ROLES, || run(&lab.client, STOCK))?;
    let incident = only_incident(&report);
    assert_no_role(&incident);
    assert_eq!(incident.ended.kind(), "block", "{}", incident.ended.line);
    assert_eq!(incident.ended.source(), lab.client.v4().to_string(), "{}", incident.ended.line);
    assert_eq!(incident.ended.text("network.direction"), "internal", "{}", incident.ended.line);
    assert_about(incident.ended, "scanwatch.scan.hosts", 256.0);
    assert_about(incident.ended, "scanwatch.scan.ports", 20.0);
    for service in ["database", "mail", "remote", "smb", "web"] {
        assert!(
            incident.ended.texts("scanwatch.scan.services").contains(&service),
            "{}",
            incident.ended.line
        );
    }
    Ok(())
}

#[test]
fn a_resolver_asks_300_name_servers_in_silence() -> Result<()> {
    let lab = Lab::new()?;
    let ask = || {
        let answers = lab.resolver.ask_servers(&internet_hosts(300))?;
        ensure!(answers == 300, "only {answers} of 300 name servers answered");
        Ok(())
    };
    let report = watch(&lab, ROLES, ask)?;
    assert_silent(&report);
    assert_covered(&report, "resolvers", 300, 300);
    Ok(())
}
