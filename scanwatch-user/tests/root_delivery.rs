//! Delivery with everything going wrong: a thousand scanners, while the receiver is killed, the agent is killed twice, and
//! the spools' disk is full for a while. Needs root, and nats-server.

mod support;
#[path = "support/traffic.rs"]
mod traffic;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer, stream};
use futures_util::StreamExt as _;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::net::{Veth, in_namespace, tool};
use traffic::Traffic;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(3);
/// Where the receiver listens, in a namespace of its own.
const NATS: &str = "nats://127.0.0.1:4222";
/// What the agent says where there is no room.
const FULL: &str = "sink nats: its spool or its disk is full";
/// Scanners of each of the four acts.
const ACT: u32 = 250;

#[test]
fn a_thousand_incidents_survive_a_dead_receiver_two_dead_agents_and_a_full_disk() {
    in_namespace(async || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
        tool("mount", "--make-rprivate /");
        tool("ip", "link set lo up");
        Play::new().await.run().await;
    });
}

/// What takes part.
struct Play {
    folder: tempfile::TempDir,
    veth: Veth,
    receiver: Option<Child>,
    agent: Agent,
}

impl Play {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("state")).expect("a folder");
        let state = folder.path().join("state").display().to_string();
        tool("mount", &format!("-t tmpfs -o size=32m,mode=0750 scanwatch {state}"));
        let veth = Veth::new("w0");
        let receiver = Some(nats_server(folder.path()).await);
        let agent = Agent::start(folder.path());
        Self { folder, veth, receiver, agent }
    }

    async fn run(mut self) {
        make_stream().await;
        // All is well.
        self.scan(0..ACT, 1..20);
        // The receiver dies in the middle of it, and comes back.
        self.scan(ACT..2 * ACT, 1..12);
        self.kill_receiver();
        self.scan(ACT..2 * ACT, 12..24);
        self.receiver = Some(nats_server(self.folder.path()).await);
        // The agent dies, with the receiver there and without it; the scanners go on.
        self.scan(2 * ACT..3 * ACT, 1..12);
        self.agent = self.agent.die(self.folder.path());
        self.scan(2 * ACT..3 * ACT, 12..24);
        self.kill_receiver();
        self.scan(2 * ACT..3 * ACT, 24..36);
        self.agent = self.agent.die(self.folder.path());
        self.scan(2 * ACT..3 * ACT, 36..60);
        // The disk is full, while nobody receives.
        let ballast = Ballast::fill(&self.folder.path().join("state"));
        self.scan(3 * ACT..4 * ACT, 1..30);
        self.agent.wait_until_full();
        drop(ballast);
        self.receiver = Some(nats_server(self.folder.path()).await);

        let (published, delivered) = self.wait_for_everything().await;
        self.agent.stop();
        if let Some(mut receiver) = self.receiver.take() {
            receiver.kill().and_then(|()| receiver.wait()).expect("the receiver ends");
        }
        Self::judge(&published, &delivered);
        let said = self.agent.log().matches(FULL).count();
        let told = delivered.iter().filter(|document| is_announcement(document)).count();
        assert!((1..=told).contains(&said), "said {said} times, told {told} times: {}", self.agent.log());
    }

    /// So many scanners, each of which tries ports of a host of its own and is refused.
    fn scan(&mut self, scanners: Range<u32>, ports: Range<u16>) {
        for port in ports {
            let mut traffic = Traffic::new();
            for scanner in scanners.clone() {
                traffic.refused(&source(scanner), &target(scanner), port);
            }
            let frames: Vec<Vec<u8>> = traffic.frames.into_iter().map(|(_, frame)| frame).collect();
            self.veth.send(&frames);
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn kill_receiver(&mut self) {
        let mut receiver = self.receiver.take().expect("a receiver");
        receiver.kill().and_then(|()| receiver.wait()).expect("the receiver dies");
    }

    /// Waits until every scanner has been reported and what was dropped has been told; what the file and the receiver have.
    async fn wait_for_everything(&mut self) -> (Vec<Value>, Vec<Value>) {
        let begun = Instant::now();
        loop {
            let published =
                documents(&fs::read_to_string(self.folder.path().join("alerts.json")).unwrap_or_default());
            let delivered = received().await;
            let arrived = ids(&delivered);
            let missing = ids(&published).difference(&arrived).count() as u64;
            let seen = sources(&published);
            if seen.len() == 4 * ACT as usize && missing == dropped(&delivered) {
                return (published, delivered);
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{} scanners reported, {} records published, {missing} missing, {} told as dropped; {}",
                seen.len(),
                published.len(),
                dropped(&delivered),
                self.agent.log(),
            );
            thread::sleep(Duration::from_secs(1));
        }
    }

    fn judge(published: &[Value], delivered: &[Value]) {
        let dropped = dropped(delivered);
        let (there, arrived) = (ids(published), ids(delivered));
        assert!(dropped > 0, "the disk was full once");
        assert_eq!(there.difference(&arrived).count() as u64, dropped, "what is missing is what was told");
        assert_eq!(delivered.len(), arrived.len(), "the receiver knew by its id what it had already");
        let told = delivered.iter().filter(|document| is_announcement(document));
        assert!(
            told.clone().count() >= 1
                && told.clone().all(|document| document["scanwatch"]["delivery"]["sink"] == "nats")
        );
        assert!(
            !published.iter().any(is_announcement),
            "the other sink was not held up, and dropped nothing"
        );
        // One incident a scan: only those that were open when the agent died may be told anew.
        let mut incidents: HashMap<&str, HashSet<&str>> = HashMap::new();
        for document in published {
            if let (Some(source), Some(id)) =
                (document["source"]["ip"].as_str(), document["scanwatch"]["incident"]["id"].as_str())
            {
                incidents.entry(source).or_default().insert(id);
            }
        }
        let of_dead_agents: HashSet<String> = (2 * ACT..3 * ACT).map(source).collect();
        for (source, ids) in incidents {
            let most = if of_dead_agents.contains(source) { 3 } else { 1 };
            assert!(ids.len() <= most, "{source} has {} incidents", ids.len());
        }
        eprintln!(
            "{} records published, {dropped} dropped and told, {} delivered",
            there.len(),
            arrived.len()
        );
    }
}

fn source(scanner: u32) -> String {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 1)) + scanner).to_string()
}

fn target(scanner: u32) -> String {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 2, 0, 1)) + scanner).to_string()
}

/// A running scanwatch.
struct Agent {
    process: Child,
    log: PathBuf,
    life: u32,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let config = format!(
            "[state]\ndirectory = \"{0}/state\"\n\
             [limits]\nincidents_per_minute = 100000\n\
             [[sink]]\nname = \"nats\"\ntype = \"nats\"\nservers = [\"{NATS}\"]\nsubject = \"scanwatch.alerts\"\n\
             stream = \"alerts\"\nspool_max_mib = 4\nwhen_full = \"drop_newest\"\n\
             [[sink]]\nname = \"file\"\ntype = \"file\"\npath = \"{0}/alerts.json\"\n\
             [[sink]]\nname = \"nobody\"\ntype = \"syslog\"\naddress = \"tcp://127.0.0.1:9\"\nspool_max_mib = 1\nwhen_full = \"drop_newest\"\n",
            folder.display()
        );
        fs::write(folder.join("scanwatch.toml"), config).expect("a configuration");
        Self::live(folder, 1)
    }

    fn live(folder: &Path, life: u32) -> Self {
        let log = folder.join(format!("log.{life}"));
        let process = Command::new(env!("CARGO_BIN_EXE_scanwatch"))
            .args(["run", "--interface", "w0", "--config"])
            .arg(folder.join("scanwatch.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("scanwatch starts");
        let agent = Self { process, log, life };
        let begun = Instant::now();
        while !agent.log().contains("watching w0") {
            assert!(begun.elapsed() < PATIENCE, "it does not watch: {}", agent.log());
            thread::sleep(Duration::from_millis(20));
        }
        agent
    }

    /// Kills it without a chance to do anything about it; the next one.
    fn die(mut self, folder: &Path) -> Self {
        self.process.kill().and_then(|()| self.process.wait()).expect("it dies");
        Self::live(folder, self.life + 1)
    }

    fn stop(&mut self) {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).expect("a signal");
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// However long a busy machine takes to bring it there.
    fn wait_until_full(&self) {
        let begun = Instant::now();
        while !self.log().contains(FULL) {
            assert!(begun.elapsed() < PATIENCE, "the disk does not become full: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A file that takes all but a little of what a disk has left.
struct Ballast(PathBuf);

impl Ballast {
    fn fill(folder: &Path) -> Self {
        const LEFT: usize = 96 << 10;
        let path = folder.join("ballast");
        let step = vec![0; 16 << 10];
        let mut all = 0;
        let mut file = File::create(&path).expect("a file");
        while std::io::Write::write_all(&mut file, &step).is_ok() {
            all += step.len();
        }
        file.set_len((all - LEFT) as u64).expect("room for a little");
        Self(path)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("the ballast goes");
    }
}

async fn nats_server(folder: &Path) -> Child {
    let server = Command::new("nats-server")
        .args(["--jetstream", "--addr", "127.0.0.1", "--port", "4222", "--store_dir"])
        .arg(folder.join("nats"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server runs: it is in Debian's package nats-server");
    let begun = Instant::now();
    while async_nats::connect(NATS).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "nats-server does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server
}

async fn context() -> jetstream::Context {
    jetstream::new(async_nats::connect(NATS).await.expect("the receiver"))
}

async fn make_stream() {
    let config = stream::Config {
        name: "alerts".to_owned(),
        subjects: vec!["scanwatch.>".to_owned()],
        duplicate_window: Duration::from_hours(1),
        ..stream::Config::default()
    };
    context().await.create_stream(config).await.expect("a stream");
}

/// All that the receiver has.
async fn received() -> Vec<Value> {
    let stream = context().await.get_stream("alerts").await.expect("the stream");
    let count = stream.get_info().await.expect("the stream").state.messages as usize;
    if count == 0 {
        return Vec::new();
    }
    let consumer = stream.create_consumer(consumer::pull::Config::default()).await.expect("a consumer");
    let mut messages = consumer.stream().messages().await.expect("messages").take(count);
    let mut all = Vec::with_capacity(count);
    while let Some(message) = messages.next().await {
        let message = message.expect("a message");
        message.ack().await.expect("an acknowledgement");
        all.push(serde_json::from_slice(&message.payload).expect("a document"));
    }
    all
}

fn documents(text: &str) -> Vec<Value> {
    // What is being written may not have come to its end.
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    whole.lines().map(|line| serde_json::from_str(line).expect("a document")).collect()
}

fn ids(documents: &[Value]) -> HashSet<String> {
    documents.iter().map(|document| document["event"]["id"].as_str().expect("an id").to_owned()).collect()
}

fn sources(documents: &[Value]) -> HashSet<String> {
    documents.iter().filter_map(|document| Some(document["source"]["ip"].as_str()?.to_owned())).collect()
}

/// Tells what was dropped.
fn is_announcement(document: &Value) -> bool {
    document["event"]["action"] == "records-dropped"
}

/// What the receiver was told to be lost.
fn dropped(documents: &[Value]) -> u64 {
    documents.iter().filter_map(|document| document["scanwatch"]["delivery"]["dropped"].as_u64()).sum()
}
