//! What the agent said, as documents.

use std::collections::BTreeMap;

use scanwatch_common::abi::Side;

use super::documents::{
    CellsDocument, Guest, Health, Incident, Incidents, IncidentsCount, InterfaceDocument, LossesDocument,
    Port, Ports, RatesDocument, ReloadsDocument, Service, SinkDocument, Source, Sources, SourcesCount,
    Status, TargetDocument, WindowDocument,
};
use super::reading::{IncidentsReading, Reading, SourcesReading};
use crate::engine::{PortsView, Snapshot, SourceView, Timestamp, Window, ip_of, technique_names};
use crate::policy::Treatment;
use crate::sink;

impl Status {
    /// The document of a reading on this machine.
    #[must_use]
    pub fn of(reading: &Reading, hostname: &str) -> Self {
        let engine = &reading.engine;
        let open = engine.incidents_open.map(|kinds| kinds.iter().sum::<usize>() as u64);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: hostname.to_owned(),
            now: time(reading.now),
            began: time(reading.began),
            uptime_s: reading.now.since(reading.began).as_secs(),
            health: Health::of(reading),
            rates: RatesDocument {
                packets_per_s: reading.rates.packets,
                probes_per_s: reading.rates.probes,
                novelties_per_s: reading.rates.novelties,
            },
            counters: reading.counters.iter().map(|(counter, n)| (counter.name().to_owned(), *n)).collect(),
            cells: CellsDocument { internal: reading.cells[0].into(), external: reading.cells[1].into() },
            sources: SourcesCount { tracked: engine.sources as u64, dropped: engine.sources_dropped },
            incidents: IncidentsCount {
                open_alerts: open[Treatment::Alert as usize],
                open_statistics: open[Treatment::Statistics as usize],
                refused: engine.incidents_refused,
            },
            losses: LossesDocument {
                ring_lost: engine.losses.ring_lost,
                cells_refused: engine.losses.cells_refused,
            },
            reloads: ReloadsDocument {
                reloads: reading.reloads.reloads,
                failures: reading.reloads.failures,
                last_error: reading.reloads.last_error.clone(),
            },
            interfaces: reading.interfaces.iter().map(interface).collect(),
            sinks: reading.sinks.iter().map(sink).collect(),
        }
    }
}

fn interface(interface: &super::InterfaceReading) -> InterfaceDocument {
    InterfaceDocument {
        name: interface.name.clone(),
        watched: interface.mode.is_some(),
        mode: interface.mode.clone(),
        egress: interface.egress.clone(),
    }
}

fn sink(sink: &sink::Reading) -> SinkDocument {
    SinkDocument {
        name: sink.name.clone(),
        transport: sink.transport.to_owned(),
        queued: sink.queued,
        queued_bytes: sink.queued_bytes,
        delivered: sink.delivered,
        retried: sink.retried,
        dropped: sink.dropped,
        refused: sink.refused,
        outage: sink.outage.clone(),
        spool_trouble: sink.spool_trouble.clone(),
    }
}

impl From<IncidentsReading> for Incidents {
    fn from(reading: IncidentsReading) -> Self {
        let open = reading.open.iter().map(|view| incident(&view.snapshot, view.treatment));
        let ended = reading.ended.iter().map(|event| incident(&event.snapshot, Treatment::Alert));
        Self {
            now: time(reading.now),
            open_total: reading.open_total as u64,
            open: open.collect(),
            ended: ended.collect(),
        }
    }
}

fn incident(snapshot: &Snapshot, treatment: Treatment) -> Incident {
    let targets = snapshot.targets.iter().map(|target| TargetDocument {
        address: ip_of(&target.address).to_string(),
        port: target.port,
        answered: target.answered,
    });
    let techniques = technique_names(snapshot.techniques, snapshot.connects);
    Incident {
        id: snapshot.incident.to_string(),
        treatment: treatment.name().to_owned(),
        kind: snapshot.kind.name().to_owned(),
        rule: snapshot.rule.to_owned(),
        direction: snapshot.direction.name().to_owned(),
        severity: snapshot.severity.name().to_owned(),
        risk: snapshot.risk,
        source: snapshot.source().map(|scanner| scanner.address.to_string()),
        source_confirmed: snapshot.source_confirmed,
        vlan: snapshot.source().map_or([0; 2], |scanner| scanner.vlan),
        zone: snapshot.scanner.zone.clone(),
        role: snapshot.role.as_ref().map(|role| role.name.clone()),
        others: snapshot.others_count,
        hosts: snapshot.hosts.rounded(),
        ports: snapshot.ports.rounded(),
        pairs: snapshot.pairs.rounded(),
        answered: snapshot.answered.rounded(),
        refused: snapshot.refused.rounded(),
        services: snapshot.services.clone(),
        techniques: techniques.into_iter().map(str::to_owned).collect(),
        targets: targets.collect(),
        first: time(snapshot.first),
        last: time(snapshot.last),
        reason: snapshot.reason.clone(),
    }
}

impl From<SourcesReading> for Sources {
    fn from(reading: SourcesReading) -> Self {
        Self {
            now: time(reading.now),
            tracked: reading.tracked as u64,
            sources: reading.busiest.into_iter().map(source).collect(),
        }
    }
}

fn source(view: SourceView) -> Source {
    let windows: BTreeMap<String, WindowDocument> = view
        .windows
        .iter()
        .map(|window| {
            let document = WindowDocument {
                hosts: window.hosts,
                ports: window.ports,
                pairs: window.pairs,
                covered: window.covered,
                answered: window.answered,
                failed: window.failed,
            };
            (window_name(window.window).to_owned(), document)
        })
        .collect();
    Source {
        address: view.address.to_string(),
        vlan: view.vlan,
        mac: view.mac.map(mac_name),
        side: if view.side == Side::Internal { "internal" } else { "external" }.to_owned(),
        zone: view.zone,
        roles: view.roles,
        interface: view.interface,
        windows,
        services: view.services,
        first_seen: time(view.first),
        last_seen: time(view.last),
        incidents: view.incidents.iter().map(ToString::to_string).collect(),
    }
}

/// As the configuration calls it.
const fn window_name(window: Window) -> &'static str {
    match window {
        Window::Minute => "1m",
        Window::TenMinutes => "10m",
        Window::Hour => "1h",
        Window::Day => "24h",
    }
}

/// As records have it (RFC 7042).
fn mac_name(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02X}")).join("-")
}

impl From<PortsView> for Ports {
    fn from(view: PortsView) -> Self {
        let PortsView { ports, services } = view;
        let top = ports.top.into_iter();
        let rare = ports.rare_in_use.into_iter();
        let services = services.into_iter();
        Self {
            tried: ports.tried as u64,
            top: top.map(|of| Port { port: of.port, service: of.service, sources: of.sources }).collect(),
            rare_in_use: rare
                .map(|of| Guest { port: of.port, service: of.service, answered: of.answered })
                .collect(),
            services: services.map(|of| Service { name: of.name, sources: of.sources }).collect(),
        }
    }
}

/// RFC 3339 in UTC, to the millisecond.
fn time(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.as_ns())).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}
