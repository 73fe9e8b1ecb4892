//! A receiver that nobody reaches and a spool that nobody may write: the agent watches all the same, and says so. Needs root.

mod support;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use support::{LIMIT, RECORD_LIMIT};
use xtask::lab::Lab;
use xtask::lab::agent::binary;
use xtask::lab::process::Running;
use xtask::lab::wait::poll;

/// Nobody listens on the port for discarding.
const SINK: &str = "[[sink]]\nname = \"siem\"\ntype = \"syslog\"\naddress = \"tcp://127.0.0.1:9\"\n";

/// scanwatch with a sink that reaches nobody, after some commands to which `$1` is the state directory.
fn watching(lab: &Lab, before: &str) -> Result<Running> {
    let state = lab.folder().join("state");
    fs::create_dir_all(state.join("spool"))?;
    let config = lab.folder().join("unreachable.toml");
    fs::write(&config, format!("[state]\ndirectory = \"{}\"\n{SINK}", state.display()))?;
    let run = format!("exec {} run --interface office --config {}", binary()?.display(), config.display());
    let script = format!("{before}{run}");
    let state = state.display().to_string();
    let agent =
        lab.router.spawn("unshare", ["--mount", "sh", "-ec", script.as_str(), "sh", state.as_str()])?;
    hears(lab, &agent, "watching office")?;
    Ok(agent)
}

fn hears(lab: &Lab, agent: &Running, words: &str) -> Result<()> {
    let heard = agent.stderr().clone();
    let told = poll(words, RECORD_LIMIT, lab.stop(), || Ok(heard.text().contains(words).then_some(())));
    told.with_context(|| heard.text())
}

/// Has a scan reported to nobody, and ends the agent: its exit code, and what it said.
fn scanned(lab: &Lab, agent: Running) -> Result<(Option<i32>, String)> {
    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?.ok()?;
    hears(lab, &agent, "; messages that wait to be tried again: ")?;
    agent.signal(Signal::SIGTERM)?;
    let output = agent.wait(LIMIT)?;
    Ok((output.status.code(), output.stderr))
}

#[test]
fn what_a_receiver_that_nobody_reaches_should_have_waits_in_the_spool_for_the_next_start() -> Result<()> {
    let lab = Lab::new()?;
    let (code, said) = scanned(&lab, watching(&lab, "")?)?;
    ensure!(code == Some(0), "{said}");
    ensure!(said.contains("sink siem: messages that wait in its spool for the next start: 1"), "{said}");
    let agent = watching(&lab, "")?;
    hears(&lab, &agent, "sink siem: messages of before that wait in its spool: 1")?;
    Ok(())
}

#[test]
fn without_a_spool_to_write_to_the_agent_watches_says_so_and_counts_at_its_end_what_is_lost() -> Result<()> {
    let lab = Lab::new()?;
    let agent = watching(&lab, "mount -t tmpfs -o ro none $1/spool; ")?;
    let folder = lab.folder().join("state/spool/siem");
    let trouble = format!(
        "sink siem: the spool {} cannot be used (Read-only file system (os error 30)): alerts that wait are held in memory; \
         make room, or let this user write there",
        folder.display()
    );
    hears(&lab, &agent, &trouble)?;
    let (code, said) = scanned(&lab, agent)?;
    ensure!(said.matches(&trouble).count() == 1, "{said}");
    let last = said.lines().last().unwrap_or_default();
    ensure!(last == "scanwatch: 1 message was not delivered and is lost; the log says why", "{said}");
    ensure!(code == Some(1), "{said}");
    Ok(())
}
