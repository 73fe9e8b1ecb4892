//! Layouts shared by the kernel programs and the agent: cell keys and values, novelty records, settings.
//!
//! Every type is `repr(C)` without implicit padding, so that its bytes are its value; sizes are asserted below.
//! A change of any layout, hash or sketch constant changes [`VERSION`].

mod cell;

pub use cell::{Cell, CellFacts, CellKey, CellsUsed, KeyedCell, OTHER_SERVICE, PORT_BUCKETS, port_bucket};

use crate::sketch::{Hasher, IndexLine, PortSketch};

/// Version of everything in this module and of the sketches' hash and shape.
pub const VERSION: u32 = 6;

/// Length of an epoch, the time between two flips of the cell copies, seconds.
pub const EPOCH_S: u32 = 10;

/// An IPv6 address, or an IPv4 address in its mapped form (RFC 4291, 2.5.5.2).
pub type Address = [u8; 16];

/// An IPv4 address in mapped form.
#[inline(always)]
#[must_use]
pub const fn mapped(v4: [u8; 4]) -> Address {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4[0], v4[1], v4[2], v4[3]]
}

/// True for an IPv4 address in mapped form.
#[inline(always)]
#[must_use]
pub const fn is_mapped(address: &Address) -> bool {
    u128::from_be_bytes(*address) >> 32 == 0xffff
}

/// An address as numbers, which compare, mask and hash faster than bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// The leading 64 bits.
    pub high: u64,
    /// The other 64 bits.
    pub low: u64,
}

impl Words {
    /// The unspecified address.
    pub const ZERO: Self = Self { high: 0, low: 0 };

    /// An IPv4 address in mapped form.
    #[inline(always)]
    #[must_use]
    pub const fn mapped(v4: u32) -> Self {
        Self { high: 0, low: 0xffff_0000_0000 | v4 as u64 }
    }

    /// The words of an address.
    #[inline(always)]
    #[must_use]
    pub const fn of(address: &Address) -> Self {
        let value = u128::from_be_bytes(*address);
        Self { high: (value >> 64) as u64, low: value as u64 }
    }

    /// The address as bytes.
    #[inline(always)]
    #[must_use]
    pub const fn address(self) -> Address {
        ((self.high as u128) << 64 | self.low as u128).to_be_bytes()
    }

    /// True for an IPv4 address in mapped form.
    #[inline(always)]
    #[must_use]
    pub const fn is_mapped(self) -> bool {
        self.high == 0 && self.low >> 32 == 0xffff
    }
}

/// How a target is probed. The number stands in cell keys.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Technique {
    /// TCP SYN.
    Syn = 0,
    /// TCP without any flag.
    Null = 1,
    /// TCP with FIN alone.
    Fin = 2,
    /// TCP with FIN, PSH and URG.
    Xmas = 3,
    /// Other TCP flag sets that no stack sends, and TCP headers cut by fragmentation (RFC 3128).
    Flags = 4,
    /// First UDP datagram of a flow.
    Udp = 5,
    /// SCTP INIT.
    Sctp = 6,
    /// ICMP or ICMPv6 echo, timestamp, information or mask request.
    Icmp = 7,
    /// ARP request.
    Arp = 8,
    /// IP protocol that is neither transport, tunnel nor routing.
    Proto = 9,
    /// TCP segment of a conversation that does not exist, as ACK, window and Maimon scans send: known by its refusal,
    /// or by numbers that no conversation has.
    Ack = 10,
}

impl Technique {
    /// All techniques, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Syn,
        Self::Null,
        Self::Fin,
        Self::Xmas,
        Self::Flags,
        Self::Udp,
        Self::Sctp,
        Self::Icmp,
        Self::Arp,
        Self::Proto,
        Self::Ack,
    ];

    /// The technique with this number, `None` where there is none.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        if (number as usize) < Self::ALL.len() { Some(Self::ALL[number as usize]) } else { None }
    }

    /// True where a probe names a TCP port.
    #[must_use]
    pub const fn is_tcp(self) -> bool {
        matches!(self, Self::Syn | Self::Null | Self::Fin | Self::Xmas | Self::Flags | Self::Ack)
    }
}

/// What became of a contact. Its number stands in cell keys beside the technique's.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The source tried the pair.
    Tried = 0,
    /// The target answered: SYN-ACK, first UDP datagram back, ICMP or ARP reply, INIT-ACK.
    Answered = 1,
    /// The target, or a router for it, refused: RST, ICMP unreachable, ABORT.
    Refused = 2,
    /// The source went on with the conversation, so it was answered, whether or not the answer came by here.
    Continued = 3,
}

impl Outcome {
    /// All outcomes, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Tried, Self::Answered, Self::Refused, Self::Continued];
}

/// Which of the two sets of maps a source belongs to: a flood from one side must not evict the other.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The source's address lies in a configured zone.
    Internal = 0,
    /// Every other source.
    External = 1,
}

/// One contact that told its cell something: a uniform sample over distinct pairs, and the evidence of an incident.
///
/// `source` is always who tried and `target` who was tried, also where the packet was the target's answer: then
/// lengths, hop limit, numbers and link-layer source are the answer's.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Novelty {
    /// Time, nanoseconds of the clock of [`CellFacts::first_ns`].
    pub time_ns: u64,
    /// The cell.
    pub key: CellKey,
    /// Source in full, before any cut.
    pub source: Address,
    /// Target.
    pub target: Address,
    /// TCP sequence number, 0 otherwise.
    pub sequence: u32,
    /// TCP acknowledgement number, 0 otherwise.
    pub acknowledgement: u32,
    /// Index of the interface.
    pub interface: u32,
    /// Source port, 0 where there is none.
    pub source_port: u16,
    /// Destination port; for [`Technique::Proto`] the protocol number; 0 where there is none.
    pub target_port: u16,
    /// IP length, bytes; 28 for ARP.
    pub length: u16,
    /// IPv4 identification, 0 otherwise.
    pub ip_id: u16,
    /// TCP window, 0 otherwise.
    pub window: u16,
    /// TCP flags (RFC 9293, 3.1), 0 otherwise.
    pub flags: u8,
    /// Hop limit.
    pub ttl: u8,
    /// Link-layer source.
    pub mac: [u8; 6],
    /// Number of the [`Side`].
    pub side: u8,
    /// Zero; keeps the layout free of padding.
    pub reserved: u8,
}

impl Novelty {
    /// A record that says nothing.
    pub const EMPTY: Self = Self {
        time_ns: 0,
        key: CellKey::NOBODY,
        source: [0; 16],
        target: [0; 16],
        sequence: 0,
        acknowledgement: 0,
        interface: 0,
        source_port: 0,
        target_port: 0,
        length: 0,
        ip_id: 0,
        window: 0,
        flags: 0,
        ttl: 0,
        mac: [0; 6],
        side: 0,
        reserved: 0,
    };
}

/// What the kernel programs are told once, when they are loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Makes every hash, under a key of its own; sketches merge only where that is equal.
    pub hasher: Hasher,
    /// Ticks (see [`Control::tick`]) after which an idle UDP flow is forgotten.
    pub flow_idle_ticks: u32,
    /// Distinct pairs after which a source gets cells, 1 to 15, by the number of its [`Side`].
    pub admit: [u8; 2],
    /// Zero; keeps the layout free of padding.
    pub reserved: [u8; 2],
    /// The bits of an IPv6 source that stand in its key, by the number of its [`Side`]: see [`Settings::prefix`].
    pub source_mask_v6: [Words; 2],
    /// Cells of an epoch, by the number of the [`Side`].
    pub cells: [u32; 2],
    /// Lines of their index: [`IndexLine::lines_for`] so many cells.
    pub index_lines: [u32; 2],
}

impl Settings {
    /// The seed of whatever is to come out the same each time: replays, tests, measurements.
    pub const SEED: u64 = 0x7363_616e_7761_7463;

    /// Settings as they are without any configuration.
    pub const DEFAULT: Self = Self::with_cells([16_384, 8_192]);

    /// The leading `bits` of an address, up to 128.
    #[must_use]
    pub const fn prefix(bits: u8) -> Words {
        let mask = match bits {
            0 => 0,
            128.. => u128::MAX,
            bits => u128::MAX << (128 - bits),
        };
        Words { high: (mask >> 64) as u64, low: mask as u64 }
    }

    /// The same but for the number of cells.
    #[must_use]
    pub const fn with_cells(cells: [u32; 2]) -> Self {
        Self {
            hasher: Hasher::new(Self::SEED),
            flow_idle_ticks: 300 / EPOCH_S,
            admit: [2, 4],
            reserved: [0; 2],
            source_mask_v6: [Self::prefix(128), Self::prefix(64)],
            cells,
            index_lines: [IndexLine::lines_for(cells[0]), IndexLine::lines_for(cells[1])],
        }
    }
}

/// What the kernel programs are told while they run.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Control {
    /// Which copy of the cells is written to, 0 or 1.
    pub active: u32,
    /// Epochs since the start, the coarse clock by which UDP flows age.
    pub tick: u32,
    /// In a replay the time of the packet, nanoseconds; 0 means the kernel's own clock.
    pub clock_ns: u64,
    /// Root of the table of zones (see [`crate::zones`]): while one is looked through, the next is written beside it.
    pub zones: u32,
    /// First page of the active copy of the port table.
    pub pages: u32,
    /// First cell of the active copy, by the number of the [`Side`].
    pub cells: [u32; 2],
    /// First line of their index.
    pub index_lines: [u32; 2],
}

impl Control {
    /// Makes copy 0 or 1 the active one, of the sizes that the settings give it.
    pub const fn activate(&mut self, copy: u32, settings: &Settings) {
        let ([internal, external], [lines_in, lines_ex]) = (settings.cells, settings.index_lines);
        self.active = copy;
        self.pages = copy * PORT_PAGES as u32;
        let (cell, line) = (copy * (internal + external), copy * (lines_in + lines_ex));
        self.cells = [cell, cell + internal];
        self.index_lines = [line, line + lines_in];
    }
}

/// Sets of the doorkeeper of internal sources. A source's set is its hash's low bits: `hash as usize & (sets - 1)`;
/// the rule is the same for [`DOOR_SETS_EXTERNAL`], [`FLOW_LINES`] and [`SERVING_LINES`].
pub const DOOR_SETS_INTERNAL: usize = 4_096;
/// Sets of the doorkeeper of external sources.
pub const DOOR_SETS_EXTERNAL: usize = 16_384;
/// Places for what internal sources tried first: one for each entry of their doorkeeper, in the order of the sets.
pub const FIRST_CONTACTS: usize = DOOR_SETS_INTERNAL * crate::sketch::DOOR_WAYS;
/// Lines of the cache of UDP flows.
pub const FLOW_LINES: usize = 16_384;
/// Lines of the cache of sockets that serve outsiders: apart from the flows, which they would push out.
pub const SERVING_LINES: usize = 1_024;

/// Ports whose sketches lie in one page of the port table.
pub const PORTS_A_PAGE: usize = 128;
/// Pages of the port table: those of TCP's ports, and behind them UDP's.
pub const PORT_PAGES: usize = 2 * 65_536 / PORTS_A_PAGE;

/// A page of the port table: a map value for each port would take user space a hundred thousand look-ups an epoch.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortPage {
    /// Sketches of ports that differ in their lowest bits alone.
    pub ports: [PortSketch; PORTS_A_PAGE],
}

impl PortPage {
    /// A page on which nothing was tried.
    pub const EMPTY: Self = Self { ports: [PortSketch::EMPTY; PORTS_A_PAGE] };
}

/// Service groups by port: what [`crate::observe::Tables::service`] answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceTable {
    /// Group of each TCP port.
    pub tcp: [u8; 65_536],
    /// Group of each UDP port.
    pub udp: [u8; 65_536],
}

const _: () = assert!(DOOR_SETS_INTERNAL.is_power_of_two() && DOOR_SETS_EXTERNAL.is_power_of_two());
const _: () = assert!(FLOW_LINES.is_power_of_two() && SERVING_LINES.is_power_of_two());
impl ServiceTable {
    /// Every port in no group.
    // A constant lies on no stack; whoever makes a value of it boxes it.
    #[allow(clippy::large_stack_arrays)]
    pub const EMPTY: Self = Self { tcp: [OTHER_SERVICE; 65_536], udp: [OTHER_SERVICE; 65_536] };
}

const _: () = assert!(size_of::<Novelty>() == 96);
const _: () = assert!(size_of::<PortPage>() == 4_096);
const _: () = assert!(size_of::<Settings>() == 184);
const _: () = assert!(size_of::<Control>() == 40);
const _: () = assert!(size_of::<ServiceTable>() == 131_072);
