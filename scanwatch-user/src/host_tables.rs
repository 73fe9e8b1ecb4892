//! The data plane's tables in plain memory: what a capture is replayed against, and what tests compare the kernel with.
//!
//! Sizes and index rules are the kernel's. Two things differ, on purpose: cells and ports are taken out at once instead of
//! by two copies, as nobody writes meanwhile; and a full side refuses new cells, counted, instead of evicting old ones,
//! so that the same capture always gives the same result.

use scanwatch_common::abi::{
    Address, Cell, CellKey, Control, DOOR_SETS_EXTERNAL, DOOR_SETS_INTERNAL, FIRST_CONTACTS, FLOW_LINES,
    Novelty, SERVING_LINES, ServiceTable, Settings, Side,
};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Ports, Tables};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine, PortSketch};
use std::collections::{HashMap, HashSet, VecDeque};

use crate::policy::{Policy, TablePlace, ZonePrefix, ZoneTable};

/// What host tables may hold, internal sources first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Cells of each side in one epoch.
    pub cells_max: [usize; 2],
    /// Novelty records of each side that wait to be taken.
    pub novelties_max: [usize; 2],
}

impl Capacity {
    /// As the kernel's maps and rings, some 40 MB when full.
    pub const DEFAULT: Self = Self { cells_max: [16_384, 8_192], novelties_max: [10_000, 2_500] };
}

/// Tables in memory. The clock is [`Control::clock_ns`]: set it to a packet's time before the packet is observed.
#[derive(Clone, Debug)]
pub struct HostTables {
    /// What the kernel programs are told once.
    pub settings: Settings,
    /// What they are told while they run.
    pub control: Control,
    zones: ZoneTable,
    translating: HashSet<Address>,
    services: Box<ServiceTable>,
    capacity: Capacity,
    cells: [HashMap<CellKey, Cell>; 2],
    /// Ports that were looked up in this epoch.
    ports: HashMap<PortKey, PortSketch>,
    novelties: [VecDeque<Novelty>; 2],
    doors: [Vec<DoorSet>; 2],
    flows: Vec<FlowLine>,
    serving: Vec<FlowLine>,
    first: Vec<FirstContact>,
    counters: [u64; Counter::COUNT],
}

impl HostTables {
    /// Empty tables as the kernel's are under this policy.
    #[must_use]
    pub fn under(policy: &Policy) -> Self {
        let limits = &policy.limits;
        let settings = Settings {
            admit_internal: limits.admit_internal,
            admit_external: limits.admit_external,
            source_prefix_v6_internal: limits.source_prefix_v6_internal,
            source_prefix_v6_external: limits.source_prefix_v6_external,
            ..Settings::DEFAULT
        };
        let cells_max = [limits.cells_internal as usize, limits.cells_external as usize];
        let capacity = Capacity { cells_max, ..Capacity::DEFAULT };
        Self::new(settings, &policy.zone_prefixes(), policy.service_table(), capacity)
    }

    /// Empty tables. Where networks nest, the longest prefix decides.
    #[must_use]
    pub fn new(
        settings: Settings,
        zones: &[ZonePrefix],
        services: Box<ServiceTable>,
        capacity: Capacity,
    ) -> Self {
        Self {
            settings,
            control: Control::default(),
            zones: ZoneTable::new(zones, TablePlace::default()),
            translating: HashSet::new(),
            services,
            capacity,
            cells: [HashMap::new(), HashMap::new()],
            ports: HashMap::new(),
            novelties: [VecDeque::new(), VecDeque::new()],
            doors: [
                vec![DoorSet::default(); DOOR_SETS_INTERNAL],
                vec![DoorSet::default(); DOOR_SETS_EXTERNAL],
            ],
            flows: vec![FlowLine::default(); FLOW_LINES],
            serving: vec![FlowLine::default(); SERVING_LINES],
            first: vec![FirstContact::default(); FIRST_CONTACTS],
            counters: [0; Counter::COUNT],
        }
    }

    /// Makes these the observing host's own addresses, at which it may stand for others because it forwards. None are known
    /// of the host that took a capture.
    pub fn set_translating(&mut self, addresses: impl IntoIterator<Item = Address>) {
        self.translating = addresses.into_iter().collect();
    }

    /// Cells of this epoch.
    #[must_use]
    pub fn cells(&self, side: Side) -> &HashMap<CellKey, Cell> {
        &self.cells[side as usize]
    }

    /// Ends an epoch: flips the active copy, advances the coarse clock, and takes all cells out, in the order of their
    /// keys, internal sources first.
    pub fn end_epoch(&mut self) -> Vec<(Side, CellKey, Cell)> {
        self.control.active ^= 1;
        self.control.tick = self.control.tick.wrapping_add(1);
        let mut drained = Vec::with_capacity(self.cells.iter().map(HashMap::len).sum());
        for side in [Side::Internal, Side::External] {
            let from = drained.len();
            drained.extend(self.cells[side as usize].drain().map(|(key, cell)| (side, key, cell)));
            drained[from..].sort_unstable_by_key(|(_, key, _)| *key);
        }
        drained
    }

    /// Takes out the sketches of all ports that outsiders did something to since the last call, in the order of the ports.
    pub fn take_ports(&mut self) -> Vec<(PortKey, PortSketch)> {
        let mut ports: Vec<_> = self.ports.drain().filter(|(_, sketch)| !sketch.is_empty()).collect();
        ports.sort_unstable_by_key(|(key, _)| *key);
        ports
    }

    /// Takes the oldest record, of an internal source where there is one.
    pub fn next_novelty(&mut self) -> Option<Novelty> {
        let [internal, external] = &mut self.novelties;
        internal.pop_front().or_else(|| external.pop_front())
    }

    /// How often a counter was counted.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// The doorkeeper's sets of a side.
    #[must_use]
    pub fn door_sets(&self, side: Side) -> &[DoorSet] {
        &self.doors[side as usize]
    }

    /// The lines of the flow cache.
    #[must_use]
    pub fn flow_lines(&self) -> &[FlowLine] {
        &self.flows
    }
}

impl Tables for HostTables {
    type Clock = u64;
    type Record = Novelty;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn tick(&mut self) -> u32 {
        self.control.tick
    }

    fn clock(&mut self) -> u64 {
        self.control.clock_ns
    }

    fn zone(&mut self, address: &Address) -> u8 {
        self.zones.zone_of(address)
    }

    fn stands_for_others(&mut self, address: &Address) -> bool {
        self.translating.contains(address)
    }

    fn service(&mut self, ports: Ports, port: u16) -> u8 {
        let groups = match ports {
            Ports::Tcp => &self.services.tcp,
            Ports::Udp => &self.services.udp,
        };
        groups[usize::from(port)]
    }

    fn flow_line(&mut self, flow: u64) -> Option<&mut FlowLine> {
        self.flows.get_mut(flow as usize & (FLOW_LINES - 1))
    }

    fn serving_line(&mut self, socket: u64) -> Option<&mut FlowLine> {
        self.serving.get_mut(socket as usize & (SERVING_LINES - 1))
    }

    fn door_set(&mut self, side: Side, source: u64) -> Option<&mut DoorSet> {
        let sets = &mut self.doors[side as usize];
        let mask = sets.len() - 1;
        sets.get_mut(source as usize & mask)
    }

    fn first_contact(&mut self, side: Side, source: u64, way: usize) -> Option<&mut FirstContact> {
        let set = source as usize & (DOOR_SETS_INTERNAL - 1);
        match side {
            Side::Internal => self.first.get_mut(set * (FIRST_CONTACTS / DOOR_SETS_INTERNAL) + way),
            Side::External => None,
        }
    }

    fn port(&mut self, key: PortKey) -> Option<&mut PortSketch> {
        Some(self.ports.entry(key).or_default())
    }

    fn cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell> {
        self.cells[side as usize].get_mut(key)
    }

    fn create_cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell> {
        let cells = &mut self.cells[side as usize];
        if cells.len() >= self.capacity.cells_max[side as usize] && !cells.contains_key(key) {
            return None;
        }
        Some(cells.entry(*key).or_insert(Cell::EMPTY))
    }

    fn record(&mut self) -> Option<Novelty> {
        Some(Novelty::EMPTY)
    }

    fn emit(&mut self, side: Side, novelty: &Novelty) -> bool {
        let waiting = &mut self.novelties[side as usize];
        let has_room = waiting.len() < self.capacity.novelties_max[side as usize];
        if has_room {
            waiting.push_back(*novelty);
        }
        has_room
    }

    fn count_number(&mut self, number: u32) {
        if let Some(value) = self.counters.get_mut(number as usize) {
            *value += 1;
        }
    }
}
