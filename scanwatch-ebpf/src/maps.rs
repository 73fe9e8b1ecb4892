//! The maps, by the names under which the agent finds them.
//!
//! Sizes that depend on the configuration are set by the agent before the object is loaded. What there is of both sides or
//! in both copies lies in one map: a choice between maps is made by a helper's call, an index is not.

use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};
use scanwatch_common::abi::{
    Address, CellsUsed, Control, DOOR_SETS_EXTERNAL, DOOR_SETS_INTERNAL, FIRST_CONTACTS, FLOW_LINES,
    KeyedCell, PORT_PAGES, PortPage, SERVING_LINES, ServiceTable, Settings,
};
use scanwatch_common::counters::Counter;
use scanwatch_common::sighting::Workspace;
use scanwatch_common::sketch::{DoorSet, FirstContact, FlowLine, IndexLine};
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

/// The doorkeeper: sets of internal sources, then of external ones.
#[map]
pub static DOORS: Array<DoorSet> =
    Array::with_max_entries((DOOR_SETS_INTERNAL + DOOR_SETS_EXTERNAL) as u32, PAGE_ALIGNED);

/// What internal sources tried first.
#[map]
pub static FIRST_TRIED: Array<FirstContact> = Array::with_max_entries(FIRST_CONTACTS as u32, PAGE_ALIGNED);

/// Who tries which port from outside, the first copy, then the second.
#[map]
pub static PORTS: Array<PortPage> = Array::with_max_entries(2 * PORT_PAGES as u32, PAGE_ALIGNED);

/// What is known of the packet at hand, by CPU.
#[map]
pub static WORKSPACE: PerCpuArray<Workspace> = PerCpuArray::with_max_entries(1, 0);

/// Cells: of internal sources, then of external ones; the first copy, then the second.
#[map]
pub static CELLS: Array<KeyedCell> = Array::with_max_entries(2 * (16_384 + 8_192), PAGE_ALIGNED);

/// The index of the cells, in the same order.
#[map]
pub static CELL_INDEX: Array<IndexLine> = Array::with_max_entries(2 * (8_192 + 4_096), PAGE_ALIGNED);

/// How many cells are in use, in the same order.
#[map]
pub static CELLS_USED: Array<CellsUsed> = Array::with_max_entries(4, PAGE_ALIGNED);

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
