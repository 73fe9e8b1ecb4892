//! Which side of a UDP conversation spoke first.
//!
//! UDP has no SYN, so direction is memory: a set-associative cache of flows, eight to a cache line. Without it a
//! resolver's answers to a client's many ports would be a scan of that client.

use super::branchless::is_below;

/// Flows remembered in one cache line.
const WAYS: usize = 8;
const TAG_SHIFT: u32 = 32;
const TICK_SHIFT: u32 = 8;
const TICK_BITS: u32 = 24;
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;
const PLACE_BITS: u32 = WAYS.trailing_zeros();
const PLACE_MASK: u64 = WAYS as u64 - 1;
const FORWARD: u64 = 1;
const ANSWERED: u64 = 2;
const USED_SHIFT: u32 = 2;
const USED: u64 = 1 << USED_SHIFT;

/// What a datagram is to its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The first of its flow.
    First,
    /// One more in the direction of the first.
    Known,
    /// The first answer.
    Answer,
    /// One more answer.
    Answered,
}

/// One set of the flow cache: eight entries of tag (32 bits), tick of last use (24 bits), and three flags.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FlowLine {
    entries: [u64; WAYS],
}

impl FlowLine {
    /// Looks a datagram's flow up and remembers it.
    ///
    /// `flow` is the same for both directions (its low bits chose the line already), `forward` tells them apart.
    /// A flow idle for more than `idle` ticks is new again. A full line gives up its least recently used flow. Where `quiet`
    /// is 1 and not 0, a flow that begins counts as answered from the start: nobody is to be told of its first answer.
    #[inline(always)]
    pub fn note(&mut self, flow: u64, forward: bool, quiet: u8, tick: u32, idle: u32) -> Flow {
        let now = u64::from(tick) & TICK_MASK;
        if let Some((way, entry)) = self.find(flow, now, idle) {
            return self.again(way, entry, forward, now);
        }
        self.entries[self.oldest()] =
            tag_of(flow) << TAG_SHIFT | now << TICK_SHIFT | USED | u64::from(quiet) << 1 | u64::from(forward);
        Flow::First
    }

    /// True where the flow is remembered. Nothing is written.
    #[inline(always)]
    #[must_use]
    pub fn knows(&self, flow: u64, tick: u32, idle: u32) -> bool {
        self.find(flow, u64::from(tick) & TICK_MASK, idle).is_some()
    }

    /// The flow's live entry, and its place.
    #[inline(always)]
    fn find(&self, flow: u64, now: u64, idle: u32) -> Option<(usize, u64)> {
        let tag = tag_of(flow);
        for (way, entry) in self.entries.iter().enumerate() {
            if entry >> TAG_SHIFT == tag && is_live(*entry, now, idle) != 0 {
                return Some((way, *entry));
            }
        }
        None
    }

    /// The place of the entry that was not used for longest: its low word is the smallest, for the tick of last use stands
    /// highest in it, and an entry never used is zero. (Ticks begin anew after five years; then a line gives up the wrong
    /// flow for some minutes.)
    #[inline(always)]
    fn oldest(&self) -> usize {
        let mut oldest = u64::MAX;
        for (way, entry) in self.entries.iter().enumerate() {
            // The word stands above the place, so the smallest names the oldest.
            let rank = (entry & u64::from(u32::MAX)) << PLACE_BITS | way as u64;
            oldest = if rank < oldest { rank } else { oldest };
        }
        (oldest & PLACE_MASK) as usize
    }

    #[inline(always)]
    fn again(&mut self, way: usize, entry: u64, forward: bool, now: u64) -> Flow {
        let same = (entry & FORWARD != 0) == forward;
        let state = match (same, entry & ANSWERED != 0) {
            (true, _) => Flow::Known,
            (false, false) => Flow::Answer,
            (false, true) => Flow::Answered,
        };
        let answered = if same { 0 } else { ANSWERED };
        let updated = (entry & !(TICK_MASK << TICK_SHIFT)) | now << TICK_SHIFT | answered;
        // Once a tick at most, so a busy flow's line stays shared between CPUs.
        if updated != entry {
            self.entries[way % WAYS] = updated;
        }
        state
    }
}

/// Ticks since an entry was used.
#[inline(always)]
const fn age_of(entry: u64, now: u64) -> u64 {
    now.wrapping_sub(entry >> TICK_SHIFT) & TICK_MASK
}

/// 1 where an entry is used, and was so within `idle` ticks.
#[inline(always)]
const fn is_live(entry: u64, now: u64, idle: u32) -> u32 {
    is_below(age_of(entry, now), idle as u64 + 1) & (entry >> USED_SHIFT) as u32 & 1
}

#[inline(always)]
const fn tag_of(flow: u64) -> u64 {
    flow >> TAG_SHIFT
}
