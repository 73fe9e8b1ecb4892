//! The maps, by the names under which the agent finds them.
//!
//! Sizes that depend on the configuration are set by the agent before the object is loaded.

use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf};
use scanwatch_common::abi::{
    Address, Cell, CellKey, Control, DOOR_SETS_EXTERNAL, DOOR_SETS_INTERNAL, FIRST_CONTACTS, FLOW_LINES,
    Novelty, PORT_PAGES, PortPage, SERVING_LINES, ServiceTable, Settings,
};
use scanwatch_common::counters::Counter;
use scanwatch_common::sighting::Sighting;
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine};
use scanwatch_common::zones::{ZoneNode, ZonePath};

/// Makes the kernel put an array's values on a page boundary, so that sets of 64 bytes are cache lines.
const PAGE_ALIGNED: u32 = aya_ebpf::bindings::BPF_F_MMAPABLE;

/// Fixed at load; the verifier sees constants.
#[unsafe(no_mangle)]
pub static SETTINGS: Global<Settings> = Global::new(Settings::DEFAULT);

/// Active copy, tick and replay clock.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

/// Two tables of zones: nodes.
#[map]
pub static ZONE_NODES: Array<ZoneNode> = Array::with_max_entries(4, PAGE_ALIGNED);

/// Two tables of zones: paths.
#[map]
pub static ZONE_PATHS: Array<ZonePath> = Array::with_max_entries(2, PAGE_ALIGNED);

/// Addresses of this host while it forwards.
#[map]
pub static TRANSLATING: HashMap<Address, u8> = HashMap::with_max_entries(4096, 0);

/// Service groups by port.
#[map]
pub static SERVICES: Array<ServiceTable> = Array::with_max_entries(1, 0);

/// UDP flows.
#[map]
pub static FLOWS: Array<FlowLine> = Array::with_max_entries(FLOW_LINES as u32, PAGE_ALIGNED);

/// Sockets inside that serve outsiders.
#[map]
pub static SERVING: Array<FlowLine> = Array::with_max_entries(SERVING_LINES as u32, PAGE_ALIGNED);

/// Doorkeeper of internal sources.
#[map]
pub static DOORS_INTERNAL: Array<DoorSet> = Array::with_max_entries(DOOR_SETS_INTERNAL as u32, PAGE_ALIGNED);

/// Doorkeeper of external sources.
#[map]
pub static DOORS_EXTERNAL: Array<DoorSet> = Array::with_max_entries(DOOR_SETS_EXTERNAL as u32, PAGE_ALIGNED);

/// What internal sources tried first.
#[map]
pub static FIRST_TRIED: Array<FirstContact> = Array::with_max_entries(FIRST_CONTACTS as u32, PAGE_ALIGNED);

/// Who tries which port from outside, first copy.
#[map]
pub static PORTS_0: Array<PortPage> = Array::with_max_entries(PORT_PAGES as u32, PAGE_ALIGNED);

/// Who tries which port from outside, second copy.
#[map]
pub static PORTS_1: Array<PortPage> = Array::with_max_entries(PORT_PAGES as u32, PAGE_ALIGNED);

/// A cell that has seen nothing: the BPF stack is too small for one.
#[map]
pub static EMPTY_CELL: Array<Cell> = Array::with_max_entries(1, 0);

/// Where the record of the packet at hand is put together, by CPU.
#[map]
pub static RECORD: PerCpuArray<Novelty> = PerCpuArray::with_max_entries(1, 0);

/// What was seen of the packet at hand, on its way from the first look to the second, by CPU.
#[map]
pub static SIGHTING: PerCpuArray<Sighting> = PerCpuArray::with_max_entries(1, 0);

/// Cells of internal sources, first copy.
#[map]
pub static CELLS_INTERNAL_0: LruHashMap<CellKey, Cell> = LruHashMap::with_max_entries(16_384, 0);

/// Cells of internal sources, second copy.
#[map]
pub static CELLS_INTERNAL_1: LruHashMap<CellKey, Cell> = LruHashMap::with_max_entries(16_384, 0);

/// Cells of external sources, first copy.
#[map]
pub static CELLS_EXTERNAL_0: LruHashMap<CellKey, Cell> = LruHashMap::with_max_entries(8_192, 0);

/// Cells of external sources, second copy.
#[map]
pub static CELLS_EXTERNAL_1: LruHashMap<CellKey, Cell> = LruHashMap::with_max_entries(8_192, 0);

/// Novelties of internal sources: a flood from outside cannot push them out.
#[map]
pub static NOVELTIES_INTERNAL: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Novelties of external sources.
#[map]
pub static NOVELTIES_EXTERNAL: RingBuf = RingBuf::with_byte_size(1 << 18, 0);

/// One counter for every way out, by CPU.
#[map]
pub static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT as u32, 0);

/// The tick of the last message about refused cells, by CPU: one an epoch at most.
#[map]
pub static REFUSAL_SAID: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);
