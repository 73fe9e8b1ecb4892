//! SIGHUP: another configuration without detaching, without losing counts, and without ending incidents. Needs root.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use support::{LIMIT, RECORD_LIMIT, SILENCE, counter, is_detected, number, watching};
use xtask::lab::agent::Record;
use xtask::lab::wait::poll;
use xtask::lab::{Lab, Scanwatch, Stop};

/// Longest time from the signal to the line that says what became of it.
const SOON: Duration = Duration::from_secs(30);
/// Longest time from the last probe of an incident to its end: the quiet time, and the look after it.
const ENDED_LIMIT: Duration = Duration::from_mins(2);

const BEFORE: &str = "[[zone]]\nname = \"inside\"\nnetworks = [\"10.0.0.0/8\", \"fd00::/8\"]\n";
/// The same networks by other numbers, and other limits.
const AFTER: &str = "[[zone]]\nname = \"lab\"\nnetworks = [\"192.168.0.0/16\"]\n\
    [[zone]]\nname = \"servers\"\nnetworks = [\"10.2.0.0/16\"]\n\
    [[zone]]\nname = \"inside\"\nnetworks = [\"10.1.0.0/16\", \"fd00::/8\"]\n\
    [services]\nghosts = [\"tcp/666\"]\n";

/// Programs, maps and links a process holds.
fn holdings(agent: &Scanwatch) -> Result<BTreeSet<String>> {
    let folder = format!("/proc/{}/fdinfo", agent.process().pid());
    let mut held = BTreeSet::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let Ok(info) = fs::read_to_string(entry?.path()) else { continue };
        let ids = info
            .lines()
            .filter(|line| ["prog_id:", "map_id:", "link_id:"].iter().any(|key| line.starts_with(key)));
        held.extend(ids.map(str::to_owned));
    }
    Ok(held)
}

/// The only configuration file in the lab's folder.
fn config_of(lab: &Lab) -> Result<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(lab.folder())? {
        let path = entry?.path();
        files.extend(path.extension().is_some_and(|extension| extension == "toml").then_some(path));
    }
    ensure!(files.len() == 1, "{files:?}");
    files.pop().context("no configuration")
}

/// Writes a configuration, sends the signal, and waits until the log says this once more than before.
fn reload(lab: &Lab, agent: &Scanwatch, config: &str, said: &str) -> Result<()> {
    let before = agent.log().matches(said).count();
    fs::write(config_of(lab)?, config)?;
    agent.process().signal(Signal::SIGHUP)?;
    let is_said = || Ok((agent.log().matches(said).count() > before).then_some(()));
    poll(&format!("{said:?} in the log"), SOON, &Stop::new(), is_said)
        .with_context(|| format!("the log:\n{}", agent.log()))
}

fn told(records: &[Record]) -> Vec<(&str, &str)> {
    records.iter().map(|record| (record.action(), record.incident())).collect()
}

#[test]
fn a_scan_goes_on_over_reloads_good_and_bad_until_a_role_covers_it() -> Result<()> {
    const READ: &str = "configuration read again";
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).config(BEFORE))?;
    let nmap =
        lab.scanner.spawn("nmap", ["-n", "-Pn", "-sS", "-p1-4000", "--max-rate", "100", "10.2.0.10"])?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let held = holdings(&agent)?;
    ensure!(held.len() > 5, "it holds next to nothing: {held:?}");

    for config in [AFTER, BEFORE, AFTER] {
        reload(&lab, &agent, config, READ)?;
    }
    let bad = format!("{AFTER}[[zone]]\nname = 7\n");
    reload(&lab, &agent, &bad, "the configuration stays as it was")?;
    ensure!(agent.log().contains(".toml:13: "), "it does not say where: {}", agent.log());
    reload(&lab, &agent, &format!("{AFTER}[limits]\ncells_internal = 2048\n"), "until then: cells_internal")?;
    ensure!(holdings(&agent)? == held, "something was attached or detached");

    // Everything up to here is in the incident, and nothing after.
    std::thread::sleep(Duration::from_secs(12));
    let role = "[[role]]\nname = \"ours\"\nkind = \"asset_manager\"\nsources = [\"10.1.0.99\"]\n";
    reload(&lab, &agent, &format!("{AFTER}{role}"), READ)?;
    let is_ended = |records: &[Record]| records.iter().any(|record| record.action() == "scan-ended");
    let records = agent.wait_for(is_ended, ENDED_LIMIT)?;
    drop(nmap);
    let report = agent.stop()?;
    ensure!(report.status.success(), "{}", report.stderr);
    ensure!(report.records.len() == records.len(), "{:?}", told(&report.records));
    let (first, last) = (records.first().context("none")?, records.last().context("none")?);
    ensure!(records.iter().all(|record| record.incident() == first.incident()), "{:?}", told(&records));
    ensure!(last.texts("scanwatch.scan.targets").len() <= 16 && last.kind() == "vertical", "{}", last.line);
    ensure!(number(last, "scanwatch.scan.hosts") < 1.5, "{}", last.line);
    ensure!(number(last, "scanwatch.scan.ports") > 1_000.0, "{}", last.line);
    ensure!(counter(&report, "configuration.reloads") == 5, "{:?}", report.stats);
    ensure!(counter(&report, "configuration.failures") == 1, "{:?}", report.stats);
    ensure!(counter(&report, "incidents.vertical.total") == 1, "{:?}", report.stats);
    Ok(())
}

/// What a sink has written to its file.
fn written(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn thresholds_services_and_sinks_are_followed_and_what_was_counted_before_is_judged_by_them() -> Result<()> {
    const READ: &str = "configuration read again";
    const OFF: &str = "{ \"1m\" = \"off\", \"10m\" = \"off\", \"1h\" = \"off\", \"24h\" = \"off\" }";
    let lab = Lab::new()?;
    // A sink in a folder that no sink had at the start is out of reach otherwise.
    let unconfined = format!("[rights]\nlandlock = false\n{BEFORE}");
    let blind = format!("{unconfined}[thresholds]\nvertical = {OFF}\nvertical_any = {OFF}\n");
    let mut agent = watching(Scanwatch::on(&lab).config(&blind))?;
    let scan = |target: &str| {
        let line = format!(
            "nmap -n -Pn -sS -p20000-20099 --max-rate 200 --max-retries 0 --source-port 40000 {target}"
        );
        lab.scanner.run_line(&line, LIMIT).map(drop)
    };
    scan("10.2.0.10")?;
    std::thread::sleep(SILENCE * 2);
    ensure!(agent.records()?.is_empty(), "it is judged by a threshold that is off");

    // Thresholds again, a service, and a sink instead of standard output.
    let alerts = lab.folder().join("alerts.json");
    let sink = format!("[[sink]]\nname = \"siem\"\ntype = \"file\"\npath = \"{}\"\n", alerts.display());
    let ghosts = "[services]\nghosts = [\"tcp/20000-20099\"]\n";
    reload(&lab, &agent, &format!("{unconfined}{ghosts}{sink}"), READ)?;
    let is_said = || Ok(agent.log().contains("the state directory").then_some(()));
    poll("a line on where spools are", LIMIT, lab.stop(), is_said).with_context(|| agent.log())?;
    let is_told = |action: &str, target: &str| {
        poll(&format!("{action} of {target}"), RECORD_LIMIT, lab.stop(), || {
            let told = written(&alerts).into_iter().find(|record| {
                record["event"]["action"] == action && record["event"]["reason"].to_string().contains(target)
            });
            Ok(told)
        })
        .with_context(|| format!("{:?}\n{}", written(&alerts), agent.log()))
    };
    let detected = is_told("scan-detected", "10.2.0.10")?;
    scan("10.2.0.20")?;
    let named = poll("a record that names the service", RECORD_LIMIT, lab.stop(), || {
        let named = written(&alerts)
            .into_iter()
            .find(|record| record["scanwatch"]["scan"]["services"].to_string().contains("ghosts"));
        Ok(named)
    })
    .with_context(|| format!("{:?}", written(&alerts)))?;
    ensure!(named["source"] == detected["source"], "{named}");
    ensure!(agent.records()?.is_empty(), "standard output gets what is the sink's");

    // The sink goes, and standard output has what comes then.
    let before = written(&alerts).len();
    reload(&lab, &agent, &unconfined, READ)?;
    let report = agent.stop()?;
    ensure!(report.status.success(), "{}", report.stderr);
    let ended = report.with_action("scan-ended").next().context("its end is nowhere")?;
    ensure!(ended.source() == detected["source"]["ip"], "{}", ended.line);
    ensure!(written(&alerts).len() == before, "the sink that is gone gets records");
    Ok(())
}
