//! Sinks that come, go and change while records are made.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::tests::{PACE, PATIENCE, ids, records};
use super::*;
use crate::policy::FilePlan;

/// Time that a sink has to end.
const LIMIT: Duration = Duration::from_secs(5);

fn file_sink(name: &str, path: PathBuf) -> SinkPlan {
    SinkPlan {
        name: name.to_owned(),
        format: Format::Ecs,
        template: None,
        spool: SpoolPlan::default(),
        transport: TransportPlan::File(FilePlan { path, rotate_bytes: 1 << 30, rotate_age: None, keep: 1 }),
    }
}

fn names(outlets: &Outlets) -> Vec<String> {
    outlets.meters().iter().map(|meter| meter.reading().name).collect()
}

/// Identities of what is in a file, once they are as many.
async fn arrived(path: &Path, count: usize) -> Vec<String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let id = |line: &str| {
            let document: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(document["event"]["id"].as_str()?.to_owned())
        };
        let found: Vec<String> = text.lines().filter_map(id).collect();
        if found.len() >= count || Instant::now() >= end {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn publish(outlets: &Outlets, record: &Record) {
    outlets.publish(record.clone());
}

#[tokio::test]
async fn sinks_come_change_and_go_with_the_configuration_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [first, moved, other] = ["first", "moved", "other"].map(|name| folder.path().join(name));
    let spools = folder.path().join("spools");
    let (a, b) = (file_sink("a", first.clone()), file_sink("b", other.clone()));
    let a_moved = file_sink("a", moved.clone());
    let records = records(3);
    let expected = ids(&records);

    let mut outlets =
        Outlets::start(std::slice::from_ref(&a), Some(&spools), Observer::on("gw1"), PACE).unwrap();
    publish(&outlets, &records[0]);
    assert_eq!(arrived(&first, 1).await, expected[..1]);
    outlets.reconfigure(&[a_moved, b.clone()], LIMIT).unwrap();
    publish(&outlets, &records[1]);
    assert_eq!(arrived(&moved, 1).await, expected[1..2]);
    assert_eq!(arrived(&other, 1).await, expected[1..2]);
    outlets.reconfigure(&[b], LIMIT).unwrap();
    assert_eq!(names(&outlets), ["b"]);
    publish(&outlets, &records[2]);
    assert_eq!(arrived(&other, 2).await, expected[1..]);
    assert_eq!(outlets.close(LIMIT).await, 0);
    assert_eq!(arrived(&first, 1).await, expected[..1]);
    assert_eq!(arrived(&moved, 1).await, expected[1..2]);
}

#[tokio::test]
async fn a_sink_that_comes_back_delivers_what_its_spool_kept_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let (nowhere, path) = (folder.path().join("missing/alerts"), folder.path().join("alerts"));
    let spools = folder.path().join("spools");
    let (other, records) = (file_sink("b", folder.path().join("b")), records(20));
    let plans = [file_sink("a", nowhere), other.clone()];
    let mut outlets = Outlets::start(&plans, Some(&spools), Observer::on("gw1"), PACE).unwrap();
    for record in &records {
        publish(&outlets, record);
    }
    // The one that goes and the one that comes have one spool, and there is no time between them.
    outlets.reconfigure(std::slice::from_ref(&other), LIMIT).unwrap();
    outlets.reconfigure(&[file_sink("a", path.clone()), other], LIMIT).unwrap();
    assert_eq!(arrived(&path, records.len()).await, ids(&records));
    assert_eq!(outlets.close(LIMIT).await, 0);
    assert_eq!(arrived(&path, records.len()).await, ids(&records));
}

#[tokio::test]
async fn without_any_sink_records_go_to_standard_output_as_at_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let sink = [file_sink("a", folder.path().join("alerts"))];
    let start = |plans: &[SinkPlan], asked| {
        Outlets::start(plans, None, Observer::on("gw1"), PACE).unwrap().with_stdout(asked).unwrap()
    };
    let mut outlets = start(&sink, None);
    assert_eq!(names(&outlets), ["a"]);
    outlets.reconfigure(&[], LIMIT).unwrap();
    assert_eq!(names(&outlets), [STDOUT]);
    let ends = tokio::time::timeout(Duration::from_millis(50), outlets.closed()).await;
    assert!(ends.is_err(), "the agent goes on");
    outlets.reconfigure(&sink, LIMIT).unwrap();
    assert_eq!(names(&outlets), ["a"]);
    outlets.close(LIMIT).await;

    let mut outlets = start(&sink, Some(Format::Text));
    assert_eq!(names(&outlets), ["a", STDOUT]);
    outlets.reconfigure(&[], LIMIT).unwrap();
    assert_eq!(names(&outlets), [STDOUT]);
    outlets.reconfigure(&sink, LIMIT).unwrap();
    assert_eq!(names(&outlets), [STDOUT, "a"]);
    outlets.close(LIMIT).await;
}
