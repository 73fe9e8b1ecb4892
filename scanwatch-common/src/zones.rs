//! The zone of an address, by a walk through plain arrays: the kernel's own table of prefixes is a call out of the program,
//! which costs more than all of the rest that is done for a packet.
//!
//! A trie with a stride of eight bits, its prefixes expanded and pushed down to the leaves (Srinivasan and Varghese, 1999), so
//! that a step is one load, and the walk ends at the first leaf: most addresses of the internet end at their first byte.
//! Where one way only leads on, it is a comparison and no chain of nodes (Morrison, 1968): an IPv6 network of 64 bits is two
//! steps and not eight. Whoever makes a table (see `scanwatch`'s `policy::ZoneTable`) sees to it that every step but the last
//! goes on by a byte or more.

use crate::abi::Words;

/// What an entry of a node, or the end of a path, says: below [`LEAVES`] it is a zone; below [`PATH`] the number of a node,
/// plus [`LEAVES`]; else the number of a path, plus [`PATH`].
pub type Entry = u16;

/// Entries below this are zones.
pub const LEAVES: Entry = 256;
/// Entries from this on are paths.
pub const PATH: Entry = 0x8000;
/// Most nodes that entries can tell apart.
pub const NODES_MAX: u32 = (PATH - LEAVES) as u32;
/// Most paths.
pub const PATHS_MAX: u32 = (Entry::MAX - PATH) as u32 + 1;

/// A byte a step.
const STEPS_MAX: u32 = 16;

/// One entry for each value of a byte.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneNode {
    /// Where the byte leads.
    pub entries: [Entry; 256],
}

impl ZoneNode {
    /// A node that leads to this entry whatever the byte.
    #[must_use]
    pub const fn of(entry: Entry) -> Self {
        Self { entries: [entry; 256] }
    }
}

/// Several bits at once: one way on for addresses that begin so, one zone for all others. A cache line.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZonePath {
    /// How an address begins, in two words of which the first byte is the highest; other bits zero.
    pub begins: [u64; 2],
    /// The bits that are compared.
    pub mask: [u64; 2],
    /// Where an address leads that begins so.
    pub then: Entry,
    /// The zone of one that does not.
    pub otherwise: u8,
    /// The byte at which the walk goes on.
    pub at: u8,
    /// Zero; keeps paths from lying across cache lines.
    pub reserved: [u32; 7],
}

/// The arrays of a table.
pub trait ZoneParts {
    /// The node with this number.
    fn node(&self, number: u32) -> Option<&ZoneNode>;
    /// The path with this number.
    fn path(&self, number: u32) -> Option<&ZonePath>;
}

/// Zone of an address in the table whose node for IPv4 is number `root` and whose node for IPv6 is the next; 0, the internet,
/// where no network of the table holds it.
///
/// The first step, with which most walks end, is part of its caller; the rest is a call.
#[inline(always)]
#[must_use]
pub fn zone_of<P: ZoneParts>(parts: &P, root: u32, address: Words) -> u8 {
    let is_v4 = address.is_mapped();
    let (word, root) = if is_v4 { (address.low << 32, root) } else { (address.high, root + 1) };
    let Some(node) = parts.node(root) else { return 0 };
    let entry = node.entries[(word >> 56) as usize];
    if entry < LEAVES { entry as u8 } else { walk(parts, entry, &address) as u8 }
}

/// The walk from its second step on. (It returns a wide number because the verifier would not know that a narrow one is.)
#[inline(never)]
fn walk<P: ZoneParts>(parts: &P, mut entry: Entry, address: &Words) -> u32 {
    let Words { high, low } = *address;
    // What is left of the word that the walk is in, the next byte highest, and bytes until the next word.
    let (mut rest, mut left) = if address.is_mapped() { (low << 40, 3) } else { (high << 8, 7) };
    for _ in 1..STEPS_MAX {
        if entry < PATH {
            let Some(node) = parts.node(u32::from(entry - LEAVES)) else { return 0 };
            entry = node.entries[(rest >> 56) as usize];
            (rest, left) = if left == 1 { (low, 8) } else { (rest << 8, left - 1) };
        } else {
            let Some(path) = parts.path(u32::from(entry - PATH)) else { return 0 };
            let differs = (high ^ path.begins[0]) & path.mask[0] | (low ^ path.begins[1]) & path.mask[1];
            if differs != 0 {
                return u32::from(path.otherwise);
            }
            entry = path.then;
            let at = u32::from(path.at) % STEPS_MAX;
            let word = if at < 8 { high } else { low };
            (rest, left) = (word << (at % 8 * 8), 8 - at % 8);
        }
        if entry < LEAVES {
            return u32::from(entry);
        }
    }
    0
}

const _: () = assert!(size_of::<ZoneNode>() == 512);
const _: () = assert!(size_of::<ZonePath>() == 64);
