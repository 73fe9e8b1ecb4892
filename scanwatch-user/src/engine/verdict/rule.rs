//! The rules' names and limits, and which of them a sweep falls under.

use scanwatch_common::abi::Technique;

use super::super::facts::WELL_KNOWN;
use super::super::window::Window;
use crate::policy::{Direction, Limit, Policy, ServiceId, Thresholds};

/// What made a source a scanner. Named as its threshold is in the configuration, so that who wants to tune it finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Distinct ports on one host.
    Vertical,
    /// Distinct well-known TCP ports on one host.
    VerticalKnown,
    /// Hosts inside on one sensitive service.
    HorizontalLateralSensitive,
    /// Hosts inside on one other service.
    HorizontalLateral,
    /// Hosts on the internet on one sensitive service.
    HorizontalOutboundSensitive,
    /// Hosts on the internet on one other service.
    HorizontalOutbound,
    /// Hosts on the internet where breadth alone is ordinary.
    HorizontalOutboundNoisy,
    /// Hosts asked by ICMP.
    Icmp,
    /// Addresses asked for by ARP.
    Arp,
    /// Pairs probed with flags no stack sends.
    Flags,
    /// Uncommon IP protocols on one host.
    Protocols,
    /// Hosts and ports inside.
    BlockLateral,
    /// Hosts and ports on the internet.
    BlockOutbound,
    /// More hosts than a role allows.
    HostsMax,
}

impl Rule {
    /// Name in records and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vertical => "vertical",
            Self::VerticalKnown => "vertical_known",
            Self::HorizontalLateralSensitive => "horizontal_lateral_sensitive",
            Self::HorizontalLateral => "horizontal_lateral",
            Self::HorizontalOutboundSensitive => "horizontal_outbound_sensitive",
            Self::HorizontalOutbound => "horizontal_outbound",
            Self::HorizontalOutboundNoisy => "horizontal_outbound_noisy",
            Self::Icmp => "icmp",
            Self::Arp => "arp",
            Self::Flags => "flags",
            Self::Protocols => "protocols",
            Self::BlockLateral => "block_lateral",
            Self::BlockOutbound => "block_outbound",
            Self::HostsMax => "hosts_max",
        }
    }

    /// The count at which the rule fires in a window; `None` where it is off, or has more than one count.
    #[must_use]
    pub fn limit(self, thresholds: &Thresholds, window: Window) -> Option<u64> {
        let limit = match self {
            Self::Vertical => thresholds.vertical,
            Self::VerticalKnown => thresholds.vertical_known,
            Self::HorizontalLateralSensitive => thresholds.horizontal_lateral_sensitive,
            Self::HorizontalLateral => thresholds.horizontal_lateral,
            Self::HorizontalOutboundSensitive => thresholds.horizontal_outbound_sensitive,
            Self::HorizontalOutbound => thresholds.horizontal_outbound,
            Self::HorizontalOutboundNoisy => thresholds.horizontal_outbound_noisy,
            Self::Icmp => thresholds.icmp,
            Self::Arp => thresholds.arp,
            Self::Flags => thresholds.flags,
            Self::Protocols => thresholds.protocols,
            Self::BlockLateral | Self::BlockOutbound | Self::HostsMax => {
                Limit { minute: None, ten_minutes: None }
            }
        };
        let count = match window {
            Window::Minute => limit.minute,
            Window::TenMinutes => limit.ten_minutes,
        };
        count.map(u64::from)
    }
}

/// True where targets are inside: a stranger who tries many of our hosts is judged by the strict limits.
#[must_use]
pub const fn is_inside(direction: Direction) -> bool {
    matches!(direction, Direction::Lateral | Direction::Inbound)
}

/// The rule for many hosts on one service, or on one unnamed port. `None` where breadth alone says nothing.
///
/// - UDP on a named group that is not sensitive (`dns`, `time`, `web`, `peer`, `voice`, `vpn`, `directory`, `radius` …):
///   resolvers, clocks, calls and QUIC meet many hosts. From the internet to the inside it is judged all the same.
/// - Towards the internet, groups `web` and `peer` and unnamed ports from 1024 are the noisy kind: browsing, and
///   programs that try every peer they ever heard of.
#[must_use]
pub fn horizontal(
    policy: &Policy,
    direction: Direction,
    technique: Technique,
    service: ServiceId,
    port: u16,
) -> Option<Rule> {
    let inside = is_inside(direction);
    let rule = match policy.service(service) {
        Some(group) if group.sensitive && inside => Rule::HorizontalLateralSensitive,
        Some(group) if group.sensitive => Rule::HorizontalOutboundSensitive,
        Some(_) if technique == Technique::Udp && direction != Direction::Inbound => return None,
        _ if inside => Rule::HorizontalLateral,
        Some(group) if matches!(group.name.as_str(), "web" | "peer") => Rule::HorizontalOutboundNoisy,
        None if port >= WELL_KNOWN => Rule::HorizontalOutboundNoisy,
        _ => Rule::HorizontalOutbound,
    };
    Some(rule)
}
