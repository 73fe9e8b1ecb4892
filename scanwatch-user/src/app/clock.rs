//! The engine's clock: it starts by the wall clock, then goes on by itself, so that whoever sets the wall clock neither ends
//! an incident nor has one begin twice.
//!
//! It goes on while the machine sleeps (`CLOCK_BOOTTIME`): what was seen before that is older then.

use std::time::Duration;

use crate::engine::{Ahead, Timestamp};
use crate::kernel::Clocks;

/// Differences below this are those of reading one clock after the other.
const STEP_MIN_NS: i128 = 100_000_000;
/// A step of this and more is said.
const STEP_SAID_NS: u64 = 1_000_000_000;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The engine's time beyond the time since the machine's start.
    base_ns: i128,
    /// The engine's time beyond the kernel programs' clock.
    lag_ns: i128,
    /// What that was before the last sleep, and until when, by the kernel programs' clock.
    before_sleep: (i128, u64),
    /// The last reading of the kernel programs' clock.
    read_ns: u64,
    ahead: Ahead,
}

impl Clock {
    /// Begins by the wall clock.
    pub(super) fn starting(clocks: Clocks) -> Self {
        let mut clock = Self {
            base_ns: i128::from(clocks.wall_ns) - i128::from(clocks.boot_ns),
            lag_ns: 0,
            before_sleep: (0, 0),
            read_ns: 0,
            ahead: Ahead::default(),
        };
        clock.lag_ns = clock.lag_of(clocks);
        clock
    }

    /// Begins where an earlier agent's clock went on, which was so far behind the wall clock.
    pub(super) fn resume(&mut self, ahead: Ahead) {
        let behind_ns = i128::from(ahead.as_ns()) - i128::from(self.ahead.as_ns());
        self.base_ns -= behind_ns;
        self.lag_ns -= behind_ns;
        self.ahead = ahead;
    }

    /// The engine's time. Takes note of what happened to the wall clock since the last look; a step is said.
    pub(super) fn read(&mut self, clocks: Clocks) -> Timestamp {
        let lag_ns = self.lag_of(clocks);
        if (lag_ns - self.lag_ns).abs() >= STEP_MIN_NS {
            self.before_sleep = (self.lag_ns, self.read_ns);
        }
        (self.lag_ns, self.read_ns) = (lag_ns, clocks.kernel_ns);
        let ahead_ns = i128::from(clocks.wall_ns) - i128::from(clocks.boot_ns) - self.base_ns;
        let step_ns = ahead_ns - i128::from(self.ahead.as_ns());
        if step_ns.abs() >= STEP_MIN_NS {
            self.ahead = Ahead::from_ns(i64::try_from(ahead_ns).unwrap_or(i64::MAX));
            say(step_ns);
        }
        self.at(clocks)
    }

    /// How far the wall clock is ahead, as of the last reading.
    pub(super) const fn ahead(&self) -> Ahead {
        self.ahead
    }

    /// A time stamp of the kernel programs in the engine's time.
    pub(super) fn of(&self, kernel_ns: u64) -> Timestamp {
        let (lag_ns, until_ns) = self.before_sleep;
        timestamp(i128::from(kernel_ns) + if kernel_ns <= until_ns { lag_ns } else { self.lag_ns })
    }

    fn at(&self, clocks: Clocks) -> Timestamp {
        timestamp(i128::from(clocks.boot_ns) + self.base_ns)
    }

    fn lag_of(&self, clocks: Clocks) -> i128 {
        i128::from(clocks.boot_ns) + self.base_ns - i128::from(clocks.kernel_ns)
    }
}

fn timestamp(ns: i128) -> Timestamp {
    Timestamp::from_ns(u64::try_from(ns.max(0)).unwrap_or(u64::MAX))
}

fn say(step_ns: i128) {
    let by_ns = u64::try_from(step_ns.unsigned_abs()).unwrap_or(u64::MAX);
    if by_ns >= STEP_SAID_NS {
        let way = if step_ns < 0 { "back" } else { "forward" };
        let seconds = Duration::from_nanos(by_ns).as_secs_f64();
        tracing::warn!(
            "the wall clock was set {way} by {seconds:.1} s: records carry its time from now on, and incidents go on as if it \
             had not been"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;
    const HOUR_NS: i64 = 3_600 * SECOND_NS.cast_signed();

    /// A machine whose clocks are moved by hand.
    struct Machine(Clocks);

    impl Machine {
        fn new() -> Self {
            Self(Clocks {
                wall_ns: 1_830_470_400 * SECOND_NS,
                boot_ns: 70 * SECOND_NS,
                kernel_ns: 50 * SECOND_NS,
            })
        }

        fn passes(&mut self, ns: u64) {
            self.sleeps(ns);
            self.0.kernel_ns += ns;
        }

        fn sleeps(&mut self, ns: u64) {
            self.0.wall_ns += ns;
            self.0.boot_ns += ns;
        }

        fn is_set(&mut self, by_ns: i64) {
            self.0.wall_ns = self.0.wall_ns.saturating_add_signed(by_ns);
        }
    }

    #[test]
    fn the_engines_time_goes_on_whatever_the_wall_clock_is_set_to_and_the_difference_is_known() {
        for step_ns in [HOUR_NS, -HOUR_NS, -24 * HOUR_NS, 200_000_000, -200_000_000] {
            let mut machine = Machine::new();
            let mut clock = Clock::starting(machine.0);
            let start = clock.read(machine.0);
            assert_eq!(start.as_ns(), machine.0.wall_ns);
            machine.passes(SECOND_NS);
            machine.is_set(step_ns);
            let now = clock.read(machine.0);
            assert_eq!(now.since(start), Duration::from_secs(1));
            assert_eq!(clock.ahead().as_ns(), step_ns);
            assert_eq!(clock.ahead().wall(now).as_ns(), machine.0.wall_ns);
            assert_eq!(clock.of(machine.0.kernel_ns), now, "records of the kernel are in the engine's time");
            machine.is_set(-step_ns);
            clock.read(machine.0);
            assert_eq!(clock.ahead(), Ahead::default(), "it was set right again");
        }
    }

    #[test]
    fn a_clock_that_is_set_before_1970_is_no_trouble() {
        let mut machine = Machine::new();
        let mut clock = Clock::starting(machine.0);
        machine.0.wall_ns = 0;
        let now = clock.read(machine.0);
        assert_eq!(clock.ahead().wall(now).as_ns(), 0);
    }

    #[test]
    fn reading_one_clock_after_the_other_is_no_step() {
        let mut machine = Machine::new();
        let mut clock = Clock::starting(machine.0);
        machine.is_set(50_000_000);
        clock.read(machine.0);
        assert_eq!(clock.ahead(), Ahead::default());
    }

    #[test]
    fn what_was_seen_before_the_machine_slept_is_older_by_that_and_what_comes_after_is_not() {
        let mut machine = Machine::new();
        let mut clock = Clock::starting(machine.0);
        let before = clock.read(machine.0);
        let seen_ns = machine.0.kernel_ns;
        machine.sleeps(3_600 * SECOND_NS);
        machine.passes(SECOND_NS);
        let after = clock.read(machine.0);
        assert_eq!(after.since(before), Duration::from_secs(3_601));
        assert_eq!(clock.of(seen_ns), before);
        assert_eq!(clock.of(machine.0.kernel_ns), after);
        assert_eq!(clock.ahead(), Ahead::default(), "sleep sets no clock");
    }

    #[test]
    fn the_next_agent_goes_on_where_this_one_was() {
        let mut machine = Machine::new();
        let mut first = Clock::starting(machine.0);
        machine.is_set(5 * HOUR_NS);
        machine.passes(SECOND_NS);
        let before = first.read(machine.0);
        machine.passes(SECOND_NS);
        let mut next = Clock::starting(machine.0);
        next.resume(first.ahead());
        let now = next.read(machine.0);
        assert_eq!(now.since(before), Duration::from_secs(1));
        assert_eq!(next.of(machine.0.kernel_ns), now);
        assert_eq!(next.ahead().wall(now).as_ns(), machine.0.wall_ns);
    }
}
