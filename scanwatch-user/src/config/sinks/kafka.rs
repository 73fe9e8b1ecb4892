//! `type = "kafka"`.

use std::time::Duration;

use super::common::{TLS_KEYS, secret, tls};
use crate::config::error::{Fault, quoted};
use crate::config::read::{Section, Value};
use crate::policy::{KafkaPlan, SaslMechanism, SaslPlan, TransportPlan};

/// Keys of this type.
pub const KEYS: &[&str] = &[
    "brokers",
    "topic",
    "timeout_s",
    "tls",
    "ca_file",
    "certificate_file",
    "key_file",
    "sasl_mechanism",
    "user",
    "password_file",
    "password_env",
];

const TIMEOUT_S: u64 = 30;

const MECHANISMS: [(&str, SaslMechanism); 3] = [
    ("plain", SaslMechanism::Plain),
    ("scram_sha_256", SaslMechanism::ScramSha256),
    ("scram_sha_512", SaslMechanism::ScramSha512),
];

/// Reads them.
pub fn plan(section: &Section) -> Result<TransportPlan, Fault> {
    let plan = KafkaPlan {
        brokers: brokers(section)?,
        topic: topic(&section.need("topic", "topic = \"scanwatch\"")?)?,
        tls: is_tls(section)?.then(|| tls(section)).transpose()?,
        sasl: sasl(section)?,
        timeout: Duration::from_secs(
            section.get("timeout_s").map(|value| value.integer(1..=300)).transpose()?.unwrap_or(TIMEOUT_S),
        ),
    };
    built(section, plan)
}

#[cfg(feature = "kafka")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it is an error")]
fn built(_: &Section, plan: KafkaPlan) -> Result<TransportPlan, Fault> {
    Ok(TransportPlan::Kafka(plan))
}

/// What is wrong with the keys is said first.
#[cfg(not(feature = "kafka"))]
fn built(section: &Section, _: KafkaPlan) -> Result<TransportPlan, Fault> {
    Err(section.fault(
        "this scanwatch is built without Kafka; build one with `cargo xtask build --release --features kafka`, or \
         choose another type",
    ))
}

fn brokers(section: &Section) -> Result<Vec<String>, Fault> {
    const WANTED: &str = "a list such as [\"kafka1.example:9092\"]";
    let value = section.need("brokers", "brokers = [\"kafka1.example:9092\"]")?;
    let broker = |value: &Value| {
        let text = value.text("a broker such as \"kafka1.example:9092\"")?;
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        // librdkafka takes them in a list with commas, and would take a protocol before each.
        let fits = !host.is_empty()
            && !host.contains(|c: char| c == ',' || c == '/' || c.is_whitespace() || c.is_control());
        if fits && port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Ok(text.to_owned());
        }
        Err(value.fault(format!(
            "{} is no broker; expected host and port, as \"kafka1.example:9092\"",
            quoted(text)
        )))
    };
    value.filled_list(WANTED)?.iter().map(broker).collect()
}

/// Kafka's rule for names of topics.
fn topic(value: &Value) -> Result<String, Fault> {
    const WANTED: &str = "the name of a topic: letters, digits, `.`, `_` and `-`, at most 249";
    let text = value.text(WANTED)?;
    let fits = (1..=249).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !matches!(text, "." | "..");
    if fits { Ok(text.to_owned()) } else { Err(value.expected(WANTED)) }
}

fn is_tls(section: &Section) -> Result<bool, Fault> {
    let asked = section.get("tls").map(|value| value.flag()).transpose()?;
    match (asked, TLS_KEYS.iter().find_map(|key| section.get(key))) {
        (Some(false) | None, Some(value)) => {
            Err(value.fault(format!("`{}` is of no use without TLS; add tls = true", value.key)))
        }
        (asked, _) => Ok(asked.unwrap_or(false)),
    }
}

fn sasl(section: &Section) -> Result<Option<SaslPlan>, Fault> {
    let password = secret(section, "password_file", "password_env")?;
    match (section.get("sasl_mechanism"), section.get("user"), password) {
        (None, None, None) => Ok(None),
        (Some(mechanism), Some(user), Some(password)) => {
            const WANTED: &str = "a name without control characters";
            let name = user.text(WANTED)?;
            if name.is_empty() || name.contains(char::is_control) {
                return Err(user.expected(WANTED));
            }
            Ok(Some(SaslPlan { mechanism: mechanism.choice(&MECHANISMS)?, user: name.to_owned(), password }))
        }
        _ => Err(section.fault(
            "`sasl_mechanism`, `user` and `password_file` or `password_env` belong together; give all three, or none",
        )),
    }
}
