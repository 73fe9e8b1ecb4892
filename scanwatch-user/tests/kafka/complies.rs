//! A topic through what every sink must do.

use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message as _;
use scanwatch::config;
use scanwatch::policy::TransportPlan;

use crate::compliance::{self, Receiver, Tells};
use crate::{Cluster, TOPIC, cluster, reader};

/// A broker that goes and comes back, and who reads its topic.
struct Topic {
    cluster: Cluster,
    reader: BaseConsumer,
    kept: Vec<String>,
}

impl Topic {
    fn new() -> Self {
        let cluster = cluster();
        let reader = reader(&cluster);
        Self { cluster, reader, kept: Vec::new() }
    }
}

impl Receiver for Topic {
    fn plan(&self) -> TransportPlan {
        let text = format!(
            "[[sink]]\nname = \"a\"\ntype = \"kafka\"\nbrokers = [\"{}\"]\ntopic = \"{TOPIC}\"\ntimeout_s = 2\n",
            self.cluster.bootstrap_servers()
        );
        config::parse(&text, "test.toml").unwrap_or_else(|error| panic!("{error}")).sinks.remove(0).transport
    }

    fn tells(&self) -> Tells {
        Tells::Receipts
    }

    fn start(&mut self) {
        self.cluster.broker_up(1).unwrap();
    }

    fn stop(&mut self) {
        self.cluster.broker_down(1).unwrap();
    }

    fn received(&mut self) -> Vec<String> {
        // An error is a broker that is away: what it has comes later.
        while let Some(message) = self.reader.poll(Duration::from_millis(50)) {
            let Ok(message) = message else { continue };
            self.kept.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
        }
        self.kept.clone()
    }
}

#[test]
fn a_topic_is_served_as_every_sink_must() {
    compliance::complies(&mut Topic::new());
}
