//! Which side of a UDP conversation spoke first.
//!
//! UDP has no SYN, so direction is memory: a set-associative cache of flows, eight to a cache line. Without it a
//! resolver's answers to a client's many ports would be a scan of that client.

use super::branchless::{is_below, is_zero, lowest};

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
        let found = self.survey(flow, tick, idle);
        let now = u64::from(tick) & TICK_MASK;
        if found.mine != 0 {
            return self.again(lowest(found.mine), forward, now);
        }
        // The age stands above the place, so the greatest names the oldest.
        self.entries[(found.oldest & PLACE_MASK) as usize] =
            tag_of(flow) << TAG_SHIFT | now << TICK_SHIFT | USED | u64::from(quiet) << 1 | u64::from(forward);
        Flow::First
    }

    /// True where the flow is remembered. Nothing is written.
    #[inline(always)]
    #[must_use]
    pub fn knows(&self, flow: u64, tick: u32, idle: u32) -> bool {
        self.survey(flow, tick, idle).mine != 0
    }

    /// Looks at all entries without a branch: the kernel's verifier would follow every combination of them.
    #[inline(always)]
    fn survey(&self, flow: u64, tick: u32, idle: u32) -> Survey {
        let tag = tag_of(flow);
        let now = u64::from(tick) & TICK_MASK;
        let mut found = Survey { mine: 0, oldest: 0 };
        for (way, entry) in self.entries.iter().enumerate() {
            let age = now.wrapping_sub(entry >> TICK_SHIFT) & TICK_MASK;
            let live = is_below(age, u64::from(idle) + 1) & (entry >> USED_SHIFT) as u32 & 1;
            found.mine |= (is_zero((entry >> TAG_SHIFT) ^ tag) & live) << way;
            // A dead entry is older than any live one.
            let rank = (age + (u64::from(live ^ 1) << TICK_BITS)) << PLACE_BITS | way as u64;
            let older = 0u64.wrapping_sub(u64::from(is_below(found.oldest, rank)));
            found.oldest ^= (found.oldest ^ rank) & older;
        }
        found
    }

    #[inline(always)]
    fn again(&mut self, way: usize, forward: bool, now: u64) -> Flow {
        let entry = self.entries[way];
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
            self.entries[way] = updated;
        }
        state
    }
}

/// What a line holds.
struct Survey {
    /// Live entries of the flow, one bit each.
    mine: u32,
    /// Age and place of the oldest entry.
    oldest: u64,
}

#[inline(always)]
const fn tag_of(flow: u64) -> u64 {
    flow >> TAG_SHIFT
}
