//! A small network and its tables.

use crate::build::{address, ether, ipv4, tcp};
use crate::host_tables::{Capacity, HostTables};
use crate::policy::ZonePrefix;
use scanwatch_common::abi::{Cell, CellKey, Novelty, ServiceTable, Settings, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};
use scanwatch_common::sketch::{DoorSet, FlowLine};
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Zone of 10.0.0.0/8, of fd00::/8 and of 2001:db8:1::/48.
pub const OFFICE: u8 = 1;
/// Zone of 10.0.1.0/24, inside the office's block.
pub const SERVERS: u8 = 2;
/// Group of tcp/80, tcp/443 and udp/443.
pub const WEB: u8 = 1;
/// Group of tcp/139 and tcp/445.
pub const SMB: u8 = 2;
/// Group of tcp/53, udp/53 and udp/5353.
pub const DNS: u8 = 3;

/// The interface all frames come in by.
pub const INTERFACE: u32 = 7;
/// Time of the first frame; each later one comes a millisecond after the one before.
pub const START_NS: u64 = 1_000_000_000;
const STEP_NS: u64 = 1_000_000;

/// Tables, and what they said so far.
pub struct World {
    pub tables: HostTables,
}

/// Everything but the counters.
pub type State = ([HashMap<CellKey, Cell>; 2], [Vec<DoorSet>; 2], Vec<FlowLine>);

impl World {
    pub fn new() -> Self {
        Self::with(Settings::DEFAULT, Capacity::DEFAULT)
    }

    /// A world in which every source is worth a cell from its first pair on.
    pub fn admitting() -> Self {
        Self::with(Settings { admit: [1, 1], ..Settings::DEFAULT }, Capacity::DEFAULT)
    }

    pub fn with(settings: Settings, capacity: Capacity) -> Self {
        let zone = |network, prefix, zone| ZonePrefix { network: address(network), prefix, zone };
        let zones = [
            zone("10.0.0.0", 96 + 8, OFFICE),
            zone("fd00::", 8, OFFICE),
            zone("2001:db8:1::", 48, OFFICE),
            zone("10.0.1.0", 96 + 24, SERVERS),
        ];
        let mut services = Box::new(ServiceTable::EMPTY);
        for (port, group) in [(80, WEB), (443, WEB), (139, SMB), (445, SMB), (53, DNS)] {
            services.tcp[port] = group;
        }
        for (port, group) in [(443, WEB), (53, DNS), (5353, DNS)] {
            services.udp[port] = group;
        }
        let mut tables = HostTables::new(settings, &zones, services, capacity);
        tables.control.clock_ns = START_NS;
        Self { tables }
    }

    /// Observes a frame; the counters that it raised, in the order of their numbers.
    pub fn see(&mut self, frame: &[u8]) -> Vec<Counter> {
        self.see_pass(frame, Passage::IN)
    }

    /// The same for a frame on another way.
    pub fn see_pass(&mut self, frame: &[u8], passage: Passage) -> Vec<Counter> {
        let before = self.counters();
        observe(frame, INTERFACE, passage, &mut self.tables);
        self.tables.control.clock_ns += STEP_NS;
        let after = self.counters();
        let mut raised = Vec::new();
        for ((counter, before), after) in Counter::ALL.iter().zip(before).zip(after) {
            raised.extend(std::iter::repeat_n(*counter, (after - before) as usize));
        }
        raised
    }

    pub fn counters(&self) -> [u64; Counter::COUNT] {
        std::array::from_fn(|index| self.tables.counter(Counter::ALL[index]))
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.tables.counter(counter)
    }

    pub fn state(&self) -> State {
        (
            [Side::Internal, Side::External].map(|side| self.tables.cells(side).clone()),
            [Side::Internal, Side::External].map(|side| self.tables.door_sets(side).to_vec()),
            self.tables.flow_lines().to_vec(),
        )
    }

    /// Cells of both sides.
    pub fn cells(&self) -> usize {
        self.tables.cells(Side::Internal).len() + self.tables.cells(Side::External).len()
    }

    pub fn records(&mut self) -> Vec<Novelty> {
        std::iter::from_fn(|| self.tables.next_novelty()).collect()
    }
}

/// A TCP SYN.
pub fn syn(source: impl Into<Ipv4Addr>, target: impl Into<Ipv4Addr>, port: u16) -> Vec<u8> {
    ether().carry(ipv4(source, target).carry(tcp(40_000, port)))
}

/// The n-th address from 198.18.0.0 on, a block for measurements (RFC 2544) that goes on in space no test means.
pub fn outside(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + n)
}
