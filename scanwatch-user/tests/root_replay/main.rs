//! `replay --in-kernel`: the loaded program, given a capture packet by packet, leads to the same records. Needs root.

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/traffic.rs"]
mod traffic;

#[path = "../root_differential/dice.rs"]
mod dice;
#[path = "../root_differential/mixture.rs"]
mod mixture;
use traffic::build;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use mixture::Mixture;
use support::require_root;
use traffic::build::{ether, icmp, ipv4, tcp, udp};
use traffic::writer::{Order, PcapNg};
use traffic::{SECOND_NS, START_NS, Traffic};

/// The user that owns nothing.
const NOBODY: u32 = 65_534;
const YEAR_NS: u64 = 365 * 86_400 * SECOND_NS;
/// Every direction gives records, and every source is worth a cell soon.
const CONFIG: &str = "[directions]\nlateral = \"alert\"\noutbound = \"alert\"\ninbound = \"alert\"\n\
                      transit = \"alert\"\n[limits]\nadmit_internal = 1\nadmit_external = 2\n";

/// A folder with a configuration, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("scanwatch-in-kernel-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let folder = Self(path);
        folder.file("all.toml", CONFIG.as_bytes());
        folder
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn replay(&self, arguments: &[&str], captures: &[&Path]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scanwatch"));
        command.arg("replay").args(["--stats", "--config"]).arg(self.0.join("all.toml"));
        // The only line with the wall clock in it is a log line.
        command.env("RUST_LOG", "off").args(arguments).args(captures).stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Replays a capture both ways; the records of both.
fn replay_both(capture: &[u8]) -> Vec<serde_json::Value> {
    replay_both_under(CONFIG, capture)
}

/// The same under a configuration.
fn replay_both_under(config: &str, capture: &[u8]) -> Vec<serde_json::Value> {
    require_root();
    let folder = Folder::new();
    folder.file("all.toml", config.as_bytes());
    let capture = folder.file("capture", capture);
    let (host, kernel) = (folder.replay(&[], &[&capture]), folder.replay(&["--in-kernel"], &[&capture]));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (on_host, in_kernel) = (text(&host.stdout), text(&kernel.stdout));
    for (number, (a, b)) in on_host.lines().zip(in_kernel.lines()).enumerate() {
        assert_eq!(b, a, "record {number}");
    }
    assert_eq!(in_kernel.lines().count(), on_host.lines().count());
    assert_eq!(text(&kernel.stderr), text(&host.stderr), "statistics and messages");
    assert_eq!(kernel.status.code(), host.status.code());
    assert!(host.stderr.starts_with(b"{\"file\""), "{}", text(&host.stderr));
    on_host.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn detections(records: &[serde_json::Value]) -> usize {
    records.iter().filter(|record| record["event"]["action"] == "scan-detected").count()
}

#[test]
fn scans_of_every_shape_are_told_alike() {
    let mut traffic = Traffic::new();
    traffic.scan_ports("10.1.0.66", "10.2.0.1", 400, 100.0);
    traffic.sweep("10.1.0.67", "10.2.0", 200, 445, 20.0);
    for host in 1..=100 {
        let target = format!("203.0.113.{host}");
        traffic.segment("10.1.0.68", &target, icmp(8));
        traffic.segment("10.1.0.69", &target, udp(40_000, 161).payload(30));
        traffic.segment("10.1.0.70", "10.2.0.9", tcp(40_000, host).flags(0x29));
        traffic.segment("198.51.100.7", &format!("10.2.0.{host}"), tcp(40_000, 22));
        traffic.wait(0.3);
    }
    let records = replay_both(&traffic.pcap());
    assert!(detections(&records) >= 5, "{records:?}");
}

#[test]
fn a_surge_is_told_alike() {
    let mut traffic = Traffic::new();
    traffic.background(30, None);
    traffic.background(40, Some((8_291, 20)));
    traffic.background(40, None);
    let config = "[thresholds]\nsurge = { slot_s = 600, slots = 2, learning_s = 600 }\n";
    let records = replay_both_under(config, &traffic.pcap());
    let is_surge = |record: &&serde_json::Value| record["scanwatch"]["scan"]["kind"] == "surge";
    let surges: Vec<_> = records.iter().filter(is_surge).collect();
    assert_eq!(surges.len(), 2, "{records:?}");
    assert_eq!(surges[0]["destination"]["port"], 8_291);
}

#[test]
fn a_mixture_with_gaps_jumps_and_broken_frames_is_told_alike() {
    let mut dice = dice::Dice::new(5);
    let mut mixture = Mixture::new(5);
    let mut traffic = Traffic::new();
    traffic.scan_ports("10.1.0.66", "10.2.0.1", 200, 100.0);
    for number in 0..6_000_u64 {
        let length = dice.below(100);
        match dice.below(400) {
            0 => traffic.frame(vec![8; dice.below(14)]),
            1 => traffic.frame(dice.bytes(14 + length)),
            2 => traffic.frame([mixture.next_frame(), vec![0; dice.below(70_000)]].concat()),
            _ => traffic.frame(mixture.next_frame()),
        }
        // A millisecond mostly, late now and then, and a gap of minutes or years.
        traffic.now_ns = match number {
            2_000 => traffic.now_ns + 400 * SECOND_NS,
            3_000 => traffic.now_ns + YEAR_NS,
            4_000 => START_NS,
            _ if dice.once_in(9) => traffic.now_ns - 500_000_000,
            _ => traffic.now_ns + dice.below(120_000_000) as u64,
        };
    }
    traffic.sweep("10.1.0.67", "10.2.0", 200, 445, 20.0);
    let records = replay_both(&traffic.pcap());
    assert!(detections(&records) >= 2, "{records:?}");
}

#[test]
fn packets_of_several_interfaces_and_at_time_zero_are_told_alike() {
    const RAW_IP: u16 = 101;
    let mut capture = PcapNg::new(Order::Little).interface(1, 0).interface(RAW_IP, 0);
    for port in 1..=300_u16 {
        let packet = ipv4([10, 1, 0, 66], [10, 2, 0, 1]).carry(tcp(40_000, port));
        let frame = ether().carry(packet.clone());
        let (interface, data) = if port % 2 == 0 { (0, &frame) } else { (1, &packet.bytes) };
        // Microseconds from the epoch's very beginning.
        capture = capture.enhanced(interface, u64::from(port - 1) * 10_000, data, data.len() as u32);
    }
    let records = replay_both(&capture.bytes);
    assert_eq!(detections(&records), 1, "{records:?}");
}

#[test]
fn a_truncated_capture_is_judged_as_far_as_it_goes() {
    require_root();
    let folder = Folder::new();
    let mut traffic = Traffic::new();
    traffic.scan_ports("10.1.0.66", "10.2.0.1", 400, 100.0);
    let whole = traffic.pcap();
    let cut = folder.file("cut.pcap", &whole[..whole.len() - 1]);
    let output = folder.replay(&["--in-kernel"], &[&cut]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cut.pcap: the capture ends in the middle"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("scan-detected"));
}

#[test]
fn every_capture_begins_with_an_empty_kernel() {
    require_root();
    let folder = Folder::new();
    let mut traffic = Traffic::new();
    traffic.scan_ports("10.1.0.66", "10.2.0.1", 400, 100.0);
    let scan = folder.file("scan.pcap", &traffic.pcap());
    let once = folder.replay(&["--in-kernel"], &[&scan]).stdout;
    let twice = folder.replay(&["--in-kernel"], &[&scan, &scan]).stdout;
    assert!(!once.is_empty());
    assert_eq!(twice, [once.clone(), once].concat());
}

#[test]
fn without_rights_one_sentence_says_so_and_the_host_needs_none() {
    require_root();
    let folder = Folder::new();
    let mut traffic = Traffic::new();
    traffic.scan_ports("10.1.0.66", "10.2.0.1", 400, 100.0);
    let scan = folder.file("scan.pcap", &traffic.pcap());
    // Where nobody may run it.
    let binary = folder.0.join("scanwatch");
    fs::copy(env!("CARGO_BIN_EXE_scanwatch"), &binary).unwrap();
    for path in [&folder.0, &binary, &scan] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let replay = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command.uid(NOBODY).gid(NOBODY).arg("replay").args(arguments).arg(&scan).output().unwrap()
    };
    let output = replay(&["--in-kernel"]);
    let expected = "scanwatch: --in-kernel: no rights to load the kernel programs: run scanwatch as root, or give it \
                    the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; without --in-kernel none are needed\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let output = replay(&[]);
    assert!(output.status.success() && !output.stdout.is_empty());
}
