//! `cargo xtask lab`: a lab to walk around in.

use std::time::Duration;

use anyhow::Result;

use super::plan::MACHINES;
use super::wait::{Interrupted, poll};
use super::{Lab, Stop};

/// Longest time a lab stays up that everybody has forgotten.
const SESSION_MAX: Duration = Duration::from_hours(12);

/// Builds the lab, says how to enter its machines, and keeps it until Ctrl-C, SIGTERM or half a day has passed.
///
/// Needs root. The line that begins with `ready` comes last.
pub fn run() -> Result<()> {
    let stop = Stop::on_signals()?;
    let lab = Lab::builder().stop(stop.clone()).build()?;
    println!("Enter a machine with `ip netns exec NAME bash`, for example to run nmap or tcpdump:\n");
    println!("  {:22}  router and its interfaces office, servers, internet", lab.router.netns().name());
    println!("  {:22}  the switches of all segments", lab.switch.netns().name());
    for machine in &MACHINES {
        let host = lab.machine(machine.name)?;
        let addresses: Vec<_> = host.addresses().iter().map(ToString::to_string).collect();
        println!("  {:22}  {}", host.netns().name(), addresses.join(" "));
    }
    println!("\nready: Ctrl-C removes the lab");
    let ended = poll::<()>("the end of the session", SESSION_MAX, &stop, || Ok(None));
    match ended {
        Err(error) if error.is::<Interrupted>() => Ok(()),
        other => other,
    }
}
