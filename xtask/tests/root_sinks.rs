//! Where alerts of a running agent go, and in which form. Needs root.

mod support;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use serde_json::Value;
use support::{LIMIT, RECORD_LIMIT, watching};
use xtask::lab::agent::binary;
use xtask::lab::wait::poll;
use xtask::lab::{Lab, Scanwatch};

const SCAN: &str = "nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20";

#[test]
fn run_writes_the_form_that_is_asked_for() -> Result<()> {
    let lab = Lab::new()?;
    let agent = lab.router.spawn(binary()?, ["run", "--interface", "office", "--format", "cef"])?;
    let (out, log) = (agent.stdout().clone(), agent.stderr().clone());
    poll("readiness", LIMIT, lab.stop(), || Ok(log.text().contains("watching office").then_some(())))?;
    lab.scanner.run_line(SCAN, LIMIT)?;
    poll("an alert", RECORD_LIMIT, lab.stop(), || Ok(out.text().contains("cat=scan-detected").then_some(())))
        .with_context(|| log.text())?;
    agent.signal(Signal::SIGTERM)?;
    let output = agent.wait(LIMIT)?;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert!(output.stdout.contains("cat=scan-ended"), "{}", output.stdout);
    assert!(output.stdout.lines().all(|line| line.starts_with("CEF:0|scanwatch|")), "{}", output.stdout);
    Ok(())
}

/// What became of incidents, by the EVE alerts in a file; empty where there is none.
fn told(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut actions = Vec::new();
    for line in text.lines() {
        let alert: Value = serde_json::from_str(line).with_context(|| format!("no EVE: {line}"))?;
        let vars = alert["metadata"]["flowvars"].as_array().context("no flowvars")?;
        let action = vars.iter().find(|var| var["key"] == "event.action").context("no action")?;
        actions.push(action["value"].as_str().unwrap_or_default().to_owned());
    }
    Ok(actions)
}

#[test]
fn a_file_that_was_moved_aside_is_written_anew_after_sighup() -> Result<()> {
    let lab = Lab::new()?;
    let (file, moved) = (lab.folder().join("eve.json"), lab.folder().join("moved"));
    let config = format!(
        "[state]\ndirectory = \"{}\"\n[[sink]]\nname = \"wazuh\"\ntype = \"file\"\nformat = \"eve\"\npath = \"{}\"\n",
        lab.folder().join("state").display(),
        file.display()
    );
    let agent = watching(Scanwatch::on(&lab).config(&config))?;
    lab.scanner.run_line(SCAN, LIMIT)?;
    let is_told = |path: &Path, action: &str| Ok(told(path)?.iter().any(|told| told == action).then_some(()));
    poll("the first alert", RECORD_LIMIT, lab.stop(), || is_told(&file, "scan-detected"))?;
    fs::rename(&file, &moved)?;
    agent.process().signal(Signal::SIGHUP)?;
    poll("the new configuration", LIMIT, lab.stop(), || {
        Ok(agent.log().contains("configuration read again").then_some(()))
    })
    .with_context(|| agent.log())?;
    // Another source, for open incidents outlive the agent.
    lab.client.run_line(SCAN, LIMIT)?;
    poll("an alert in the new file", RECORD_LIMIT, lab.stop(), || is_told(&file, "scan-detected"))
        .with_context(|| agent.log())?;
    assert_eq!(told(&moved)?.iter().filter(|action| *action == "scan-detected").count(), 1);
    agent.stop()?;
    Ok(())
}
