//! `/metrics`: numbers in the text format of Prometheus, version 0.0.4, in base units.
//!
//! No label is an address, so the number of series does not grow with what is seen. docs/METRICS.md has every metric.

mod family;
mod process;
mod sinks;

use prometheus::TextEncoder;
use scanwatch_common::counters::{Class, Counter};

use super::reading::Reading;
use crate::engine::{Action, Kind};
use crate::policy::{Direction, Treatment};

pub use family::Family;

/// Names of the sides of the kernel's tables.
const SIDES: [&str; 2] = ["internal", "external"];

/// The text that is scraped.
///
/// # Errors
/// Where a metric has no value, which no reading leads to.
pub fn exposition(reading: &Reading) -> prometheus::Result<String> {
    let families = families(reading).into_iter().filter(|family| !family.is_empty());
    let families: Vec<_> = families.map(Family::into_proto).collect();
    TextEncoder::new().encode_to_string(&families)
}

/// Every metric; those of sinks and interfaces have no samples where there are none.
#[must_use]
pub fn families(reading: &Reading) -> Vec<Family> {
    let mut families = vec![
        Family::gauge("scanwatch_build_info", "The program that runs, as labels; always 1.")
            .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1),
    ];
    families.extend(data_plane(reading));
    families.extend(tables(reading));
    families.extend(engine(reading));
    families.extend(incidents(reading));
    families.push(interfaces(reading));
    families.extend(reloads(reading));
    families.extend(sinks::families(&reading.sinks));
    families.extend(process::families(reading.began));
    families
}

/// Packets, and what came of them.
fn data_plane(reading: &Reading) -> [Family; 5] {
    let mut packets = Family::counter(
        "scanwatch_packets_total",
        "Packets by class and by the reason why they belong to it; each is counted once.",
    );
    let mut contacts = Family::counter(
        "scanwatch_contacts_total",
        "Probes and replies by what they told the cell of their source.",
    );
    let mut port_table = Family::counter(
        "scanwatch_port_table_changes_total",
        "Probes from outside that told the port table something, and answers by ports not known to answer.",
    );
    let mut first = Family::counter(
        "scanwatch_first_contacts_total",
        "First contacts of sources inside, counted when the source got a cell.",
    );
    let mut lost = Family::counter(
        "scanwatch_ring_records_lost_total",
        "Records of novelties that found the ring full; their cells have the counts.",
    );
    for (counter, count) in &reading.counters {
        match (counter.class(), counter) {
            (Class::Contact, _) => contacts.add(&[("outcome", counter.name())], *count),
            (Class::Beside, Counter::PortNovel) => port_table.add(&[("change", "novel")], *count),
            (Class::Beside, Counter::PortAnswered) => port_table.add(&[("change", "answered")], *count),
            (Class::Beside, Counter::FirstNovel) => first.add(&[], *count),
            (Class::Beside, Counter::RingLost) => lost.add(&[], *count),
            // With the cells, below.
            (Class::Beside, _) => {}
            (class, _) => packets.add(&[("class", class.name()), ("reason", counter.name())], *count),
        }
    }
    [packets, contacts, port_table, first, lost]
}

/// The kernel's cells, and how they are drained.
fn tables(reading: &Reading) -> [Family; 5] {
    let mut used =
        Family::gauge("scanwatch_cells_used", "Cells in use at the end of the last epoch of ten seconds.");
    let mut capacity = Family::gauge("scanwatch_cells_capacity", "Cells there is room for in an epoch.");
    for (side, cells) in SIDES.into_iter().zip(reading.cells) {
        used.add(&[("side", side)], cells.used);
        capacity.add(&[("side", side)], cells.capacity);
    }
    let created = reading.counter(Counter::CellCreated);
    let refused = reading.counter(Counter::CellRefused);
    [
        used,
        capacity,
        Family::counter("scanwatch_cells_created_total", "Cells that were made.").sample(&[], created),
        Family::counter(
            "scanwatch_cells_refused_total",
            "Contacts without a cell for want of room: a full table refuses what is new, and evicts nothing.",
        )
        .sample(&[], refused),
        Family::histogram(
            "scanwatch_drain_duration_seconds",
            "Time to take an epoch's cells and ports out of the kernel, its grace period included.",
            &reading.drains,
        ),
    ]
}

/// What the agent remembers.
fn engine(reading: &Reading) -> [Family; 5] {
    let engine = &reading.engine;
    let one = |family: Family, value: u64| family.sample(&[], value);
    [
        one(Family::gauge("scanwatch_sources", "Sources that are remembered."), engine.sources as u64),
        one(
            Family::counter(
                "scanwatch_sources_dropped_total",
                "Sources given up, or not taken, for want of room.",
            ),
            engine.sources_dropped,
        ),
        one(
            Family::gauge("scanwatch_pairs", "Pairs of host and port that are remembered one by one."),
            engine.pairs as u64,
        ),
        one(
            Family::counter(
                "scanwatch_source_cells_dropped_total",
                "Cells given up by the agent because their source had too many.",
            ),
            engine.cells_dropped,
        ),
        one(
            Family::counter(
                "scanwatch_incidents_refused_total",
                "Scans that got no incident when they began, for want of room; gathered as a flood.",
            ),
            engine.incidents_refused,
        ),
    ]
}

/// Incidents, and records of them.
fn incidents(reading: &Reading) -> [Family; 4] {
    let engine = &reading.engine;
    let mut open =
        Family::gauge("scanwatch_incidents_open", "Open incidents by kind and by what becomes of them.");
    let mut opened = Family::counter(
        "scanwatch_incidents_total",
        "Incidents that were opened, by direction, kind at that time, and what becomes of them.",
    );
    for treatment in Treatment::ALL {
        for kind in Kind::ALL {
            let labels = [("kind", kind.name()), ("treatment", treatment.name())];
            open.add(&labels, engine.incidents_open[treatment as usize][kind as usize] as u64);
            for direction in Direction::ALL {
                let count = engine.incidents_opened[treatment as usize][direction as usize][kind as usize];
                let [kind, treatment] = labels;
                opened.add(&[("direction", direction.name()), kind, treatment], count);
            }
        }
    }
    let mut records = Family::counter(
        "scanwatch_records_total",
        "Records of alerts handed to sinks; `detected` is one for each incident, with its severity at that time.",
    );
    for (action, direction, severity, count) in reading.alerts.all() {
        let labels =
            [("action", action_name(action)), ("direction", direction.name()), ("severity", severity.name())];
        records.add(&labels, count);
    }
    let floods = Family::counter(
        "scanwatch_flood_records_total",
        "Records of floods, which stand for more scans than are reported one by one.",
    );
    [open, opened, records, floods.sample(&[], reading.alerts.floods)]
}

const fn action_name(action: Action) -> &'static str {
    match action {
        Action::Detected => "detected",
        Action::Updated => "updated",
        Action::Ended => "ended",
    }
}

/// Requests to read the configuration again.
fn reloads(reading: &Reading) -> [Family; 3] {
    let reloads = &reading.reloads;
    [
        Family::counter(
            "scanwatch_config_reloads_total",
            "Requests to read the configuration again that were followed.",
        )
        .sample(&[], reloads.reloads),
        Family::counter(
            "scanwatch_config_reload_failures_total",
            "Requests to read the configuration again after which it stayed as it was.",
        )
        .sample(&[], reloads.failures),
        Family::gauge(
            "scanwatch_config_last_reload_successful",
            "0 where the last request to read the configuration again failed, else 1.",
        )
        .sample(&[], u64::from(reloads.last_error.is_none())),
    ]
}

fn interfaces(reading: &Reading) -> Family {
    let mut family =
        Family::gauge("scanwatch_interface_watched", "1 where the interface is watched, else 0.");
    for interface in &reading.interfaces {
        family.add(&[("interface", &interface.name)], u64::from(interface.mode.is_some()));
    }
    family
}
