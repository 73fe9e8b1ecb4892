//! An agent that is killed at any moment.

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use xtask::lab::agent::Setup;
use xtask::lab::wait::poll;
use xtask::lab::{Lab, Scanwatch, Stop};

use super::support::{COUNT_ERROR, RECORD_LIMIT, is_detected, number, watching};
use super::{SOON, links};

/// Times it is killed.
const KILLS: u32 = 4;
/// Latest moment after it began to watch.
const MOMENT_MAX_MS: u64 = 3_000;
/// Ports that are tried in a second, each once, so that whatever is counted twice shows.
const PORTS_PER_S: u32 = 60;

fn remembering(lab: &Lab) -> Setup {
    Scanwatch::on(lab).arg("--state-dir").arg(&lab.folder().join("state").display().to_string())
}

/// Moments that nobody chose; printed, so that a failure can be tried again.
fn moments() -> Vec<Duration> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut state = u64::from(since.subsec_nanos()) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((state >> 33) % MOMENT_MAX_MS)
    };
    let moments = (0..KILLS).map(|_| next()).collect();
    println!("killed after {moments:?}");
    moments
}

#[test]
fn killed_at_random_moments_under_load_it_leaves_nothing_counts_nothing_twice_and_keeps_its_incident()
-> Result<()> {
    let lab = Lab::new()?;
    let state = lab.folder().join("state/incidents.json");
    // Forged sources from outside, beside a scan that goes on over all that follows.
    let _load =
        lab.outside.spawn("hping3", ["-q", "-S", "--rand-source", "-p", "80", "-i", "u1000", "10.2.0.10"])?;
    let rate = PORTS_PER_S.to_string();
    let scan = ["-n", "-Pn", "-sS", "-p1-30000", "--max-rate", &rate, "--max-retries", "0", "10.2.0.20"];
    let began = Instant::now();
    let scan = lab.scanner.spawn("nmap", scan)?;
    let mut agent = watching(remembering(&lab))?;
    let detected = agent.wait_for(is_detected, RECORD_LIMIT)?;
    poll("the first save", SOON, &Stop::new(), || Ok(fs::metadata(&state).is_ok().then_some(())))?;
    let mut records = Vec::new();
    for moment in moments() {
        thread::sleep(moment);
        agent.process().signal(Signal::SIGKILL)?;
        poll("its end", SOON, &Stop::new(), || Ok((!agent.is_running()?).then_some(())))?;
        records.extend(agent.stop()?.records);
        poll("free hooks", SOON, &Stop::new(), || Ok((!links(&lab)?.contains("xdp")).then_some(())))?;
        agent = watching(remembering(&lab))?;
        ensure!(agent.log().contains("going on with 1 open incidents"), "{}", agent.log());
    }
    thread::sleep(Duration::from_secs(5));
    drop(scan);
    let tried = began.elapsed().as_secs_f64() * f64::from(PORTS_PER_S);
    let is_ended = |records: &[xtask::lab::agent::Record]| records.iter().any(|r| r.action() == "scan-ended");
    agent.wait_for(is_ended, Duration::from_mins(2))?;
    records.extend(agent.stop()?.records);

    let id = detected.first().context("waited for")?.incident();
    let told: Vec<_> = records.iter().map(|record| (record.action(), record.incident())).collect();
    ensure!(told.iter().all(|(_, incident)| *incident == id), "{told:?}");
    ensure!(told.iter().filter(|(action, _)| *action == "scan-detected").count() == 1, "{told:?}");
    let last = records.last().context("no record")?;
    let counted = number(last, "scanwatch.scan.ports");
    println!("{counted} of at most {tried:.0} ports were counted over {KILLS} kills");
    ensure!(last.number("scanwatch.scan.hosts") == Some(1.0), "{}", last.line);
    // Less by what nobody watched; more by nothing but the error of the sketches.
    ensure!(counted <= tried * (1.0 + COUNT_ERROR), "{}", last.line);
    ensure!(counted > number(&detected[0], "scanwatch.scan.ports") + 100.0, "{}", last.line);
    Ok(())
}
