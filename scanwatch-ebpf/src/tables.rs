//! The maps as [`Tables`].

use core::arch::asm;

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::maps::{Array, RingBuf};
use scanwatch_common::abi::{
    Address, Control, DOOR_SETS_EXTERNAL, DOOR_SETS_INTERNAL, FIRST_CONTACTS, FLOW_LINES, KeyedCell, Novelty,
    SERVING_LINES, Settings, Side, Words,
};
use scanwatch_common::observe::{Clock, Ports, Tables};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sighting::Workspace;
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine, IndexLine, PortSketch};
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

/// Access to the maps for one packet.
pub struct KernelTables {
    /// What the agent says. No verified program finds nothing there; it would go on as before the first flip.
    control: Option<&'static Control>,
    /// A cell was refused while this packet was observed.
    pub refused: bool,
}

impl KernelTables {
    #[inline(always)]
    pub const fn new() -> Self {
        Self { control: None, refused: false }
    }

    /// Tick of this packet.
    #[inline(always)]
    pub fn tick(&self) -> u32 {
        self.control.map_or(0, |control| control.tick)
    }
}

/// A value of an array map.
///
/// Other CPUs may write to the same value. All writes are of single bytes, or of words whose loss costs one
/// observation, and every read copes with any bytes (see `scanwatch_common::sketch`).
#[inline(always)]
fn entry<T>(array: &'static Array<T>, index: u32) -> Option<&'static mut T> {
    // SAFETY: the pointer is to a live map value of type T; map values outlive the program's run. That other CPUs write to it
    // at the same time is what every reader is made for: nothing is taken for true because it was read before.
    array.get_ptr_mut(index).map(|value| unsafe { aligned(value) })
}

/// A map value as a reference whose alignment the compiler knows: without that it reads addresses byte by byte.
///
/// # Safety
/// `value` points to a live map value of type T. The kernel aligns map values, and records of rings, to 8 bytes; a type that
/// asks for a cache line lies in an array that begins with a page (`PAGE_ALIGNED`).
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

/// Adds to a word that other CPUs add to, and tells what it was before. Rust has no atomic addition for this target, which
/// has no compare-and-swap in its oldest instruction set.
#[inline(always)]
fn fetch_add(word: &mut u64, mut amount: u64) -> u64 {
    // SAFETY: the word is a live map value, aligned to 8 bytes.
    unsafe {
        asm!(
            "{amount} = atomic_fetch_add((u64 *)({word} + 0), {amount})",
            word = in(reg) core::ptr::from_mut(word),
            amount = inout(reg) amount,
            options(nostack, preserves_flags),
        );
    }
    amount
}

impl Tables for KernelTables {
    type Clock = KernelClock;
    type Settings = &'static Settings;
    type Workspace = &'static mut Workspace;

    #[inline(always)]
    fn begin(&mut self) {
        self.control = maps::CONTROL.get(0);
    }

    #[inline(always)]
    fn settings(&self) -> &'static Settings {
        let mut settings = core::ptr::from_ref(&maps::SETTINGS).cast::<Settings>();
        // SAFETY: a register is moved onto itself; but the compiler forgets that it knows what the object says there. A volatile
        // read, as of `Global::load`, would read all of them for each that is asked for.
        unsafe { asm!("{0} = {0}", inout(reg) settings, options(pure, nomem, nostack, preserves_flags)) };
        // SAFETY: the agent gave the settings before the programs were loaded; nobody changes them after.
        unsafe { &*settings }
    }

    #[inline(always)]
    fn tick(&mut self) -> u32 {
        Self::tick(self)
    }

    #[inline(always)]
    fn clock(&mut self) -> KernelClock {
        KernelClock { replay_ns: self.control.map_or(0, |control| control.clock_ns) }
    }

    #[inline(always)]
    fn zone(&mut self, address: Words) -> u8 {
        zone_of(&KernelZones, self.control.map_or(0, |control| control.zones), address)
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
    fn door_set(&mut self, side: u32, source: u64) -> Option<&mut DoorSet> {
        // One sum and one mask, of which the bits are those of either side.
        let external = side.wrapping_neg();
        let first = DOOR_SETS_INTERNAL as u32 & external;
        let mask = (DOOR_SETS_INTERNAL as u32 - 1) | (DOOR_SETS_EXTERNAL as u32 - 1) & external;
        entry(&maps::DOORS, first + (source as u32 & mask))
    }

    #[inline(always)]
    fn first_contact(&mut self, source: u64, way: usize) -> Option<&mut FirstContact> {
        let set = source as u32 & (DOOR_SETS_INTERNAL as u32 - 1);
        entry(&maps::FIRST_TRIED, set * DOOR_WAYS + (way as u32 & (DOOR_WAYS - 1)))
    }

    #[inline(always)]
    fn port(&mut self, key: PortKey) -> Option<&mut PortSketch> {
        let page = entry(&maps::PORTS, self.control?.pages + key.page());
        page.map(|page| &mut page.ports[key.place()])
    }

    #[inline(always)]
    fn index_line(&mut self, side: u32, hash: u64) -> Option<&mut IndexLine> {
        let first = self.control?.index_lines[side as usize & 1];
        let lines = self.settings().index_lines[side as usize & 1];
        entry(&maps::CELL_INDEX, first + (hash as u32 & (lines - 1)))
    }

    #[inline(always)]
    fn cell(&mut self, side: u32, number: u32) -> Option<&mut KeyedCell> {
        entry(&maps::CELLS, self.control?.cells[side as usize & 1] + number)
    }

    #[inline(always)]
    fn new_cell(&mut self, side: u32) -> Option<u32> {
        let room = u64::from(self.settings().cells[side as usize & 1]);
        let used = entry(&maps::CELLS_USED, 2 * (self.control?.active & 1) + side)?;
        // Looked at first: where there is no room, the line stays shared between processors.
        let number = if used.asked < room { fetch_add(&mut used.asked, 1) } else { room };
        (number < room).then_some(number as u32)
    }

    #[inline(always)]
    fn refuse_cell(&mut self) {
        self.refused = true;
    }

    #[inline(always)]
    fn workspace(&mut self) -> Option<&'static mut Workspace> {
        // SAFETY: the value is this CPU's own, and no other program of ours runs on it before this one returns: all three hooks
        // run with soft interrupts held off.
        maps::WORKSPACE.get_ptr_mut(0).map(|space| unsafe { aligned(space) })
    }

    #[inline(always)]
    fn settle(space: &mut Workspace) {
        // SAFETY: a register is moved onto itself; but the compiler must take it that memory is another now. (An instruction
        // there must be: line numbers of none are refused.)
        unsafe { asm!("{0} = {0}", in(reg) core::ptr::from_mut(space), options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn emit(&mut self, side: u32, novelty: &Novelty) -> bool {
        let is_internal = side == Side::Internal as u32;
        let ring: &RingBuf = if is_internal { &maps::NOVELTIES_INTERNAL } else { &maps::NOVELTIES_EXTERNAL };
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
    fn count_number(&mut self, number: u32) {
        if let Some(value) = maps::COUNTERS.get_ptr_mut(number) {
            // SAFETY: the value is this CPU's own, and no other program of ours runs on it before this one returns, as above.
            unsafe { *value += 1 };
        }
    }
}
