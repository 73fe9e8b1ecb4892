//! One row of the table of techniques: who runs which command, and what scanwatch must make of it.

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::lab::agent::{Record, Report};
use xtask::lab::plan::mac_text;
use xtask::lab::{Host, Lab, Scanwatch, Segment};

use crate::support::{LIMIT, RECORD_LIMIT, is_detected, watching};

/// Time after which silence is a failure, and a little.
const SILENCE: Duration = Duration::from_millis(3_500);
/// Time in which all refusals are told.
const REFUSALS: Duration = Duration::from_millis(500);
/// Time in which masscan sends what the rows ask of it: it takes a second to begin.
const MASSCAN: Duration = Duration::from_secs(3);

/// A scan and what is to be said of it. `ROUTER` in the command is the link-layer address of the scanner's router.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The command, its words parted by blanks.
    pub line: &'static str,
    /// `scanwatch.scan.kind`.
    pub kind: &'static str,
    /// `scanwatch.scan.technique` of the last record, in order.
    pub techniques: &'static [&'static str],
    /// `scanwatch.scan.tool`, empty where the packets do not tell.
    pub tool: &'static str,
    /// Least number of distinct hosts and ports that must be reported.
    pub breadth: (u32, u32),
    /// Targets that answer, which must lead the list of targets: address, and port or 0.
    pub learned: &'static [(&'static str, u16)],
    /// `scanwatch.scan.decoys.count`.
    pub decoys: u32,
}

impl Row {
    /// A scan of many ports on one host.
    pub const fn vertical(line: &'static str, techniques: &'static [&'static str]) -> Self {
        Self { line, kind: "vertical", techniques, tool: "", breadth: (1, 40), learned: &[], decoys: 0 }
    }

    /// A scan of many hosts.
    pub const fn horizontal(line: &'static str, techniques: &'static [&'static str]) -> Self {
        Self { line, kind: "horizontal", techniques, tool: "", breadth: (100, 0), learned: &[], decoys: 0 }
    }

    /// By this tool.
    pub const fn by(mut self, tool: &'static str) -> Self {
        self.tool = tool;
        self
    }

    /// Of so many hosts and ports at least.
    pub const fn of(mut self, hosts: u32, ports: u32) -> Self {
        self.breadth = (hosts, ports);
        self
    }

    /// The scanner learns that these answer.
    pub const fn learns(mut self, learned: &'static [(&'static str, u16)]) -> Self {
        self.learned = learned;
        self
    }

    /// Under so many other addresses.
    pub const fn under(mut self, decoys: u32) -> Self {
        self.decoys = decoys;
        self
    }
}

/// What all rows of one table have in common.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    /// Who scans.
    pub scanner: &'a Host,
    /// Segment of the scanner.
    pub segment: Segment,
    /// `network.direction`.
    pub direction: &'static str,
}

/// Runs every row against a scanwatch of its own, and fails with all that is wrong in any of them.
pub fn check(lab: &Lab, common: Common, rows: &[Row]) -> Result<()> {
    let mut wrong = Vec::new();
    for row in rows {
        let report = run(lab, common, row).with_context(|| row.line)?;
        let mistakes = mistakes(&report, common, row);
        println!("{} {}", if mistakes.is_empty() { "ok   " } else { "WRONG" }, row.line);
        if !mistakes.is_empty() {
            let records: Vec<_> = report.records.iter().map(|record| record.text("event.reason")).collect();
            wrong.push(format!("{}\n  {}\n  {}", row.line, mistakes.join("\n  "), records.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    Ok(())
}

/// Lets the scanner run the command of a row and returns what scanwatch made of it, once every contact has its outcome.
fn run(lab: &Lab, common: Common, row: &Row) -> Result<Report> {
    let router = mac_text(lab.router_mac(common.segment));
    let mut agent = watching(Scanwatch::on(lab))?;
    // Machines that have not talked for a while ask for each other anew.
    for host in [&lab.router, common.scanner] {
        host.run_line("ip neighbour flush all", LIMIT)?;
    }
    scan(common.scanner, &row.line.replace("ROUTER", &router))?;
    let scanned = Instant::now();
    // What is missing is told by the row, with all that came instead.
    let _ = agent.wait_for(is_detected, RECORD_LIMIT);
    let outcomes = if row.kind == "horizontal" { SILENCE } else { REFUSALS };
    sleep(outcomes.saturating_sub(scanned.elapsed()));
    agent.stop()
}

/// Lets the scanner run a command of which nothing is to be said, and returns what scanwatch left.
pub fn run_unheard(lab: &Lab, scanner: &Host, line: &str) -> Result<Report> {
    let agent = watching(Scanwatch::on(lab))?;
    scan(scanner, line)?;
    sleep(SILENCE);
    agent.stop()
}

/// Runs a scan to its end. masscan, which ends when it next receives a packet, is ended when it has sent all of its own.
fn scan(scanner: &Host, line: &str) -> Result<()> {
    let mut words = line.split_whitespace();
    let program = words.next().context("the command line is empty")?;
    let mut scan = scanner.spawn(program, words)?;
    if program == "masscan" {
        sleep(MASSCAN);
        ensure!(scan.is_running()?, "masscan did not run: {}", scan.stderr().text());
        return Ok(());
    }
    scan.wait(LIMIT)?.ok()?;
    Ok(())
}

/// What is not as the row says.
fn mistakes(report: &Report, common: Common, row: &Row) -> Vec<String> {
    let mut wrong = one_incident(report);
    let family: fn(&IpAddr) -> bool =
        if row.line.contains(" -6 ") { IpAddr::is_ipv6 } else { IpAddr::is_ipv4 };
    let source =
        common.scanner.addresses().into_iter().find(family).map_or_else(String::new, |ip| ip.to_string());
    for record in &report.records {
        for (name, expected) in [
            ("source.ip", source.as_str()),
            ("network.direction", common.direction),
            ("scanwatch.scan.kind", row.kind),
            ("scanwatch.visibility", "symmetric"),
        ] {
            if record.text(name) != expected {
                wrong.push(format!("{}: {name} is {}, not {expected}", record.action(), record.text(name)));
            }
        }
        let attack = record.texts("threat.technique.id");
        let expected = attack_of(common.direction, row.kind, &record.texts("scanwatch.scan.technique"));
        if attack != expected {
            wrong.push(format!("{}: MITRE's {attack:?}, not {expected:?}", record.action()));
        }
    }
    if let Some(last) = report.records.last() {
        wrong.extend(last_record(last, row));
    }
    wrong
}

/// What is wrong with the records as those of one incident.
fn one_incident(report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    let actions: Vec<_> =
        report.records.iter().map(|record| (record.action(), record.kind(), record.source())).collect();
    let is_whole = matches!(actions[..], [(first, ..), .., (last, ..)] if first == "scan-detected" && last == "scan-ended");
    let detections = report.with_action("scan-detected").count();
    let ids: std::collections::BTreeSet<_> = report.records.iter().map(Record::incident).collect();
    if !is_whole || detections != 1 || ids.len() != 1 {
        wrong.push(format!("not one incident from detection to end: {actions:?}"));
    }
    if !report.status.success() {
        wrong.push(format!("scanwatch ended with {}: {}", report.status, report.stderr));
    }
    wrong
}

/// Discovery inside, reconnaissance outside.
fn attack_of(direction: &str, kind: &str, techniques: &[&str]) -> Vec<&'static str> {
    let asks_hosts = techniques.iter().filter(|technique| matches!(**technique, "icmp" | "arp")).count();
    match (direction, kind) {
        ("internal", _) => {
            let ports = (asks_hosts < techniques.len()).then_some("T1046");
            ports.into_iter().chain((asks_hosts > 0).then_some("T1018")).collect()
        }
        (_, "vertical") => vec!["T1595"],
        _ => vec!["T1595.001"],
    }
}

fn last_record(record: &Record, row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    let techniques = record.texts("scanwatch.scan.technique");
    if techniques != row.techniques {
        wrong.push(format!("techniques {techniques:?}, not {:?}", row.techniques));
    }
    if record.text("scanwatch.scan.tool") != row.tool {
        wrong.push(format!("tool {:?}, not {:?}", record.text("scanwatch.scan.tool"), row.tool));
    }
    for (name, least) in [("hosts", row.breadth.0), ("ports", row.breadth.1)] {
        let count = record.number(&format!("scanwatch.scan.{name}")).unwrap_or_default();
        if count < f64::from(least) {
            wrong.push(format!("{count} {name}, not {least} or more"));
        }
    }
    let decoys = record.field("scanwatch.scan.decoys.count").and_then(Value::as_u64).unwrap_or_default();
    let told = record.text("event.reason").contains("other addresses of the same machine");
    if decoys != u64::from(row.decoys) || told != (row.decoys > 0) {
        wrong.push(format!("{decoys} decoys, not {}, or nobody told of them", row.decoys));
    }
    let targets =
        record.field("scanwatch.scan.targets").and_then(Value::as_array).cloned().unwrap_or_default();
    let learned: Vec<(&str, u16)> =
        targets.iter().take_while(|target| target["answered"] == true).map(target_of).collect();
    // A source is watched from its second contact on; the answer to its first may come before.
    let is_known = learned.iter().all(|target| row.learned.contains(target));
    if !row.learned.is_empty() && (!is_known || learned.len() + 1 < row.learned.len()) {
        wrong.push(format!("learned {learned:?}, not {:?}", row.learned));
    }
    wrong
}

fn target_of(target: &Value) -> (&str, u16) {
    let port = target["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    (target["ip"].as_str().unwrap_or_default(), port.unwrap_or_default())
}
