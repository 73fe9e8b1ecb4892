//! A second scanwatch on the same interface.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use xtask::lab::agent::binary;
use xtask::lab::wait::poll;
use xtask::lab::{Lab, Scanwatch, Stop};

use super::support::{RECORD_LIMIT, end, is_detected, watching};
use super::{SOON, links, scan};

#[test]
fn a_second_scanwatch_on_an_interface_is_refused_by_number_and_name_of_the_first_whatever_their_hooks()
-> Result<()> {
    let lab = Lab::new()?;
    for hook in ["auto", "tc"] {
        let config = format!("[[interface]]\nname = \"office\"\nhook = \"{hook}\"\n");
        let mut first = watching(Scanwatch::on(&lab).interfaces(&["office"]).config(&config))?;
        let second = lab.router.run(binary()?, ["run", "--interface", "office"], SOON)?;
        let sentence = format!(
            "scanwatch: office is watched already, by process {} (scanwatch): end that scanwatch, or watch another \
             interface\n",
            first.process().pid()
        );
        assert_eq!((second.stderr.as_str(), second.status.code()), (sentence.as_str(), Some(1)), "{hook}");
        // The first was not disturbed.
        scan(&lab.scanner)?;
        first.wait_for(is_detected, RECORD_LIMIT)?;
        end(first)?;
    }
    Ok(())
}

#[test]
fn once_the_first_scanwatch_is_killed_the_next_may_watch_its_interface() -> Result<()> {
    let lab = Lab::new()?;
    let mut first = watching(Scanwatch::on(&lab).interfaces(&["office"]))?;
    first.process().signal(Signal::SIGKILL)?;
    poll("its end", SOON, &Stop::new(), || Ok((!first.is_running()?).then_some(())))?;
    let second = watching(Scanwatch::on(&lab).interfaces(&["office"]))?;
    ensure!(links(&lab)?.contains("xdp"), "nothing is attached");
    end(second).context("the second")?;
    Ok(())
}
