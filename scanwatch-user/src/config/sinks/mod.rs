//! The `[[sink]]` sections: the keys every sink has here, those of its type in a file a type.

mod common;
mod file;
mod http;
mod kafka;
mod nats;
mod syslog;

pub(super) use common::path_at;

use std::collections::BTreeMap;

use super::error::{Fault, quoted};
use super::read::{Section, define};
use crate::policy::{SinkPlan, SpoolPlan, TransportPlan, WhenFull};
use crate::sink::Format;

/// Keys of every sink.
const KEYS: [&str; 5] = ["name", "type", "format", "spool_max_mib", "when_full"];

const WHEN_FULL: [(&str, WhenFull); 2] =
    [("drop_oldest", WhenFull::DropOldest), ("drop_newest", WhenFull::DropNewest)];

/// From the size of a segment to a terabyte.
const SPOOL_MIB: (u64, u64) = (1, 1 << 20);

/// How a type's keys are read.
type Read = fn(&Section) -> Result<TransportPlan, Fault>;

/// Every type: its name, its keys, and how they are read.
const TYPES: [(&str, &[&str], Read); 7] = [
    ("stdout", &[], |_| Ok(TransportPlan::Stdout)),
    ("file", file::KEYS, file::plan),
    ("syslog", syslog::KEYS, syslog::plan),
    ("nats", nats::KEYS, nats::plan),
    ("http", http::KEYS, http::plan),
    ("otlp", http::OTLP_KEYS, http::otlp),
    ("kafka", kafka::KEYS, kafka::plan),
];

/// Reads the `[[sink]]` sections; none given means none returned.
pub(super) fn sinks(top: &Section) -> Result<Vec<SinkPlan>, Fault> {
    let mut seen = BTreeMap::new();
    let mut sinks = Vec::new();
    for section in top.sections("sink")? {
        sinks.push(sink(&section, &mut seen)?);
    }
    Ok(sinks)
}

fn sink(section: &Section, seen: &mut BTreeMap<String, usize>) -> Result<SinkPlan, Fault> {
    let names = TYPES.map(|(name, ..)| (name, name));
    let kind = section.need("type", "type = \"file\"")?.choice(&names)?;
    let (_, keys, read) = TYPES.into_iter().find(|(name, ..)| *name == kind).expect("one of the choices");
    let known: Vec<&str> = KEYS.iter().chain(keys).copied().collect();
    section.expect_keys(&known)?;
    let value = section.name("siem")?;
    let name = value.text("a name such as \"siem\"")?;
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        || name.starts_with('.')
    {
        return Err(value.fault(format!(
            "{} is no name of a sink, which is also that of a folder; expected letters, digits, `-`, `_` and `.`, \
             the first no dot",
            quoted(name)
        )));
    }
    define(seen, "sink", name, value.line)?;
    let format = section.get("format").map(|value| value.choice(&Format::NAMES)).transpose()?;
    let mut spool = SpoolPlan::default();
    if let Some(value) = section.get("spool_max_mib") {
        spool.bytes_max = value.integer(SPOOL_MIB.0..=SPOOL_MIB.1)? << 20;
    }
    if let Some(value) = section.get("when_full") {
        spool.when_full = value.choice(&WHEN_FULL)?;
    }
    let transport = read(section)?;
    Ok(SinkPlan {
        name: name.to_owned(),
        format: format.unwrap_or_default(),
        // No other type has that key.
        template: http::template(section)?,
        spool,
        transport,
    })
}
