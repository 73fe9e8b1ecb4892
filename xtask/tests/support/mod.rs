//! What the tests of scanwatch at work share: a scanwatch that watches, and what its records must look like.

#![allow(dead_code, reason = "each test crate that includes this module uses its own part of it")]

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use xtask::lab::Scanwatch;
use xtask::lab::agent::{Record, Report, Setup};

/// Longest time until scanwatch watches: loading and verifying takes about a second, more on a busy machine.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// Longest time one program of the lab may take.
pub const LIMIT: Duration = Duration::from_mins(2);
/// Longest wait for a record: an epoch of ten seconds and a little, where the ring did not tell it before.
pub const RECORD_LIMIT: Duration = Duration::from_secs(40);
/// Silence after which a contact has failed, as the default configuration has it.
pub const SILENCE: Duration = Duration::from_secs(3);
/// From the last packet until nothing more can be found: silence, and a second until it is judged.
const SETTLED: Duration = Duration::from_millis(4_500);

/// Starts scanwatch and waits until it watches all its interfaces.
pub fn watching(setup: Setup) -> Result<Scanwatch> {
    let mut agent = setup.start()?;
    agent.wait_ready(READY_LIMIT)?;
    Ok(agent)
}

/// True once there is a `scan-detected`.
pub fn is_detected(records: &[Record]) -> bool {
    records.iter().any(|record| record.action() == "scan-detected")
}

/// Waits until every contact has an outcome and was judged by it, then ends scanwatch: what is silent now stays so.
pub fn settle_and_end(agent: Scanwatch) -> Result<Report> {
    thread::sleep(SETTLED);
    end(agent)
}

/// Ends scanwatch and returns what it left, which must be well-formed.
pub fn end(agent: Scanwatch) -> Result<Report> {
    let report = agent.stop()?;
    ensure!(report.status.success(), "scanwatch ended with {}:\n{}", report.status, report.stderr);
    ensure!(report.stats.is_some(), "no counters in:\n{}", report.stderr);
    report.records.iter().for_each(assert_well_formed);
    Ok(report)
}

/// The first and the last record of an incident.
pub struct Incident<'a> {
    pub detected: &'a Record,
    pub ended: &'a Record,
}

/// The only incident there is: detected once, ended once and last, updated in between or not.
pub fn only_incident(report: &Report) -> Incident<'_> {
    let told: Vec<_> =
        report.records.iter().map(|record| (record.action(), record.kind(), record.source())).collect();
    let [detected, .., ended] = &report.records[..] else {
        panic!("expected an incident, got {told:?}; the log:\n{}", report.stderr)
    };
    assert_eq!((detected.action(), ended.action()), ("scan-detected", "scan-ended"), "{told:?}");
    let between = &report.records[1..report.records.len() - 1];
    assert!(between.iter().all(|record| record.action() == "scan-updated"), "{told:?}");
    assert!(!detected.incident().is_empty(), "{}", detected.line);
    assert!(report.records.iter().all(|record| record.incident() == detected.incident()), "{told:?}");
    Incident { detected, ended }
}

/// Fails, quoting it, where scanwatch said anything.
pub fn assert_silent(report: &Report) {
    let lines: Vec<_> = report.records.iter().map(|record| &record.line).collect();
    assert!(lines.is_empty(), "scanwatch said: {lines:#?}");
}

/// Fails where scanwatch said anything, where a scan hides in its statistics, or where it may have missed one.
pub fn assert_quiet(report: &Report) {
    assert_silent(report);
    for direction in ["lateral", "outbound", "inbound", "transit"] {
        assert_eq!(counter(report, &format!("directions.{direction}.incidents")), 0, "{direction}");
    }
    assert_eq!(counter(report, "losses.ring_lost") + counter(report, "losses.cells_refused"), 0);
}

/// What holds of every record, whatever it is about.
fn assert_well_formed(record: &Record) {
    let line = &record.line;
    for (name, text) in [
        ("event.kind", "alert"),
        ("event.module", "scanwatch"),
        ("observer.product", "scanwatch"),
        ("scanwatch.visibility", "symmetric"),
    ] {
        assert_eq!(record.text(name), text, "{name} in {line}");
    }
    for name in ["@timestamp", "event.start", "event.end"] {
        let time = record.text(name);
        assert!(time.len() == 27 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{name} in {line}");
    }
    assert!(record.text("event.start") <= record.text("event.end"), "{line}");
    assert!(record.text("event.end") <= record.text("@timestamp"), "{line}");
    assert_eq!(record.texts("event.category"), ["network", "intrusion_detection"], "{line}");
    assert_eq!(record.texts("event.type"), ["info"], "{line}");
    let severity = number(record, "event.severity");
    assert!([21.0, 47.0, 73.0, 99.0].contains(&severity), "{line}");
    assert!((0.0..=100.0).contains(&number(record, "event.risk_score")), "{line}");
    assert!(record.text("event.reason").ends_with('.'), "{line}");
    let techniques = record.texts("threat.technique.id");
    assert!(!techniques.is_empty() && techniques.iter().all(|id| id.starts_with('T')), "{line}");
    assert!(!record.texts("scanwatch.scan.technique").is_empty(), "{line}");
    let targets = record.field("scanwatch.scan.targets").and_then(Value::as_array);
    assert!(targets.is_some_and(|targets| !targets.is_empty()), "{line}");
    let related = record.texts("related.ip");
    assert!(related.contains(&record.source()), "{line}");
}

/// The number in field `name`.
pub fn number(record: &Record, name: &str) -> f64 {
    record.number(name).unwrap_or_else(|| panic!("no number {name} in {}", record.line))
}

/// The share by which sketches may be off, for a test that must not fail by chance: each start has a key of its own, so
/// every count is a new draw. Five standard errors, 1.6 % up to 500 and 1.7 % at 1,000.
pub const COUNT_ERROR: f64 = 5.0 * 0.017;
/// Of a few dozen, two or three share a bit now and then, more often than five standard errors would have it.
const FEW: f64 = 2.0;

/// Fails unless field `name` is `expected` as far as sketches can tell.
pub fn assert_about(record: &Record, name: &str, expected: f64) {
    let found = number(record, name);
    let error = expected * COUNT_ERROR + FEW;
    assert!((found - expected).abs() <= error, "{name} is {found}, not {expected} ± {error:.1}");
}

/// A MAC address in the form of the Elastic Common Schema: upper case, hyphens (RFC 7042, section 2.1).
pub fn ecs_mac(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02X}")).join("-")
}

/// The counter at `path` in the final statistics, names parted by dots.
pub fn counter(report: &Report, path: &str) -> u64 {
    let stats = report.stats.as_ref().unwrap_or_else(|| panic!("no counters in:\n{}", report.stderr));
    let found = stats.pointer(&format!("/{}", path.replace('.', "/")));
    found.and_then(Value::as_u64).unwrap_or_else(|| panic!("no counter {path} in {stats}"))
}

/// What the role called `name` covered, in the final statistics: a figure such as `hosts`.
pub fn covered(report: &Report, name: &str, figure: &str) -> u64 {
    let stats = report.stats.as_ref().unwrap_or_else(|| panic!("no counters in:\n{}", report.stderr));
    let roles = stats["roles"].as_array().unwrap_or_else(|| panic!("no roles in {stats}"));
    let role = roles.iter().find(|role| role["name"] == name);
    role.and_then(|role| role[figure].as_u64()).unwrap_or_else(|| panic!("no {figure} of {name} in {stats}"))
}
