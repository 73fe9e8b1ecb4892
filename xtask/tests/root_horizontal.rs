//! One machine tries many: one incident along one service, or of addresses only. Needs root.

mod support;

use std::time::{Duration, Instant};

use anyhow::Result;
use support::{
    COUNT_ERROR, Incident, LIMIT, RECORD_LIMIT, SILENCE, assert_about, assert_silent, counter, ecs_mac,
    is_detected, number, only_incident, settle_and_end, watching,
};
use xtask::lab::agent::Report;
use xtask::lab::frame::{Link, Tags};
use xtask::lab::{Host, Lab, Scanwatch, Segment};

/// From the end of a scan that meets silence to its alert: the time after which silence is failure, and what a busy
/// machine takes to judge.
const PROMPT: Duration = Duration::from_secs(SILENCE.as_secs() + 2);

/// Lets `host` run a command line and returns what scanwatch made of it.
fn watch(lab: &Lab, host: &Host, line: &str) -> Result<Report> {
    let mut agent = watching(Scanwatch::on(lab))?;
    let started = Instant::now();
    host.run_line(line, LIMIT)?;
    let ended = Instant::now();
    let records = agent.wait_for(is_detected, RECORD_LIMIT)?;
    let took = records[0].at - started;
    println!("detected {took:.1?} after the start of a scan of {:.1?}", ended - started);
    assert!(
        records[0].at < ended + PROMPT,
        "detected {:.1?} after the end of the scan",
        records[0].at - ended
    );
    settle_and_end(agent)
}

/// What every sweep of these tests must look like, whatever it asks for.
fn assert_horizontal(lab: &Lab, incident: &Incident<'_>, technique: &str) {
    let Incident { detected, ended } = incident;
    for record in [detected, ended] {
        assert_eq!(record.kind(), "horizontal", "{}", record.line);
        assert_eq!(record.source(), lab.scanner.v4().to_string(), "{}", record.line);
        assert_eq!(record.text("source.mac"), ecs_mac(lab.scanner.mac()), "{}", record.line);
        assert_eq!(record.text("network.direction"), "internal", "{}", record.line);
        assert_eq!(record.texts("scanwatch.scan.technique"), [technique], "{}", record.line);
        assert!(record.field("destination.ip").is_none(), "many hosts are no host: {}", record.line);
    }
    let error = number(ended, "scanwatch.scan.relative_error");
    println!("{} hosts, relative error {error}", number(ended, "scanwatch.scan.hosts"));
    assert!(error > 0.0 && error < COUNT_ERROR / 4.0, "{}", ended.line);
}

#[test]
fn a_sweep_for_file_shares_is_one_horizontal_incident_that_names_the_service() -> Result<()> {
    let lab = Lab::new()?;
    let line = "nmap -n -Pn -sS -p445 --min-rate 200 --max-retries 1 10.2.0.0/24";
    let report = watch(&lab, &lab.scanner, line)?;
    let incident = only_incident(&report);
    assert_horizontal(&lab, &incident, "syn");
    for record in [incident.detected, incident.ended] {
        assert_eq!(record.texts("scanwatch.scan.services"), ["smb"], "{}", record.line);
        assert_eq!(record.number("destination.port"), Some(445.0), "{}", record.line);
        assert_eq!(record.number("scanwatch.scan.ports"), Some(1.0), "{}", record.line);
        assert_eq!(record.text("network.transport"), "tcp", "{}", record.line);
        assert!(record.text("event.reason").contains("smb"), "{}", record.line);
        assert!(number(record, "event.severity") >= 73.0, "{}", record.line);
    }
    assert_about(incident.ended, "scanwatch.scan.hosts", 256.0);
    Ok(())
}

#[test]
fn a_sweep_along_an_unnamed_port_names_the_port() -> Result<()> {
    let lab = Lab::new()?;
    let line = "nmap -n -Pn -sS -p8983 --min-rate 200 --max-retries 1 10.2.0.0/24";
    let report = watch(&lab, &lab.scanner, line)?;
    let incident = only_incident(&report);
    assert_horizontal(&lab, &incident, "syn");
    assert_eq!(incident.ended.texts("scanwatch.scan.services"), ["tcp/8983"], "{}", incident.ended.line);
    assert_eq!(incident.ended.number("destination.port"), Some(8_983.0), "{}", incident.ended.line);
    assert_about(incident.ended, "scanwatch.scan.hosts", 256.0);
    Ok(())
}

#[test]
fn a_sweep_by_arp_is_one_horizontal_incident_without_ports() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, &lab.scanner, "nmap -n -sn -PR --max-rate 500 10.1.0.0/24")?;
    let incident = only_incident(&report);
    assert_horizontal(&lab, &incident, "arp");
    for record in [incident.detected, incident.ended] {
        assert_eq!(record.number("scanwatch.scan.ports"), Some(0.0), "{}", record.line);
        assert_eq!(record.texts("scanwatch.scan.services"), [""; 0], "{}", record.line);
        assert_eq!(record.texts("threat.technique.id"), ["T1018"], "{}", record.line);
        assert!(record.field("destination.port").is_none(), "{}", record.line);
        assert!(record.text("event.reason").contains("by ARP"), "{}", record.line);
    }
    // nmap does not ask for the address it asks from.
    assert_about(incident.ended, "scanwatch.scan.hosts", 255.0);
    Ok(())
}

#[test]
fn a_sweep_by_ping_is_one_horizontal_incident_without_ports() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, &lab.scanner, "nmap -n -sn -PE --max-rate 500 --max-retries 1 10.2.0.0/24")?;
    let incident = only_incident(&report);
    assert_horizontal(&lab, &incident, "icmp");
    assert_eq!(incident.ended.number("scanwatch.scan.ports"), Some(0.0), "{}", incident.ended.line);
    assert_eq!(incident.ended.text("network.transport"), "icmp", "{}", incident.ended.line);
    assert_about(incident.ended, "scanwatch.scan.hosts", 256.0);
    Ok(())
}

#[test]
fn a_machine_that_asks_for_the_few_addresses_it_talks_to_is_silent() -> Result<()> {
    let lab = Lab::new()?;
    let agent = watching(Scanwatch::on(&lab))?;
    let link = Link { source: lab.client.mac(), target: [0xff; 6], tags: Tags::None };
    // A day's worth of neighbours that are switched off: a dozen addresses, each asked for eighty times.
    let asked =
        (100..112).cycle().take(1_000).map(|n| link.arp_request(lab.client.v4(), Segment::Office.v4(n)));
    lab.client.send_frames("eth0", &asked.collect::<Vec<_>>(), 1_000)?;
    let report = settle_and_end(agent)?;
    assert_silent(&report);
    assert!(counter(&report, "packets.probe_arp") >= 1_000, "scanwatch did not see the requests");
    Ok(())
}
