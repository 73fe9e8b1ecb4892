//! What the decision about a packet asks of its platform.

use core::borrow::BorrowMut;

use crate::abi::{Address, Cell, CellKey, Novelty, Settings, Side};
use crate::counters::Counter;
use crate::ports::{PortKey, Ports};
use crate::sighting::Sighting;
use crate::sketch::{DoorSet, FirstContact, FlowLine, PortSketch};

/// A source of time.
pub trait Clock: Copy {
    /// Nanoseconds of a clock that does not run backwards.
    fn now_ns(self) -> u64;
}

/// A packet's own time, for replay and tests.
impl Clock for u64 {
    #[inline(always)]
    fn now_ns(self) -> u64 {
        self
    }
}

/// The state a packet is observed against: BPF maps in the kernel, plain memory on the host.
pub trait Tables {
    /// Where the time comes from.
    type Clock: Clock;
    /// Where a record is put together: memory of its own in the kernel, whose stack is too small for it.
    type Record: BorrowMut<Novelty>;

    /// What was fixed at load.
    fn settings(&self) -> Settings;
    /// The coarse clock of UDP flows, [`crate::abi::Control::tick`].
    fn tick(&mut self) -> u32;
    /// The clock, free of any borrow: it is read on novelty only, while a cell is held.
    fn clock(&mut self) -> Self::Clock;
    /// Zone of an address; 0, the internet, where no configured zone holds it.
    fn zone(&mut self, address: &Address) -> u8;
    /// True for an address of this host while it forwards: what arrives there may be meant for somebody behind it.
    #[inline(always)]
    fn stands_for_others(&mut self, _address: &Address) -> bool {
        false
    }
    /// Service group of a port, 0 for none.
    fn service(&mut self, ports: Ports, port: u16) -> u8;
    /// The cache line of a UDP flow, chosen by the low bits of its hash.
    fn flow_line(&mut self, flow: u64) -> Option<&mut FlowLine>;
    /// The cache line of a socket inside that serves outsiders, chosen by the low bits of its hash.
    fn serving_line(&mut self, socket: u64) -> Option<&mut FlowLine>;
    /// The doorkeeper's set of a source, chosen by the low bits of its hash.
    fn door_set(&mut self, side: Side, source: u64) -> Option<&mut DoorSet>;
    /// What the source in this place of its doorkeeper's set tried first; `None` where that is not kept.
    fn first_contact(&mut self, side: Side, source: u64, way: usize) -> Option<&mut FirstContact>;
    /// What outsiders do to a port, in the active copy.
    fn port(&mut self, key: PortKey) -> Option<&mut PortSketch>;
    /// The cell of the active copy with this key, if there is one.
    fn cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell>;
    /// A new, empty cell in the active copy.
    fn create_cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell>;
    /// The cell with this key, and whether it is new; `None` where there is none and no room for one.
    #[inline(always)]
    fn cell_or_new(&mut self, side: Side, key: &CellKey) -> Option<(&mut Cell, bool)> {
        let is_new = self.cell(side, key).is_none();
        let cell = if is_new { self.create_cell(side, key) } else { self.cell(side, key) };
        cell.map(|cell| (cell, is_new))
    }
    /// Room for one record, of any content; `None` where there is none.
    fn record(&mut self) -> Option<Self::Record>;
    /// Hands a record to user space; false where there is no room.
    fn emit(&mut self, side: Side, novelty: &Novelty) -> bool;
    /// Takes a sighting through memory, so that nothing is known of its numbers; `None` where there is no memory.
    fn settle(&mut self, seen: Sighting) -> Option<Sighting> {
        Some(seen)
    }
    /// Adds one to the counter with this number; does nothing where none has it.
    fn count_number(&mut self, number: u32);
    /// Adds one to a counter.
    #[inline(always)]
    fn count(&mut self, counter: Counter) {
        self.count_number(counter as u32);
    }
}
