//! The host's tables, so that the next input finds them as the first did: what was touched is noted, and emptied again.
//!
//! Making new ones for each input would take a thousand times longer than observing it.

use std::collections::BTreeSet;

use scanwatch::host_tables::{Capacity, HostTables};
use scanwatch::policy::Policy;
use scanwatch_common::abi::{
    Address, Cell, CellKey, Control, KeyedCell, Novelty, Settings, Side, Words, mapped,
};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Ports, Tables};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sighting::Workspace;
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine, IndexLine, PortSketch};

/// So small that inputs fill them: what is refused and lost is part of the decision.
const CAPACITY: Capacity = Capacity { cells_max: [24, 12], novelties_max: [40, 20] };

/// When everything begins.
const START_NS: u64 = 1_000_000_000;

/// Host tables that know what was touched.
pub struct Tracked {
    pub tables: HostTables,
    flows: BTreeSet<u64>,
    serving: BTreeSet<u64>,
    doors: BTreeSet<(u32, u64)>,
    first: BTreeSet<(u64, usize)>,
}

/// What an epoch left behind.
pub type Drained = (Vec<(Side, CellKey, Cell)>, Vec<(PortKey, PortSketch)>);

/// What the memory of a data plane holds, of the places that were touched.
#[derive(Debug, PartialEq, Eq)]
pub struct Memory {
    flows: Vec<(u64, FlowLine)>,
    serving: Vec<(u64, FlowLine)>,
    doors: Vec<((u32, u64), DoorSet)>,
    first: Vec<((u64, usize), FirstContact)>,
}

impl Tracked {
    /// Empty tables under the defaults.
    pub fn new() -> Self {
        let policy = Policy::default();
        let tables =
            HostTables::new(policy.settings(), &policy.zone_prefixes(), policy.service_table(), CAPACITY);
        let mut tracked = Self {
            tables,
            flows: BTreeSet::new(),
            serving: BTreeSet::new(),
            doors: BTreeSet::new(),
            first: BTreeSet::new(),
        };
        tracked.begin_anew(0);
        tracked
    }

    /// Empties what was touched, and takes up the settings of an input: whether one pair is enough for a cell, prefixes of
    /// IPv6 sources that are no whole bytes, and whether this host forwards.
    pub fn begin_anew(&mut self, settings: u8) {
        for key in std::mem::take(&mut self.flows) {
            if let Some(line) = self.tables.flow_line(key) {
                *line = FlowLine::default();
            }
        }
        for key in std::mem::take(&mut self.serving) {
            if let Some(line) = self.tables.serving_line(key) {
                *line = FlowLine::default();
            }
        }
        for (side, key) in std::mem::take(&mut self.doors) {
            if let Some(set) = self.tables.door_set(side, key) {
                *set = DoorSet::default();
            }
        }
        for (key, way) in std::mem::take(&mut self.first) {
            if let Some(contact) = self.tables.first_contact(key, way) {
                *contact = FirstContact::default();
            }
        }
        self.drain();
        while self.tables.next_novelty().is_some() {}
        self.tables.control = Control { clock_ns: START_NS, ..Control::default() };
        let mut chosen = Policy::default().settings();
        if settings & 1 != 0 {
            chosen.admit = [1, 1];
        }
        if settings & 2 != 0 {
            chosen.source_mask_v6 = [Settings::prefix(71), Settings::prefix(35)];
        }
        self.tables.settings = chosen;
        let own = (settings & 4 != 0).then_some([mapped([10, 0, 0, 5]), mapped([10, 0, 1, 7])]);
        self.tables.set_translating(own.into_iter().flatten());
    }

    pub fn drain(&mut self) -> Drained {
        (self.tables.end_epoch(), self.tables.take_ports())
    }

    pub fn records(&mut self) -> Vec<Novelty> {
        std::iter::from_fn(|| self.tables.next_novelty()).collect()
    }

    pub fn counters(&self) -> [u64; Counter::COUNT] {
        std::array::from_fn(|number| self.tables.counter(Counter::ALL[number]))
    }

    pub fn memory(&mut self) -> Memory {
        let Self { tables, flows, serving, doors, first } = self;
        Memory {
            flows: flows.iter().filter_map(|key| Some((*key, *tables.flow_line(*key)?))).collect(),
            serving: serving.iter().filter_map(|key| Some((*key, *tables.serving_line(*key)?))).collect(),
            doors: doors.iter().filter_map(|key| Some((*key, *tables.door_set(key.0, key.1)?))).collect(),
            first: first
                .iter()
                .filter_map(|key| Some((*key, *tables.first_contact(key.0, key.1)?)))
                .collect(),
        }
    }
}

impl Tables for Tracked {
    type Clock = u64;
    type Settings = Settings;
    type Workspace = Workspace;

    fn settings(&self) -> Settings {
        Tables::settings(&self.tables)
    }

    fn tick(&mut self) -> u32 {
        self.tables.tick()
    }

    fn clock(&mut self) -> u64 {
        self.tables.clock()
    }

    fn zone(&mut self, address: Words) -> u8 {
        self.tables.zone(address)
    }

    fn stands_for_others(&mut self, address: &Address) -> bool {
        self.tables.stands_for_others(address)
    }

    fn service(&mut self, ports: Ports, port: u16) -> u8 {
        self.tables.service(ports, port)
    }

    fn flow_line(&mut self, flow: u64) -> Option<&mut FlowLine> {
        self.flows.insert(flow);
        self.tables.flow_line(flow)
    }

    fn serving_line(&mut self, socket: u64) -> Option<&mut FlowLine> {
        self.serving.insert(socket);
        self.tables.serving_line(socket)
    }

    fn door_set(&mut self, side: u32, source: u64) -> Option<&mut DoorSet> {
        self.doors.insert((side, source));
        self.tables.door_set(side, source)
    }

    fn first_contact(&mut self, source: u64, way: usize) -> Option<&mut FirstContact> {
        self.first.insert((source, way));
        self.tables.first_contact(source, way)
    }

    fn port(&mut self, key: PortKey) -> Option<&mut PortSketch> {
        self.tables.port(key)
    }

    fn index_line(&mut self, side: u32, hash: u64) -> Option<&mut IndexLine> {
        self.tables.index_line(side, hash)
    }

    fn cell(&mut self, side: u32, number: u32) -> Option<&mut KeyedCell> {
        self.tables.cell(side, number)
    }

    fn new_cell(&mut self, side: u32) -> Option<u32> {
        self.tables.new_cell(side)
    }

    fn workspace(&mut self) -> Option<Workspace> {
        self.tables.workspace()
    }

    fn emit(&mut self, side: u32, novelty: &Novelty) -> bool {
        self.tables.emit(side, novelty)
    }

    fn count_number(&mut self, number: u32) {
        self.tables.count_number(number);
    }
}
