//! Numbers at which a source is a scanner.

use std::time::Duration;

/// A count at which a rule fires, for each window; `None` switches the rule off in that window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Within one minute.
    pub minute: Option<u32>,
    /// Within ten minutes.
    pub ten_minutes: Option<u32>,
    /// Within an hour.
    pub hour: Option<u32>,
    /// Within a day.
    pub day: Option<u32>,
}

impl Limit {
    /// Off in every window.
    pub const OFF: Self = Self { minute: None, ten_minutes: None, hour: None, day: None };
}

/// The three counts that make a block scan, within ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimit {
    /// Distinct failed (host, port) pairs.
    pub pairs: u32,
    /// Distinct hosts among them.
    pub hosts: u32,
    /// Distinct ports among them.
    pub ports: u32,
}

/// The two counts of ways in that were tried on one host within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaysInLimit {
    /// Kinds of way in that were tried.
    pub tried: u32,
    /// Those of them that failed.
    pub failed: u32,
}

/// The two counts that make a distributed scan of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistributedLimit {
    /// Distinct sources; those behind one link-layer address are one, unless it is a router's.
    pub sources: u32,
    /// Distinct ports that do not serve.
    pub ports: u32,
}

/// When a port that outsiders try is surging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurgeLimit {
    /// Distinct sources in a slot.
    pub sources: u32,
    /// How many times as many as in the busiest slot before.
    pub growth: u32,
    /// Slots in a row.
    pub slots: u32,
    /// Length of a slot.
    pub slot: Duration,
    /// Time since the start in which nothing rises.
    pub learning: Duration,
}

impl SurgeLimit {
    /// A limit that nothing reaches, in slots of an hour.
    pub const NEVER: Self = Self {
        sources: u32::MAX,
        growth: u32::MAX,
        slots: u32::MAX,
        slot: Duration::from_hours(1),
        learning: Duration::MAX,
    };
}

/// Whether answers to probes can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// Found out from what is seen.
    #[default]
    Auto,
    /// They can.
    Symmetric,
    /// They cannot.
    OneWay,
}

/// Numbers at which a source is a scanner. A contact has *failed* where it was refused, or met silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failed ports on one host.
    pub vertical: Limit,
    /// Failed well-known ports on one host.
    pub vertical_known: Limit,
    /// Well-known TCP ports on one host, whatever the outcome.
    pub vertical_any: Limit,
    /// Ports on one host where answers cannot be seen.
    pub vertical_blind: Limit,
    /// Kinds of way in on one host.
    pub vertical_ways_in: WaysInLimit,
    /// Failed hosts inside on one sensitive service.
    pub horizontal_lateral_sensitive: Limit,
    /// Failed hosts inside on one other service.
    pub horizontal_lateral: Limit,
    /// Failed hosts on the internet on one sensitive service.
    pub horizontal_outbound_sensitive: Limit,
    /// Failed hosts on the internet on one other service.
    pub horizontal_outbound: Limit,
    /// Failed hosts on the internet on web or on one unnamed port from 1024, where some failure is ordinary.
    pub horizontal_outbound_noisy: Limit,
    /// Failed hosts of one IPv4 /24 on the internet.
    pub horizontal_network: Limit,
    /// Hosts on one service where answers cannot be seen.
    pub horizontal_blind: Limit,
    /// New hosts inside on one sensitive service, whatever the outcome.
    pub fan_out_sensitive: Limit,
    /// New hosts inside on one other service, whatever the outcome.
    pub fan_out: Limit,
    /// New hosts inside asked by ICMP, whatever the outcome.
    pub fan_out_icmp: Limit,
    /// New mail servers on the internet, whatever the outcome.
    pub fan_out_mail: Limit,
    /// Hosts inside asked by ICMP, a third of them silent.
    pub icmp_lateral: Limit,
    /// Hosts on the internet asked by ICMP, a third of them silent.
    pub icmp_outbound: Limit,
    /// Addresses asked for by ARP or neighbour discovery that nobody has.
    pub arp: Limit,
    /// (host, port) pairs probed with flags no stack sends.
    pub flags: Limit,
    /// Ports on one host that refused segments of no conversation.
    pub refused_ports: Limit,
    /// Hosts that refused segments of no conversation on one service.
    pub refused_hosts: Limit,
    /// Uncommon IP protocols on one host.
    pub protocols: Limit,
    /// Block scan inside.
    pub block_lateral: BlockLimit,
    /// Block scan of the internet.
    pub block_outbound: BlockLimit,
    /// Scan of one host by many sources.
    pub distributed: DistributedLimit,
    /// Scans from the internet that rise on a port; `None` switches the rule off.
    pub surge: Option<SurgeLimit>,
    /// Silence after which a contact has failed.
    pub silence: Duration,
    /// How long a fan-out is held back to see whether it was polling.
    pub hold: Duration,
    /// Time since the start in which fan-outs must be four times as wide, and are held back five times as long.
    pub learning: Duration,
    /// Whether answers can be seen.
    pub visibility: Sight,
}
