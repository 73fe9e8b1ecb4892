//! A state directory whose disk fills up, or becomes one for reading alone, while scanwatch runs.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use xtask::lab::Lab;
use xtask::lab::agent::binary;
use xtask::lab::process::Running;
use xtask::lab::wait::poll;

use super::support::LIMIT;
use super::{SOON, scan};

const SAVED_AGAIN: &str = "open incidents are saved again";
const NOT_SAVED: &str = "open incidents cannot be saved, and would begin again with a restart: ";

/// scanwatch in a mount namespace of its own, with a small disk under its state directory.
fn watching(lab: &Lab, state: &Path) -> Result<Running> {
    fs::create_dir_all(state)?;
    let script = format!(
        "mount -t tmpfs -o size=512k none {0}; exec {1} run --interface office --state-dir {0}",
        state.display(),
        binary()?.display()
    );
    let agent = lab.router.spawn("unshare", ["--mount", "sh", "-ec", &script])?;
    hears(lab, &agent, "watching office", 1)?;
    Ok(agent)
}

fn hears(lab: &Lab, agent: &Running, words: &str, times: usize) -> Result<()> {
    let heard = agent.stderr().clone();
    let told =
        poll(words, SOON, lab.stop(), || Ok((heard.text().matches(words).count() >= times).then_some(())));
    told.with_context(|| heard.text())
}

#[test]
fn state_on_a_disk_that_is_full_or_for_reading_alone_is_said_and_saved_once_that_is_over() -> Result<()> {
    let lab = Lab::new()?;
    let state = lab.folder().join("state");
    let mut agent = watching(&lab, &state)?;
    let within = Path::new("/proc").join(agent.pid().to_string()).join("root");
    let inside = within.join(state.strip_prefix("/")?);
    // Not to the last byte: the file system keeps what it needs for names.
    let ballast = inside.join("ballast");
    let filled = fs::write(&ballast, vec![0; 1 << 20]);
    ensure!(filled.is_err(), "the disk is not full");
    scan(&lab.scanner)?;
    hears(&lab, &agent, &format!("{NOT_SAVED}{}: No space left on device", state.display()), 1)?;
    fs::remove_file(&ballast)?;
    hears(&lab, &agent, SAVED_AGAIN, 1)?;
    ensure!(inside.join("incidents.json").is_file(), "nothing is there");

    let enter = |command: &str| {
        let pid = agent.pid().to_string();
        let words = ["-t", &pid, "-m"].map(str::to_owned).into_iter();
        let words = words.chain(command.split(' ').map(str::to_owned));
        lab.router.run("nsenter", words, LIMIT)?.ok()
    };
    let disk = state.display().to_string();
    enter(&format!("mount -t tmpfs -o ro none {disk}"))?;
    scan(&lab.client)?;
    hears(&lab, &agent, &format!("{NOT_SAVED}{disk}: Read-only file system"), 1)?;
    enter(&format!("umount {disk}"))?;
    hears(&lab, &agent, SAVED_AGAIN, 2)?;

    ensure!(agent.is_running()?, "it ended");
    agent.signal(Signal::SIGTERM)?;
    let output = agent.wait(LIMIT)?;
    ensure!(output.status.success(), "{}", output.stderr);
    ensure!(output.stderr.matches(NOT_SAVED).count() == 2, "it was said again: {}", output.stderr);
    let detected = output.stdout.matches("\"scan-detected\"").count();
    ensure!(detected == 2, "{detected} scans were told");
    Ok(())
}
