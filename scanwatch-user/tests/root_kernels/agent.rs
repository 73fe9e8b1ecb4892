//! The program itself: it watches, tells of a scan, ends, and leaves nothing. The kernel's own types are out of its sight
//! here, as where a kernel was built without them.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
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

/// Longest wait for anything: where a verifier is slow and its machine shares a processor with many, a program takes minutes.
const PATIENCE: Duration = Duration::from_mins(15);
const WATCHED: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const SCANNER: &str = "10.0.1.7";
/// What the kernel says of its types.
const TYPES: &str = "/sys/kernel/btf";

/// The agent and what it says.
struct Agent {
    child: Child,
    folder: tempfile::TempDir,
}

impl Agent {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let child = Command::new(scanwatch())
            .args(["run", "--interface", "watched"])
            .stdin(Stdio::null())
            .stdout(file("records"))
            .stderr(file("log"))
            .spawn()
            .expect("the agent starts");
        Self { child, folder }
    }

    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("what the agent said")
    }

    fn actions(&self) -> Vec<String> {
        let records = self.said("records");
        let action = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("a record");
            assert_eq!(record["source"]["ip"], SCANNER, "{record}");
            assert_eq!(record["rule"]["name"], "vertical", "{record}");
            record["event"]["action"].as_str().expect("an action").to_owned()
        };
        // The last line may be half written.
        records.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(action).collect()
    }

    fn wait_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "{what}: the agent has ended ({ended:?}): {}", self.said("log"));
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}: {}", self.said("log"));
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end, and returns how it did.
    fn end(&mut self) -> Option<i32> {
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
    let mut lines = vec![format!("watching watched by {}, {way_out} on the way out", Mode::XdpNativeFrags)];
    if way_out != Mode::Tcx {
        let reason = format!("TCX comes with Linux {TCX}, and this is Linux {}", version());
        lines.push(format!("watched: no {} on the way out: {reason}", Mode::Tcx));
    }
    lines
}

#[test]
fn the_agent_tells_of_a_scan_and_ends_without_leaving_anything_where_the_kernel_shows_no_types() {
    in_namespace(async || {
        hide_types();
        let far = Far::new("watched", &["10.0.1.7/24"], "");
        ip("link set lo up");
        ip("address add 10.0.1.1/24 dev watched");
        let mut agent = Agent::start();
        agent.wait_until("it watches", |agent| agent.said("log").contains("watching watched by"));
        for line in hooks() {
            assert!(agent.said("log").contains(&line), "{line:?} is not in: {}", agent.said("log"));
        }
        far.run(|| {
            for port in 1..=60 {
                let refused = TcpStream::connect_timeout(&SocketAddr::from((WATCHED, port)), PATIENCE);
                assert!(refused.is_err(), "nobody listens on {port}");
            }
        });
        agent.wait_until("it tells of the scan", |agent| !agent.actions().is_empty());
        assert_eq!(agent.end(), Some(0), "{}", agent.said("log"));
        let actions = agent.actions();
        assert_eq!(actions.first().map(String::as_str), Some("scan-detected"), "{actions:?}");
        assert_eq!(actions.last().map(String::as_str), Some("scan-ended"), "{actions:?}");
        let link = ip("-d link show dev watched");
        assert!(!link.contains("xdp"), "{link}");
        for way in ["ingress", "egress"] {
            let filters = tc(&format!("filter show dev watched {way}"));
            assert!(!filters.contains("scanwatch"), "{filters}");
        }
    });
}
