//! nats-server with JetStream.

mod doors;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use scanwatch::policy::{HostPort, NatsLogin, NatsPlan, TransportPlan};
use scanwatch::sink::transport::{Fate, Receipt};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::compliance::{self, Receiver, Tells};
use crate::program::{Program, free_port, is_listening};
use crate::{envelopes, transport};

const SUBJECT: &str = "scanwatch.alerts";
const STREAM: &str = "ALERTS";

struct Server {
    port: u16,
    folder: TempDir,
    /// What its configuration holds beside ports and folders.
    settings: String,
    program: Option<Program>,
    runtime: Arc<Runtime>,
    /// What was read from the stream so far.
    kept: Vec<String>,
}

impl Server {
    fn new(settings: impl Into<String>) -> Self {
        Self {
            port: free_port(),
            folder: tempfile::tempdir().unwrap(),
            settings: settings.into(),
            program: None,
            runtime: Arc::new(Builder::new_current_thread().enable_all().build().unwrap()),
            kept: Vec::new(),
        }
    }

    /// With JetStream, and a stream.
    fn running() -> Self {
        let mut server = Self::new("jetstream: enabled");
        server.run();
        server.make_stream(stream::Config::default());
        server
    }

    fn run(&mut self) {
        let (configuration, store) = (self.path("nats.conf"), self.path("store"));
        let text = format!(
            "listen: \"127.0.0.1:{}\"\n{}\n{}\n",
            self.port,
            self.settings.replace("enabled", &format!("{{ store_dir: \"{}\" }}", store.display())),
            "max_payload: 65536"
        );
        fs::write(&configuration, text).unwrap();
        let arguments = ["-c", configuration.to_str().unwrap()];
        let mut program = Program::start("nats-server", "nats-server", &arguments, &self.path("log"));
        program.wait_until("nats-server listens", || is_listening(self.port));
        self.program = Some(program);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn address(&self) -> HostPort {
        HostPort { host: "127.0.0.1".to_owned(), port: self.port }
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn plan(&self) -> NatsPlan {
        NatsPlan {
            servers: vec![self.address()],
            tls: None,
            subject: SUBJECT.to_owned(),
            stream: None,
            login: NatsLogin::Nobody,
        }
    }

    fn make_stream(&self, config: stream::Config) {
        let subjects = vec!["scanwatch.>".to_owned()];
        self.runtime.block_on(async {
            let context = jetstream::new(async_nats::connect(self.url()).await.unwrap());
            let config = stream::Config { name: STREAM.to_owned(), subjects, ..config };
            context.get_or_create_stream(config).await.unwrap();
        });
    }

    /// Messages of the stream that were not read before.
    fn read(&mut self) {
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(async {
            let Ok(client) = async_nats::connect(self.url()).await else { return };
            let mut stream = jetstream::new(client).get_stream(STREAM).await.unwrap();
            let last = stream.info().await.unwrap().state.messages;
            for number in self.kept.len() as u64 + 1..=last {
                let message = stream.get_raw_message(number).await.unwrap();
                self.kept.push(String::from_utf8(message.payload.to_vec()).unwrap());
            }
        });
    }

    fn messages(&mut self) -> usize {
        self.read();
        self.kept.len()
    }

    /// What became of a batch, sent by a way of its own.
    fn deliver(&self, plan: NatsPlan, count: u32) -> Receipt {
        self.runtime.block_on(async {
            let mut siem = transport(TransportPlan::Nats(plan));
            let receipt = siem.deliver(&envelopes(count)).await;
            siem.close().await;
            receipt
        })
    }

    fn probe(&self, plan: NatsPlan) -> Result<String, String> {
        self.runtime.block_on(async {
            transport(TransportPlan::Nats(plan)).probe().await.map_err(|outage| outage.why)
        })
    }
}

impl Receiver for Server {
    fn plan(&self) -> TransportPlan {
        TransportPlan::Nats(Self::plan(self))
    }

    fn tells(&self) -> Tells {
        Tells::Receipts
    }

    fn start(&mut self) {
        self.run();
        self.make_stream(stream::Config::default());
    }

    fn stop(&mut self) {
        self.read();
        self.program = None;
    }

    fn received(&mut self) -> Vec<String> {
        if self.program.is_some() {
            self.read();
        }
        self.kept.clone()
    }
}

fn why(receipt: &Receipt) -> &str {
    &receipt.outage.as_ref().expect("an outage").why
}

#[test]
fn a_stream_of_nats() {
    compliance::complies(&mut Server::new("jetstream: enabled"));
}

#[test]
fn what_is_published_twice_is_in_the_stream_once() {
    let mut server = Server::running();
    for _ in 0..2 {
        assert_eq!(server.deliver(server.plan(), 100), Receipt::taken(100));
    }
    assert_eq!(server.messages(), 100);
    let sent: Vec<String> =
        envelopes(100).iter().map(|one| String::from_utf8(one.payload.to_vec()).unwrap()).collect();
    assert_eq!(server.kept, sent);
}

#[test]
fn the_next_server_is_tried_where_one_does_not_answer() {
    let server = Server::running();
    let dead = HostPort { host: "127.0.0.1".to_owned(), port: free_port() };
    let plan = NatsPlan { servers: vec![dead.clone(), server.address()], ..server.plan() };
    assert_eq!(server.deliver(plan, 3), Receipt::taken(3));
    let plan = NatsPlan { servers: vec![dead.clone()], ..server.plan() };
    let receipt = server.deliver(plan, 3);
    assert!(receipt.fates.is_empty());
    assert!(why(&receipt).starts_with(&format!("nats://{dead} cannot be reached")), "{receipt:?}");
}

#[test]
fn without_a_stream_nothing_is_taken_and_the_sentence_says_how_to_make_one() {
    let expected = |server: &Server| {
        format!(
            "{} has no stream that keeps {SUBJECT}; enable JetStream there, and make one (`nats stream add ALERTS \
             --subjects {SUBJECT}`)",
            server.url()
        )
    };
    // JetStream without a stream; and no JetStream.
    for settings in ["jetstream: enabled", ""] {
        let mut server = Server::new(settings);
        server.run();
        let receipt = server.deliver(server.plan(), 3);
        assert!(!receipt.fates.contains(&Fate::Taken), "{receipt:?}");
        assert_eq!(why(&receipt), expected(&server));
        if !settings.is_empty() {
            assert_eq!(server.probe(server.plan()), Err(expected(&server)));
        }
    }
}

#[test]
fn another_stream_than_the_configured_is_an_outage() {
    let server = Server::running();
    let configured = |stream: &str| NatsPlan { stream: Some(stream.to_owned()), ..server.plan() };
    assert_eq!(server.deliver(configured(STREAM), 3), Receipt::taken(3));
    let found = format!("{} keeps {SUBJECT} in the stream {STREAM}", server.url());
    assert_eq!(server.probe(configured(STREAM)), Ok(found.clone()));
    let receipt = server.deliver(configured("OTHER"), 3);
    assert!(!receipt.fates.contains(&Fate::Taken), "{receipt:?}");
    assert!(why(&receipt).contains("in another stream than OTHER; correct `stream`"), "{receipt:?}");
    let probed = server.probe(configured("OTHER")).unwrap_err();
    assert_eq!(probed, format!("{found}, and `stream` is OTHER; correct `stream` or `subject`"));
}

#[test]
fn a_message_that_is_too_large_for_the_server_or_the_stream_is_refused_alone() {
    let server = Server::new("jetstream: enabled");
    let mut server = server;
    server.run();
    server.make_stream(stream::Config { max_message_size: 20_000, ..stream::Config::default() });
    let mut batch = envelopes(6);
    batch[1].payload = vec![b'x'; 65_500].into();
    batch[3].payload = vec![b'x'; 30_000].into();
    let receipt = server
        .runtime
        .block_on(async { transport(TransportPlan::Nats(server.plan())).deliver(&batch).await });
    assert_eq!(receipt.outage, None);
    let [
        Fate::Taken,
        Fate::Refused(server_why),
        Fate::Taken,
        Fate::Refused(stream_why),
        Fate::Taken,
        Fate::Taken,
    ] = &receipt.fates[..]
    else {
        panic!("{receipt:?}")
    };
    assert!(server_why.contains("more than the 65536") && server_why.contains("max_payload"), "{server_why}");
    assert!(stream_why.contains("max_msg_size"), "{stream_why}");
    assert_eq!(server.messages(), 4);
}

#[test]
fn a_full_stream_is_an_outage_and_no_refusal() {
    let mut server = Server::new("jetstream: enabled");
    server.run();
    let discard = stream::DiscardPolicy::New;
    server.make_stream(stream::Config { max_messages: 2, discard, ..stream::Config::default() });
    let receipt = server.deliver(server.plan(), 4);
    assert_eq!(receipt.fates, [Fate::Taken, Fate::Taken, Fate::Again, Fate::Again]);
    assert!(why(&receipt).contains("does not take scanwatch.alerts"), "{receipt:?}");
}

#[test]
fn messages_of_an_outage_come_once_the_server_is_there_again() {
    let mut server = Server::running();
    let batch = envelopes(20);
    let runtime = Arc::clone(&server.runtime);
    let mut siem = transport(TransportPlan::Nats(server.plan()));
    assert_eq!(runtime.block_on(siem.deliver(&batch[..10])), Receipt::taken(10));
    Receiver::stop(&mut server);
    let receipt = runtime.block_on(siem.deliver(&batch[10..]));
    assert!(!receipt.fates.contains(&Fate::Taken), "{receipt:?}");
    server.run();
    let delivered = runtime.block_on(async {
        for _ in 0..100 {
            let receipt = siem.deliver(&batch[10..]).await;
            if receipt.outage.is_none() {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server is there, and takes nothing");
    });
    assert_eq!(delivered, Receipt::taken(10));
    assert_eq!(server.messages(), 20);
}
