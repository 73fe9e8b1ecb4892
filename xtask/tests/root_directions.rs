//! Where a scan comes from and goes to decides what becomes of it. Needs root.

mod support;

use anyhow::Result;
use support::{
    LIMIT, assert_about, assert_silent, counter, end, number, only_incident, settle_and_end, watching,
};
use xtask::lab::agent::Report;
use xtask::lab::{Host, Lab, Scanwatch};

/// Knocks on four services of the whole server segment.
const FROM_OUTSIDE: &str = "masscan -p22,80,443,445 --rate 1000 --wait 1 10.2.0.0/24";
/// Looks for one open telnet on a part of the internet where every second machine answers.
const OF_THE_INTERNET: &str = "masscan -p23 --rate 1000 --wait 1 198.18.0.0/23 198.19.0.0/23";

/// What scanwatch makes of a command line that `host` runs.
fn watch(lab: &Lab, config: &str, host: &Host, line: &str) -> Result<Report> {
    let agent = watching(Scanwatch::on(lab).config(config))?;
    host.run_line(line, LIMIT)?;
    settle_and_end(agent)
}

#[test]
fn a_scan_from_the_internet_is_no_alert_but_a_figure_in_the_statistics() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, "", &lab.outside, FROM_OUTSIDE)?;
    assert_silent(&report);
    assert_eq!(counter(&report, "directions.inbound.sources"), 1);
    assert_eq!(counter(&report, "directions.inbound.incidents"), 1);
    assert_eq!(counter(&report, "incidents.horizontal.total"), 0, "incidents with records");
    let stats = report.stats.as_ref().expect("checked above");
    let services = stats["services_from_outside"].as_array().expect("a list of services");
    let mut names: Vec<_> = services.iter().filter_map(|service| service["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["remote", "smb", "web"]);
    assert!(services.iter().all(|service| service["sources"] == 1), "{services:?}");
    Ok(())
}

#[test]
fn a_scan_from_the_internet_alerts_where_that_is_asked_for() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, "[directions]\ninbound = \"alert\"\n", &lab.outside, FROM_OUTSIDE)?;
    let incident = only_incident(&report);
    for record in [incident.detected, incident.ended] {
        assert_eq!(record.source(), lab.outside.v4().to_string(), "{}", record.line);
        assert_eq!(record.text("network.direction"), "inbound", "{}", record.line);
        assert_eq!(record.kind(), "horizontal", "{}", record.line);
        assert_eq!(record.text("observer.ingress.interface.name"), "internet", "{}", record.line);
        assert!(record.text("event.reason").contains("from the internet"), "{}", record.line);
        assert!(number(record, "event.severity") < 73.0, "noise is not worse than a scan inside");
    }
    assert_eq!(counter(&report, "directions.inbound.incidents"), 1);
    assert_eq!(counter(&report, "incidents.horizontal.total"), 1);
    Ok(())
}

#[test]
fn a_scan_of_the_internet_from_inside_is_an_outbound_incident() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, "", &lab.camera, OF_THE_INTERNET)?;
    let incident = only_incident(&report);
    for record in [incident.detected, incident.ended] {
        assert_eq!(record.source(), lab.camera.v4().to_string(), "{}", record.line);
        assert_eq!(record.text("network.direction"), "outbound", "{}", record.line);
        assert_eq!(record.kind(), "horizontal", "{}", record.line);
        assert_eq!(record.texts("scanwatch.scan.services"), ["remote"], "{}", record.line);
        assert_eq!(record.number("destination.port"), Some(23.0), "{}", record.line);
        assert!(record.texts("threat.technique.id").contains(&"T1595.001"), "{}", record.line);
        assert!(number(record, "event.severity") >= 73.0, "{}", record.line);
    }
    assert_about(incident.ended, "scanwatch.scan.hosts", 1_024.0);
    Ok(())
}

#[test]
fn a_scan_inside_or_outwards_is_a_figure_in_the_statistics_where_that_is_asked_for() -> Result<()> {
    let lab = Lab::new()?;
    let config = "[directions]\nlateral = \"statistics\"\noutbound = \"statistics\"\n";
    let agent = watching(Scanwatch::on(&lab).config(config))?;
    lab.scanner.run_line("nmap -n -Pn -sS -p445 --min-rate 200 --max-retries 0 10.2.0.0/24", LIMIT)?;
    lab.camera.run_line(OF_THE_INTERNET, LIMIT)?;
    let report = end(agent)?;
    assert_silent(&report);
    assert_eq!(counter(&report, "directions.lateral.incidents"), 1);
    assert_eq!(counter(&report, "directions.outbound.incidents"), 1);
    Ok(())
}

/// Zones make the difference: with the office's network not among them, its machines are the internet's.
#[test]
fn zones_decide_which_direction_a_scan_has() -> Result<()> {
    let lab = Lab::new()?;
    let zones = "[[zone]]\nname = \"servers\"\nnetworks = [\"10.2.0.0/24\"]\n\
                 [directions]\ninbound = \"alert\"\n";
    let line = "nmap -n -Pn -sS -p445 --min-rate 200 --max-retries 0 10.2.0.0/24";
    let report = watch(&lab, zones, &lab.scanner, line)?;
    let incident = only_incident(&report);
    assert_eq!(incident.ended.text("network.direction"), "inbound", "{}", incident.ended.line);
    assert_eq!(incident.ended.text("scanwatch.zone.source"), "internet", "{}", incident.ended.line);
    assert_eq!(incident.ended.texts("scanwatch.zone.targets"), ["servers"], "{}", incident.ended.line);

    let report = watch(&lab, &zones.replace("10.2.0.0/24", "10.9.0.0/24"), &lab.scanner, line)?;
    assert_silent(&report);
    assert_eq!(counter(&report, "directions.transit.incidents"), 1);
    Ok(())
}

/// Forwarded packets are seen where they come in, once; address translation happens behind that.
#[test]
fn a_scan_through_a_masquerading_router_is_the_scanners_and_not_the_routers() -> Result<()> {
    let lab = Lab::builder().masquerade().build()?;
    let report = watch(&lab, "", &lab.camera, OF_THE_INTERNET)?;
    let incident = only_incident(&report);
    assert_eq!(incident.detected.source(), lab.camera.v4().to_string(), "{}", incident.detected.line);
    assert_eq!(counter(&report, "directions.transit.sources"), 0);
    Ok(())
}
