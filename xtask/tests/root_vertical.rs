//! One machine looks for open ports on one server: one incident, whatever is around the packets. Needs root.

mod support;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use support::{
    Incident, LIMIT, RECORD_LIMIT, assert_about, counter, ecs_mac, end, is_detected, number, only_incident,
    watching,
};
use xtask::lab::agent::{Record, Report};
use xtask::lab::frame::{Link, Tags, TcpFlags};
use xtask::lab::{Lab, Scanwatch, Segment};

/// From the packet that makes it a scan to the record; the promise is 0.1 s, on a machine that has nothing else to do.
const PROMPT: Duration = Duration::from_secs(1);
const FRAMES_PER_SECOND: u32 = 1_000;

/// What every scan of these tests must look like, whatever its frames look like.
fn assert_vertical(lab: &Lab, incident: &Incident<'_>, source: IpAddr, target: IpAddr) {
    let Incident { detected, ended } = incident;
    for record in [detected, ended] {
        assert_eq!(record.kind(), "vertical", "{}", record.line);
        for (name, text) in [
            ("source.ip", source.to_string()),
            ("source.mac", ecs_mac(lab.scanner.mac())),
            ("destination.ip", target.to_string()),
            ("network.direction", "internal".to_owned()),
            ("network.transport", "tcp".to_owned()),
            ("network.type", if source.is_ipv4() { "ipv4" } else { "ipv6" }.to_owned()),
            ("observer.ingress.interface.name", "office".to_owned()),
        ] {
            assert_eq!(record.text(name), text, "{name} in {}", record.line);
        }
        assert_eq!(record.texts("scanwatch.scan.technique"), ["syn"], "{}", record.line);
        assert_eq!(record.texts("threat.technique.id"), ["T1046"], "{}", record.line);
        assert!(number(record, "event.severity") >= 73.0, "{}", record.line);
        assert!(record.field("destination.port").is_none(), "many ports are no port: {}", record.line);
        assert_eq!(record.number("scanwatch.scan.hosts"), Some(1.0), "{}", record.line);
    }
    assert_about(ended, "scanwatch.scan.ports", 1_000.0);
    assert_about(ended, "scanwatch.scan.pairs", 1_000.0);
    assert!(ended.text("event.reason").contains(&source.to_string()), "{}", ended.line);
}

/// Runs nmap on the scanner and returns what scanwatch made of it; the alert must come while nmap still scans.
fn nmap(lab: &Lab, line: &str) -> Result<Report> {
    let mut agent = watching(Scanwatch::on(lab))?;
    let started = Instant::now();
    lab.scanner.run_line(line, LIMIT)?;
    let ended = Instant::now();
    let records = agent.wait_for(is_detected, RECORD_LIMIT)?;
    let took = records[0].at - started;
    println!("detected {took:.1?} after the start of nmap, which ran for {:.1?}", ended - started);
    assert!(records[0].at < ended, "detected {:.1?} after the end of the scan", records[0].at - ended);
    end(agent)
}

#[test]
fn nmap_over_ipv4_is_one_vertical_incident() -> Result<()> {
    let lab = Lab::new()?;
    let report = nmap(&lab, "nmap -n -sS -p1-1000 --max-rate 500 10.2.0.10")?;
    assert_vertical(&lab, &only_incident(&report), lab.scanner.v4().into(), lab.web.v4().into());
    Ok(())
}

#[test]
fn nmap_over_ipv6_is_one_vertical_incident() -> Result<()> {
    let lab = Lab::new()?;
    let report = nmap(&lab, "nmap -6 -n -sS -p1-1000 --max-rate 500 fd00:2::10")?;
    assert_vertical(&lab, &only_incident(&report), lab.scanner.v6().into(), lab.web.v6().into());
    Ok(())
}

/// SYNs of the scanner to a thousand ports of a server, in frames with these tags.
fn frames(lab: &Lab, tags: Tags, source: IpAddr, target: IpAddr) -> Result<Vec<Vec<u8>>> {
    let link = Link { source: lab.scanner.mac(), target: lab.router_mac(Segment::Office), tags };
    let syn = |port| link.tcp((source, 40_000).into(), (target, port).into(), TcpFlags::SYN);
    (1..=1_000).map(syn).collect()
}

/// Sends the frames and returns what scanwatch made of them, soon after the first ones.
fn send(lab: &Lab, frames: &[Vec<u8>]) -> Result<Report> {
    let mut agent = watching(Scanwatch::on(lab))?;
    let started = Instant::now();
    lab.scanner.send_frames("eth0", frames, FRAMES_PER_SECOND)?;
    let records = agent.wait_for(is_detected, RECORD_LIMIT)?;
    let took = records[0].at - started;
    println!("detected {took:.1?} after the first frame");
    assert!(took < PROMPT, "detected {took:.1?} after the first frame");
    end(agent)
}

fn assert_vlans(record: &Record, outer: Option<&str>, inner: Option<&str>) {
    assert_eq!(record.text("network.vlan.id"), outer.unwrap_or_default(), "{}", record.line);
    assert_eq!(record.text("network.inner.vlan.id"), inner.unwrap_or_default(), "{}", record.line);
}

#[test]
fn a_scan_is_one_incident_under_any_tags_and_names_its_vlans() -> Result<()> {
    let lab = Lab::new()?;
    let v4 = (lab.scanner.v4().into(), lab.web.v4().into());
    let v6 = (lab.scanner.v6().into(), lab.web.v6().into());
    let qinq = Tags::QinQ { outer: 100, inner: 200 };
    for (tags, (source, target), outer, inner) in [
        (Tags::None, v4, None, None),
        (Tags::Vlan(7), v4, Some("7"), None),
        (qinq, v4, Some("100"), Some("200")),
        (Tags::Vlan(4_094), v6, Some("4094"), None),
        (qinq, v6, Some("100"), Some("200")),
    ] {
        println!("{tags:?} {source}");
        let report = send(&lab, &frames(&lab, tags, source, target)?)?;
        let incident = only_incident(&report);
        assert_vertical(&lab, &incident, source, target);
        assert_vlans(incident.detected, outer, inner);
        assert_vlans(incident.ended, outer, inner);
    }
    Ok(())
}

#[test]
fn the_same_machine_in_two_vlans_is_two_sources() -> Result<()> {
    let lab = Lab::new()?;
    let agent = watching(Scanwatch::on(&lab))?;
    for id in [7, 8] {
        let (source, target) = (lab.scanner.v4().into(), lab.web.v4().into());
        let frames = frames(&lab, Tags::Vlan(id), source, target)?;
        lab.scanner.send_frames("eth0", &frames, FRAMES_PER_SECOND)?;
    }
    let report = end(agent)?;
    let mut ids: Vec<_> =
        report.with_action("scan-detected").map(|record| record.text("network.vlan.id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["7", "8"]);
    for ended in report.with_action("scan-ended") {
        assert_about(ended, "scanwatch.scan.ports", 1_000.0);
    }
    Ok(())
}

#[test]
fn every_way_to_probe_a_server_is_found_and_named() -> Result<()> {
    let lab = Lab::new()?;
    for (options, technique, transport) in [
        ("-sT -p1-60", "connect", "tcp"),
        ("-sN -p1-60", "null", "tcp"),
        ("-sF -p1-60", "fin", "tcp"),
        ("-sX -p1-60", "xmas", "tcp"),
        ("-sS --scanflags SYNFIN -p1-60", "flags", "tcp"),
        ("-sU -p1-60", "udp", "udp"),
        ("-sY -p1-60", "sctp", "sctp"),
        ("-sO", "proto", ""),
    ] {
        println!("{options}");
        let line = format!("nmap -n -Pn {options} --max-retries 0 10.2.0.20");
        let mut agent = watching(Scanwatch::on(&lab))?;
        lab.scanner.run_line(&line, LIMIT)?;
        agent.wait_for(is_detected, RECORD_LIMIT)?;
        let report = end(agent)?;
        let incident = only_incident(&report);
        let line = &incident.ended.line;
        assert_eq!(incident.ended.kind(), "vertical", "{line}");
        assert_eq!(incident.ended.texts("scanwatch.scan.technique"), [technique], "{line}");
        assert_eq!(incident.ended.text("network.transport"), transport, "{line}");
        assert_eq!(incident.ended.text("destination.ip"), "10.2.0.20", "{line}");
        if technique != "proto" {
            assert_about(incident.ended, "scanwatch.scan.ports", 60.0);
        }
    }
    Ok(())
}

/// Several times as many packets from forged sources, each seen once, as from the scanner.
#[test]
fn a_flood_from_forged_sources_neither_hides_a_scan_nor_looks_like_one() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).config("[directions]\ninbound = \"alert\"\n"))?;
    let flood =
        lab.outside.spawn("hping3", ["-q", "-S", "--rand-source", "-p", "80", "-i", "u200", "10.2.0.10"])?;
    lab.scanner.run_line("nmap -n -Pn -sS -p1-1000 --max-rate 500 10.2.0.10", LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    drop(flood);
    let report = end(agent)?;
    assert_vertical(&lab, &only_incident(&report), lab.scanner.v4().into(), lab.web.v4().into());
    let forged = counter(&report, "packets.not_admitted");
    println!("{forged} packets from forged sources");
    assert!(forged > 2_000, "{forged} packets are no flood");
    assert_eq!(counter(&report, "losses.ring_lost"), 0);
    Ok(())
}
