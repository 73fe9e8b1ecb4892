//! `[thresholds]`: the counts at which a rule fires.

use super::defaults::THRESHOLDS;
use super::error::Fault;
use super::read::{Section, Value};
use crate::policy::{BlockLimit, Limit, Thresholds};

/// Most ports a host can have.
const PORTS_MAX: u32 = 65_535;
/// Most IP protocols a host can be asked for.
const PROTOCOLS_MAX: u32 = 255;
/// Most hosts and pairs a limit can ask for.
const HOSTS_MAX: u32 = u32::MAX;

/// A rule's name, its limit, and the most its count can ever be.
type LimitField = (&'static str, fn(&mut Thresholds) -> &mut Limit, u32);
type BlockField = (&'static str, fn(&mut Thresholds) -> &mut BlockLimit);

const LIMITS: [LimitField; 11] = [
    ("vertical", |t| &mut t.vertical, PORTS_MAX),
    ("vertical_known", |t| &mut t.vertical_known, PORTS_MAX),
    ("horizontal_lateral_sensitive", |t| &mut t.horizontal_lateral_sensitive, HOSTS_MAX),
    ("horizontal_lateral", |t| &mut t.horizontal_lateral, HOSTS_MAX),
    ("horizontal_outbound_sensitive", |t| &mut t.horizontal_outbound_sensitive, HOSTS_MAX),
    ("horizontal_outbound", |t| &mut t.horizontal_outbound, HOSTS_MAX),
    ("horizontal_outbound_noisy", |t| &mut t.horizontal_outbound_noisy, HOSTS_MAX),
    ("icmp", |t| &mut t.icmp, HOSTS_MAX),
    ("arp", |t| &mut t.arp, HOSTS_MAX),
    ("flags", |t| &mut t.flags, HOSTS_MAX),
    ("protocols", |t| &mut t.protocols, PROTOCOLS_MAX),
];

const BLOCKS: [BlockField; 2] =
    [("block_lateral", |t| &mut t.block_lateral), ("block_outbound", |t| &mut t.block_outbound)];

/// Reads `[thresholds]` over the defaults.
pub(super) fn thresholds(top: &Section) -> Result<Thresholds, Fault> {
    let mut thresholds = THRESHOLDS;
    let Some(section) = top.section("thresholds")? else { return Ok(thresholds) };
    let known: Vec<&str> =
        LIMITS.iter().map(|field| field.0).chain(BLOCKS.iter().map(|field| field.0)).collect();
    section.expect_keys(&known)?;
    for (name, field, max) in LIMITS {
        if let Some(value) = section.get(name) {
            read_limit(&value, field(&mut thresholds), max)?;
        }
    }
    for (name, field) in BLOCKS {
        if let Some(value) = section.get(name) {
            read_block(&value, field(&mut thresholds))?;
        }
    }
    Ok(thresholds)
}

fn read_limit(value: &Value, limit: &mut Limit, max: u32) -> Result<(), Fault> {
    let section = value.section(
        format!("[thresholds.{}]", value.key),
        "counts for each window such as { \"1m\" = 30, \"10m\" = 50 }",
    )?;
    section.expect_keys(&["1m", "10m"])?;
    let (minute, ten_minutes) = (section.get("1m"), section.get("10m"));
    if let Some(value) = &minute {
        limit.minute = read_count(value, max)?;
    }
    if let Some(value) = &ten_minutes {
        limit.ten_minutes = read_count(value, max)?;
    }
    let (Some(short), Some(long)) = (limit.minute, limit.ten_minutes) else { return Ok(()) };
    if short <= long {
        return Ok(());
    }
    let note = |given: &Option<Value>| if given.is_some() { "" } else { " by default" };
    Err(Fault::new(
        minute.as_ref().or(ten_minutes.as_ref()).map_or(section.line, |value| value.line),
        format!(
            "`1m` is {short}{} and `10m` is {long}{} in [thresholds.{}], so `1m` could never fire first; set it at or \
             below `10m`, or to \"off\"",
            note(&minute),
            note(&ten_minutes),
            value.key
        ),
    ))
}

/// A count from 2, because one host or port is no breadth; `None` for `"off"`.
fn read_count(value: &Value, max: u32) -> Result<Option<u32>, Fault> {
    if value.text("").is_ok_and(|text| text == "off") {
        return Ok(None);
    }
    value.integer_or(&(2..=max), ", or \"off\"").map(Some)
}

fn read_block(value: &Value, limit: &mut BlockLimit) -> Result<(), Fault> {
    let section = value.section(
        format!("[thresholds.{}]", value.key),
        "counts such as { pairs = 60, hosts = 5, ports = 5 }",
    )?;
    section.expect_keys(&["pairs", "hosts", "ports"])?;
    if let Some(value) = section.get("pairs") {
        limit.pairs = value.integer(2..=HOSTS_MAX)?;
    }
    if let Some(value) = section.get("hosts") {
        limit.hosts = value.integer(2..=HOSTS_MAX)?;
    }
    if let Some(value) = section.get("ports") {
        limit.ports = value.integer(2..=PORTS_MAX)?;
    }
    Ok(())
}
