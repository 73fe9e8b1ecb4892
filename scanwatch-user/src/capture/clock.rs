//! Packet times as a clock for windows.

use super::time::SECOND_NS;

/// Disorder that is taken for the capture's own, nanoseconds.
///
/// Packets of several interfaces or queues come to the file in blocks, each when it is full or after its time-out
/// (one second in tcpdump and dumpcap), so that a block may lie a good second behind its neighbour. Twice that is
/// still little against an epoch of ten seconds.
const DISORDER_NS_MAX: u64 = 2 * SECOND_NS;

/// Turns packet times into a clock that does not run backwards, except where the capture itself starts again.
#[derive(Clone, Debug, Default)]
pub struct PacketClock {
    now_ns: Option<u64>,
}

/// What a packet's time did to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The clock went on, by any time, or stood still for a packet that came late.
    Onward {
        /// The clock, nanoseconds since the Unix epoch.
        now_ns: u64,
    },
    /// The capture's time went back by more than disorder explains: another capture begins, or its clock was set.
    /// Whatever was open at the old time should be ended; the clock starts again.
    Jump {
        /// The clock before.
        from_ns: u64,
        /// The clock now.
        now_ns: u64,
    },
}

impl PacketClock {
    /// A clock that has seen no packet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The clock after the last packet; `None` before the first.
    #[must_use]
    pub fn now_ns(&self) -> Option<u64> {
        self.now_ns
    }

    /// Notes the next packet's time.
    pub fn note(&mut self, time_ns: u64) -> Step {
        let step = match self.now_ns {
            Some(from_ns) if time_ns < from_ns.saturating_sub(DISORDER_NS_MAX) => {
                Step::Jump { from_ns, now_ns: time_ns }
            }
            Some(from_ns) => Step::Onward { now_ns: time_ns.max(from_ns) },
            None => Step::Onward { now_ns: time_ns },
        };
        let (Step::Onward { now_ns } | Step::Jump { now_ns, .. }) = step;
        self.now_ns = Some(now_ns);
        step
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YEAR_NS: u64 = 365 * 86_400 * SECOND_NS;

    fn onward(now_ns: u64) -> Step {
        Step::Onward { now_ns }
    }

    #[test]
    fn the_first_packet_sets_the_clock() {
        let mut clock = PacketClock::new();
        assert_eq!(clock.now_ns(), None);
        assert_eq!(clock.note(7), onward(7));
        assert_eq!(clock.now_ns(), Some(7));
    }

    #[test]
    fn a_late_packet_does_not_turn_the_clock_back() {
        let mut clock = PacketClock::new();
        clock.note(10 * SECOND_NS);
        assert_eq!(clock.note(9 * SECOND_NS), onward(10 * SECOND_NS));
        assert_eq!(clock.note(8 * SECOND_NS), onward(10 * SECOND_NS));
        assert_eq!(clock.note(10 * SECOND_NS + 1), onward(10 * SECOND_NS + 1));
    }

    #[test]
    fn lateness_is_measured_from_the_clock_and_not_from_the_packet_before() {
        let mut clock = PacketClock::new();
        clock.note(10 * SECOND_NS);
        clock.note(9 * SECOND_NS);
        assert_eq!(clock.note(7 * SECOND_NS), Step::Jump { from_ns: 10 * SECOND_NS, now_ns: 7 * SECOND_NS });
    }

    #[test]
    fn a_jump_of_years_ahead_is_delivered_as_it_is() {
        let mut clock = PacketClock::new();
        clock.note(YEAR_NS);
        assert_eq!(clock.note(7 * YEAR_NS), onward(7 * YEAR_NS));
    }

    #[test]
    fn a_jump_back_is_told_and_starts_the_clock_again() {
        let mut clock = PacketClock::new();
        clock.note(7 * YEAR_NS);
        assert_eq!(clock.note(YEAR_NS), Step::Jump { from_ns: 7 * YEAR_NS, now_ns: YEAR_NS });
        assert_eq!(clock.note(YEAR_NS + 1), onward(YEAR_NS + 1));
    }

    proptest! {
        #[test]
        fn the_clock_runs_backwards_at_jumps_only(times in prop::collection::vec(any::<u64>(), 1..50)) {
            let mut clock = PacketClock::new();
            for time_ns in times {
                let before = clock.now_ns();
                match clock.note(time_ns) {
                    Step::Onward { now_ns } => {
                        prop_assert!(before <= Some(now_ns));
                        prop_assert!(now_ns >= time_ns && now_ns - time_ns <= DISORDER_NS_MAX);
                    }
                    Step::Jump { from_ns, now_ns } => {
                        prop_assert_eq!((before, now_ns), (Some(from_ns), time_ns));
                        prop_assert!(from_ns - now_ns > DISORDER_NS_MAX);
                    }
                }
                prop_assert!(clock.now_ns().is_some());
            }
        }
    }
}
