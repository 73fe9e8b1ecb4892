//! Time, as the packets tell it: when epochs end, when the engine judges, and what a gap or a jump means.

use std::time::Duration;

use scanwatch_common::abi::{EPOCH_S, Settings};
use scanwatch_common::counters::Counter;

use super::plane::{DataPlane, FRAME_BYTES_SEEN};
use crate::capture::{Packet, PacketClock, Step};
use crate::engine::{Engine, Losses, Record, Statistics, TEND, TURN, Timestamp};
use crate::kernel::KernelError;

const SECOND_NS: u64 = 1_000_000_000;
const EPOCH_NS: u64 = EPOCH_S as u64 * SECOND_NS;
/// The live agent's: time from the first news to their verdict, and between two looks where there is no news.
const TURN_NS: u64 = TURN.as_nanos() as u64;
const TEND_NS: u64 = TEND.as_nanos() as u64;
/// No time is that late.
const NEVER: u64 = u64::MAX;

/// Time that passes behind the last packet before the open incidents are ended: longer than the engine holds anything
/// back, be it for an answer that may still come or for a second contact.
pub const VERDICTS_SETTLE: Duration = Duration::from_secs(620);
const SETTLE_NS: u64 = VERDICTS_SETTLE.as_secs() * SECOND_NS;

/// Epochs of silence by which every UDP flow is forgotten; no more of a gap is told to the data plane, whose coarse clock
/// comes round after some years.
const SILENT_EPOCHS_MAX: u64 = 64;
const _: () = assert!(SILENT_EPOCHS_MAX > Settings::DEFAULT.flow_idle_ticks as u64);

/// Jumps back that are followed. A capture with more is no sequence of captures: its packets are in disorder, and ending
/// everything at each of them would end in noise.
const JUMPS_MAX: u64 = 100;

/// A data plane and an engine on the time of a capture.
pub struct Timeline<P> {
    plane: P,
    engine: Engine,
    clock: PacketClock,
    /// The last packet's time, as the clock has it; 0 before the first.
    now_ns: u64,
    /// End of the running epoch.
    epoch_ends_ns: u64,
    /// When the engine judges next.
    judge_at_ns: u64,
    /// That is for news, and so as soon as may be.
    is_news: bool,
    events: Vec<Record>,
    jumps_back: u64,
}

impl<P: DataPlane> Timeline<P> {
    /// A time line before its first packet.
    #[must_use]
    pub fn new(plane: P, engine: Engine) -> Self {
        Self {
            plane,
            engine,
            clock: PacketClock::new(),
            now_ns: 0,
            epoch_ends_ns: NEVER,
            judge_at_ns: NEVER,
            is_news: false,
            events: Vec::new(),
            jumps_back: 0,
        }
    }

    /// Lets time pass up to a packet, and observes it.
    #[inline]
    pub fn packet(&mut self, packet: &Packet<'_>) -> Result<(), KernelError> {
        let now_ns = match self.clock.note(packet.time_ns) {
            Step::Onward { now_ns } => now_ns,
            Step::Jump { now_ns, .. } => self.jump_back(now_ns)?,
        };
        // The kernel takes 0 for its own clock. And where jumps are not followed any more, time stands still.
        let now_ns = now_ns.max(1).max(self.now_ns);
        if now_ns >= self.judge_at_ns.min(self.epoch_ends_ns) {
            self.pass(now_ns)?;
        } else if self.now_ns == 0 {
            self.epoch_ends_ns = now_ns.saturating_add(EPOCH_NS);
            self.judge_at_ns = now_ns.saturating_add(TEND_NS);
        }
        self.now_ns = now_ns;
        let frame = &packet.frame[..packet.frame.len().min(FRAME_BYTES_SEEN)];
        self.plane.observe(frame, packet.interface, now_ns)?;
        let Self { plane, engine, .. } = self;
        let now = Timestamp::from_ns(now_ns);
        plane.novelties(|novelty| engine.novelty(now, novelty, Timestamp::from_ns(novelty.time_ns)));
        if !self.is_news && self.engine.is_dirty() {
            self.is_news = true;
            self.judge_at_ns = self.judge_at_ns.min(now_ns.saturating_add(TURN_NS));
        }
        Ok(())
    }

    /// Lets the time pass in which the last verdicts settle, and ends whatever is open.
    pub fn finish(&mut self) -> Result<(), KernelError> {
        if self.now_ns == 0 {
            return Ok(());
        }
        let end_ns = self.now_ns.saturating_add(SETTLE_NS);
        self.pass(end_ns)?;
        self.events.append(&mut self.engine.finish(Timestamp::from_ns(end_ns)));
        Ok(())
    }

    /// Ends what was open at the old time; the time from which it goes on.
    #[cold]
    fn jump_back(&mut self, to_ns: u64) -> Result<u64, KernelError> {
        self.jumps_back += 1;
        if self.jumps_back > JUMPS_MAX {
            return Ok(self.now_ns);
        }
        self.finish()?;
        self.now_ns = 0;
        self.epoch_ends_ns = NEVER;
        self.judge_at_ns = NEVER;
        self.is_news = false;
        Ok(to_ns)
    }

    /// Lets time pass, as the live agent would: news are judged after a turn, everything once a second, and an epoch ends
    /// every ten seconds.
    #[cold]
    fn pass(&mut self, to_ns: u64) -> Result<(), KernelError> {
        loop {
            let at_ns = self.judge_at_ns.min(self.epoch_ends_ns);
            if at_ns > to_ns || at_ns == NEVER {
                return Ok(());
            }
            if at_ns == self.epoch_ends_ns {
                // Those behind it, in which there was nothing, end with it.
                let epochs = (to_ns - at_ns) / EPOCH_NS + 1;
                self.drain(epochs.min(SILENT_EPOCHS_MAX) as u32, at_ns)?;
                self.epoch_ends_ns = at_ns.saturating_add(epochs.saturating_mul(EPOCH_NS));
            }
            self.judge(at_ns);
            if to_ns - at_ns > EPOCH_NS {
                self.skip(to_ns);
            }
        }
    }

    fn judge(&mut self, at_ns: u64) {
        self.events.append(&mut self.engine.judge(Timestamp::from_ns(at_ns)));
        self.is_news = self.engine.is_dirty();
        self.judge_at_ns = at_ns.saturating_add(if self.is_news { TURN_NS } else { TEND_NS });
    }

    /// Leaves out the looks at which nothing would be found, in a silence that lasts up to `to_ns`: a gap of years takes no
    /// longer than one of an hour. The last look before the silence ends stays, for it forgets what is long past.
    fn skip(&mut self, to_ns: u64) {
        if self.is_news || self.judge_at_ns >= to_ns {
            return;
        }
        let looks_until = |until_ns: u64| until_ns.saturating_sub(self.judge_at_ns) / TEND_NS;
        let last = looks_until(to_ns);
        let next = self
            .engine
            .next_change()
            .map_or(last, |next| looks_until(next.as_ns().saturating_add(TEND_NS - 1)));
        self.judge_at_ns += next.min(last) * TEND_NS;
    }

    fn drain(&mut self, epochs: u32, ended_ns: u64) -> Result<(), KernelError> {
        let Self { plane, engine, .. } = self;
        plane.end_epoch(epochs, |side, key, cell| {
            let facts = &cell.facts;
            let (first, last) = (Timestamp::from_ns(facts.first_ns), Timestamp::from_ns(facts.last_ns()));
            engine.cell(side, key, cell, first, last);
        })?;
        let began = Timestamp::from_ns(ended_ns.saturating_sub(EPOCH_NS));
        plane.ports(|key, sketch| engine.port(key, sketch, began))?;
        let counters = plane.counters()?;
        let total = |wanted| counters.iter().filter(|(c, _)| *c == wanted).map(|(_, n)| n).sum();
        engine.losses(Losses {
            ring_lost: total(Counter::RingLost),
            cells_refused: total(Counter::CellRefused),
        });
        Ok(())
    }

    /// True where there are records to take.
    #[inline]
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The records since the last call.
    pub fn take_events(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.events)
    }

    /// Times at which the packets' times went back by more than disorder explains.
    #[must_use]
    pub fn jumps_back(&self) -> u64 {
        self.jumps_back
    }

    /// How often each counter was counted.
    pub fn counters(&self) -> Result<Vec<(Counter, u64)>, KernelError> {
        self.plane.counters()
    }

    /// What the engine counted.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.engine.statistics()
    }
}
