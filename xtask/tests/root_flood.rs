//! A flood of forged sources on the wire, and a slow scanner in it: the scanner is found, and what the flood took is bounded
//! and told. Needs root.

mod support;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use support::{
    Incident, LIMIT, RECORD_LIMIT, assert_about, counter, ecs_mac, end, is_detected, only_incident,
    settle_and_end, watching,
};
use xtask::lab::frame::{Link, Tags, TcpFlags};
use xtask::lab::process::Running;
use xtask::lab::{Lab, Scanwatch, Segment};

/// Hosts that the scanner tries, none of which is there.
const HOSTS: f64 = 40.0;
/// Forty hosts, ten a second.
const SCAN: &str = "nmap -n -Pn -sS -p445 --max-retries 0 --max-rate 10 10.2.0.100-139";
/// What a flood may add to the agent's memory, and what it may come to.
const GROWTH_MAX_KB: u64 = 8 << 10;
const MEMORY_MAX_KB: u64 = 32 << 10;
/// An epoch of ten seconds and a little: everything was drained once.
const EPOCH: Duration = Duration::from_secs(11);
/// The longest flood, in case nobody ends it.
const FLOOD_LIMIT: Duration = Duration::from_secs(45);
/// Fewer packets are no flood.
const FLOOD_MIN: u64 = 40_000;

/// Fails unless both records tell the scan as it was.
fn assert_swept(lab: &Lab, incident: &Incident<'_>) {
    for record in [incident.detected, incident.ended] {
        let line = &record.line;
        assert_eq!(
            (record.kind(), record.source()),
            ("horizontal", &*lab.scanner.v4().to_string()),
            "{line}"
        );
        assert_eq!(record.text("source.mac"), ecs_mac(lab.scanner.mac()), "{line}");
        assert_eq!(record.text("network.direction"), "internal", "{line}");
        assert_eq!(record.texts("scanwatch.scan.services"), ["smb"], "{line}");
        assert_eq!(record.number("destination.port"), Some(445.0), "{line}");
        let targets = record.field("scanwatch.scan.targets").and_then(Value::as_array).into_iter().flatten();
        for target in targets {
            let address: Option<Ipv4Addr> = target["ip"].as_str().and_then(|ip| ip.parse().ok());
            let [a, b, c, host] = address.unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
            assert!([a, b, c] == [10, 2, 0] && (100..140).contains(&host), "{target} in {line}");
        }
    }
    assert_about(incident.ended, "scanwatch.scan.hosts", HOSTS);
    assert_about(incident.ended, "scanwatch.scan.pairs", HOSTS);
}

/// Memory of a process that is resident, kB.
fn resident_kb(process: &Running) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.trim().strip_suffix(" kB")).context("the kernel tells no VmRSS")?;
    Ok(kb.parse()?)
}

#[test]
fn a_slow_scan_in_a_flood_at_the_highest_rate_is_the_only_incident_and_memory_stays() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).config("[directions]\ninbound = \"alert\"\n"))?;
    let before_kb = resident_kb(agent.process())?;
    let limit = FLOOD_LIMIT.as_secs().to_string();
    let hping3 = ["hping3", "-q", "-S", "--flood", "--rand-source", "-p", "++1", "10.2.0.10"];
    let flood = lab.outside.spawn("timeout", [&["-s", "KILL", &limit], &hping3[..]].concat())?;
    lab.scanner.run_line(SCAN, LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    thread::sleep(EPOCH);
    let after_kb = resident_kb(agent.process())?;
    drop(flood);
    let report = end(agent)?;
    assert_swept(&lab, &only_incident(&report));
    let forged = counter(&report, "packets.not_admitted");
    println!("{forged} packets from forged sources; {before_kb} kB before, {after_kb} kB in the flood");
    assert!(forged > FLOOD_MIN, "{forged} packets are no flood");
    assert!(
        after_kb < before_kb + GROWTH_MAX_KB && after_kb < MEMORY_MAX_KB,
        "{before_kb} kB, {after_kb} kB"
    );
    assert_eq!(counter(&report, "losses.cells_refused"), 0, "forged sources get no cells");
    assert_eq!(counter(&report, "losses.ring_lost"), 0);
    Ok(())
}

/// The least there can be.
const CELLS_EXTERNAL: u64 = 256;
/// Each shows as many pairs as make it worth a cell.
const SOURCES: u16 = 4_000;
const PAIRS: u16 = 4;
const FRAMES_PER_SECOND: u32 = 20_000;

/// SYNs of sources on the internet to four ports each of a web server.
fn strangers(lab: &Lab) -> Result<Vec<Vec<u8>>> {
    let target = lab.router_mac(Segment::Internet);
    let link = Link { source: lab.outside.mac(), target, tags: Tags::None };
    let frame = |number: u16| {
        let [high, low] = (number / PAIRS).to_be_bytes();
        let source = SocketAddr::from((Ipv4Addr::new(198, 19, high, low), 40_000));
        let port = 10_000 + number % PAIRS * 100 + number / PAIRS % 100;
        link.tcp(source, (lab.web.v4(), port).into(), TcpFlags::SYN)
    };
    (0..SOURCES * PAIRS).map(frame).collect()
}

#[test]
fn sources_outside_that_fill_their_cells_hide_no_scan_and_the_record_tells_what_was_refused() -> Result<()> {
    let lab = Lab::new()?;
    let limits = format!("[limits]\ncells_external = {CELLS_EXTERNAL}\n");
    let mut agent = watching(Scanwatch::on(&lab).config(&limits))?;
    lab.outside.send_frames("eth0", &strangers(&lab)?, FRAMES_PER_SECOND)?;
    lab.scanner.run_line(SCAN, LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let report = settle_and_end(agent)?;
    let incident = only_incident(&report);
    assert_swept(&lab, &incident);
    let refused = counter(&report, "losses.cells_refused");
    println!("{refused} cells were refused");
    assert!(refused > CELLS_EXTERNAL, "{refused} cells were refused");
    assert_eq!(incident.ended.number("scanwatch.losses.cells_refused"), Some(refused as f64));
    Ok(())
}
