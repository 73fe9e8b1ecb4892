//! The maps as [`Tables`].

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::maps::{Array, LruHashMap, RingBuf};
use scanwatch_common::abi::{
    Address, Cell, CellKey, Control, DOOR_SETS_EXTERNAL, DOOR_SETS_INTERNAL, FIRST_CONTACTS, FLOW_LINES,
    Novelty, SERVING_LINES, Settings, Side,
};
use scanwatch_common::observe::{Clock, Ports, Tables};
use scanwatch_common::parse::OFFSET_MASK;
use scanwatch_common::ports::PortKey;
use scanwatch_common::sighting::Sighting;
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine, PortSketch};
use scanwatch_common::zones::{ZoneNode, ZoneParts, ZonePath, zone_of};

use crate::maps;

/// Entries of a set of the doorkeeper.
const DOOR_WAYS: u32 = (FIRST_CONTACTS / DOOR_SETS_INTERNAL) as u32;

/// Time of the packet in a replay, else of the kernel.
#[derive(Clone, Copy)]
pub struct KernelClock {
    replay_ns: u64,
}

impl Clock for KernelClock {
    #[inline(always)]
    fn now_ns(self) -> u64 {
        if self.replay_ns != 0 {
            return self.replay_ns;
        }
        // SAFETY: the helper takes no argument and has no precondition.
        unsafe { bpf_ktime_get_ns() }
    }
}

/// Access to the maps for one packet: the active copy is looked up once.
pub struct KernelTables {
    control: Control,
    /// A cell was refused while this packet was observed.
    pub refused: bool,
}

impl KernelTables {
    /// `None` only where the kernel has no control map, which no verified program meets.
    #[inline(always)]
    pub fn new() -> Option<Self> {
        let control = maps::CONTROL.get(0)?;
        Some(Self { control: *control, refused: false })
    }

    /// Tick of this packet.
    pub const fn tick(&self) -> u32 {
        self.control.tick
    }

    #[inline(always)]
    fn cells(&self, side: Side) -> &'static LruHashMap<CellKey, Cell> {
        match (side, self.control.active & 1) {
            (Side::Internal, 0) => &maps::CELLS_INTERNAL_0,
            (Side::Internal, _) => &maps::CELLS_INTERNAL_1,
            (Side::External, 0) => &maps::CELLS_EXTERNAL_0,
            (Side::External, _) => &maps::CELLS_EXTERNAL_1,
        }
    }
}

/// A value of an array map.
///
/// Other CPUs may write to the same value. All writes are of single bytes, or of words whose loss costs one
/// observation, and every read copes with any bytes (see `scanwatch_common::sketch`).
#[inline(always)]
fn entry<T>(array: &'static Array<T>, index: u32) -> Option<&'static mut T> {
    // SAFETY: the pointer is to a live map value of type T; map values outlive the program's run.
    array.get_ptr_mut(index).map(|value| unsafe { aligned(value) })
}

/// A map value as a reference whose alignment the compiler knows: without that it reads addresses byte by byte.
///
/// # Safety
/// `value` points to a live map value of type T. The kernel aligns map values to 8 bytes.
#[inline(always)]
unsafe fn aligned<T>(value: *mut T) -> &'static mut T {
    // SAFETY: as the caller says.
    unsafe {
        core::hint::assert_unchecked(value.addr() % 8 == 0);
        &mut *value
    }
}

/// The arrays of the tables of zones.
struct KernelZones;

impl ZoneParts for KernelZones {
    #[inline(always)]
    fn node(&self, number: u32) -> Option<&ZoneNode> {
        maps::ZONE_NODES.get(number)
    }

    #[inline(always)]
    fn path(&self, number: u32) -> Option<&ZonePath> {
        entry(&maps::ZONE_PATHS, number).map(|path| &*path)
    }
}

impl Tables for KernelTables {
    type Clock = KernelClock;
    type Record = &'static mut Novelty;

    #[inline(always)]
    fn settings(&self) -> Settings {
        maps::SETTINGS.load()
    }

    #[inline(always)]
    fn tick(&mut self) -> u32 {
        self.control.tick
    }

    #[inline(always)]
    fn clock(&mut self) -> KernelClock {
        KernelClock { replay_ns: self.control.clock_ns }
    }

    #[inline(always)]
    fn zone(&mut self, address: &Address) -> u8 {
        zone_of(&KernelZones, self.control.zones, address)
    }

    #[inline(always)]
    fn stands_for_others(&mut self, address: &Address) -> bool {
        maps::TRANSLATING.get_ptr(address).is_some()
    }

    #[inline(always)]
    fn service(&mut self, ports: Ports, port: u16) -> u8 {
        let Some(table) = maps::SERVICES.get(0) else { return 0 };
        match ports {
            Ports::Tcp => table.tcp[usize::from(port)],
            Ports::Udp => table.udp[usize::from(port)],
        }
    }

    #[inline(always)]
    fn flow_line(&mut self, flow: u64) -> Option<&mut FlowLine> {
        entry(&maps::FLOWS, flow as u32 & (FLOW_LINES as u32 - 1))
    }

    #[inline(always)]
    fn serving_line(&mut self, socket: u64) -> Option<&mut FlowLine> {
        entry(&maps::SERVING, socket as u32 & (SERVING_LINES as u32 - 1))
    }

    #[inline(always)]
    fn door_set(&mut self, side: Side, source: u64) -> Option<&mut DoorSet> {
        match side {
            Side::Internal => entry(&maps::DOORS_INTERNAL, source as u32 & (DOOR_SETS_INTERNAL as u32 - 1)),
            Side::External => entry(&maps::DOORS_EXTERNAL, source as u32 & (DOOR_SETS_EXTERNAL as u32 - 1)),
        }
    }

    #[inline(always)]
    fn first_contact(&mut self, side: Side, source: u64, way: usize) -> Option<&mut FirstContact> {
        match side {
            Side::Internal => {
                let set = source as u32 & (DOOR_SETS_INTERNAL as u32 - 1);
                entry(&maps::FIRST_TRIED, set * DOOR_WAYS + (way as u32 & (DOOR_WAYS - 1)))
            }
            Side::External => None,
        }
    }

    #[inline(always)]
    fn port(&mut self, key: PortKey) -> Option<&mut PortSketch> {
        let pages = if self.control.active & 1 == 0 { &maps::PORTS_0 } else { &maps::PORTS_1 };
        entry(pages, key.page()).map(|page| &mut page.ports[key.place()])
    }

    #[inline(always)]
    fn cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell> {
        // SAFETY: as in `entry`; the LRU may give a deleted value to another key while we write, and then that
        // cell has one element too many until its epoch ends.
        self.cells(side).get_ptr_mut(key).map(|cell| unsafe { aligned(cell) })
    }

    #[inline(always)]
    fn create_cell(&mut self, side: Side, key: &CellKey) -> Option<&mut Cell> {
        self.cell_or_new(side, key).map(|(cell, _)| cell)
    }

    /// The map is chosen once: each choice is a branch, and the verifier would follow every combination of them.
    #[inline(always)]
    fn cell_or_new(&mut self, side: Side, key: &CellKey) -> Option<(&mut Cell, bool)> {
        let cells = self.cells(side);
        if let Some(cell) = cells.get_ptr_mut(key) {
            // SAFETY: as in `cell`.
            return Some((unsafe { aligned(cell) }, false));
        }
        let empty = maps::EMPTY_CELL.get(0)?;
        // Another CPU may have been first: then its cell is found below.
        let is_new = cells.insert(key, empty, u64::from(BPF_NOEXIST)).is_ok();
        let Some(cell) = cells.get_ptr_mut(key) else {
            self.refused = true;
            return None;
        };
        // SAFETY: as in `cell`.
        Some((unsafe { aligned(cell) }, is_new))
    }

    #[inline(always)]
    fn record(&mut self) -> Option<&'static mut Novelty> {
        // SAFETY: the value is this CPU's own, and no other program of ours runs on it before this one returns.
        maps::RECORD.get_ptr_mut(0).map(|record| unsafe { aligned(record) })
    }

    #[inline(always)]
    fn emit(&mut self, side: Side, novelty: &Novelty) -> bool {
        let ring: &RingBuf = match side {
            Side::Internal => &maps::NOVELTIES_INTERNAL,
            Side::External => &maps::NOVELTIES_EXTERNAL,
        };
        match ring.reserve::<Novelty>(0) {
            Some(mut slot) => {
                // SAFETY: the slot is a live record of the ring, which the kernel aligns to 8 bytes; as words, for a copy of
                // bytes is a loop that the verifier goes through step by step.
                unsafe { *aligned(slot.as_mut_ptr()) = *novelty };
                slot.submit(0);
                true
            }
            None => false,
        }
    }

    #[inline(always)]
    fn settle(&mut self, seen: Sighting) -> Option<Sighting> {
        let slot = maps::SIGHTING.get_ptr_mut(0)?;
        // SAFETY: the value is this CPU's own; volatile, so that the compiler does not keep what the verifier is to forget.
        let mut settled = unsafe {
            slot.write_volatile(seen);
            slot.read_volatile()
        };
        // A mask, not a comparison: the compiler may compare a copy, and then the verifier has no bound.
        settled.network_at &= OFFSET_MASK as u16;
        settled.payload_at &= OFFSET_MASK as u16;
        Some(settled)
    }

    #[inline(always)]
    fn count_number(&mut self, number: u32) {
        if let Some(value) = maps::COUNTERS.get_ptr_mut(number) {
            // SAFETY: the value is this CPU's own, and the program is not preempted by another run of itself.
            unsafe { *value += 1 };
        }
    }
}
