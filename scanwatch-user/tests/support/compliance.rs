//! What every way to a receiver must do, whatever its protocol: one test for all of them.
//!
//! Order, batching, an outage, a restart in mid-batch, a refused message, shutdown. A receiver is the real thing, or follows
//! its documentation; it tells what it received in the order in which it did.

#![allow(dead_code, reason = "each test crate that includes this module uses its own part of it")]

#[path = "traffic.rs"]
mod traffic;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use scanwatch::engine::Record;
use scanwatch::policy::{Policy, SinkPlan, SpoolPlan, TransportPlan};
use scanwatch::replay::{self, Input, Progress, Through};
use scanwatch::sink::transport::{self, Transport};
use scanwatch::sink::{Format, Message, Observer, Outlets, Pace, Reading, Sink};
use tempfile::TempDir;
use traffic::Traffic;

/// Longest wait for anything: receivers are programs that start, and machines are busy.
const PATIENCE: Duration = Duration::from_mins(1);

const PACE: Pace = Pace {
    backoff_min: Duration::from_millis(20),
    backoff_max: Duration::from_millis(500),
    announce: Duration::ZERO,
    sync: Duration::from_millis(50),
};

/// What a protocol can tell its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// What was received, and what never will be.
    Refusals,
    /// What was received.
    Receipts,
    /// Nothing: what is sent while nobody listens is lost, as the documentation of the sink says.
    Nothing,
}

/// A receiver that a test starts, stops and reads.
pub trait Receiver {
    /// The way to it. It stays the same over [`Receiver::stop`] and [`Receiver::start`].
    fn plan(&self) -> TransportPlan;

    /// What goes that way.
    fn transport(&self, plan: &SinkPlan) -> Box<dyn Transport> {
        transport::of(plan)
    }

    /// What its protocol can tell.
    fn tells(&self) -> Tells;

    /// Begins to receive; what was received before is not forgotten.
    fn start(&mut self);

    /// Stops, without a farewell.
    fn stop(&mut self);

    /// The ECS documents it received so far, without its protocol's frame, in order.
    fn received(&mut self) -> Vec<String>;

    /// From now on refuses for good what contains this.
    fn refuse(&mut self, needle: &str) {
        panic!("this receiver cannot refuse {needle}");
    }
}

/// Puts a way to a receiver, which has not been started, through everything.
///
/// # Panics
/// Where it does not do what it must.
pub fn complies(receiver: &mut impl Receiver) {
    let spools = tempfile::tempdir().expect("a folder");
    let mut trial = Trial { receiver, spools, expected: Vec::new(), records: records(1_000) };
    trial.receiver.start();
    trial.order_and_batching();
    trial.outage();
    trial.restart_in_mid_batch();
    trial.refused_record();
    trial.shutdown();
    trial.receiver.stop();
}

struct Trial<'a, R> {
    receiver: &'a mut R,
    spools: TempDir,
    /// Identities of all messages published so far.
    expected: Vec<String>,
    records: Vec<Record>,
}

impl<R: Receiver> Trial<'_, R> {
    fn open(&self) -> Outlets {
        let plan = SinkPlan {
            name: "trial".to_owned(),
            format: Format::Ecs,
            template: None,
            spool: SpoolPlan::default(),
            transport: self.receiver.plan(),
        };
        let transport = self.receiver.transport(&plan);
        let mut sinks =
            Outlets::start(&[], Some(self.spools.path()), Observer::on("gw1"), PACE).expect("sinks");
        sinks.add_with(plan, transport).expect("a thread");
        sinks
    }

    /// Publishes messages that nobody had; their identities.
    fn publish(&mut self, sinks: &Outlets, count: usize) -> Vec<String> {
        let new: Vec<Record> = self.records.drain(..count).collect();
        let ids: Vec<String> = new.iter().map(|record| Message::from(record).id()).collect();
        for record in new {
            sinks.publish(record);
        }
        self.expected.extend_from_slice(&ids);
        ids
    }

    /// Waits until everything that is expected has arrived; what arrived, in order.
    fn wait_for_all(&mut self, what: &str) -> Vec<String> {
        let expected = self.expected.clone();
        self.wait(what, |found| {
            let found: HashSet<&String> = found.iter().collect();
            expected.iter().all(|id| found.contains(id))
        })
    }

    fn wait(&mut self, what: &str, is_there: impl Fn(&[String]) -> bool) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let found: Vec<String> = self.receiver.received().iter().map(|document| id(document)).collect();
            if is_there(&found) {
                return found;
            }
            if begun.elapsed() > PATIENCE {
                let there: HashSet<&String> = found.iter().collect();
                let missing: Vec<&String> = self.expected.iter().filter(|id| !there.contains(id)).collect();
                panic!(
                    "{what}: {} of {} have not arrived, as {:?}",
                    missing.len(),
                    self.expected.len(),
                    missing.first()
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn order_and_batching(&mut self) {
        let sinks = self.open();
        self.publish(&sinks, 200);
        let found = self.wait_for_all("order");
        assert_eq!(found, self.expected, "each once, in order");
        close(sinks, PATIENCE);
        assert_eq!(self.receiver.received().len(), 200, "and nothing after");
    }

    fn outage(&mut self) {
        self.receiver.stop();
        if self.receiver.tells() == Tells::Nothing {
            self.receiver.start();
            return;
        }
        let sinks = self.open();
        self.publish(&sinks, 100);
        await_reading(&sinks, "an outage shows", |reading| reading.outage.is_some());
        assert_eq!(reading(&sinks).queued, 100, "nothing is given up");
        self.receiver.start();
        let found = self.wait_for_all("after an outage");
        self.assert_order(&found);
        await_reading(&sinks, "the outage is over", |reading| {
            reading.outage.is_none() && reading.queued == 0
        });
        close(sinks, PATIENCE);
    }

    fn restart_in_mid_batch(&mut self) {
        for _ in 0..3 {
            let sinks = self.open();
            self.publish(&sinks, 100);
            assert!(block_on(sinks.barrier(PATIENCE)), "all is spooled");
            close(sinks, Duration::ZERO);
        }
        let sinks = self.open();
        let found = self.wait_for_all("after a restart");
        self.assert_order(&found);
        close(sinks, PATIENCE);
    }

    fn refused_record(&mut self) {
        if self.receiver.tells() != Tells::Refusals {
            return;
        }
        let sinks = self.open();
        let refused = Message::from(&self.records[5]).id();
        self.receiver.refuse(&refused);
        self.publish(&sinks, 20);
        self.expected.retain(|id| *id != refused);
        let found = self.wait_for_all("around a refused message");
        assert!(!found.contains(&refused));
        await_reading(&sinks, "the refused message is settled", |reading| {
            reading.refused == 1 && reading.queued == 0
        });
        close(sinks, PATIENCE);
        let letters = std::fs::read_to_string(self.spools.path().join("trial/dead-letters.jsonl"))
            .expect("dead letters");
        assert!(letters.contains(&refused), "{letters}");
    }

    fn shutdown(&mut self) {
        let sinks = self.open();
        self.publish(&sinks, 100);
        close(sinks, PATIENCE);
        let found = self.wait_for_all("at shutdown");
        self.assert_order(&found);
        let left = std::fs::read_dir(self.spools.path().join("trial")).expect("a spool");
        let left = left.filter(|entry| {
            entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "seg"))
        });
        assert_eq!(left.count(), 0, "what was delivered is removed");
    }

    /// First arrivals came in the order in which they were published.
    fn assert_order(&self, found: &[String]) {
        let mut seen = HashSet::new();
        let firsts: Vec<&String> = found.iter().filter(|id| seen.insert(*id)).collect();
        assert_eq!(firsts, self.expected.iter().collect::<Vec<_>>());
    }
}

fn reading(sinks: &Outlets) -> Reading {
    sinks.meters()[0].reading()
}

fn await_reading(sinks: &Outlets, what: &str, is_so: impl Fn(&Reading) -> bool) {
    let begun = Instant::now();
    while !is_so(&reading(sinks)) {
        assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", reading(sinks));
        thread::sleep(Duration::from_millis(5));
    }
}

fn close(sinks: Outlets, limit: Duration) {
    block_on(sinks.close(limit));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(future)
}

fn id(document: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(document).expect("an ECS document");
    document["event"]["id"].as_str().expect("an id").to_owned()
}

/// Records that differ in their identities alone.
pub fn records(count: u32) -> Vec<Record> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scan.pcap");
    let mut traffic = Traffic::new();
    traffic.scan_ports("10.1.0.99", "10.2.0.10", 30, 10.0);
    std::fs::write(&path, traffic.pcap()).expect("a capture");
    let record = judged(&path).into_iter().next().expect("a scan");
    let number = |sequence| {
        let mut record = record.clone();
        if let Record::Incident(event) = &mut record {
            event.snapshot.sequence = sequence;
        }
        record
    };
    (1..=count).map(number).collect()
}

fn judged(path: &Path) -> Vec<Record> {
    struct Kept(Vec<Record>);
    impl Sink for Kept {
        fn write(&mut self, record: &Record) -> io::Result<bool> {
            self.0.push(record.clone());
            Ok(true)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut kept = Kept(Vec::new());
    let policy = Arc::new(Policy::default());
    replay::run(&policy, &Input::named(path), Through::Host, &mut kept, &mut Progress::on_terminal())
        .expect("a replay");
    kept.0
}
