//! Another policy for programs that run: zones, what interfaces teach, and service groups.
//!
//! Their numbers stand in cell keys and in records, so what was counted by the old ones has to be read by the old ones. All
//! changes together, within some hundred microseconds: the groups, the table of zones and the copy that is written to. A
//! packet that is looked at just then may be counted under the group or the zone that its numbers had before; which records
//! that may hold for is told, and so is which are older and which are newer.

use std::collections::HashMap;

use aya::maps::Array;
use scanwatch_common::abi::{Novelty, ServiceTable};

use super::clock::monotonic_ns;
use super::error::KernelError;
use super::learned::{Learned, inside, inside_by};
use super::object::{Kernel, map_mut};
use super::{grace, links};
use crate::policy::{Policy, ZonePrefix};

/// A program that took its time so long before the change has ended when it comes.
const UNDER_WAY_NS: u64 = 1_000_000;

/// Another policy, ready to be switched to: it lies where no program looks.
pub struct Plan {
    root: u32,
    services: Box<ServiceTable>,
    configured: Vec<ZonePrefix>,
    learned: HashMap<u32, Learned>,
}

/// When programs were told.
#[derive(Clone, Copy, Debug)]
pub struct Switched {
    /// Kernel's clock before and after, nanoseconds.
    began_ns: u64,
    ended_ns: u64,
}

/// By which numbers a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// The old ones.
    Before,
    /// Nobody knows: its cell says the same once more.
    Between,
    /// The new ones.
    After,
}

impl Switched {
    /// By which numbers a record is.
    #[must_use]
    pub const fn era_of(&self, record: &Novelty) -> Era {
        if record.time_ns < self.began_ns.saturating_sub(UNDER_WAY_NS) {
            Era::Before
        } else if record.time_ns <= self.ended_ns {
            Era::Between
        } else {
            Era::After
        }
    }
}

impl Kernel {
    /// Makes another policy ready. Nothing changes yet; a policy for which there is no room is refused.
    pub async fn plan(&mut self, policy: &Policy) -> Result<Plan, KernelError> {
        let configured = policy.zone_prefixes();
        let mut learned = HashMap::new();
        for (index, known) in &self.zones.learned {
            let addresses = links::addresses(*index).await?;
            let inside = inside(&addresses, &configured);
            learned.insert(*index, Learned { inside, forwarding: known.forwarding.clone() });
        }
        let networks = inside_by(&learned);
        let root = self.zones.prepare(&configured, &networks)?;
        Ok(Plan { root, services: policy.service_table(), configured, learned })
    }

    /// Tells the programs, and ends the epoch as [`Kernel::flip`] does: what [`Kernel::drain`] finds is by the old numbers.
    /// The plan must be the last that was made, and nothing learnt since.
    pub fn switch(&mut self, plan: Plan) -> Result<Switched, KernelError> {
        let Plan { root, services, configured, learned } = plan;
        let mut groups: Array<_, super::pod::Raw<ServiceTable>> =
            Array::try_from(map_mut(&mut self.ebpf, "SERVICES")?)?;
        let began_ns = monotonic_ns();
        groups.set(0, super::pod::Raw(*services), 0)?;
        self.state.zones = root;
        self.end_epoch()?;
        let ended_ns = monotonic_ns();
        self.zones.prepared(configured, learned);
        grace::wait();
        Ok(Switched { began_ns, ended_ns })
    }

    /// What an interface teaches; nothing where it is not watched.
    #[must_use]
    pub fn learned(&self, index: u32) -> Learned {
        self.zones.learned.get(&index).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_programs_that_were_under_way_belong_to_no_era() {
        let switched = Switched { began_ns: 5_000_000, ended_ns: 5_100_000 };
        let era = |time_ns| switched.era_of(&Novelty { time_ns, ..Novelty::EMPTY });
        assert_eq!(era(3_999_999), Era::Before);
        assert_eq!([era(4_000_000), era(5_000_000), era(5_100_000)], [Era::Between; 3]);
        assert_eq!(era(5_100_001), Era::After);
    }
}
