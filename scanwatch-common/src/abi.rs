//! Layouts shared by the kernel programs and the agent: cell keys and values, novelty records, settings.
//!
//! Every type is `repr(C)` without implicit padding, so that its bytes are its value; sizes are asserted below.
//! A change of any layout, hash or sketch constant changes [`VERSION`].

use crate::sketch::{PortSketch, Sketch};

/// Version of everything in this module and of the sketches' hash, seed and shape.
pub const VERSION: u32 = 4;

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

/// Identity of a cell: what one source does to one service of one zone by one technique.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellKey {
    /// Source, IPv6 cut to the configured prefix.
    pub source: Address,
    /// VLAN ids, outer and inner, 0 where there is no tag.
    pub vlan: [u16; 2],
    /// Zone of the destination, 0 is the internet.
    pub zone: u8,
    /// Service group of the destination port, 0 is none.
    pub service: u8,
    /// Slice of the ports that are in no group (see [`port_bucket`]), 0 otherwise.
    pub bucket: u8,
    /// Number of the [`Technique`], and in the high four bits that of the [`Outcome`]: read by [`CellKey::technique`]
    /// and [`CellKey::outcome`].
    pub contact: u8,
}

impl CellKey {
    /// The byte that stands for a technique with an outcome.
    #[inline(always)]
    #[must_use]
    pub const fn contact_of(technique: Technique, outcome: Outcome) -> u8 {
        technique as u8 | (outcome as u8) << 4
    }

    /// The technique, `None` for a number that none has.
    #[must_use]
    pub const fn technique(&self) -> Option<Technique> {
        Technique::from_number(self.contact & 0x0f)
    }

    /// The outcome, `None` for a number that none has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        let number = (self.contact >> 4) as usize;
        if number < Outcome::ALL.len() { Some(Outcome::ALL[number]) } else { None }
    }
}

/// The service group of ports that are in no group.
pub const OTHER_SERVICE: u8 = 0;

/// Slices into which ports outside all service groups are spread, so that a sweep of one unnamed port does not blur
/// with everything else its source does.
pub const PORT_BUCKETS: u8 = 16;

/// The slice of a port that is in no service group: the high bits of Fibonacci hashing (Knuth, TAOCP 3, 6.4).
#[inline(always)]
#[must_use]
pub const fn port_bucket(port: u16) -> u8 {
    (port.wrapping_mul(40_503) >> 12) as u8
}

/// What is known of a cell besides its sketches.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CellFacts {
    /// Time of the first novelty, nanoseconds of the kernel's monotonic clock (of the capture's clock in a replay).
    pub first_ns: u64,
    /// Time of the last novelty.
    pub last_ns: u64,
    /// Sum of the IP lengths of the novel probes, bytes: an unbiased sample of all probes.
    pub size_sum: u64,
    /// Sum of the squares of those lengths.
    pub size_squares: u64,
    /// Novel probes.
    pub novelties: u32,
    /// Index of the interface that saw the last novelty.
    pub interface: u32,
    /// Link-layer source of the last novelty.
    pub mac: [u8; 6],
    /// Hop limit of the last novelty.
    pub ttl: u8,
    /// Zero; keeps the layout free of padding.
    pub reserved: u8,
}

/// Value of a cell.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Distinct (host, port) pairs probed.
    pub pairs: Sketch,
    /// Distinct hosts probed.
    pub hosts: Sketch,
    /// Distinct ports probed; for [`Technique::Proto`] protocols.
    pub ports: Sketch,
    /// The rest.
    pub facts: CellFacts,
}

impl Cell {
    /// A cell that has seen nothing.
    pub const EMPTY: Self = Self {
        pairs: Sketch::EMPTY,
        hosts: Sketch::EMPTY,
        ports: Sketch::EMPTY,
        facts: CellFacts {
            first_ns: 0,
            last_ns: 0,
            size_sum: 0,
            size_squares: 0,
            novelties: 0,
            interface: 0,
            mac: [0; 6],
            ttl: 0,
            reserved: 0,
        },
    };
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
        key: CellKey { source: [0; 16], vlan: [0; 2], zone: 0, service: 0, bucket: 0, contact: 0 },
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
    /// Seed of every hash; sketches merge only where it is equal.
    pub seed: u64,
    /// Ticks (see [`Control::tick`]) after which an idle UDP flow is forgotten.
    pub flow_idle_ticks: u32,
    /// Distinct pairs after which an internal source gets cells, 1 to 15.
    pub admit_internal: u8,
    /// Distinct pairs after which an external source gets cells, 1 to 15.
    pub admit_external: u8,
    /// Leading bits of an internal IPv6 source that stand in its key, 1 to 128.
    pub source_prefix_v6_internal: u8,
    /// Leading bits of an external IPv6 source that stand in its key, 1 to 128.
    pub source_prefix_v6_external: u8,
}

impl Settings {
    /// The seed of sketches that several sensors merge.
    pub const SEED: u64 = 0x7363_616e_7761_7463;

    /// Settings as they are without any configuration.
    pub const DEFAULT: Self = Self {
        seed: Self::SEED,
        flow_idle_ticks: 300 / EPOCH_S,
        admit_internal: 2,
        admit_external: 4,
        source_prefix_v6_internal: 128,
        source_prefix_v6_external: 64,
    };
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
    /// Zero; keeps the layout free of padding.
    pub reserved: u32,
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

const _: () = assert!(size_of::<CellKey>() == 24 && size_of::<CellFacts>() == 48);
const _: () = assert!(size_of::<Cell>() == 3 * 512 + 48);
const _: () = assert!(size_of::<Novelty>() == 96);
const _: () = assert!(size_of::<PortPage>() == 4_096);
const _: () = assert!(size_of::<Settings>() == 16 && size_of::<Control>() == 24);
const _: () = assert!(size_of::<ServiceTable>() == 131_072);
