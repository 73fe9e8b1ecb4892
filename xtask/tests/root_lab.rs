//! The lab keeps its promises: everything is reachable, frames look as on a wire, nothing is left behind.
//! Needs root and the programs of the lab.

use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use xtask::lab::actors::Contacts;
use xtask::lab::agent::Record;
use xtask::lab::frame::{Link, Tags, TcpFlags};
use xtask::lab::wait::{Interrupted, poll};
use xtask::lab::{Host, Lab, Scanwatch, Segment, Stop, internet_hosts, plan};

const LIMIT: Duration = Duration::from_secs(10);

/// The part of all names of a lab that is its own: `<pid>-<n>-`.
fn key(lab: &Lab) -> String {
    let router = lab.router.netns().name();
    router.trim_start_matches("sw").trim_end_matches("router").to_owned()
}

/// Names in /run/netns and the temporary folder, and command lines of processes, that belong to the labs of a
/// process (`<pid>-`) or to one lab (`<pid>-<n>-`).
fn remains(key: &str) -> Vec<String> {
    let netns = format!("sw{key}");
    let folder = format!("scanwatch-lab-{}", key.trim_end_matches('-'));
    let names = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let found = names(Path::new("/run/netns")).into_iter().chain(names(&std::env::temp_dir()));
    let mut found: Vec<_> =
        found.filter(|name| name.starts_with(&netns) || name.starts_with(&folder)).collect();
    // nginx, the only long-lived process of the lab with arguments of its own, names the folder in them.
    for process in names(Path::new("/proc")) {
        let line = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        if process.parse::<u32>().is_ok() && line.contains(&folder) {
            found.push(line.replace('\0', " "));
        }
    }
    found
}

/// Names of the processes that live in a lab's namespaces.
fn inhabitants(lab: &Lab) -> Vec<String> {
    let pids = lab.namespaces().into_iter().flat_map(|name| {
        let output = Command::new("ip").args(["netns", "pids", &name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    });
    pids.filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

fn reach(host: &Host, targets: &[IpAddr], ports: &[u16]) -> Contacts {
    host.connect_many(targets, ports, 1_000, 16).unwrap()
}

fn all_answer(count: usize) -> Contacts {
    Contacts { answered: count, ..Contacts::default() }
}

#[test]
fn machines_reach_each_other_across_the_router_over_both_families() -> Result<()> {
    let lab = Lab::new()?;
    assert_eq!(reach(&lab.client, &lab.web.addresses(), &[80, 443, 8080, 22]), all_answer(32));
    assert_eq!(reach(&lab.scanner, &lab.files.addresses(), &[139, 445]), all_answer(16));
    assert_eq!(reach(&lab.outside, &lab.infra.addresses(), &[25, 3306]), all_answer(16));
    assert_eq!(reach(&lab.web, &[lab.relay.v4().into(), lab.relay.v6().into()], &[25]), all_answer(2));
    assert_eq!(reach(&lab.files, &lab.web.addresses(), &[80]), all_answer(8));
    Ok(())
}

#[test]
fn the_internet_answers_on_thousands_of_addresses_and_is_dark_beside_them() -> Result<()> {
    let lab = Lab::new()?;
    let v6: Vec<IpAddr> = plan::internet_hosts_v6(100).into_iter().map(IpAddr::V6).collect();
    assert_eq!(reach(&lab.proxy, &internet_hosts(2_000), &[80, 443]), all_answer(4_000));
    assert_eq!(reach(&lab.proxy, &v6, &[80, 25]), all_answer(200));
    let closed = reach(&lab.proxy, &internet_hosts(50), &[23]);
    assert_eq!(closed, Contacts { refused: 50, ..Contacts::default() });
    let dark: Vec<IpAddr> = ["198.19.3.4", "2001:db8:c613::4"].map(|text| text.parse().unwrap()).to_vec();
    let silent = lab.proxy.connect_many(&dark, &[80], 300, 2)?;
    assert_eq!(silent, Contacts { silent: 2, ..Contacts::default() });
    Ok(())
}

#[test]
fn ports_without_a_server_refuse_and_addresses_without_a_machine_are_silent() -> Result<()> {
    let lab = Lab::new()?;
    let closed = reach(&lab.client, &lab.web.addresses(), &[81, 445]);
    assert_eq!(closed, Contacts { refused: 16, ..Contacts::default() });
    let silent = lab.client.connect_many(&["10.2.0.200".parse()?], &[80], 300, 1)?;
    assert_eq!(silent, Contacts { silent: 1, ..Contacts::default() });
    Ok(())
}

#[test]
fn five_hundred_questions_get_five_hundred_answers() -> Result<()> {
    let lab = Lab::new()?;
    assert_eq!(lab.client.ask_names(lab.infra.v4().into(), 500)?, 500);
    assert_eq!(lab.client.ask_names(lab.infra.v6().into(), 20)?, 20);
    assert_eq!(lab.resolver.ask_servers(&internet_hosts(300))?, 300);
    assert_eq!(lab.client.browse(&internet_hosts(15))?, 15);
    Ok(())
}

/// Packets received and sent by `interface` of `host`.
fn packets(host: &Host, interface: &str) -> Result<u64> {
    let output = host.run("ip", ["-s", "-j", "link", "show", interface], LIMIT)?.ok()?;
    let links: serde_json::Value = serde_json::from_str(&output.stdout)?;
    let count = |way: &str| links[0]["stats64"][way]["packets"].as_u64().context("no counter");
    Ok(count("rx")? + count("tx")?)
}

#[test]
fn a_long_connection_carries_the_packets_it_promises() -> Result<()> {
    let lab = Lab::new()?;
    let before = packets(&lab.router, "office")?;
    lab.client.long_connection((lab.web.v4(), 80).into(), 10_000)?;
    let passed = packets(&lab.router, "office")? - before;
    assert!((10_000..40_000).contains(&passed), "{passed} packets passed the router");
    Ok(())
}

#[test]
fn tagged_frames_reach_the_router_with_their_tags_inline() -> Result<()> {
    let lab = Lab::new()?;
    // veth hands tags over beside the frame unless told to insert them; a program at the router's XDP hook
    // would then see none. The receiver cannot tell the difference afterwards, hence the sender's own word.
    let features = lab.switch.run("ethtool", ["-k", "rt-office"], LIMIT)?.ok()?.stdout;
    for feature in ["tx-vlan-offload: off", "tx-vlan-stag-hw-insert: off"] {
        assert!(features.contains(feature), "{feature} is not in {features}");
    }
    let mut dump = lab.router.spawn("tcpdump", ["-n", "-e", "-l", "-c", "20", "-i", "office", "vlan"])?;
    let heard = dump.stderr().clone();
    poll("the start of tcpdump", LIMIT, &Stop::new(), || {
        Ok(heard.text().contains("listening").then_some(()))
    })?;
    let link = |tags| Link { source: lab.scanner.mac(), target: lab.router_mac(Segment::Office), tags };
    let mut frames = Vec::new();
    for port in 1..=10 {
        let (source, target) = ((lab.scanner.v4(), 40_000).into(), (lab.web.v4(), port).into());
        frames.push(link(Tags::Vlan(7)).tcp(source, target, TcpFlags::SYN)?);
        frames.push(link(Tags::QinQ { outer: 100, inner: 200 }).tcp(source, target, TcpFlags::SYN)?);
    }
    lab.scanner.send_frames("eth0", &frames, 1_000)?;
    poll("the end of tcpdump", LIMIT, &Stop::new(), || Ok((!dump.is_running()?).then_some(())))?;
    let seen = dump.wait(LIMIT)?.ok()?.stdout;
    assert_eq!(seen.matches("vlan 7,").count(), 10, "{seen}");
    assert_eq!(seen.matches("vlan 100,").count(), 10, "{seen}");
    assert_eq!(seen.matches("vlan 200,").count(), 10, "{seen}");
    assert!(seen.contains("02:00:0a:01:00:63 > 02:00:0a:01:00:01"), "{seen}");
    Ok(())
}

#[test]
fn a_masquerading_router_shows_the_internet_one_address() -> Result<()> {
    let lab = Lab::builder().masquerade().build()?;
    let dump = lab.internet.spawn("tcpdump", ["-n", "-l", "-c", "1", "-i", "eth0", "tcp dst port 80"])?;
    let heard = dump.stderr().clone();
    poll("the start of tcpdump", LIMIT, &Stop::new(), || {
        Ok(heard.text().contains("listening").then_some(()))
    })?;
    assert_eq!(reach(&lab.client, &internet_hosts(1), &[80]), all_answer(1));
    let seen = dump.wait(LIMIT)?.ok()?.stdout;
    assert!(seen.contains("IP 203.0.113.1."), "{seen}");
    Ok(())
}

#[test]
fn nothing_is_left_after_the_end_of_a_lab() -> Result<()> {
    let lab = Lab::new()?;
    let scan = lab.scanner.spawn("sleep", ["1000"])?;
    let names = inhabitants(&lab);
    for expected in ["nginx", "dnsmasq", "sleep"] {
        assert!(names.iter().any(|name| name == expected), "{expected} does not run: {names:?}");
    }
    let key = key(&lab);
    assert!(remains(&key).len() > plan::MACHINES.len(), "the lab has no namespaces");
    let inhabitant = scan.pid();
    std::mem::forget(scan);
    let router = lab.router.clone();
    drop(lab);
    assert_eq!(remains(&key), [""; 0]);
    let stat = std::fs::read_to_string(format!("/proc/{inhabitant}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "a process outlived the lab: {stat}");
    let error = router.run("true", [""; 0], LIMIT).unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
    Ok(())
}

#[test]
fn nothing_is_left_after_a_panic() {
    let mut name = String::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let lab = Lab::new().unwrap();
        name = key(&lab);
        let _scan = lab.scanner.spawn("sleep", ["1000"]).unwrap();
        assert!(lab.namespaces().is_empty(), "on purpose");
    }));
    assert!(panic.is_err() && !name.is_empty());
    assert_eq!(remains(&name), [""; 0]);
}

/// `cargo xtask lab` in a process of its own, once it is ready.
fn session() -> Result<Child> {
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let mut child = Command::new(xtask).arg("lab").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    ensure!(
        lines.any(|line| line.is_ok_and(|line| line.starts_with("ready"))),
        "the session did not get ready"
    );
    Ok(child)
}

fn end(mut child: Child, signal: Signal) -> Result<std::process::ExitStatus> {
    kill(Pid::from_raw(child.id().cast_signed()), signal)?;
    poll("the end of the session", LIMIT, &Stop::new(), || Ok(child.try_wait()?))
}

#[test]
fn nothing_is_left_after_ctrl_c_and_sigterm() -> Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let child = session()?;
        let key = format!("{}-", child.id());
        assert!(remains(&key).len() > plan::MACHINES.len(), "the session has no lab");
        assert!(end(child, signal)?.success());
        assert_eq!(remains(&key), [""; 0], "after {signal}");
    }
    Ok(())
}

#[test]
fn what_a_killed_lab_left_is_swept_by_the_next() -> Result<()> {
    let child = session()?;
    let key = format!("{}-", child.id());
    end(child, Signal::SIGKILL)?;
    assert!(remains(&key).len() > plan::MACHINES.len(), "a killed process cannot have tidied up");
    drop(Lab::new()?);
    assert_eq!(remains(&key), [""; 0]);
    Ok(())
}

#[test]
fn a_stop_request_ends_what_runs_in_the_lab() -> Result<()> {
    let stop = Stop::new();
    let lab = Lab::builder().stop(stop.clone()).build()?;
    let sleep = lab.client.spawn("sleep", ["1000"])?;
    stop.request();
    assert!(sleep.wait(Duration::from_mins(10)).unwrap_err().is::<Interrupted>());
    Ok(())
}

/// Stands in for scanwatch: says it is ready, raises one alert, prints counters on SIGINT.
/// A shell cannot trap a signal that is ignored when it starts, as SIGINT is in jobs that a script has in the background.
const STAND_IN: &str = r#"#!/usr/bin/env -S --default-signal=INT sh
trap 'echo "{\"stats\":{\"roles\":[]}}" >&2; exit 0' INT
test -f "$3" || { echo "no configuration" >&2; exit 2; }
for name in office servers internet; do echo "INFO watching $name" >&2; done
echo '{"event":{"action":"scan-detected"},"source":{"ip":"10.1.0.99"},"scanwatch":{"scan":{"kind":"vertical"}}}'
sleep 1000 > /dev/null 2>&1 &
while :; do wait; done
"#;

fn stand_in(lab: &Lab, script: &str) -> Result<Scanwatch> {
    use std::os::unix::fs::PermissionsExt as _;
    let program = lab.folder().join("stand-in");
    std::fs::write(&program, script)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    Scanwatch::on(lab).config("# empty\n").program(program).start()
}

#[test]
fn scanwatch_is_started_read_and_stopped() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = stand_in(&lab, STAND_IN)?;
    agent.wait_ready(LIMIT)?;
    let records = agent.wait_for(|records| !records.is_empty(), LIMIT)?;
    assert_eq!(records.iter().map(Record::kind).collect::<Vec<_>>(), ["vertical"]);
    let report = agent.stop()?;
    assert!(report.status.success());
    assert_eq!(report.with_action("scan-detected").map(Record::source).collect::<Vec<_>>(), ["10.1.0.99"]);
    assert_eq!(report.stats, Some(serde_json::json!({"roles": []})));
    Ok(())
}

#[test]
fn a_scanwatch_that_ends_at_once_is_quoted() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = stand_in(&lab, "#!/bin/sh\necho 'XDP is held by another program' >&2; exit 1\n")?;
    let message = format!("{:#}", agent.wait_ready(LIMIT).unwrap_err());
    assert!(message.contains("XDP is held by another program") && message.contains("ended"), "{message}");
    Ok(())
}
