//! The command: its files, messages and exit codes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::traffic::Traffic;
use crate::traffic::writer::{MICROSECONDS, Order, Pcap};

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("scanwatch-replay-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scanwatch"));
    command.arg("replay").env_remove("RUST_LOG");
    command
}

fn replay(files: &[&Path]) -> Output {
    command().args(files).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn records(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn detected(output: &Output) -> Vec<String> {
    let is_detection = |record: &&Value| record["event"]["action"] == "scan-detected";
    let source = |record: &Value| record["source"]["ip"].as_str().unwrap().to_owned();
    records(output).iter().filter(is_detection).map(source).collect()
}

fn scan_by(source: &str) -> Vec<u8> {
    let mut traffic = Traffic::new();
    traffic.scan_ports(source, "10.2.0.1", 300, 100.0);
    traffic.pcap()
}

#[test]
fn a_capture_gives_records_and_says_nothing_else() {
    let folder = Folder::new();
    let output = replay(&[&folder.file("scan.pcap", &scan_by("10.1.0.66"))]);
    assert!(output.status.success());
    assert_eq!((detected(&output), stderr(&output)), (vec!["10.1.0.66".to_owned()], String::new()));
    let records = records(&output);
    assert_eq!(records.last().unwrap()["event"]["action"], "scan-ended");
    assert!(records[0]["@timestamp"].as_str().unwrap().starts_with("2028-01-03T00:00:0"), "{}", records[0]);
}

#[test]
fn records_come_in_the_form_that_is_asked_for() {
    let folder = Folder::new();
    let scan = folder.file("scan.pcap", &scan_by("10.1.0.66"));
    let forms = [
        ("ecs", "{\"@timestamp\":\"2028-01-03T00:00:"),
        ("eve", "{\"alert\":{"),
        ("ocsf", "{\"activity_id\":1,"),
        ("cef", "CEF:0|scanwatch|scanwatch|"),
        ("leef", "LEEF:2.0|scanwatch|scanwatch|"),
        ("text", "2028-01-03T00:00:"),
    ];
    for (format, beginning) in forms {
        let output = command().args(["--format", format]).arg(&scan).output().unwrap();
        assert!(output.status.success(), "{format}: {}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() >= 2, "{format}: {text}");
        assert!(lines[0].starts_with(beginning), "{format}: {}", lines[0]);
        assert!(lines.iter().all(|line| line.contains("10.1.0.66")), "{format}: {text}");
    }
}

#[test]
fn captures_are_replayed_one_after_the_other_each_for_itself() {
    let folder = Folder::new();
    let (a, b) = (folder.file("a.pcap", &scan_by("10.1.0.66")), folder.file("b.pcap", &scan_by("10.1.0.77")));
    let (alone_a, alone_b) = (replay(&[&a]).stdout, replay(&[&b]).stdout);
    let together = replay(&[&a, &b, &a]);
    assert!(together.status.success());
    assert_eq!(together.stdout, [alone_a.clone(), alone_b, alone_a].concat());
}

#[test]
fn parts_of_a_scan_in_several_captures_are_not_put_together() {
    let folder = Folder::new();
    let mut whole = Traffic::new();
    let mut parts = Vec::new();
    for (number, net) in ["10.2.0", "10.2.1", "10.2.2", "10.2.3", "10.2.4"].into_iter().enumerate() {
        let mut part = Traffic::at(whole.now_ns);
        part.sweep("10.1.0.66", net, 9, 445, 10.0);
        whole.now_ns = part.now_ns;
        parts.push(folder.file(&format!("{number}.pcap"), &part.pcap()));
        whole.frames.append(&mut part.frames);
    }
    let whole = folder.file("whole.pcap", &whole.pcap());
    assert_eq!(detected(&replay(&[&whole])), ["10.1.0.66"]);
    let parts: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
    assert_eq!(detected(&replay(&parts)).len(), 0);
}

#[test]
fn standard_input_is_a_capture_like_any_other() {
    let scan = scan_by("10.1.0.66");
    let mut child = command()
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&scan).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let folder = Folder::new();
    assert_eq!(output.stdout, replay(&[&folder.file("scan.pcap", &scan)]).stdout);
}

/// What is wrong with a capture, in one line, and what of it was judged.
fn assert_fault(name: &str, bytes: &[u8], message: &str, judged: &[&str]) {
    let folder = Folder::new();
    let (bad, good) = (folder.file(name, bytes), folder.file("good.pcap", &scan_by("10.1.0.77")));
    let output = replay(&[&bad, &good]);
    assert_eq!(stderr(&output), format!("scanwatch: {}: {message}\n", bad.display()));
    assert_eq!(output.status.code(), Some(1), "{name}");
    assert_eq!(detected(&output), [judged, &["10.1.0.77"]].concat(), "{name}");
}

#[test]
fn a_bad_capture_is_one_sentence_and_exit_code_1_and_the_others_are_replayed() {
    assert_fault("empty.pcap", b"", "the file is empty and holds no capture", &[]);
    let message =
        "not a pcap or pcapng capture: it looks like text; give the capture itself, as written by tcpdump -w";
    assert_fault("notes.txt", b"Dear diary,\n", message, &[]);
    let unknown = Pcap::new(Order::Little, MICROSECONDS, 147).packet(&[0; 60]).bytes;
    let known =
        "Ethernet (1), raw IP (101, 228, 229), Linux cooked (113, 276), loopback (0, 108) and PPP (9)";
    let message = format!("packets of link type 147 cannot be read; known are {known}");
    assert_fault("radio.pcap", &unknown, &message, &[]);
}

#[test]
fn of_a_truncated_capture_what_is_readable_is_judged() {
    let whole = scan_by("10.1.0.66");
    let message = "the capture ends in the middle of a record: its writer was stopped, or the copy is incomplete; \
                   packets read before: 599";
    assert_fault("cut.pcap", &whole[..whole.len() - 3], message, &["10.1.0.66"]);
}

#[test]
fn a_missing_file_is_named() {
    let output = replay(&[Path::new("/nonexistent/scan.pcap")]);
    let message =
        "scanwatch: /nonexistent/scan.pcap: cannot be read (No such file or directory (os error 2))\n";
    assert_eq!((stderr(&output).as_str(), output.status.code()), (message, Some(1)));
}

#[test]
fn statistics_are_one_document_for_each_capture_that_was_read() {
    let folder = Folder::new();
    let (scan, empty) = (folder.file("scan.pcap", &scan_by("10.1.0.66")), folder.file("empty.pcap", b""));
    let output = command().arg("--stats").args([&scan, &empty, &scan]).output().unwrap();
    let text = stderr(&output);
    let documents: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(documents.len(), 2, "{text}");
    for document in documents {
        assert_eq!(document["file"], scan.to_str().unwrap());
        assert_eq!(document["stats"]["packets"]["probe_syn"], 300, "{document}");
        assert_eq!(document["stats"]["incidents"]["vertical"]["total"], 1, "{document}");
    }
}

#[test]
fn a_wrong_configuration_is_exit_code_2_before_any_capture_is_read() {
    let folder = Folder::new();
    let config = folder.file("wrong.toml", b"[limitz]\n");
    let output = command().arg("--config").arg(&config).arg("/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).starts_with(&format!("scanwatch: {}:1:", config.display())),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_configuration_is_heeded() {
    let folder = Folder::new();
    let scan = folder.file("scan.pcap", &scan_by("10.1.0.66"));
    let config = folder.file("quiet.toml", b"[directions]\nlateral = \"statistics\"\n");
    let output = command().arg("--config").arg(&config).arg(&scan).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let scan = folder.file("scan.pcap", &scan_by("10.1.0.66"));
    let files = vec![&scan; 20];
    let mut child = command().args(files).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_full_disk_under_standard_output_is_an_error() {
    let folder = Folder::new();
    let scan = folder.file("scan.pcap", &scan_by("10.1.0.66"));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command().arg(&scan).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let sentence = "a record cannot be written; see where standard output goes, and whether there is room: No space left \
                    on device (os error 28)\n";
    assert!(stderr(&output).ends_with(sentence), "{}", stderr(&output));
}
