//! Time from the packet by which a rule's number is reached to the record on the agent's standard output, through a veth.
//!
//! The rule is `vertical`: ten refused ports of one host within a minute, at least half of those tried. It waits for
//! nothing: ports of the watched host are closed, and its kernel refuses each SYN at once. The doorkeeper admits a source
//! with its second pair, so that the eleventh port is the one that counts. Each scan has an address and a link-layer
//! address of its own; all come from the other end of the veth by a raw socket.

use std::io::{BufRead as _, BufReader, Read};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, send};
use serde_json::Value;

use super::Effort;
use super::build::{ether, ipv4, tcp};
use super::idle::{Running, agent_binary};
use super::row::{Row, ms, quantile};
use super::support::net::{Far, in_namespace, ip, packet_socket};

pub const NAMES: &[&str] = &["record_latency_p50", "record_latency_p99"];

const TARGET_MS: f64 = 50.0;
/// Ports of a scan: one more than the rule asks for.
const PORTS: u16 = 11;
/// Time between two probes of a scan, and between two scans: no multiple of any period of the agent.
const PROBE_PERIOD: Duration = Duration::from_micros(10_300);
const SCAN_PERIOD: Duration = Duration::from_micros(37_700);
/// Scans before those that are timed.
const WARMING: u16 = 4;
/// Longest wait for a record.
const PATIENCE: Duration = Duration::from_secs(10);
/// More incidents a minute than scans are made, and no scan by many sources.
const CONFIG: &str = "[limits]\nincidents_per_minute = 10000\n[thresholds]\ndistributed = { sources = 60000, ports = 60000 }\n";
/// The watched host, and the link-layer address of its end.
const HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const HOST_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];

/// Times scans one after the other.
pub fn measure(effort: Effort) -> Result<Vec<Row>, String> {
    let mut measured = Err("the namespace ended early".to_owned());
    in_namespace(async || measured = run(effort));
    let times = measured?;
    let what = |share: &str| {
        format!(
            "{share} of {} scans: from the probe that makes ten refused ports of a host (rule vertical) to the record on stdout",
            times.len()
        )
    };
    Ok(vec![
        Row::new(NAMES[0], quantile(&times, 0.5), "ms", what("median")),
        Row::new(NAMES[1], quantile(&times, 0.99), "ms", what("99th percentile")).at_most(TARGET_MS),
    ])
}

fn run(effort: Effort) -> Result<Vec<f64>, String> {
    let far = Far::new("watch0", &["10.1.0.2/24"], "");
    ip("link set watch0 address 02:00:00:00:01:01");
    ip("address add 10.1.0.1/24 dev watch0");
    ip("neighbour replace 10.1.0.2 lladdr 02:00:00:00:01:02 dev watch0 nud permanent");
    ip("route add 10.9.0.0/16 via 10.1.0.2 dev watch0");
    let (_agent, records) = start()?;
    let mut times = Vec::new();
    for scan in 0..WARMING + effort.scans {
        let crossed = far.run(move || scan_ports(scan));
        let (seen, rule) = wait_for(&records, scanner(scan))?;
        if rule != "vertical" {
            return Err(format!("scan {scan} was found by the rule {rule}"));
        }
        if scan >= WARMING {
            times.push(ms(seen.duration_since(crossed)));
        }
        thread::sleep(SCAN_PERIOD);
    }
    Ok(times)
}

/// The agent, once it watches, and its records with the time each was read.
fn start() -> Result<(Running, Receiver<(Instant, Value)>), String> {
    let config = std::env::temp_dir().join(format!("scanwatch-bench-{}.toml", std::process::id()));
    std::fs::write(&config, CONFIG).map_err(|error| format!("{}: {error}", config.display()))?;
    let child = Command::new(agent_binary())
        .args(["run", "--interface", "watch0", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", agent_binary().display()))?;
    let mut agent = Running(child);
    let log = agent.0.stderr.take().ok_or("the agent has no log")?;
    let is_watching = lines(log, |line| line.contains("watching watch0")).recv_timeout(PATIENCE);
    let _ = std::fs::remove_file(&config);
    is_watching.map_err(|_| "the agent does not watch: see what `scanwatch run` says")?;
    let output = agent.0.stdout.take().ok_or("the agent has no output")?;
    Ok((agent, lines(output, |_| true)))
}

/// Lines that `is_wanted`, with the time each was read; what is no JSON stands as null.
fn lines(from: impl Read + Send + 'static, is_wanted: fn(&str) -> bool) -> Receiver<(Instant, Value)> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok).filter(|line| is_wanted(line)) {
            // Read on when nobody listens any more: a pipe that is full would hold the agent up.
            let _ = tell.send((Instant::now(), serde_json::from_str(&line).unwrap_or_default()));
        }
    });
    told
}

/// The address of a scan.
fn scanner(scan: u16) -> Ipv4Addr {
    let [high, low] = scan.to_be_bytes();
    Ipv4Addr::new(10, 9, high, low)
}

/// Scans from this thread's namespace, and tells when the probe was sent that reaches the rule's number.
fn scan_ports(scan: u16) -> Instant {
    let socket = packet_socket("eth0");
    let [high, low] = scan.to_be_bytes();
    let station = ether().from([2, 0, 0, 9, high, low]).to(HOST_MAC);
    let probe = |port| {
        let frame = station.carry(ipv4(scanner(scan), HOST).carry(tcp(40_000, 30_000 + port)));
        let now = Instant::now();
        send(socket.as_raw_fd(), &frame, MsgFlags::empty()).expect("a frame sent");
        now
    };
    for port in 1..PORTS {
        probe(port);
        thread::sleep(PROBE_PERIOD);
    }
    probe(PORTS)
}

/// Waits for the first record of a source: when it was read, and the rule.
fn wait_for(records: &Receiver<(Instant, Value)>, source: Ipv4Addr) -> Result<(Instant, String), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let (seen, record) = records
            .recv_timeout(left)
            .map_err(|_| format!("no record of {source} within {} s", PATIENCE.as_secs()))?;
        if record["source"]["ip"] == source.to_string() {
            return Ok((seen, record["rule"]["name"].as_str().unwrap_or_default().to_owned()));
        }
    }
}
