//! Breadth at which a source is a scanner.

/// A count at which a rule fires, for each window; `None` switches the rule off in that window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Within one minute.
    pub minute: Option<u32>,
    /// Within ten minutes.
    pub ten_minutes: Option<u32>,
}

/// The three counts that make a block scan, within ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimit {
    /// Distinct (host, port) pairs.
    pub pairs: u32,
    /// Distinct hosts that were each tried on several ports.
    pub hosts: u32,
    /// Distinct ports.
    pub ports: u32,
}

/// Breadth at which a source is a scanner, whatever the outcome of its probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Distinct ports on one host.
    pub vertical: Limit,
    /// Distinct well-known TCP ports on one host.
    pub vertical_known: Limit,
    /// Hosts inside on one sensitive service.
    pub horizontal_lateral_sensitive: Limit,
    /// Hosts inside on one other service.
    pub horizontal_lateral: Limit,
    /// Hosts on the internet on one sensitive service.
    pub horizontal_outbound_sensitive: Limit,
    /// Hosts on the internet on one other service.
    pub horizontal_outbound: Limit,
    /// Hosts on the internet on web or on one unnamed port from 1024, where breadth alone is ordinary.
    pub horizontal_outbound_noisy: Limit,
    /// Hosts asked by ICMP.
    pub icmp: Limit,
    /// Addresses asked for by ARP.
    pub arp: Limit,
    /// (host, port) pairs probed with flags no stack sends.
    pub flags: Limit,
    /// Uncommon IP protocols on one host.
    pub protocols: Limit,
    /// Block scan inside.
    pub block_lateral: BlockLimit,
    /// Block scan of the internet.
    pub block_outbound: BlockLimit,
}
