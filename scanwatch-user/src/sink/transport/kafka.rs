//! A topic of a Kafka cluster, by librdkafka.
//!
//! The producer is idempotent and waits for all in-sync replicas, so what it reports as delivered is kept, and its own
//! repetitions are not. After a restart of scanwatch a message may come a second time: the header `event-id` tells.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use super::{BatchMax, Fate, Outage, Receipt, Transport, tls};
use crate::policy::{KafkaPlan, SaslMechanism};
use crate::sink::Envelope;

/// Brokers answer a question for metadata within this time, or are not there.
const METADATA: Duration = Duration::from_secs(10);
/// The header that says which message it is.
const IDENTITY: &str = "event-id";

/// A topic.
pub struct Kafka {
    plan: KafkaPlan,
    context: Context,
    open: Option<FutureProducer<Context>>,
}

/// Reads secrets and certificates, and forgets them again.
///
/// # Errors
/// One sentence about the file or variable that is not as it should be.
pub fn check(plan: &KafkaPlan) -> Result<(), String> {
    settings(plan).map(drop)
}

/// What librdkafka is told.
fn settings(plan: &KafkaPlan) -> Result<ClientConfig, String> {
    let mut settings = ClientConfig::new();
    settings
        .set("client.id", "scanwatch")
        .set("bootstrap.servers", plan.brokers.join(","))
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", plan.timeout.as_millis().to_string());
    settings.set(
        "security.protocol",
        match (&plan.tls, &plan.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        },
    );
    if let Some(plan) = &plan.tls {
        // OpenSSL reads them again, and would say less about what is wrong.
        tls::client_config(plan)?;
        if let Some(file) = &plan.ca_file {
            settings.set("ssl.ca.location", file.to_string_lossy());
        }
        if let Some(client) = &plan.client {
            settings.set("ssl.certificate.location", client.certificate_file.to_string_lossy());
            settings.set("ssl.key.location", client.key_file.to_string_lossy());
        }
    }
    if let Some(sasl) = &plan.sasl {
        settings.set(
            "sasl.mechanism",
            match sasl.mechanism {
                SaslMechanism::Plain => "PLAIN",
                SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
                SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
            },
        );
        settings.set("sasl.username", &sasl.user);
        settings.set("sasl.password", sasl.password.read()?);
    }
    Ok(settings)
}

/// Remembers what librdkafka said last: a message that timed out does not say why.
#[derive(Clone, Default)]
struct Context(Arc<Mutex<Option<String>>>);

impl Context {
    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Context {
    /// What matters of it is said once, as an outage.
    fn log(&self, _: RDKafkaLogLevel, _: &str, message: &str) {
        tracing::debug!("librdkafka: {message}");
    }

    fn error(&self, _: KafkaError, reason: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl Kafka {
    /// A topic, not connected to yet.
    #[must_use]
    pub fn new(plan: KafkaPlan) -> Self {
        Self { plan, context: Context::default(), open: None }
    }

    fn producer(&mut self) -> Result<FutureProducer<Context>, Outage> {
        if let Some(open) = &self.open
            && open.client().fatal_error().is_none()
        {
            return Ok(open.clone());
        }
        let settings = settings(&self.plan).map_err(Outage::new)?;
        let producer =
            FutureProducer::from_config_and_context(&settings, self.context.clone()).map_err(|error| {
                Outage::new(format!("librdkafka does not accept the configuration ({error})"))
            })?;
        Ok(self.open.insert(producer).clone())
    }

    async fn send(&mut self, batch: &[Envelope]) -> Receipt {
        let producer = match self.producer() {
            Ok(producer) => producer,
            Err(outage) => return Receipt::interrupted(0, outage),
        };
        // They are all on their way before the first report is waited for; reports are in order all the same.
        let reports = batch.iter().map(|envelope| {
            let record = FutureRecord::to(&self.plan.topic)
                .key(&envelope.key)
                .payload(&*envelope.payload)
                .timestamp((envelope.at.as_ns() / 1_000_000).cast_signed())
                .headers(OwnedHeaders::new().insert(Header { key: IDENTITY, value: Some(&envelope.id) }));
            let sent = producer.send_result(record).map_err(|(error, _)| error);
            async {
                match sent?.await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err((error, _))) => Err(error),
                    Err(_) => Err(KafkaError::Canceled),
                }
            }
        });
        let reports: Vec<Result<(), KafkaError>> = join_all(reports).await;
        let mut receipt = Receipt { fates: Vec::with_capacity(batch.len()), outage: None };
        for report in reports {
            receipt.fates.push(match report {
                Ok(()) => Fate::Taken,
                Err(error) if is_at_fault(&error) => Fate::Refused(format!("the brokers refuse it: {error}")),
                Err(error) => {
                    receipt.outage.get_or_insert_with(|| self.outage(&error));
                    Fate::Again
                }
            });
        }
        receipt
    }

    fn outage(&self, error: &KafkaError) -> Outage {
        let brokers = self.plan.brokers.join(", ");
        let topic = &self.plan.topic;
        let said = self.context.take().map(|said| format!("; librdkafka says: {said}")).unwrap_or_default();
        Outage::new(match error.rdkafka_error_code() {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                format!("the cluster of {brokers} has no topic {topic}; create it, or check topic")
            }
            Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
                format!("this user may not write to the topic {topic} ({error}); let it")
            }
            Some(Code::MessageTimedOut) => {
                let seconds = self.plan.timeout.as_secs();
                format!("{brokers} did not acknowledge messages within {seconds} s{said}")
            }
            _ => format!("{brokers} took nothing ({error}){said}"),
        })
    }
}

/// Whether a message will never be taken.
fn is_at_fault(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::MessageSizeTooLarge | Code::InvalidRecord | Code::InvalidTimestamp)
    )
}

impl Transport for Kafka {
    fn batch_max(&self) -> BatchMax {
        // librdkafka gives up by itself, and then says of each message what became of it.
        BatchMax { messages: 500, bytes: 4 << 20, timeout: self.plan.timeout + METADATA }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        Box::pin(async move {
            let producer = self.producer()?;
            let (topic, asked) = (self.plan.topic.clone(), producer.clone());
            let question = move || asked.client().fetch_metadata(Some(&topic), METADATA);
            let answer = tokio::task::spawn_blocking(question).await.unwrap_or(Err(KafkaError::Canceled));
            let answer = answer.map_err(|error| self.outage(&error))?;
            let topic = answer.topics().first();
            if let Some(error) = topic.and_then(MetadataTopic::error) {
                return Err(self.outage(&KafkaError::MetadataFetch(error.into())));
            }
            let partitions = topic.map_or(0, |topic| topic.partitions().len());
            let (brokers, topic) = (answer.brokers().len(), &self.plan.topic);
            Ok(format!("{brokers} brokers; the topic {topic} has {partitions} partitions"))
        })
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        Box::pin(self.send(batch))
    }

    fn reopen(&mut self) -> BoxFuture<'_, ()> {
        self.close()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        let open = self.open.take();
        Box::pin(async move {
            // To end librdkafka's threads takes a moment.
            let _ = tokio::task::spawn_blocking(move || drop(open)).await;
        })
    }
}
