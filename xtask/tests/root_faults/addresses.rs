//! Frames from nobody, from ourselves, and in every VLAN at once, as the kernel programs of a running scanwatch see them.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};
use xtask::lab::frame::{Link, Tags, TcpFlags};
use xtask::lab::{Lab, Scanwatch, Segment};

use super::support::{
    RECORD_LIMIT, assert_silent, counter, is_detected, only_incident, settle_and_end, watching,
};

/// Frames a second.
const RATE: u32 = 4_000;
/// As the scanner's, and no other machine's.
const FORGER: [u8; 6] = [2, 0, 10, 1, 0, 0x66];

fn syn(link: Link, source: IpAddr, target: IpAddr, port: u16) -> Result<Vec<u8>> {
    link.tcp(SocketAddr::new(source, 40_000), SocketAddr::new(target, port), TcpFlags::SYN)
}

fn to_the_router(lab: &Lab, tags: Tags) -> Link {
    Link { source: FORGER, target: lab.router_mac(Segment::Office), tags }
}

#[test]
fn sources_that_nobody_owns_are_counted_and_nobody_is_accused() -> Result<()> {
    const PORTS: u16 = 60;
    let lab = Lab::new()?;
    let agent = watching(Scanwatch::on(&lab).interfaces(&["office"]))?;
    let nobody =
        ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "::1", "ff02::1"];
    let mut frames = Vec::new();
    for source in nobody {
        let source: IpAddr = source.parse()?;
        let target: IpAddr = if source.is_ipv4() { "10.2.0.10" } else { "fd00:2::10" }.parse()?;
        for port in 1..=PORTS {
            frames.push(syn(to_the_router(&lab, Tags::None), source, target, port)?);
        }
    }
    lab.scanner.send_frames("eth0", &frames, RATE)?;
    let report = settle_and_end(agent)?;
    assert_silent(&report);
    let unusable = counter(&report, "packets.source_unusable");
    ensure!(unusable == frames.len() as u64, "{unusable} of {}", frames.len());
    Ok(())
}

/// Whoever sends under the router's own address is named by the link-layer address, as nothing shows the other to be true.
#[test]
fn a_scan_under_our_own_address_is_told_with_who_sent_it_and_as_unconfirmed() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).interfaces(&["office"]))?;
    let own = IpAddr::V4(lab.router.v4());
    let probe = |port| syn(to_the_router(&lab, Tags::None), own, "10.2.0.10".parse()?, port);
    let frames = (1..=200).map(probe).collect::<Result<Vec<_>>>()?;
    lab.scanner.send_frames("eth0", &frames, 500)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let report = settle_and_end(agent)?;
    let detected = only_incident(&report).detected;
    assert_eq!(detected.source(), own.to_string());
    assert_eq!(detected.text("source.mac"), super::support::ecs_mac(FORGER), "{}", detected.line);
    let confirmed = detected.field("scanwatch.source_confirmed").and_then(serde_json::Value::as_bool);
    assert_eq!(confirmed, Some(false), "{}", detected.line);
    Ok(())
}

#[test]
fn all_4096_vlans_at_once_hide_no_scan_in_one_of_them() -> Result<()> {
    const SCANNED: u16 = 77;
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).interfaces(&["office"]))?;
    let source = IpAddr::V4(lab.scanner.v4());
    let target: IpAddr = "10.2.0.10".parse()?;
    let tagged: [fn(u16) -> Tags; 2] = [Tags::Vlan, |id| Tags::QinQ { outer: id, inner: 4_095 - id }];
    for tags in tagged {
        let mut frames = Vec::new();
        for id in 0..4_096 {
            // Of one service, so that there is a cell for each VLAN, and room for all.
            for port in [80, 443] {
                frames.push(syn(to_the_router(&lab, tags(id)), source, target, port)?);
            }
        }
        lab.scanner.send_frames("eth0", &frames, RATE)?;
    }
    let probe = |port| syn(to_the_router(&lab, Tags::Vlan(SCANNED)), source, target, port);
    let frames = (1_000..1_200).map(probe).collect::<Result<Vec<_>>>()?;
    lab.scanner.send_frames("eth0", &frames, 500)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let report = settle_and_end(agent)?;
    let detected = only_incident(&report).detected;
    assert_eq!(detected.text("network.vlan.id"), SCANNED.to_string(), "{}", detected.line);
    let tracked = counter(&report, "sources.tracked");
    println!("{tracked} sources are tracked, {} cells refused", counter(&report, "losses.cells_refused"));
    ensure!((8_000..=8_192).contains(&tracked), "{tracked} sources");
    Ok(())
}
