//! What the decision about a packet asks of its platform.

use core::borrow::{Borrow, BorrowMut};

use crate::abi::{Address, KeyedCell, Novelty, Settings, Words};
use crate::counters::Counter;
use crate::ports::{PortKey, Ports};
use crate::sighting::Workspace;
use crate::sketch::{DoorSet, FirstContact, FlowLine, IndexLine, PortSketch};

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
///
/// A `side` is the number of a [`crate::abi::Side`]: of what is chosen among two, the kernel's verifier would walk all that
/// follows twice.
pub trait Tables {
    /// Where the time comes from.
    type Clock: Clock;
    /// The settings: a copy, or where they lie, for the kernel's verifier knows what lies on a stack.
    type Settings: Borrow<Settings> + Copy;
    /// Where a record is put together: memory of its own in the kernel, whose stack is too small for it.
    type Workspace: BorrowMut<Workspace>;

    /// A contact begins: what every one asks for is read here, once.
    #[inline(always)]
    fn begin(&mut self) {}
    /// What was fixed at load.
    fn settings(&self) -> Self::Settings;
    /// The coarse clock of UDP flows, [`crate::abi::Control::tick`].
    fn tick(&mut self) -> u32;
    /// The clock, free of any borrow: it is read on novelty only, while a cell is held.
    fn clock(&mut self) -> Self::Clock;
    /// Zone of an address; 0, the internet, where no configured zone holds it.
    fn zone(&mut self, address: Words) -> u8;
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
    fn door_set(&mut self, side: u32, source: u64) -> Option<&mut DoorSet>;
    /// What the internal source in this place of its doorkeeper's set tried first.
    fn first_contact(&mut self, source: u64, way: usize) -> Option<&mut FirstContact>;
    /// What outsiders do to a port, in the active copy.
    fn port(&mut self, key: PortKey) -> Option<&mut PortSketch>;
    /// The line of the active copy's index that a key's hash names, by its low bits.
    fn index_line(&mut self, side: u32, hash: u64) -> Option<&mut IndexLine>;
    /// The cell of the active copy with this number.
    fn cell(&mut self, side: u32, number: u32) -> Option<&mut KeyedCell>;
    /// The number of a cell of the active copy that nobody uses, all of whose bytes are zero; `None` where there is none.
    fn new_cell(&mut self, side: u32) -> Option<u32>;
    /// A cell of this key could not be had.
    #[inline(always)]
    fn refuse_cell(&mut self) {}
    /// Room for what is known of the packet at hand, of any content; `None` where there is none.
    fn workspace(&mut self) -> Option<Self::Workspace>;
    /// Hands a record to user space; false where there is no room.
    fn emit(&mut self, side: u32, novelty: &Novelty) -> bool;
    /// Makes the compiler, and with it the kernel's verifier, forget what it knows of the numbers in a workspace.
    #[inline(always)]
    fn settle(_workspace: &mut Workspace) {}
    /// Adds one to the counter with this number; does nothing where none has it.
    fn count_number(&mut self, number: u32);
    /// Adds one to a counter.
    #[inline(always)]
    fn count(&mut self, counter: Counter) {
        self.count_number(counter as u32);
    }
}
