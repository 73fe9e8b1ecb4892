//! The program itself: it watches, tells of a scan, ends, and leaves nothing. The kernel's own types are out of its sight
//! here, as where a kernel was built without them.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scanwatch::kernel::{Mode, TCX};
use serde_json::Value;

use crate::support::net::{Far, in_namespace, ip, tc, tool};
use crate::{scanwatch, tc_modes, version};

/// The interface that the agent watches.
const INTERFACE: &str = "watched";
/// Longest wait for anything: where a verifier is slow and its machine shares a processor with many, a program takes minutes.
const PATIENCE: Duration = Duration::from_mins(15);
const WATCHED: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const SCANNER: &str = "10.0.1.7";
/// What the kernel says of its types.
const TYPES: &str = "/sys/kernel/btf";

/// Another machine, on a cable to this one.
pub struct Scanner(Far);

impl Scanner {
    pub fn new() -> Self {
        let far = Far::new(INTERFACE, &[&format!("{SCANNER}/24")], "");
        ip("link set lo up");
        ip(&format!("address add {WATCHED}/24 dev {INTERFACE}"));
        Self(far)
    }

    /// Tries ports, behind which there is nobody.
    pub fn tries(&self, ports: RangeInclusive<u16>) {
        self.0.run(|| {
            for port in ports {
                let refused = TcpStream::connect_timeout(&SocketAddr::from((WATCHED, port)), PATIENCE);
                assert!(refused.is_err(), "nobody listens on {port}");
            }
        });
    }
}

/// The agent and what it says.
pub struct Agent {
    child: Child,
    folder: tempfile::TempDir,
}

impl Agent {
    /// One that watches the cable to the [`Scanner`].
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let child = Command::new(scanwatch())
            .args(["run", "--interface", INTERFACE])
            .stdin(Stdio::null())
            .stdout(file("records"))
            .stderr(file("log"))
            .spawn()
            .expect("the agent starts");
        let mut agent = Self { child, folder };
        agent.wait_until("it watches", |agent| {
            agent.said("log").contains(&format!("watching {INTERFACE} by"))
        });
        agent
    }

    /// What is in its `log`, or among its `records`.
    pub fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("what the agent said")
    }

    /// The records, all of which must be of the scanner's ports.
    pub fn records(&self) -> Vec<Value> {
        let lines = self.said("records");
        let record = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("a record");
            assert_eq!(record["source"]["ip"], SCANNER, "{record}");
            assert_eq!(record["rule"]["name"], "vertical", "{record}");
            record
        };
        // The last line may be half written.
        lines.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(record).collect()
    }

    /// Fails unless it told of one scan, from its beginning to its end; the record of the end.
    pub fn told_of_one_scan(&self) -> Value {
        let mut records = self.records();
        let is = |record: &Value, action| record["event"]["action"] == action;
        for action in ["scan-detected", "scan-ended"] {
            let times = records.iter().filter(|record| is(record, action)).count();
            assert_eq!(times, 1, "{action}: {records:?}");
        }
        let incidents = records.iter().map(|record| &record["scanwatch"]["incident"]);
        assert!(incidents.clone().zip(incidents.skip(1)).all(|(one, next)| one == next), "{records:?}");
        assert!(
            is(&records[0], "scan-detected") && is(&records[records.len() - 1], "scan-ended"),
            "{records:?}"
        );
        records.pop().expect("the last record")
    }

    /// Has the scanner try the first 60 ports, and waits until the agent tells of it.
    pub fn sees_a_scan(&mut self, scanner: &Scanner) {
        scanner.tries(1..=60);
        self.wait_until("it tells of the scan", |agent| !agent.records().is_empty());
    }

    /// Waits until something is so.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "{what}: the agent has ended ({ended:?}): {}", self.said("log"));
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}: {}", self.said("log"));
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end, and returns how it did.
    pub fn end(&mut self) -> Option<i32> {
        let pid = i32::try_from(self.child.id()).expect("a process's number");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("the agent is asked to end");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "the agent does not end: {}", self.said("log"));
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // SIGKILL for one that a failed test leaves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hides the kernel's types, where it shows any, from this thread and whom it starts.
fn hide_types() {
    if !Path::new(TYPES).join("vmlinux").exists() {
        println!("this kernel shows no types");
        return;
    }
    unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
    tool("mount", "--make-rprivate /");
    tool("mount", &format!("-t tmpfs nothing {TYPES}"));
    assert!(!Path::new(TYPES).join("vmlinux").exists(), "the kernel's types are hidden");
}

/// What the agent says of its hooks on this kernel.
fn hooks() -> Vec<String> {
    let way_out = tc_modes()[0];
    let mut lines =
        vec![format!("watching {INTERFACE} by {}, {way_out} on the way out", Mode::XdpNativeFrags)];
    if way_out != Mode::Tcx {
        let reason = format!("TCX comes with Linux {TCX}, and this is Linux {}", version());
        lines.push(format!("{INTERFACE}: no {} on the way out: {reason}", Mode::Tcx));
    }
    lines
}

#[test]
fn the_agent_tells_of_a_scan_and_ends_without_leaving_anything_where_the_kernel_shows_no_types() {
    in_namespace(async || {
        hide_types();
        let scanner = Scanner::new();
        let mut agent = Agent::start();
        for line in hooks() {
            assert!(agent.said("log").contains(&line), "{line:?} is not in: {}", agent.said("log"));
        }
        agent.sees_a_scan(&scanner);
        assert_eq!(agent.end(), Some(0), "{}", agent.said("log"));
        agent.told_of_one_scan();
        let link = ip(&format!("-d link show dev {INTERFACE}"));
        assert!(!link.contains("xdp"), "{link}");
        for way in ["ingress", "egress"] {
            let filters = tc(&format!("filter show dev {INTERFACE} {way}"));
            assert!(!filters.contains("scanwatch"), "{filters}");
        }
    });
}
