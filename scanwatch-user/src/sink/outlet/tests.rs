//! An outlet with a receiver that does as it is told.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::*;
use crate::engine::tests::lab::{Lab, policy};
use crate::engine::{IncidentEvent, Severity};
use crate::policy::{SpoolPlan, TransportPlan, WhenFull};
use crate::sink::transport::{BatchMax, Fate, Outage, Receipt};
use crate::sink::{Envelope, Format};

pub(super) const PACE: Pace = Pace {
    backoff_min: Duration::from_millis(1),
    backoff_max: Duration::from_millis(20),
    announce: Duration::ZERO,
    sync: Duration::from_millis(1),
};
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What the receiver does with the next delivery.
#[derive(Clone, Debug)]
enum Does {
    /// Says this of the messages, and takes those for which that says so.
    Says(Receipt),
    /// Takes all, and its answer is lost.
    LosesItsAnswer,
    /// Never answers.
    Hangs,
}

/// What the receiver has, and what it will do; without anything to do, it takes all.
#[derive(Default)]
struct Receiver {
    taken: Mutex<Vec<Envelope>>,
    script: Mutex<VecDeque<Does>>,
    good_byes: AtomicU64,
}

impl Receiver {
    fn script(&self, does: impl IntoIterator<Item = Does>) {
        lock(&self.script).extend(does);
    }

    fn ids(&self) -> Vec<String> {
        lock(&self.taken).iter().map(|envelope| envelope.id.clone()).collect()
    }

    async fn wait_for(&self, count: usize) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        while lock(&self.taken).len() < count && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.ids()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Wire(Arc<Receiver>);

impl Transport for Wire {
    fn batch_max(&self) -> BatchMax {
        BatchMax { messages: 4, bytes: 1 << 20, timeout: Duration::from_millis(200) }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        Box::pin(std::future::ready(Ok(String::new())))
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        Box::pin(async move {
            let taken = |count: usize| lock(&self.0.taken).extend_from_slice(&batch[..count]);
            let does = lock(&self.0.script).pop_front();
            match does {
                None => {
                    taken(batch.len());
                    Receipt::taken(batch.len())
                }
                Some(Does::LosesItsAnswer) => {
                    taken(batch.len());
                    Receipt::interrupted(0, Outage::new("the answer was lost"))
                }
                Some(Does::Hangs) => std::future::pending().await,
                Some(Does::Says(receipt)) => {
                    for (envelope, _) in
                        batch.iter().zip(&receipt.fates).filter(|(_, fate)| **fate == Fate::Taken)
                    {
                        lock(&self.0.taken).push(envelope.clone());
                    }
                    receipt
                }
            }
        })
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.0.good_byes.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

fn plan(spool: SpoolPlan) -> SinkPlan {
    SinkPlan {
        name: "test".to_owned(),
        format: Format::Ecs,
        template: None,
        spool,
        transport: TransportPlan::Stdout,
    }
}

fn start(receiver: &Arc<Receiver>, spools: Option<&Path>, spool: SpoolPlan) -> Outlet {
    let wire = Box::new(Wire(Arc::clone(receiver)));
    let closed = Arc::new(Notify::new());
    Outlet::start(wire, plan(spool), spools, Observer::on("gw1"), PACE, closed, None).unwrap()
}

/// Records of incidents that nobody had, with ids that tell them apart.
pub(super) fn records(count: u32) -> Vec<Arc<Record>> {
    let mut lab = Lab::new(policy());
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=20, 10.0);
    lab.wait(3.0);
    lab.finish();
    let event = lab.events.last().unwrap().clone();
    let number = |sequence| {
        let mut event: IncidentEvent = event.clone();
        event.snapshot.sequence = sequence;
        Arc::new(Record::Incident(Box::new(event)))
    };
    (1..=count).map(number).collect()
}

fn publish(outlet: &Outlet, records: &[Arc<Record>]) {
    for record in records {
        outlet.publish(Arc::clone(record));
    }
}

pub(super) fn ids(records: &[Arc<Record>]) -> Vec<String> {
    records.iter().map(|record| super::super::Message::from(&**record).id()).collect()
}

async fn end(outlet: Outlet) {
    let _ = outlet.commands.send(Command::Close(Duration::from_secs(5))).await;
    tokio::time::timeout(PATIENCE, outlet.ended).await.expect("it ends").unwrap();
}

fn refused(why: &str) -> Fate {
    Fate::Refused(why.to_owned())
}

#[tokio::test]
async fn messages_arrive_once_each_and_in_order() {
    let receiver = Arc::new(Receiver::default());
    let outlet = start(&receiver, None, SpoolPlan::default());
    let records = records(100);
    publish(&outlet, &records);
    assert_eq!(receiver.wait_for(100).await, ids(&records));
    let meter = Arc::clone(&outlet.meter);
    end(outlet).await;
    let reading = meter.reading();
    assert_eq!((reading.delivered, reading.queued, reading.dropped, reading.retried), (100, 0, 0, 0));
    assert_eq!(receiver.good_byes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_outage_is_waited_for_and_what_was_not_taken_is_sent_again_and_nothing_else() {
    let receiver = Arc::new(Receiver::default());
    let again = vec![Fate::Taken, Fate::Again, Fate::Taken];
    receiver.script([
        Does::Says(Receipt::interrupted(0, Outage::new("closed"))),
        Does::Says(Receipt::interrupted(2, Outage::new("closed in the middle"))),
        Does::Says(Receipt { fates: again, outage: None }),
        Does::Hangs,
    ]);
    let outlet = start(&receiver, None, SpoolPlan::default());
    let records = records(20);
    publish(&outlet, &records);
    let mut found = receiver.wait_for(20).await;
    found.sort();
    let mut expected = ids(&records);
    expected.sort();
    assert_eq!(found, expected, "each once");
    assert!(outlet.meter.reading().retried > 0);
    end(outlet).await;
}

#[tokio::test]
async fn an_outage_shows_while_it_lasts_and_holds_up_nobody() {
    let receiver = Arc::new(Receiver::default());
    receiver.script(vec![Does::Says(Receipt::interrupted(0, Outage::new("the host is unknown"))); 5]);
    let outlet = start(&receiver, None, SpoolPlan::default());
    let records = records(2);
    outlet.publish(Arc::clone(&records[0]));
    let begun = Instant::now();
    while outlet.meter.reading().outage.is_none() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(outlet.meter.reading().outage.as_deref(), Some("the host is unknown"));
    outlet.publish(Arc::clone(&records[1]));
    assert!(outlet.barrier().await.is_ok(), "what is published is spooled all the same");
    receiver.wait_for(2).await;
    end(outlet).await;
}

#[tokio::test]
async fn what_the_receiver_refuses_is_put_aside_with_its_reason_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Arc::new(Receiver::default());
    receiver.script([Does::Says(Receipt { fates: vec![refused("no such field")], outage: None })]);
    let outlet = start(&receiver, Some(folder.path()), SpoolPlan::default());
    let records = records(3);
    publish(&outlet, &records);
    assert_eq!(receiver.wait_for(2).await, ids(&records)[1..]);
    assert_eq!(outlet.meter.reading().refused, 1);
    end(outlet).await;
    let letters = std::fs::read_to_string(folder.path().join("test/dead-letters.jsonl")).unwrap();
    let letter: serde_json::Value = serde_json::from_str(letters.trim_end()).unwrap();
    assert_eq!(
        (letter["id"].as_str(), letter["why"].as_str()),
        (Some(&*ids(&records)[0]), Some("no such field"))
    );
    let payload: serde_json::Value = serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload["event"]["id"], letter["id"]);
}

#[tokio::test]
async fn a_restart_in_mid_batch_loses_nothing_and_keeps_identities() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Arc::new(Receiver::default());
    receiver.script([Does::LosesItsAnswer]);
    receiver.script(vec![Does::Says(Receipt::interrupted(0, Outage::new("down"))); 1_000]);
    let outlet = start(&receiver, Some(folder.path()), SpoolPlan::default());
    let records = records(50);
    publish(&outlet, &records);
    receiver.wait_for(1).await;
    end(outlet).await;
    assert!(receiver.ids().len() <= 4);
    lock(&receiver.script).clear();
    let repeated = receiver.ids().len();
    let outlet = start(&receiver, Some(folder.path()), SpoolPlan::default());
    let found = receiver.wait_for(50 + repeated).await;
    assert_eq!(found[repeated..], ids(&records), "all, in order; what the lost answer was about twice");
    end(outlet).await;
}

#[tokio::test]
async fn what_a_full_spool_dropped_is_told_downstream_once_the_way_is_free() {
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest] {
        let receiver = Arc::new(Receiver::default());
        receiver.script(vec![Does::Says(Receipt::interrupted(0, Outage::new("down"))); 1_000_000]);
        let outlet = start(&receiver, None, SpoolPlan { bytes_max: 20_000, when_full });
        let records = records(100);
        publish(&outlet, &records);
        assert!(outlet.barrier().await.is_ok());
        lock(&receiver.script).clear();
        let end_at = Instant::now() + PATIENCE;
        while !receiver.ids().iter().any(|id| id.starts_with("dropped-")) && Instant::now() < end_at {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let dropped = outlet.meter.reading().dropped;
        end(outlet).await;
        let taken = lock(&receiver.taken);
        let told: Vec<&Envelope> =
            taken.iter().filter(|envelope| envelope.id.starts_with("dropped-")).collect();
        assert_eq!(told.len(), 1);
        let document: serde_json::Value = serde_json::from_slice(&told[0].payload).unwrap();
        assert_eq!(document["scanwatch"]["delivery"]["dropped"], dropped);
        assert_eq!(taken.len() as u64 - 1 + dropped, 100, "{when_full:?}");
        assert!(dropped > 0 && told[0].severity == Severity::Medium);
    }
}

#[tokio::test]
async fn a_reader_that_is_gone_for_good_is_told_to_the_agent() {
    let receiver = Arc::new(Receiver::default());
    let gone = Outage { is_final: true, ..Outage::new("nobody reads") };
    receiver.script([Does::Says(Receipt::interrupted(0, gone))]);
    let outlet = start(&receiver, None, SpoolPlan::default());
    outlet.publish(Arc::clone(&records(1)[0]));
    let begun = Instant::now();
    while !outlet.meter.closed.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(outlet.meter.closed.load(Ordering::Relaxed));
    end(outlet).await;
    assert_eq!(receiver.ids().len(), 0);
}
