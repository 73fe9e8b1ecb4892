//! A scan inside a flood: the agent watches one end of a veth pair; from the other come as many SYNs of forged sources as one
//! processor can send, and a scanner's ten probes a second. The scanner is found, and nobody else.

use std::env;
use std::io::{BufRead as _, BufReader, Read};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::Pid;
use serde::Serialize;
use serde_json::Value;

use crate::build::{ether, ipv4, tcp};
use crate::live::{SEND, sender};
use crate::measure::rounded;
use crate::rows;
use crate::support::net::{Veth, in_namespace, packet_socket, received};

/// The row's name.
pub const NAME: &str = "live:scan_in_flood";
/// What it tells.
pub const WHAT: &str =
    "from the first of ten probes a second, inside a SYN flood of forged sources, to the record on stdout";

/// The scanner, which tries one port of hosts inside that keep silent.
const SCANNER: [u8; 4] = [10, 1, 0, 66];
const PROBE_PERIOD: Duration = Duration::from_millis(100);
/// Packets of the flood between two looks at the clock.
const FLOOD: u32 = 20_000;
/// Longest wait for the agent, and for its record: silence counts as failure after three seconds, and the tenth failure
/// makes a scan.
const PATIENCE: Duration = Duration::from_secs(20);

/// The row as it is printed.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    what: &'static str,
    value: f64,
    unit: &'static str,
    packets_per_s: f64,
    probes: u8,
    hosts_told: u64,
}

/// Measures it in a network namespace of its own, the agent on any of the `processors`.
pub fn measure(object: &[u8], processors: &CpuSet) -> Result<String, String> {
    let mut measured = Err("the namespace ended early".to_owned());
    in_namespace(async || measured = run(object, processors));
    measured
}

fn run(object: &[u8], processors: &CpuSet) -> Result<String, String> {
    let veth = Veth::new("watch0");
    let (_agent, records) = start(processors)?;
    let row = rows::flood();
    let mut kernel = sender(&veth, &row, object)?;
    let socket = packet_socket("watch0-peer");
    let begun = Instant::now();
    let mut probes = 0u8;
    let record = loop {
        kernel.repeat_live(SEND, &row.frame, FLOOD).map_err(|error| error.to_string())?;
        if begun.elapsed() >= PROBE_PERIOD * u32::from(probes) && probes < u8::MAX {
            probes += 1;
            let probe = ether().carry(ipv4(SCANNER, [10, 2, 0, probes]).carry(tcp(50_000, 445)));
            send(socket.as_raw_fd(), &probe, MsgFlags::empty())
                .map_err(|error| format!("a probe: {error}"))?;
        }
        match records.try_recv() {
            Ok(record) => break record,
            Err(TryRecvError::Disconnected) => return Err("the agent ended by itself".to_owned()),
            Err(TryRecvError::Empty) if begun.elapsed() > PATIENCE => {
                let packets = received(&veth.name);
                return Err(format!("no record after {probes} probes and {packets} packets of the flood"));
            }
            Err(TryRecvError::Empty) => {}
        }
    };
    let (took, packets) = (begun.elapsed(), received(&veth.name));
    let scanner = std::net::Ipv4Addr::from(SCANNER).to_string();
    if record["source"]["ip"] != scanner.as_str() {
        return Err(format!("the first record is not about the scanner {scanner}: {record}"));
    }
    let hosts_told = record["scanwatch"]["scan"]["hosts"].as_u64().unwrap_or_default();
    if hosts_told == 0 || hosts_told > u64::from(probes) {
        return Err(format!("{probes} hosts were tried, not {hosts_told}: {record}"));
    }
    let line = Line {
        name: NAME,
        what: WHAT,
        value: rounded(took.as_secs_f64() * 1e3),
        unit: "ms",
        packets_per_s: (packets as f64 / took.as_secs_f64()).round(),
        probes,
        hosts_told,
    };
    Ok(serde_json::to_string(&line).expect("numbers and words"))
}

/// The agent, once it watches, and its alerts.
fn start(processors: &CpuSet) -> Result<(Running, Receiver<Value>), String> {
    let this = Pid::from_raw(0);
    let pinned = sched_getaffinity(this).map_err(|error| format!("no processors are told: {error}"))?;
    let pin = |to: &CpuSet| sched_setaffinity(this, to).map_err(|error| format!("processors: {error}"));
    // A child runs where its parent may.
    pin(processors)?;
    let binary = env::var_os("SCANWATCH_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_scanwatch")), PathBuf::from);
    let child = Command::new(&binary)
        .args(["run", "--interface", "watch0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut agent = Running(child);
    let log = agent.0.stderr.take().ok_or("the agent has no log")?;
    let watching = lines(log, |line| line.contains("watching watch0").then_some(()));
    watching
        .recv_timeout(PATIENCE)
        .map_err(|_| "the agent does not watch: see what `scanwatch run` says".to_owned())?;
    let output = agent.0.stdout.take().ok_or("the agent has no output")?;
    let records = lines(output, |line| Some(serde_json::from_str(line).unwrap_or_default()));
    pin(&pinned)?;
    Ok((agent, records))
}

/// What `wanted` makes of each line; read to the end also when nobody listens any more, for a pipe that is full would hold
/// the agent up.
fn lines<T: Send + 'static>(from: impl Read + Send + 'static, wanted: fn(&str) -> Option<T>) -> Receiver<T> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if let Some(wanted) = wanted(&line) {
                let _ = tell.send(wanted);
            }
        }
    });
    told
}

/// A process that ends with its measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
