//! An agent that is stopped for longer than an epoch, and one in a time namespace.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use xtask::lab::agent::binary;
use xtask::lab::{Lab, Scanwatch};

use super::scan;
use super::support::{LIMIT, RECORD_LIMIT, assert_about, counter, end, is_detected, only_incident, watching};

#[test]
fn an_agent_that_is_stopped_for_more_than_an_epoch_goes_on_with_its_incident_and_loses_no_count() -> Result<()>
{
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab))?;
    let nmap = "nmap -n -Pn -sS -p1-800 --max-rate 60 --max-retries 0 10.2.0.20";
    let nmap = lab.scanner.spawn("nmap", nmap.split(' ').skip(1))?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    agent.process().signal(Signal::SIGSTOP)?;
    nmap.wait(LIMIT)?.ok()?;
    thread::sleep(Duration::from_secs(2));
    agent.process().signal(Signal::SIGCONT)?;
    thread::sleep(Duration::from_secs(5));
    let report = end(agent)?;
    let incident = only_incident(&report);
    assert_about(incident.ended, "scanwatch.scan.ports", 800.0);
    assert_eq!(counter(&report, "losses.ring_lost"), 0);
    Ok(())
}

/// The kernel programs know no time namespaces: their clock is the machine's.
#[test]
fn in_a_time_namespace_records_carry_the_time_of_the_wall_clock() -> Result<()> {
    let lab = Lab::new()?;
    let wrapper = lab.folder().join("elsewhen");
    let script =
        format!("#!/bin/sh\nexec unshare --time --monotonic 100000 {} \"$@\"\n", binary()?.display());
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    let mut agent = watching(Scanwatch::on(&lab).interfaces(&["office"]).program(wrapper))?;
    scan(&lab.scanner)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let report = end(agent)?;
    let ended = only_incident(&report).ended;
    let minute = |name: &str| ended.text(name).get(..15).map(str::to_owned);
    let (start, at) = (minute("event.start").context("no start")?, minute("@timestamp"));
    // Within ten minutes, or just over their border.
    ensure!(
        Some(&start) == at.as_ref() || ended.number("event.duration").is_some_and(|ns| ns < 6e11),
        "{}",
        ended.line
    );
    Ok(())
}
