//! What the operator wants: zones, services, roles, directions and thresholds, validated once.
//!
//! These types carry meaning, not syntax. `config` is the only place that makes them; `kernel` copies zones and
//! services into maps, `engine` judges by the rest.

mod direction;
mod fixed;
mod listen;
mod network;
mod rights;
mod role;
mod sink;
mod thresholds;
mod zone_table;

pub use direction::{Direction, Directions, Treatment};
pub use listen::{Endpoint, Listen};
pub use network::Network;
pub use rights::{AfterAttach, Rights};
pub use role::{Role, RoleKind, Schedule};
pub use sink::{
    Address, BulkPlan, Credentials, Dialect, HeaderText, HecPlan, HttpPlan, HttpReceiver, Method, OtlpPlan,
    WebhookPlan,
};
pub use sink::{
    ClientCertificate, Facility, FilePlan, Framing, HostPort, NatsLogin, NatsPlan, Secret, SinkPlan,
    SpoolPlan, SyslogAddress, SyslogPlan, TlsPlan, TransportPlan, WhenFull,
};
pub use sink::{KafkaPlan, SaslMechanism, SaslPlan};
pub use thresholds::{BlockLimit, DistributedLimit, Limit, Sight, SurgeLimit, Thresholds, WaysInLimit};
pub use zone_table::{TablePlace, ZonePrefix, ZoneTable};

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use scanwatch_common::abi::{ServiceTable, Settings};
use serde::{Deserialize, Serialize};

/// Number of a zone in cell keys. Zone 0 is [`INTERNET`].
pub type ZoneId = u8;
/// Number of a service group in cell keys. Service 0 is [`OTHER`].
pub type ServiceId = u8;

/// The zone of every address that no configured zone holds.
pub const INTERNET: ZoneId = 0;
/// The service group of every port that no configured group holds.
pub const OTHER: ServiceId = 0;

/// A named set of networks. All configured zones are inside; what is in none of them is the internet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Name as configured, unique.
    pub name: String,
    /// Networks of the zone; the longest matching prefix over all zones decides.
    pub networks: Vec<Network>,
}

/// A named group of ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Name as configured, unique.
    pub name: String,
    /// TCP ports of the group.
    pub tcp: Vec<u16>,
    /// UDP ports of the group.
    pub udp: Vec<u16>,
    /// A way in that intruders try first (smb, remote, database …): stricter thresholds.
    pub sensitive: bool,
}

/// How packets are taken from an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP native with multi-buffer, XDP native, XDP generic, TC ingress: the first that works.
    Auto,
    /// XDP in the driver only.
    XdpNative,
    /// XDP after the driver only.
    XdpGeneric,
    /// TC ingress only.
    Tc,
}

/// An interface to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Name of the interface.
    pub name: String,
    /// How to attach.
    pub hook: Hook,
}

/// Sizes of what is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Cells of internal sources in the kernel, per epoch copy.
    pub cells_internal: u32,
    /// Cells of external sources in the kernel, per epoch copy.
    pub cells_external: u32,
    /// Distinct pairs after which an internal source gets cells.
    pub admit_internal: u8,
    /// Distinct pairs after which an external source gets cells.
    pub admit_external: u8,
    /// Leading bits of an internal IPv6 source that tell sources apart.
    pub source_prefix_v6_internal: u8,
    /// Leading bits of an external IPv6 source that tell sources apart.
    pub source_prefix_v6_external: u8,
    /// Sources the agent keeps windows for.
    pub sources: usize,
    /// Open incidents at a time.
    pub incidents: usize,
    /// Incidents opened within a minute; what begins beyond is gathered in one record.
    pub incidents_per_minute: u32,
    /// Time without new breadth after which an incident ends; the rule's window where that is longer.
    pub quiet: Duration,
}

/// The whole validated configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Interfaces to watch; empty means the one that holds the default route.
    pub interfaces: Vec<Interface>,
    /// Zones, numbered from 1 in this order.
    pub zones: Vec<Zone>,
    /// Service groups, numbered from 1 in this order.
    pub services: Vec<Service>,
    /// Roles; the first that covers a cell has it.
    pub roles: Vec<Role>,
    /// Treatment by direction.
    pub directions: Directions,
    /// Numbers at which a source is a scanner.
    pub thresholds: Thresholds,
    /// Sizes.
    pub limits: Limits,
    /// Where alerts go; empty means standard output.
    pub sinks: Vec<SinkPlan>,
    /// Where spools and open incidents are kept, where that is configured.
    pub state_directory: Option<PathBuf>,
    /// Where the agent answers questions about itself; `None` for nowhere.
    pub listen: Option<Listen>,
    /// What the agent keeps of its rights while it watches.
    pub rights: Rights,
}

impl Policy {
    /// The zone of an address: longest matching prefix, [`INTERNET`] where none matches.
    #[must_use]
    pub fn zone_of(&self, address: IpAddr) -> ZoneId {
        let mut best = (INTERNET, None);
        for (index, zone) in self.zones.iter().enumerate() {
            for network in zone.networks.iter().filter(|n| n.contains(address)) {
                if best.1.is_none_or(|prefix| network.prefix > prefix) {
                    best = (index as ZoneId + 1, Some(network.prefix));
                }
            }
        }
        best.0
    }

    /// The networks of all zones, as a [`ZoneTable`] takes them.
    #[must_use]
    pub fn zone_prefixes(&self) -> Vec<ZonePrefix> {
        let zones = self.zones.iter().zip(1..);
        let networks = zones.flat_map(|(zone, number)| zone.networks.iter().map(move |n| n.in_zone(number)));
        networks.collect()
    }

    /// Name of a zone, `internet` for zone 0 and for numbers out of range.
    #[must_use]
    pub fn zone_name(&self, zone: ZoneId) -> &str {
        match usize::from(zone).checked_sub(1).and_then(|i| self.zones.get(i)) {
            Some(zone) => &zone.name,
            None => "internet",
        }
    }

    /// The service group with this number; `None` for [`OTHER`].
    #[must_use]
    pub fn service(&self, service: ServiceId) -> Option<&Service> {
        usize::from(service).checked_sub(1).and_then(|i| self.services.get(i))
    }

    /// What the kernel programs are told once.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let limits = &self.limits;
        Settings {
            admit: [limits.admit_internal, limits.admit_external],
            source_mask_v6: [
                Settings::prefix(limits.source_prefix_v6_internal),
                Settings::prefix(limits.source_prefix_v6_external),
            ],
            ..Settings::with_cells([limits.cells_internal, limits.cells_external])
        }
    }

    /// Service groups by port, as the kernel programs look them up.
    #[must_use]
    pub fn service_table(&self) -> Box<ServiceTable> {
        let mut table = Box::new(ServiceTable::EMPTY);
        for (index, service) in self.services.iter().enumerate() {
            let id = index as ServiceId + 1;
            for port in &service.tcp {
                table.tcp[usize::from(*port)] = id;
            }
            for port in &service.udp {
                table.udp[usize::from(*port)] = id;
            }
        }
        table
    }

    /// Direction between two zones.
    #[must_use]
    pub fn direction(source: ZoneId, target: ZoneId) -> Direction {
        match (source != INTERNET, target != INTERNET) {
            (true, true) => Direction::Lateral,
            (true, false) => Direction::Outbound,
            (false, true) => Direction::Inbound,
            (false, false) => Direction::Transit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_depends_on_the_internet_alone() {
        assert_eq!(Policy::direction(1, 2), Direction::Lateral);
        assert_eq!(Policy::direction(1, INTERNET), Direction::Outbound);
        assert_eq!(Policy::direction(INTERNET, 2), Direction::Inbound);
        assert_eq!(Policy::direction(INTERNET, INTERNET), Direction::Transit);
    }
}
