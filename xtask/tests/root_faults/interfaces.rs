//! Interfaces that get another name, another namespace, or frames larger than a page.

use anyhow::{Result, ensure};
use xtask::lab::{Lab, Scanwatch};

use super::support::{LIMIT, RECORD_LIMIT, end, is_detected, only_incident, watching};
use super::{hears, scan};

#[test]
fn an_interface_that_is_renamed_is_watched_on_and_its_new_name_is_said() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).interfaces(&["office"]))?;
    lab.router.run_line("ip link set office name lan", LIMIT)?;
    hears(&agent, "office: the interface is called lan now, and is watched on as office")?;
    scan(&lab.scanner)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    lab.router.run_line("ip link set lan name office", LIMIT)?;
    hears(&agent, "office: the interface has its name again")?;
    let report = end(agent)?;
    only_incident(&report);
    ensure!(!report.stderr.contains("gone"), "{}", report.stderr);
    Ok(())
}

#[test]
fn an_interface_that_moves_to_another_namespace_is_let_go_and_watched_again_once_it_is_back() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).interfaces(&["office"]))?;
    lab.router.run_line(&format!("ip link set office netns {}", lab.switch.netns().name()), LIMIT)?;
    hears(&agent, "office: the interface is gone; waiting for it to come back")?;
    let there = lab.switch.run_line("ip -d link show office", LIMIT)?.stdout;
    ensure!(!there.contains("xdp"), "the program went with it: {there}");
    let hooks = lab.switch.run_line("bpftool net show", LIMIT)?.stdout;
    ensure!(!hooks.contains("scanwatch"), "{hooks}");

    lab.switch.run_line(&format!("ip link set office netns {}", lab.router.netns().name()), LIMIT)?;
    for line in ["ip link set office up", "ip addr add 10.1.0.1/24 dev office"] {
        lab.router.run_line(line, LIMIT)?;
    }
    super::poll("office is watched again", super::SOON, lab.stop(), || {
        Ok((agent.log().matches("watching office").count() == 2).then_some(()))
    })?;
    scan(&lab.scanner)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    only_incident(&end(agent)?);
    Ok(())
}

/// A veth takes frames in several buffers; a bridge has no XDP of its own, so its packets are watched behind the driver.
#[test]
fn above_a_page_an_interface_is_watched_with_frags_and_where_its_driver_refuses_behind_it() -> Result<()> {
    let lab = Lab::new()?;
    lab.switch.run_line("ip link set rt-office mtu 9000", LIMIT)?;
    lab.router.run_line("ip link set office mtu 9000", LIMIT)?;
    let mut agent = watching(Scanwatch::on(&lab).interfaces(&["office"]))?;
    hears(&agent, "watching office by xdp native with frags")?;
    scan(&lab.scanner)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    only_incident(&end(agent)?);

    lab.switch.run_line("ip link add large type bridge", LIMIT)?;
    lab.switch.run_line("ip link set large mtu 9000 up", LIMIT)?;
    let agent = watching(Scanwatch::on(&lab).host(&lab.switch).interfaces(&["large"]))?;
    hears(&agent, "large: no xdp native with frags: ")?;
    hears(&agent, "watching large by xdp generic")?;
    end(agent)?;
    Ok(())
}
