//! Which side of a UDP conversation spoke first.
//!
//! UDP has no SYN, so direction is memory: a set-associative cache of flows, eight to a cache line. Without it a
//! resolver's answers to a client's many ports would be a scan of that client.

/// Flows remembered in one cache line.
const WAYS: usize = 8;
const TAG_SHIFT: u32 = 32;
const TICK_SHIFT: u32 = 8;
const TICK_MASK: u64 = 0xff_ffff;
const FORWARD: u64 = 1;
const ANSWERED: u64 = 2;
const USED: u64 = 4;

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
    /// A flow idle for more than `idle` ticks is new again. A full line gives up its least recently used flow.
    #[inline(always)]
    pub fn note(&mut self, flow: u64, forward: bool, tick: u32, idle: u32) -> Flow {
        let tag = flow >> TAG_SHIFT;
        let now = u64::from(tick) & TICK_MASK;
        let mut victim = 0;
        let mut victim_age = 0;
        for way in 0..WAYS {
            let entry = self.entries[way];
            let age = now.wrapping_sub(entry >> TICK_SHIFT) & TICK_MASK;
            let live = entry & USED != 0 && age <= u64::from(idle);
            if live && entry >> TAG_SHIFT == tag {
                return self.again(way, entry, forward, now);
            }
            let age = if live { age + 1 } else { TICK_MASK + 2 };
            if age > victim_age {
                victim = way;
                victim_age = age;
            }
        }
        self.entries[victim] = tag << TAG_SHIFT | now << TICK_SHIFT | USED | u64::from(forward);
        Flow::First
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
            self.entries[way] = updated;
        }
        state
    }
}
