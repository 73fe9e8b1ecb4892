//! The rules' names and limits.

use serde::{Deserialize, Serialize};

use super::super::window::Window;
use crate::policy::{Limit, Thresholds};

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal $(=> $field:ident)?,)+) => {
        /// What made a source a scanner. Named as its threshold is in the configuration, so that who wants to tune it
        /// finds it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Rule {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Rule {
            /// All rules.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Name in records and in the configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The counts by window; all off where the rule has more than one count.
            #[allow(unused_variables)]
            const fn counts(self, thresholds: &Thresholds) -> Limit {
                match self { $(Self::$variant => rules!(@limit thresholds $($field)?),)+ }
            }
        }
    };
    (@limit $thresholds:ident $field:ident) => { $thresholds.$field };
    (@limit $thresholds:ident) => { Limit::OFF };
}

rules! {
    /// Failed ports on one host.
    Vertical = "vertical" => vertical,
    /// Failed well-known ports on one host.
    VerticalKnown = "vertical_known" => vertical_known,
    /// Well-known TCP ports on one host, whatever the outcome.
    VerticalAny = "vertical_any" => vertical_any,
    /// Ports on one host, answers unseen.
    VerticalBlind = "vertical_blind" => vertical_blind,
    /// Kinds of way in on one host.
    VerticalWaysIn = "vertical_ways_in",
    /// Failed hosts inside on one sensitive service.
    HorizontalLateralSensitive = "horizontal_lateral_sensitive" => horizontal_lateral_sensitive,
    /// Failed hosts inside on one other service.
    HorizontalLateral = "horizontal_lateral" => horizontal_lateral,
    /// Failed hosts on the internet on one sensitive service.
    HorizontalOutboundSensitive = "horizontal_outbound_sensitive" => horizontal_outbound_sensitive,
    /// Failed hosts on the internet on one other service.
    HorizontalOutbound = "horizontal_outbound" => horizontal_outbound,
    /// Failed hosts on the internet where some failure is ordinary.
    HorizontalOutboundNoisy = "horizontal_outbound_noisy" => horizontal_outbound_noisy,
    /// Failed hosts of one network on the internet.
    HorizontalNetwork = "horizontal_network" => horizontal_network,
    /// Hosts on one service, answers unseen.
    HorizontalBlind = "horizontal_blind" => horizontal_blind,
    /// New hosts inside on one sensitive service, whatever the outcome.
    FanOutSensitive = "fan_out_sensitive" => fan_out_sensitive,
    /// New hosts inside on one other service, whatever the outcome.
    FanOut = "fan_out" => fan_out,
    /// New hosts inside asked by ICMP, whatever the outcome.
    FanOutIcmp = "fan_out_icmp" => fan_out_icmp,
    /// New mail servers on the internet, whatever the outcome.
    FanOutMail = "fan_out_mail" => fan_out_mail,
    /// Hosts inside asked by ICMP.
    IcmpLateral = "icmp_lateral" => icmp_lateral,
    /// Hosts on the internet asked by ICMP.
    IcmpOutbound = "icmp_outbound" => icmp_outbound,
    /// Addresses that nobody has.
    Arp = "arp" => arp,
    /// Pairs probed with flags no stack sends.
    Flags = "flags" => flags,
    /// Ports on one host that refused segments of no conversation.
    RefusedPorts = "refused_ports" => refused_ports,
    /// Hosts that refused segments of no conversation.
    RefusedHosts = "refused_hosts" => refused_hosts,
    /// Uncommon IP protocols on one host.
    Protocols = "protocols" => protocols,
    /// Hosts and ports inside.
    BlockLateral = "block_lateral",
    /// Hosts and ports on the internet.
    BlockOutbound = "block_outbound",
    /// One host by many sources.
    Distributed = "distributed",
    /// A port that many sources begin to try.
    Surge = "surge",
    /// More hosts than a role allows.
    HostsMax = "hosts_max",
}

impl Rule {
    /// The count at which the rule fires in a window; `None` where it is off, or has more than one count.
    #[must_use]
    pub fn limit(self, thresholds: &Thresholds, window: Window) -> Option<u64> {
        let limit = self.counts(thresholds);
        let count = match window {
            Window::Minute => limit.minute,
            Window::TenMinutes => limit.ten_minutes,
            Window::Hour => limit.hour,
            Window::Day => limit.day,
        };
        count.map(u64::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/DETECTION.md"));

    #[test]
    fn every_rule_is_documented_with_the_numbers_it_has() {
        let thresholds = Policy::default().thresholds;
        for rule in Rule::ALL {
            let name = rule.name();
            assert!(DOCUMENT.contains(&format!("`{name}`")), "{name} is not documented");
            let limits = Window::ALL.map(|window| rule.limit(&thresholds, window));
            if limits.iter().all(Option::is_none) {
                continue;
            }
            let row = DOCUMENT.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let cells: Vec<&str> = row.unwrap_or_default().split('|').map(str::trim).skip(3).collect();
            let expected = limits.map(|limit| limit.map_or_else(|| "off".to_owned(), |n| n.to_string()));
            assert_eq!(cells.get(..4), Some(&expected.each_ref().map(String::as_str)[..]), "{name}");
        }
    }
}
