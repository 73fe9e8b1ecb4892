//! What scanwatch does when something around it breaks. The table of all faults is docs/FAULTS.md. Needs root.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod clocks;
mod disk;
mod holders;
mod interfaces;
mod killed;
mod resources;

use std::time::Duration;

use anyhow::{Context as _, Result};
use xtask::lab::wait::poll;
use xtask::lab::{Host, Lab, Scanwatch, Stop};

/// Longest time for what needs no traffic, on a busy machine.
const SOON: Duration = Duration::from_secs(40);

/// Waits until scanwatch has said this.
fn hears(agent: &Scanwatch, words: &str) -> Result<()> {
    let told = poll(words, SOON, &Stop::new(), || Ok(agent.log().contains(words).then_some(())));
    told.with_context(|| agent.log())
}

/// Two hundred ports of a file server, within half a second.
fn scan(from: &Host) -> Result<()> {
    from.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", support::LIMIT)?;
    Ok(())
}

/// What the router's interfaces look like.
fn links(lab: &Lab) -> Result<String> {
    Ok(lab.router.run_line("ip -d link show", SOON)?.stdout)
}
