//! `cargo xtask demo`: an office day in about half a minute, watched by scanwatch, told as a table.

mod judge;
mod progress;
mod scenes;
mod table;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use self::judge::{Outcome, Played};
use self::progress::Progress;
use self::scenes::{Action, Expectation, SCENES, Scene};
use crate::lab::agent::{Record, Report, Scanwatch};
use crate::lab::wait::poll;
use crate::lab::{Lab, Stop, plan};
use crate::step::print;

/// Programs that the demo runs, apart from scanwatch: those of the lab and those of the scenes.
pub const PROGRAMS: &[&str] = &["ip", "ethtool", "nginx", "dnsmasq", "nmap", "masscan"];

const READY_LIMIT: Duration = Duration::from_secs(20);
/// Longest time one scene may take.
const SCENE_LIMIT: Duration = Duration::from_mins(1);
/// Longest wait for outstanding alerts after the last scene: one epoch of the maps and a little.
const ALERT_LIMIT: Duration = Duration::from_secs(12);
/// Pause between scenes, so that a viewer can follow and one scene's last packets are not the next one's.
const PAUSE: Duration = Duration::from_millis(500);

/// From the last scene until all of it is judged: silence is failure after three seconds.
const SETTLED: Duration = Duration::from_secs(5);

/// Plays all scenes and prints what came of them. Needs root, the built scanwatch and [`PROGRAMS`].
///
/// Leaves nothing behind, also when it fails, and after Ctrl-C.
///
/// # Errors
/// Also where scanwatch said something else than the scenes expect.
pub fn run() -> Result<()> {
    let stop = Stop::on_signals()?;
    let progress = Progress::start(SCENES.len());
    let lab = {
        progress.say("building a router, three segments, twelve machines");
        Lab::builder().stop(stop.clone()).build()?
    };
    progress.say("starting scanwatch on the router");
    let mut agent = Scanwatch::on(&lab).config(plan::ROLES).start()?;
    agent.wait_ready(READY_LIMIT)?;

    let mut played = Vec::new();
    for scene in &SCENES {
        progress.scene(scene);
        played.push(play(&lab, scene)?);
        stop.check()?;
    }
    progress.say("waiting for scanwatch's last word");
    let last = Instant::now();
    poll(
        "the end of the last silence",
        2 * SETTLED,
        &stop,
        || Ok((last.elapsed() >= SETTLED).then_some(())),
    )?;
    wait_for_alerts(&mut agent, &played, &stop)?;
    let report = agent.stop()?;
    progress.say("removing the lab");
    drop(lab);
    drop(progress);
    tell(&played, &report)
}

fn play<'a>(lab: &Lab, scene: &'a Scene) -> Result<Played<'a>> {
    let host = lab.machine(scene.actor)?;
    let started = Instant::now();
    match scene.action {
        Action::Tool(line) => {
            host.run_line(line, SCENE_LIMIT)?;
        }
        Action::Own(_, work) => work(lab, host)?,
    }
    thread::sleep(PAUSE);
    Ok(Played { scene, source: host.v4().to_string(), started })
}

/// Waits until every alert that is expected has come, but not for ever: what is missing shows in the table.
fn wait_for_alerts(agent: &mut Scanwatch, played: &[Played<'_>], stop: &Stop) -> Result<()> {
    let complete = |records: &[Record]| {
        judge::outcomes(played, records, None).iter().all(|outcome| {
            outcome.detected.is_some() || !matches!(outcome.played.scene.expected, Expectation::Alert { .. })
        })
    };
    let result = poll("the last alert", ALERT_LIMIT, stop, || Ok(complete(agent.records()?).then_some(())));
    stop.check()?;
    if result.is_err() && !agent.is_running()? {
        // Its own words say more than our table could.
        result?;
    }
    Ok(())
}

/// Prints the table and the alerts; fails where reality differs from what was expected.
fn tell(played: &[Played<'_>], report: &Report) -> Result<()> {
    let outcomes = judge::outcomes(played, &report.records, report.stats.as_ref());
    let alerts =
        report.records.iter().filter(|record| matches!(record.action(), "scan-detected" | "scan-ended"));
    let alerts: Vec<_> = alerts.map(|record| record.line.as_str()).collect();
    print(&format!(
        "{}\nThe alerts, as a SIEM gets them (one JSON object a line):\n\n{}\n\n",
        table::render(&outcomes),
        alerts.join("\n")
    ))?;
    let mut wrong: Vec<String> = outcomes.iter().filter_map(Outcome::complaint).collect();
    wrong.extend(judge::strangers(played, &report.records));
    if !report.status.success() {
        wrong.push(format!("scanwatch ended with {}", report.status));
    }
    if !wrong.is_empty() {
        bail!("the demo went otherwise than expected: {}", wrong.join("; "));
    }
    print(&format!("All {} scenes went as expected; nothing of the lab is left.\n", outcomes.len()))
}
