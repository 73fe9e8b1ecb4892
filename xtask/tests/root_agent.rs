//! What the running scanwatch promises about itself: starts, ends, interfaces that come and go, silence. Needs root.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use support::{LIMIT, RECORD_LIMIT, counter, end, is_detected, only_incident, watching};
use xtask::lab::agent::{Record, binary};
use xtask::lab::plan::mac_text;
use xtask::lab::process::Running;
use xtask::lab::wait::poll;
use xtask::lab::{Host, Lab, Scanwatch, Segment, Stop, internet_hosts};

/// Longest time for what needs no traffic: a process that ends, an interface that is noticed.
const SOON: Duration = Duration::from_secs(30);

/// Waits until `probe` holds.
fn eventually(what: &str, mut probe: impl FnMut() -> Result<bool>) -> Result<()> {
    poll(what, SOON, &Stop::new(), || Ok(probe()?.then_some(())))
}

/// What a process holds in the kernel by descriptors: programs and maps, each as a `bpftool` command that shows it.
fn holdings(pid: Pid) -> Result<BTreeSet<String>> {
    let folder = format!("/proc/{pid}/fdinfo");
    let mut held = BTreeSet::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let Ok(info) = fs::read_to_string(entry?.path()) else { continue };
        for (key, object) in [("prog_id:", "prog"), ("map_id:", "map")] {
            let ids = info.lines().filter_map(|line| line.strip_prefix(key));
            held.extend(ids.map(|id| format!("{object} show id {}", id.trim())));
        }
    }
    Ok(held)
}

/// Whether the kernel still has what a `bpftool` command shows.
fn exists(lab: &Lab, object: &str) -> Result<bool> {
    Ok(lab.router.run("bpftool", object.split(' '), SOON)?.status.success())
}

/// What scanwatch holds while it runs.
fn held_by(lab: &Lab, agent: &Scanwatch) -> Result<BTreeSet<String>> {
    let held = holdings(agent.process().pid())?;
    let program = held.iter().find(|object| object.starts_with("prog"));
    ensure!(
        held.len() > 5 && exists(lab, program.context("no program")?)?,
        "it holds next to nothing: {held:?}"
    );
    Ok(held)
}

/// Fails unless all `held` is gone from the kernel, and with it every hook and every pin that would keep it, and no
/// interface of the router has a program.
fn assert_gone(lab: &Lab, held: &BTreeSet<String>) -> Result<()> {
    for object in held {
        // The kernel takes programs and maps apart after a grace period.
        eventually(&format!("the end of {object}"), || Ok(!exists(lab, object)?))?;
    }
    let links = lab.router.run_line("ip -d link show", SOON)?.stdout;
    assert!(!links.contains("xdp"), "{links}");
    let hooks = lab.router.run_line("bpftool net show", SOON)?.stdout;
    assert!(!hooks.contains("scanwatch"), "{hooks}");
    Ok(())
}

/// Knocks on one port of the web server after the other, a thousand a second, until dropped.
fn knocking(host: &Host) -> Result<Running> {
    host.spawn("hping3", ["-q", "-S", "-p", "++1", "-i", "u1000", "10.2.0.10"])
}

/// Ends scanwatch by `signal` alone and waits for its end.
fn end_by(agent: &mut Scanwatch, signal: Signal) -> Result<Duration> {
    let started = Instant::now();
    agent.process().signal(signal)?;
    eventually("the end of scanwatch", || Ok(!agent.is_running()?))?;
    Ok(started.elapsed())
}

#[test]
fn twenty_starts_and_ends_on_busy_interfaces_leave_nothing() -> Result<()> {
    let lab = Lab::new()?;
    let (_inside, _outside) = (knocking(&lab.scanner)?, knocking(&lab.outside)?);
    let mut slowest = [Duration::ZERO; 2];
    for round in 0..20 {
        let started = Instant::now();
        let mut agent = watching(Scanwatch::on(&lab))?;
        slowest[0] = slowest[0].max(started.elapsed());
        let held = held_by(&lab, &agent)?;
        agent.wait_for(is_detected, RECORD_LIMIT)?;
        let signal = [Signal::SIGINT, Signal::SIGTERM][round % 2];
        slowest[1] = slowest[1].max(end_by(&mut agent, signal)?);
        let report = end(agent).with_context(|| format!("round {round}, {signal}"))?;
        let incident = only_incident(&report);
        assert_eq!(incident.ended.source(), lab.scanner.v4().to_string());
        assert!(counter(&report, "directions.inbound.sources") >= 1, "{:?}", report.stats);
        assert_gone(&lab, &held).with_context(|| format!("round {round}, {signal}"))?;
    }
    println!("slowest start {:.1?}, slowest end {:.1?}", slowest[0], slowest[1]);
    Ok(())
}

#[test]
fn a_killed_scanwatch_leaves_nothing_and_the_next_one_works() -> Result<()> {
    let lab = Lab::new()?;
    let _inside = knocking(&lab.scanner)?;
    for hook in ["auto", "tc"] {
        let config = format!("[[interface]]\nname = \"office\"\nhook = \"{hook}\"\n");
        let on_office = || watching(Scanwatch::on(&lab).interfaces(&["office"]).config(&config));
        let mut agent = on_office()?;
        let held = held_by(&lab, &agent)?;
        agent.wait_for(is_detected, RECORD_LIMIT)?;
        end_by(&mut agent, Signal::SIGKILL)?;
        assert_gone(&lab, &held)?;
        let mut agent = on_office()?;
        agent.wait_for(is_detected, RECORD_LIMIT)?;
        only_incident(&end(agent)?);
    }
    Ok(())
}

/// Deletes the router's office interface, with its cable.
fn unplug(lab: &Lab) -> Result<()> {
    lab.router.run_line("ip link delete office", LIMIT).map(drop)
}

/// Lays the cable that [`unplug`] took, as the lab lays its cables.
fn plug(lab: &Lab) -> Result<()> {
    let (mac, switch) = (mac_text(lab.router_mac(Segment::Office)), lab.switch.netns().name());
    let link = format!("ip link add office address {mac} type veth peer name rt-office netns {switch}");
    lab.router.run_line(&link, LIMIT)?;
    lab.switch.run_line("ip link set rt-office master br-office up", LIMIT)?;
    for line in [
        "ip link set office up",
        "ip addr add 10.1.0.1/24 dev office",
        "ip addr add fd00:1::1/64 dev office nodad",
        "ethtool -K office tx off tso off gso off gro off",
    ] {
        lab.router.run_line(line, LIMIT)?;
    }
    Ok(())
}

#[test]
fn an_interface_that_vanishes_and_comes_back_is_watched_again_and_the_others_all_the_while() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab))?;
    let _outside = knocking(&lab.outside)?;
    for round in 1..=3 {
        let said = |agent: &Scanwatch, text: &str| Ok(agent.log().matches(text).count() == round);
        unplug(&lab)?;
        eventually("the news that office is gone", || said(&agent, "office: the interface is gone"))?;
        if round == 2 {
            let line = "nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 203.0.113.254";
            lab.web.run_line(line, LIMIT)?;
            let at_servers = |record: &Record| record.source() == lab.web.v4().to_string();
            agent.wait_for(|records| records.iter().any(at_servers), RECORD_LIMIT)?;
        }
        plug(&lab)?;
        let watched = |agent: &Scanwatch| Ok(agent.log().matches("watching office").count() == round + 1);
        eventually("the news that office is watched again", || watched(&agent))?;
    }
    assert_eq!(agent.log().matches("watching").count(), 3 + 3, "{}", agent.log());

    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?;
    let at_office = |record: &Record| record.source() == lab.scanner.v4().to_string();
    let records = agent.wait_for(|records| records.iter().any(at_office), RECORD_LIMIT)?;
    let alert = records.iter().find(|record| at_office(record)).context("waited for")?;
    assert_eq!(alert.text("observer.ingress.interface.name"), "office", "{}", alert.line);
    let report = end(agent)?;
    assert_eq!(report.with_action("scan-detected").count(), 2);
    assert_eq!(report.with_action("scan-ended").count(), 2);
    assert!(!report.stderr.contains("ERROR"), "{}", report.stderr);
    Ok(())
}

#[test]
fn an_interface_that_is_away_at_the_end_is_no_trouble() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab))?;
    let held = held_by(&lab, &agent)?;
    unplug(&lab)?;
    eventually("the news", || Ok(agent.log().contains("office: the interface is gone")))?;
    assert!(agent.is_running()?);
    end(agent)?;
    assert_gone(&lab, &held)
}

#[test]
fn an_interface_that_is_set_down_and_up_is_still_watched() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab))?;
    lab.router.run_line("ip link set office down", LIMIT)?;
    lab.router.run_line("ip link set office up", LIMIT)?;
    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let report = end(agent)?;
    only_incident(&report);
    assert_eq!(report.stderr.matches("watching office").count(), 1, "{}", report.stderr);
    Ok(())
}

/// Leaving a bridge is told by the same kind of message as the end of an interface.
#[test]
fn a_bridge_port_that_leaves_and_joins_its_bridge_is_still_watched() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).host(&lab.switch).interfaces(&["scanner"]))?;
    lab.switch.run_line("ip link set scanner nomaster", LIMIT)?;
    lab.switch.run_line("ip link set scanner master br-office", LIMIT)?;
    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let report = end(agent)?;
    only_incident(&report);
    assert!(!report.stderr.contains("gone"), "{}", report.stderr);
    assert_eq!(report.stderr.matches("watching scanner").count(), 1, "{}", report.stderr);
    Ok(())
}

#[test]
fn every_interface_is_watched_and_records_name_the_one_that_saw_the_scan() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab).config("[directions]\ninbound = \"alert\"\n"))?;
    for (machine, target) in
        [(&lab.scanner, "10.2.0.20"), (&lab.web, "10.1.0.10"), (&lab.outside, "10.2.0.30")]
    {
        let line = format!("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 {target}");
        machine.run_line(&line, LIMIT)?;
    }
    let detected = |records: &[Record]| records.iter().filter(|r| r.action() == "scan-detected").count();
    let records = agent.wait_for(|records| detected(records) == 3, RECORD_LIMIT)?;
    let seen = records.iter().filter(|record| record.action() == "scan-detected");
    let seen: BTreeSet<_> =
        seen.map(|record| (record.source(), record.text("observer.ingress.interface.name"))).collect();
    let expected = [("10.1.0.99", "office"), ("10.2.0.10", "servers"), ("203.0.113.66", "internet")];
    assert_eq!(seen, BTreeSet::from(expected));
    assert_eq!(end(agent)?.with_action("scan-detected").count(), 3);
    Ok(())
}

#[test]
fn configured_interfaces_are_watched_by_their_hooks_and_no_others() -> Result<()> {
    let lab = Lab::new()?;
    let interfaces = [("office", "tc", "tc (tcx)"), ("servers", "xdp-generic", "xdp generic")];
    let config: String = interfaces
        .map(|(name, hook, _)| format!("[[interface]]\nname = \"{name}\"\nhook = \"{hook}\"\n"))
        .concat();
    let mut agent = Scanwatch::on(&lab).interfaces(&[]).config(&config).start()?;
    for (name, _, mode) in interfaces {
        eventually(name, || {
            Ok(agent.log().contains(&format!("watching {name} by {mode}, tc (tcx) on the way out\n")))
        })?;
    }
    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?;
    lab.web.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.1.0.10", LIMIT)?;
    let detected = |records: &[Record]| records.iter().filter(|r| r.action() == "scan-detected").count();
    agent.wait_for(|records| detected(records) == 2, RECORD_LIMIT)?;
    let report = end(agent)?;
    assert_eq!(report.stderr.matches("watching").count(), 2, "{}", report.stderr);
    Ok(())
}

#[test]
fn without_a_named_interface_the_one_with_the_default_route_is_watched() -> Result<()> {
    let lab = Lab::new()?;
    for (machine, interface) in [(&lab.router, "internet"), (&lab.client, "eth0")] {
        let agent = Scanwatch::on(&lab).host(machine).interfaces(&[]).start()?;
        eventually(interface, || Ok(agent.log().contains(&format!("watching {interface} by "))))?;
        assert_eq!(end(agent)?.stderr.matches("watching").count(), 1);
    }
    Ok(())
}

#[test]
fn counters_are_printed_on_request_only_and_as_one_line_of_json() -> Result<()> {
    let lab = Lab::new()?;
    let report = end(watching(Scanwatch::on(&lab))?)?;
    let stats = report.stats.context("no counters")?;
    let keys: Vec<_> = stats.as_object().context("no object")?.keys().map(String::as_str).collect();
    for key in ["packets", "roles", "directions", "incidents", "sources", "losses"] {
        assert!(keys.contains(&key), "{key} is not in {keys:?}");
    }
    assert_eq!(report.stderr.matches("{\"stats\":").count(), 1, "{}", report.stderr);

    let agent = lab.router.spawn(binary()?, ["run", "--interface", "office"])?;
    eventually("readiness", || Ok(agent.stderr().text().contains("watching office")))?;
    agent.signal(Signal::SIGINT)?;
    let output = agent.wait(SOON)?.ok()?;
    assert!(!output.stderr.contains("stats"), "{}", output.stderr);
    assert_eq!(output.stdout, "");
    Ok(())
}

#[test]
fn a_reader_that_has_gone_away_ends_scanwatch_without_an_error() -> Result<()> {
    let lab = Lab::new()?;
    let program = binary()?;
    let script = format!("set -o pipefail; {} run --interface office | head -n 1", program.display());
    let mut agent = lab.router.spawn("bash", ["-c", &script])?;
    let heard = agent.stderr().clone();
    eventually("readiness", || Ok(heard.text().contains("watching office")))?;
    for (machine, target) in [(&lab.scanner, "10.2.0.20"), (&lab.camera, "10.2.0.10")] {
        assert!(agent.is_running()?, "it ended before it had anything to write: {}", heard.text());
        let line = format!("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 {target}");
        machine.run_line(&line, LIMIT)?;
    }
    let output = agent.wait(RECORD_LIMIT)?.ok()?;
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.stdout);
    assert!(!output.stderr.contains("rror"), "{}", output.stderr);
    let links = lab.router.run_line("ip -d link show", SOON)?.stdout;
    assert!(!links.contains("xdp"), "{links}");
    Ok(())
}

/// Takes more than a minute, as the promises are about one.
#[test]
fn a_minute_after_a_scan_its_incident_ends_by_itself_and_the_log_has_one_more_line() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = watching(Scanwatch::on(&lab))?;
    let before = agent.log();
    lab.client.browse(&internet_hosts(5))?;
    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?;
    let scanned = Instant::now();
    let is_ended = |records: &[Record]| records.iter().any(|record| record.action() == "scan-ended");
    let records = agent.wait_for(is_ended, Duration::from_secs(75))?;
    let [_, ended] = &records[..] else { panic!("{} records", records.len()) };
    let quiet = ended.at.duration_since(scanned).as_secs_f64();
    // The quiet time, and the second between two looks at open incidents.
    assert!((59.0..63.0).contains(&quiet), "it ended {quiet:.1} s after the scan");
    let log = agent.log();
    let said: Vec<_> = log.strip_prefix(&before).context("the log changed")?.lines().collect();
    assert!(said.len() == 1 && said[0].contains("the last minute"), "{said:?}");
    only_incident(&end(agent)?);
    Ok(())
}
