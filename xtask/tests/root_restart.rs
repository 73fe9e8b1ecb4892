//! What outlives a restart: open incidents go on with their identities, however the agent ended. Needs root.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use support::{RECORD_LIMIT, is_detected, number, watching};
use xtask::lab::agent::{Record, Report, Setup};
use xtask::lab::wait::poll;
use xtask::lab::{Lab, Scanwatch, Stop};

/// An epoch of ten seconds, and time for a busy disk: by then what is open is saved.
const SAVED_LIMIT: Duration = Duration::from_secs(45);
/// Longest time from the last probe to the end of an incident: a minute of quiet, and time for a busy machine.
const ENDED_LIMIT: Duration = Duration::from_mins(2);
const SOON: Duration = Duration::from_secs(30);

/// scanwatch with a state directory.
fn remembering(lab: &Lab, folder: &Path) -> Setup {
    Scanwatch::on(lab).arg("--state-dir").arg(&folder.display().to_string())
}

fn folder_of(lab: &Lab) -> PathBuf {
    lab.folder().join("state")
}

/// Ends scanwatch by a signal and returns what it left, which must not hold the end of anything.
fn end_by(mut agent: Scanwatch, signal: Signal) -> Result<Report> {
    agent.process().signal(signal)?;
    poll("the end of scanwatch", SOON, &Stop::new(), || Ok((!agent.is_running()?).then_some(())))?;
    let report = agent.stop()?;
    let ended: Vec<_> = report.with_action("scan-ended").map(|record| &record.line).collect();
    ensure!(ended.is_empty(), "{signal} ended {ended:?}");
    Ok(report)
}

#[test]
fn a_scan_is_one_incident_over_sigterm_and_sigkill() -> Result<()> {
    let lab = Lab::new()?;
    let folder = folder_of(&lab);
    let mut records: Vec<Record> = Vec::new();
    let nmap =
        lab.scanner.spawn("nmap", ["-n", "-Pn", "-sS", "-p1-4000", "--max-rate", "60", "10.2.0.10"])?;

    let mut agent = watching(remembering(&lab, &folder))?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    records.extend(end_by(agent, Signal::SIGTERM)?.records);

    let agent = watching(remembering(&lab, &folder))?;
    let started = fs::metadata(folder.join("incidents.json")).and_then(|file| file.modified()).ok();
    poll("a save at an epoch's end", SAVED_LIMIT, &Stop::new(), || {
        let saved = fs::metadata(folder.join("incidents.json")).and_then(|file| file.modified()).ok();
        Ok((saved.is_some() && saved != started).then_some(()))
    })?;
    let report = end_by(agent, Signal::SIGKILL)?;
    ensure!(report.stderr.contains("going on with 1 open incidents"), "{}", report.stderr);
    records.extend(report.records);

    let mut agent = watching(remembering(&lab, &folder))?;
    drop(nmap);
    let is_ended = |records: &[Record]| records.iter().any(|record| record.action() == "scan-ended");
    agent.wait_for(is_ended, ENDED_LIMIT)?;
    records.extend(agent.stop()?.records);

    let first = records.first().context("no record")?;
    let told: Vec<_> = records.iter().map(|record| (record.action(), record.incident())).collect();
    ensure!(records.iter().all(|record| record.incident() == first.incident()), "{told:?}");
    let detected = records.iter().filter(|record| record.action() == "scan-detected").count();
    ensure!(detected == 1, "{told:?}");
    let last = records.last().context("no record")?;
    ensure!(
        last.action() == "scan-ended" && last.text("event.start") == first.text("event.start"),
        "{told:?}"
    );
    let sequences: Vec<_> = records.iter().map(|record| number(record, "event.sequence")).collect();
    ensure!(sequences.is_sorted(), "{sequences:?}");
    ensure!(number(last, "scanwatch.scan.ports") > number(first, "scanwatch.scan.ports"), "{}", last.line);
    Ok(())
}

#[test]
fn a_second_agent_is_kept_out_of_the_state_directory() -> Result<()> {
    let lab = Lab::new()?;
    let folder = folder_of(&lab);
    let first = watching(remembering(&lab, &folder))?;
    let mut second = remembering(&lab, &folder).start()?;
    poll("the end of the second", SOON, &Stop::new(), || Ok((!second.is_running()?).then_some(())))?;
    let report = second.stop()?;
    ensure!(report.status.code() == Some(1), "{}", report.status);
    let holder = format!("is in use by process {}", first.process().pid());
    ensure!(report.stderr.contains(&holder), "{}", report.stderr);
    first.stop()?;
    Ok(())
}

#[test]
fn a_damaged_state_is_put_aside_and_said() -> Result<()> {
    let lab = Lab::new()?;
    let folder = folder_of(&lab);
    watching(remembering(&lab, &folder))?.stop()?;
    let path = folder.join("memory.json");
    let mut bytes = fs::read(&path).context("no state was written at the end")?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes)?;
    let report = watching(remembering(&lab, &folder))?.stop()?;
    ensure!(report.status.success(), "{}", report.stderr);
    let said = "memory.json: what was known before cannot be taken up: its checksum is wrong";
    ensure!(report.stderr.contains(said), "{}", report.stderr);
    ensure!(folder.join("memory.bad").is_file(), "it was not put aside");
    Ok(())
}
