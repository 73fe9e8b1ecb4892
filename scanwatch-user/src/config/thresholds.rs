//! `[thresholds]`: the numbers at which a rule fires.

use std::time::Duration;

use super::defaults::{SURGE, THRESHOLDS};
use super::error::Fault;
use super::read::{Section, Value};
use crate::policy::{Limit, Sight, SurgeLimit, Thresholds};

/// Most ports a host can have.
const PORTS_MAX: u32 = 65_535;
/// Most IP protocols a host can be asked for.
const PROTOCOLS_MAX: u32 = 255;
/// Most hosts and pairs a limit can ask for.
const HOSTS_MAX: u32 = u32::MAX;

/// A rule's name, its limit, and the most its count can ever be.
type LimitField = (&'static str, fn(&mut Thresholds) -> &mut Limit, u32);
/// A count of a rule that has several: its name, the place, and the most it can be.
type CountField = (&'static str, fn(&mut Thresholds) -> &mut u32, u32);
/// A rule with several counts, with an example.
type CountsField = (&'static str, &'static str, &'static [CountField]);
/// A time in seconds: its name, the place, and its range.
type TimeField = (&'static str, fn(&mut Thresholds) -> &mut Duration, u32, u32);
type WindowField = (&'static str, fn(&mut Limit) -> &mut Option<u32>);

const LIMITS: [LimitField; 22] = [
    ("vertical", |t| &mut t.vertical, PORTS_MAX),
    ("vertical_known", |t| &mut t.vertical_known, PORTS_MAX),
    ("vertical_any", |t| &mut t.vertical_any, PORTS_MAX),
    ("vertical_blind", |t| &mut t.vertical_blind, PORTS_MAX),
    ("horizontal_lateral_sensitive", |t| &mut t.horizontal_lateral_sensitive, HOSTS_MAX),
    ("horizontal_lateral", |t| &mut t.horizontal_lateral, HOSTS_MAX),
    ("horizontal_outbound_sensitive", |t| &mut t.horizontal_outbound_sensitive, HOSTS_MAX),
    ("horizontal_outbound", |t| &mut t.horizontal_outbound, HOSTS_MAX),
    ("horizontal_outbound_noisy", |t| &mut t.horizontal_outbound_noisy, HOSTS_MAX),
    ("horizontal_network", |t| &mut t.horizontal_network, 256),
    ("horizontal_blind", |t| &mut t.horizontal_blind, HOSTS_MAX),
    ("fan_out_sensitive", |t| &mut t.fan_out_sensitive, HOSTS_MAX),
    ("fan_out", |t| &mut t.fan_out, HOSTS_MAX),
    ("fan_out_icmp", |t| &mut t.fan_out_icmp, HOSTS_MAX),
    ("fan_out_mail", |t| &mut t.fan_out_mail, HOSTS_MAX),
    ("icmp_lateral", |t| &mut t.icmp_lateral, HOSTS_MAX),
    ("icmp_outbound", |t| &mut t.icmp_outbound, HOSTS_MAX),
    ("arp", |t| &mut t.arp, HOSTS_MAX),
    ("flags", |t| &mut t.flags, HOSTS_MAX),
    ("refused_ports", |t| &mut t.refused_ports, PORTS_MAX),
    ("refused_hosts", |t| &mut t.refused_hosts, HOSTS_MAX),
    ("protocols", |t| &mut t.protocols, PROTOCOLS_MAX),
];

const WINDOWS: [WindowField; 4] = [
    ("1m", |limit| &mut limit.minute),
    ("10m", |limit| &mut limit.ten_minutes),
    ("1h", |limit| &mut limit.hour),
    ("24h", |limit| &mut limit.day),
];

const COUNTS: [CountsField; 4] = [
    (
        "vertical_ways_in",
        "{ tried = 5, failed = 3 }",
        &[
            ("tried", |t| &mut t.vertical_ways_in.tried, PORTS_MAX),
            ("failed", |t| &mut t.vertical_ways_in.failed, PORTS_MAX),
        ],
    ),
    (
        "block_lateral",
        "{ pairs = 60, hosts = 5, ports = 5 }",
        &[
            ("pairs", |t| &mut t.block_lateral.pairs, HOSTS_MAX),
            ("hosts", |t| &mut t.block_lateral.hosts, HOSTS_MAX),
            ("ports", |t| &mut t.block_lateral.ports, PORTS_MAX),
        ],
    ),
    (
        "block_outbound",
        "{ pairs = 60, hosts = 5, ports = 5 }",
        &[
            ("pairs", |t| &mut t.block_outbound.pairs, HOSTS_MAX),
            ("hosts", |t| &mut t.block_outbound.hosts, HOSTS_MAX),
            ("ports", |t| &mut t.block_outbound.ports, PORTS_MAX),
        ],
    ),
    (
        "distributed",
        "{ sources = 20, ports = 15 }",
        &[
            ("sources", |t| &mut t.distributed.sources, HOSTS_MAX),
            ("ports", |t| &mut t.distributed.ports, PORTS_MAX),
        ],
    ),
];

const TIMES: [TimeField; 3] = [
    ("silence_s", |t| &mut t.silence, 1, 30),
    ("hold_s", |t| &mut t.hold, 10, 3_600),
    ("learning_s", |t| &mut t.learning, 0, 604_800),
];

const SURGE_KEY: &str = "surge";
const SURGE_EXAMPLE: &str =
    "{ sources = 30, growth = 5, slots = 3, slot_s = 3600, learning_s = 86400 }, or \"off\"";

const VISIBILITY: &str = "visibility";

/// Reads `[thresholds]` over the defaults.
pub(super) fn thresholds(top: &Section) -> Result<Thresholds, Fault> {
    let mut thresholds = THRESHOLDS;
    let Some(section) = top.section("thresholds")? else { return Ok(thresholds) };
    let limits = LIMITS.iter();
    let known: Vec<&str> = limits
        .clone()
        .map(|field| field.0)
        .chain(COUNTS.iter().map(|field| field.0))
        .chain(TIMES.iter().map(|field| field.0))
        .chain([SURGE_KEY, VISIBILITY])
        .collect();
    section.expect_keys(&known)?;
    for (name, field, max) in limits {
        if let Some(value) = section.get(name) {
            read_limit(&value, field(&mut thresholds), *max)?;
        }
    }
    for (name, example, fields) in COUNTS {
        if let Some(value) = section.get(name) {
            read_counts(&value, &mut thresholds, (example, fields))?;
        }
    }
    for (name, field, min, max) in TIMES {
        if let Some(value) = section.get(name) {
            *field(&mut thresholds) = Duration::from_secs(value.integer(min..=max)?.into());
        }
    }
    if let Some(value) = section.get(SURGE_KEY) {
        thresholds.surge = read_surge(&value)?;
    }
    if let Some(value) = section.get(VISIBILITY) {
        thresholds.visibility = value.choice(&[
            ("auto", Sight::Auto),
            ("symmetric", Sight::Symmetric),
            ("one_way", Sight::OneWay),
        ])?;
    }
    Ok(thresholds)
}

fn read_limit(value: &Value, limit: &mut Limit, max: u32) -> Result<(), Fault> {
    let section = value.section(
        format!("[thresholds.{}]", value.key),
        "counts for each window such as { \"1m\" = 10, \"10m\" = 15, \"1h\" = 20, \"24h\" = 40 }",
    )?;
    section.expect_keys(&WINDOWS.map(|window| window.0))?;
    let mut given = [None; WINDOWS.len()];
    for ((name, field), line) in WINDOWS.iter().zip(&mut given) {
        if let Some(value) = section.get(name) {
            *field(limit) = read_count(&value, max)?;
            *line = Some(value.line);
        }
    }
    let counts =
        WINDOWS.iter().zip(given).filter_map(|((name, field), line)| Some((name, (*field(limit))?, line)));
    let counts: Vec<_> = counts.collect();
    for pair in counts.windows(2) {
        let ((short_name, short, short_line), (long_name, long, long_line)) = (pair[0], pair[1]);
        if short > long {
            let note = |line: Option<usize>| if line.is_some() { "" } else { " by default" };
            return Err(Fault::new(
                short_line.or(long_line).unwrap_or(section.line),
                format!(
                    "`{short_name}` is {short}{} and `{long_name}` is {long}{} in [thresholds.{}], so `{short_name}` \
                     could never fire first; set it at or below `{long_name}`, or to \"off\"",
                    note(short_line),
                    note(long_line),
                    value.key
                ),
            ));
        }
    }
    Ok(())
}

/// A count from 2, because one host or port is no breadth; `None` for `"off"`.
fn read_count(value: &Value, max: u32) -> Result<Option<u32>, Fault> {
    if value.text("").is_ok_and(|text| text == "off") {
        return Ok(None);
    }
    value.integer_or(&(2..=max), ", or \"off\"").map(Some)
}

/// A surge's limit over the default; `None` for `"off"`.
fn read_surge(value: &Value) -> Result<Option<SurgeLimit>, Fault> {
    if value.text("").is_ok_and(|text| text == "off") {
        return Ok(None);
    }
    let section =
        value.section(format!("[thresholds.{}]", value.key), &format!("counts such as {SURGE_EXAMPLE}"))?;
    section.expect_keys(&["sources", "growth", "slots", "slot_s", "learning_s"])?;
    let count = |key, default, max| section.get(key).map_or(Ok(default), |value| value.integer(2..=max));
    let seconds = |key, default, min, max| {
        let given = section.get(key).map(|value| value.integer(min..=max)).transpose()?;
        Ok(given.map_or(default, |seconds: u32| Duration::from_secs(seconds.into())))
    };
    Ok(Some(SurgeLimit {
        sources: count("sources", SURGE.sources, HOSTS_MAX)?,
        growth: count("growth", SURGE.growth, 1_000)?,
        slots: count("slots", SURGE.slots, 168)?,
        slot: seconds("slot_s", SURGE.slot, 10, 86_400)?,
        learning: seconds("learning_s", SURGE.learning, 0, 2_592_000)?,
    }))
}

fn read_counts(
    value: &Value,
    thresholds: &mut Thresholds,
    (example, fields): (&str, &[CountField]),
) -> Result<(), Fault> {
    let section =
        value.section(format!("[thresholds.{}]", value.key), &format!("counts such as {example}"))?;
    section.expect_keys(&fields.iter().map(|field| field.0).collect::<Vec<_>>())?;
    for (name, field, max) in fields {
        if let Some(value) = section.get(name) {
            *field(thresholds) = value.integer(2..=*max)?;
        }
    }
    Ok(())
}
