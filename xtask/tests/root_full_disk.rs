//! A disk that is full under standard output: it is said, alerts wait, and none is cut in two. Needs root.

mod support;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use support::{LIMIT, RECORD_LIMIT};
use xtask::lab::agent::binary;
use xtask::lab::process::Running;
use xtask::lab::wait::poll;
use xtask::lab::{Host, Lab};

/// What is said once, however often it is tried again.
const FULL: &str = "sink (stdout): standard output takes nothing (No space left on device (os error 28)); make room on the \
                    disk that it is redirected to; ";

/// Runs a shell's script, which ends in becoming scanwatch, and waits until it watches.
fn watching(lab: &Lab, script: &str) -> Result<Running> {
    let agent = lab.router.spawn("unshare", ["--mount", "sh", "-ec", script])?;
    let heard = agent.stderr().clone();
    poll("readiness", LIMIT, lab.stop(), || Ok(heard.text().contains("watching office").then_some(())))?;
    Ok(agent)
}

fn hears(lab: &Lab, agent: &Running, words: &str) -> Result<()> {
    let heard = agent.stderr().clone();
    let told = poll(words, RECORD_LIMIT, lab.stop(), || Ok(heard.text().contains(words).then_some(())));
    told.with_context(|| heard.text())
}

fn scan(from: &Host) -> Result<()> {
    from.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?.ok()?;
    Ok(())
}

#[test]
fn where_there_never_is_room_the_agent_goes_on_and_says_at_its_end_what_is_lost() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent =
        watching(&lab, &format!("exec {} run --interface office > /dev/full", binary()?.display()))?;
    scan(&lab.scanner)?;
    hears(&lab, &agent, FULL)?;
    ensure!(agent.is_running()?, "it ended, and whoever scans now is not seen");
    agent.signal(Signal::SIGTERM)?;
    let output = agent.wait(LIMIT)?;
    assert_eq!(output.stderr.matches("takes nothing").count(), 1, "{}", output.stderr);
    let last = output.stderr.lines().last().unwrap_or_default();
    assert_eq!(last, "scanwatch: 2 messages were not delivered and are lost; the log says why, sink by sink");
    assert_eq!(output.status.code(), Some(1), "{}", output.stderr);
    let links = lab.router.run_line("ip -d link show", LIMIT)?.stdout;
    assert!(!links.contains("xdp"), "{links}");
    Ok(())
}

#[test]
fn alerts_wait_until_there_is_room_again_and_none_is_cut_in_two() -> Result<()> {
    let lab = Lab::new()?;
    let disk = lab.folder().join("disk");
    fs::create_dir(&disk)?;
    // One page is left: more than an alert takes, and less than two.
    let (disk, program) = (disk.display(), binary()?);
    let script = format!(
        "mount -t tmpfs -o size=64k none {disk}; head -c 61440 /dev/zero > {disk}/ballast; \
         exec {} run --interface office > {disk}/alerts",
        program.display()
    );
    let agent = watching(&lab, &script)?;
    let within = |name: &str| PathBuf::from(format!("/proc/{}/root{disk}/{name}", agent.pid()));
    scan(&lab.scanner)?;
    scan(&lab.client)?;
    hears(&lab, &agent, FULL)?;
    assert_eq!(fs::metadata(within("alerts"))?.len(), 4_096, "an alert is cut where the disk ends");
    fs::remove_file(within("ballast"))?;
    hears(&lab, &agent, "sink (stdout): the way is free again")?;
    // The disk goes with the last process that has it.
    let alerts = fs::File::open(within("alerts"))?;
    agent.signal(Signal::SIGTERM)?;
    let output = agent.wait(LIMIT)?;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);

    let text = std::io::read_to_string(alerts)?;
    let mut told = Vec::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).with_context(|| format!("half a record: {line}"))?;
        let field = |object: &str, name: &str| record[object][name].as_str().unwrap_or_default().to_owned();
        told.push((field("source", "ip"), field("event", "action")));
    }
    told.retain(|(_, action)| action != "scan-updated");
    told.sort();
    let expected = [lab.client.v4(), lab.scanner.v4()]
        .map(|source| ["scan-detected", "scan-ended"].map(|action| (source.to_string(), action.to_owned())));
    assert_eq!(told, expected.concat());
    Ok(())
}
