//! Sinks of type `kafka` against librdkafka's own test brokers, in builds with the feature `kafka`.

#[path = "../support/compliance.rs"]
mod compliance;
mod complies;

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use scanwatch::config;
use scanwatch::engine::{Severity, Timestamp};
use scanwatch::policy::{KafkaPlan, SaslMechanism, SaslPlan, Secret, TlsPlan, TransportPlan};
use scanwatch::sink::Envelope;
use scanwatch::sink::transport::{self, Fate, Receipt, Transport};

const TOPIC: &str = "scanwatch";

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// Brokers with one topic of one partition.
fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    cluster
}

fn sink(brokers: &str, more: &str) -> Box<dyn Transport> {
    let text = format!(
        "[[sink]]\nname = \"bus\"\ntype = \"kafka\"\nbrokers = [\"{brokers}\"]\ntopic = \"{TOPIC}\"\n{more}"
    );
    let policy = config::parse(&text, "test.toml").unwrap_or_else(|error| panic!("{error}"));
    transport::of(&policy.sinks[0])
}

fn envelopes(count: usize) -> Vec<Envelope> {
    let envelope = |number: usize| Envelope {
        id: format!("incident{}-{number}", number % 3),
        key: format!("incident{}", number % 3),
        at: Timestamp::from_ns(1_833_000_000_123_456_789),
        severity: Severity::High,
        payload: format!("{{\"message\":\"scan {number}\"}}").into(),
    };
    (0..count).map(envelope).collect()
}

async fn deliver(sink: &mut Box<dyn Transport>, batch: &[Envelope]) -> Receipt {
    let limit = sink.batch_max().timeout;
    tokio::time::timeout(limit, sink.deliver(batch)).await.expect("in time")
}

/// Who reads the topic from its beginning.
fn reader(cluster: &Cluster) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    consumer
}

/// What is on the topic.
fn read(cluster: &Cluster, count: usize) -> Vec<OwnedMessage> {
    let consumer = reader(cluster);
    let end = Instant::now() + Duration::from_secs(20);
    let mut messages = Vec::new();
    while messages.len() < count && Instant::now() < end {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            messages.push(message.unwrap().detach());
        }
    }
    // And nothing else.
    messages.extend(consumer.poll(Duration::from_millis(500)).map(|message| message.unwrap().detach()));
    messages
}

#[tokio::test]
async fn messages_are_on_the_topic_in_order_with_their_key_their_time_and_their_identity() {
    let cluster = cluster();
    let mut sink = sink(&cluster.bootstrap_servers(), "");
    let batch = envelopes(50);
    let receipt = deliver(&mut sink, &batch).await;
    assert_eq!((receipt.fates, receipt.outage), (vec![Fate::Taken; 50], None));
    let found = read(&cluster, 50);
    assert_eq!(found.len(), 50);
    for (message, sent) in found.iter().zip(&batch) {
        assert_eq!(message.payload(), Some(&sent.payload[..]));
        assert_eq!(message.key(), Some(sent.key.as_bytes()));
        assert_eq!(message.timestamp().to_millis(), Some(1_833_000_000_123));
        let header = message.headers().unwrap().get(0);
        assert_eq!((header.key, header.value), ("event-id", Some(sent.id.as_bytes())));
    }
    sink.close().await;
}

#[tokio::test]
async fn while_the_brokers_are_away_nothing_is_taken_and_afterwards_everything_is() {
    let cluster = cluster();
    let mut sink = sink(&cluster.bootstrap_servers(), "timeout_s = 2\n");
    let batch = envelopes(6);
    assert_eq!(deliver(&mut sink, &batch[..2]).await.fates, vec![Fate::Taken; 2]);
    cluster.broker_down(1).unwrap();
    let receipt = deliver(&mut sink, &batch[2..]).await;
    assert!(receipt.fates.iter().all(|fate| *fate == Fate::Again), "{receipt:?}");
    let why = receipt.outage.expect("an outage").why;
    assert!(why.contains("did not acknowledge messages within 2 s"), "{why}");
    cluster.broker_up(1).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    let mut receipt = deliver(&mut sink, &batch[2..]).await;
    while receipt.fates != vec![Fate::Taken; 4] && Instant::now() < end {
        receipt = deliver(&mut sink, &batch[2..]).await;
    }
    assert_eq!((receipt.fates, receipt.outage), (vec![Fate::Taken; 4], None));
    assert!(read(&cluster, 6).len() >= 6);
    sink.close().await;
}

#[tokio::test]
async fn a_message_too_large_is_refused_and_the_others_are_taken() {
    let cluster = cluster();
    let mut sink = sink(&cluster.bootstrap_servers(), "");
    let mut batch = envelopes(3);
    batch[1].payload = vec![b'x'; 2 << 20].into();
    let receipt = deliver(&mut sink, &batch).await;
    assert_eq!((&receipt.fates[0], &receipt.fates[2]), (&Fate::Taken, &Fate::Taken));
    assert!(matches!(&receipt.fates[1], Fate::Refused(why) if why.contains("too large")), "{receipt:?}");
    assert_eq!(receipt.outage, None);
    sink.close().await;
}

#[tokio::test]
async fn what_a_broker_cannot_do_for_the_moment_is_tried_again_without_a_second_copy() {
    let cluster = cluster();
    let again = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    ];
    cluster.request_errors(RDKafkaApiKey::Produce, &again);
    let mut sink = sink(&cluster.bootstrap_servers(), "");
    let receipt = deliver(&mut sink, &envelopes(5)).await;
    assert_eq!((receipt.fates, receipt.outage), (vec![Fate::Taken; 5], None));
    assert_eq!(read(&cluster, 5).len(), 5);
    sink.close().await;
}

#[tokio::test]
async fn a_topic_without_rights_is_an_outage_that_says_so() {
    let cluster = cluster();
    cluster.topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).unwrap();
    let mut sink = sink(&cluster.bootstrap_servers(), "timeout_s = 3\n");
    let receipt = deliver(&mut sink, &envelopes(2)).await;
    assert!(receipt.fates.iter().all(|fate| *fate == Fate::Again), "{receipt:?}");
    let why = receipt.outage.expect("an outage").why;
    assert!(why.starts_with("this user may not write to the topic scanwatch"), "{why}");
    sink.close().await;
}

#[tokio::test]
async fn a_probe_finds_the_topic_and_knows_when_it_does_not() {
    let cluster = cluster();
    let mut found = sink(&cluster.bootstrap_servers(), "");
    assert_eq!(found.probe().await.unwrap(), "1 brokers; the topic scanwatch has 1 partitions");
    found.close().await;
    cluster.topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let mut missing = sink(&cluster.bootstrap_servers(), "");
    let why = missing.probe().await.unwrap_err().why;
    assert!(why.ends_with("has no topic scanwatch; create it, or check topic"), "{why}");
    missing.close().await;
}

#[tokio::test]
async fn secrets_and_certificates_are_checked_and_librdkafka_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    let text = format!(
        "[[sink]]\nname = \"bus\"\ntype = \"kafka\"\nbrokers = [\"127.0.0.1:1\"]\ntopic = \"t\"\ntls = true\n\
         sasl_mechanism = \"scram_sha_512\"\nuser = \"scan\"\npassword_file = \"{}\"\ntimeout_s = 1\n",
        password.display()
    );
    let plan = config::parse(&text, "test.toml").unwrap().sinks.remove(0);
    assert!(transport::check(&plan).unwrap_err().contains("cannot be read"));
    std::fs::write(&password, "5ecret-t0ken\n").unwrap();
    assert_eq!(transport::check(&plan), Ok(()));
    let mut sink = transport::of(&plan);
    let why = deliver(&mut sink, &envelopes(1)).await.outage.expect("nobody is there").why;
    assert!(why.contains("127.0.0.1:1 did not acknowledge"), "{why}");
    assert!(!why.contains("5ecret-t0ken"), "{why}");
    sink.close().await;
}

#[test]
fn the_topic_of_the_example_is_read_and_what_is_not_said_has_a_default() {
    let example = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../scanwatch.example.toml"));
    let paragraph =
        example.split("\n\n").find(|paragraph| paragraph.contains("\n#type = \"kafka\"")).unwrap();
    let settings =
        paragraph.lines().filter_map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')));
    let text = settings.collect::<Vec<_>>().join("\n");
    let plan = |text: &str| match config::parse(text, "test.toml").unwrap().sinks.remove(0).transport {
        TransportPlan::Kafka(plan) => plan,
        other => panic!("{other:?}"),
    };
    let expected = KafkaPlan {
        brokers: vec!["kafka1.example:9093".to_owned(), "kafka2.example:9093".to_owned()],
        topic: "scanwatch".to_owned(),
        tls: Some(TlsPlan::default()),
        sasl: Some(SaslPlan {
            mechanism: SaslMechanism::ScramSha512,
            user: "scanwatch".to_owned(),
            password: Secret::File("/etc/scanwatch/kafka-password".into()),
        }),
        timeout: Duration::from_secs(30),
    };
    assert_eq!(plan(&text), expected);
    let least = "[[sink]]\nname = \"b\"\ntype = \"kafka\"\nbrokers = [\"[fd00::1]:9092\"]\ntopic = \"t\"\n";
    let expected = KafkaPlan {
        brokers: vec!["[fd00::1]:9092".to_owned()],
        topic: "t".to_owned(),
        tls: None,
        sasl: None,
        ..expected
    };
    assert_eq!(plan(least), expected);
}

#[test]
fn the_configuration_on_the_page_is_valid() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integrations/kafka.md"));
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let sinks = config::parse(text, "page").unwrap_or_else(|error| panic!("{error}\n{text}")).sinks;
    assert!(matches!(&sinks[0].transport, TransportPlan::Kafka(plan) if plan.sasl.is_some()), "{sinks:?}");
}

#[test]
fn the_program_takes_a_sink_of_kafka() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text =
        "[[sink]]\nname = \"a\"\ntype = \"kafka\"\nbrokers = [\"kafka1.example:9092\"]\ntopic = \"scans\"\n";
    std::fs::write(file.path(), text).unwrap();
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_scanwatch")).arg("check").arg(file.path()).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(": ok — "), "{output:?}");
}
