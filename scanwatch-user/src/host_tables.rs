//! The data plane's tables in plain memory: what a capture is replayed against, and what tests compare the kernel with.
//!
//! Sizes and index rules are the kernel's. One thing differs, on purpose: cells and ports are taken out at once instead of
//! by two copies, as nobody writes meanwhile.

use scanwatch_common::abi::{
    Address, Cell, CellKey, Control, DOOR_SETS_EXTERNAL, DOOR_SETS_INTERNAL, FIRST_CONTACTS, FLOW_LINES,
    KeyedCell, Novelty, SERVING_LINES, ServiceTable, Settings, Side, Words,
};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Ports, Tables};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sighting::Workspace;
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine, IndexLine, PortSketch};
use std::collections::{HashMap, HashSet, VecDeque};

use crate::policy::{TablePlace, ZonePrefix, ZoneTable};

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
    cells: [Cells; 2],
    /// Ports that were looked up in this epoch.
    ports: HashMap<PortKey, PortSketch>,
    novelties: [VecDeque<Novelty>; 2],
    doors: [Vec<DoorSet>; 2],
    flows: Vec<FlowLine>,
    serving: Vec<FlowLine>,
    first: Vec<FirstContact>,
    counters: [u64; Counter::COUNT],
}

/// The cells of one side, and the index in front of them.
#[derive(Clone, Debug)]
struct Cells {
    index: Vec<IndexLine>,
    used: Vec<KeyedCell>,
    max: usize,
}

impl Cells {
    fn new(max: usize) -> Self {
        let lines = IndexLine::lines_for(u32::try_from(max).unwrap_or(u32::MAX));
        Self { index: vec![IndexLine::default(); lines as usize], used: Vec::new(), max }
    }

    /// Takes all out.
    fn empty(&mut self) -> std::vec::Drain<'_, KeyedCell> {
        if !self.used.is_empty() {
            self.index.fill(IndexLine::default());
        }
        self.used.drain(..)
    }
}

impl HostTables {
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
            cells: capacity.cells_max.map(Cells::new),
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
    pub fn cells(&self, side: Side) -> HashMap<CellKey, Cell> {
        self.cells[side as usize].used.iter().map(|keyed| (keyed.key, keyed.cell)).collect()
    }

    /// Ends an epoch: flips the active copy, advances the coarse clock, and takes all cells out, in the order of their
    /// keys, internal sources first.
    pub fn end_epoch(&mut self) -> Vec<(Side, CellKey, Cell)> {
        self.control.active ^= 1;
        self.control.tick = self.control.tick.wrapping_add(1);
        let mut drained = Vec::with_capacity(self.cells.iter().map(|cells| cells.used.len()).sum());
        for side in [Side::Internal, Side::External] {
            let from = drained.len();
            let cells = self.cells[side as usize].empty();
            drained.extend(cells.map(|keyed| (side, keyed.key, keyed.cell)));
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

    /// The lines of sockets inside that serve outsiders.
    #[must_use]
    pub fn serving_lines(&self) -> &[FlowLine] {
        &self.serving
    }

    /// What internal sources tried first.
    #[must_use]
    pub fn first_contacts(&self) -> &[FirstContact] {
        &self.first
    }
}

impl Tables for HostTables {
    type Clock = u64;
    type Settings = Settings;
    type Workspace = Workspace;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn tick(&mut self) -> u32 {
        self.control.tick
    }

    fn clock(&mut self) -> u64 {
        self.control.clock_ns
    }

    fn zone(&mut self, address: Words) -> u8 {
        self.zones.zone_of(&address.address())
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

    fn door_set(&mut self, side: u32, source: u64) -> Option<&mut DoorSet> {
        let sets = &mut self.doors[side as usize];
        let mask = sets.len() - 1;
        sets.get_mut(source as usize & mask)
    }

    fn first_contact(&mut self, source: u64, way: usize) -> Option<&mut FirstContact> {
        let set = source as usize & (DOOR_SETS_INTERNAL - 1);
        self.first.get_mut(set * (FIRST_CONTACTS / DOOR_SETS_INTERNAL) + way)
    }

    fn port(&mut self, key: PortKey) -> Option<&mut PortSketch> {
        Some(self.ports.entry(key).or_default())
    }

    fn index_line(&mut self, side: u32, hash: u64) -> Option<&mut IndexLine> {
        let lines = &mut self.cells[side as usize].index;
        let mask = lines.len() - 1;
        lines.get_mut(hash as usize & mask)
    }

    fn cell(&mut self, side: u32, number: u32) -> Option<&mut KeyedCell> {
        self.cells[side as usize].used.get_mut(number as usize)
    }

    fn new_cell(&mut self, side: u32) -> Option<u32> {
        let cells = &mut self.cells[side as usize];
        let number = cells.used.len();
        if number >= cells.max {
            return None;
        }
        cells.used.push(KeyedCell { key: CellKey::NOBODY, cell: Cell::EMPTY });
        Some(number as u32)
    }

    fn workspace(&mut self) -> Option<Workspace> {
        Some(Workspace::EMPTY)
    }

    fn emit(&mut self, side: u32, novelty: &Novelty) -> bool {
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
