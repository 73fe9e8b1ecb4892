//! The clocks of a machine, which are nobody else's in the machines of `cargo xtask vm`: the wall clock is set, and the machine
//! sleeps, each in the middle of a scan.

use std::fs;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::time::{ClockId, clock_gettime, clock_settime};
use serde_json::Value;

use crate::agent::{Agent, Scanner};
use crate::support::net::in_namespace;

const HOUR: Duration = Duration::from_hours(1);
/// What a machine on a busy processor may take from one reading of a clock to another.
const SLACK: Duration = Duration::from_mins(5);
/// More than an epoch, and more than a busy machine takes to fall asleep: an alarm that came before would wake nobody.
const SLEEP: Duration = Duration::from_secs(30);

/// Sets the wall clock by some seconds, forward or back.
fn set_clock(by_s: i64) {
    let now = clock_gettime(ClockId::CLOCK_REALTIME).expect("the wall clock");
    clock_settime(ClockId::CLOCK_REALTIME, now + TimeSpec::seconds(by_s)).expect("the wall clock is set");
}

/// Time since the machine's start, sleep included.
fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).expect("the clock of the machine").into()
}

fn at(record: &Value, pointer: &str) -> Timestamp {
    record.pointer(pointer).and_then(Value::as_str).and_then(|text| text.parse().ok()).expect("a time")
}

fn duration(record: &Value) -> Duration {
    Duration::from_nanos(record["event"]["duration"].as_u64().expect("a duration"))
}

/// Fails unless both times are the same, but for what the machine may take.
fn assert_near(told: Timestamp, expected: Timestamp, record: &Value) {
    assert!(told.duration_since(expected).unsigned_abs() < SLACK, "{expected} is told as {told}: {record}");
}

#[test]
fn a_scan_in_whose_middle_the_wall_clock_is_set_is_one_and_the_clock_is_followed_in_a_machine() {
    in_namespace(async || {
        let scanner = Scanner::new();
        let mut agent = Agent::start();
        let begun = Instant::now();
        agent.sees_a_scan(&scanner);
        for (by_s, said, ports) in
            [(3 * 3_600, "set forward by 10800.", 61..=120), (-6 * 3_600, "set back by 21600.", 121..=180)]
        {
            set_clock(by_s);
            agent.wait_until(said, |agent| agent.said("log").contains(said));
            scanner.tries(ports);
        }
        assert_eq!(agent.end(), Some(0), "{}", agent.said("log"));
        let took = begun.elapsed();
        let now = Timestamp::now();
        set_clock(3 * 3_600);

        let records = agent.records();
        assert_near(at(&records[0], "/@timestamp"), now + 3 * HOUR, &records[0]);
        let ended = agent.told_of_one_scan();
        assert_near(at(&ended, "/@timestamp"), now, &ended);
        assert!(duration(&ended) <= took, "{took:?}: {ended}");
        assert!(ended["scanwatch"]["scan"]["ports"].as_u64().is_some_and(|ports| ports > 150), "{ended}");
    });
}

/// Has the machine sleep (suspend to RAM), to be woken by its real-time clock.
fn sleep() {
    let alarm = "/sys/class/rtc/rtc0/wakealarm";
    fs::write(alarm, format!("+{}", SLEEP.as_secs())).expect("a clock that wakes the machine");
    fs::write("/sys/power/state", "mem").expect("a machine that can sleep");
}

#[test]
fn a_scan_in_whose_middle_the_machine_sleeps_is_one_that_lasted_through_it_in_a_machine() {
    in_namespace(async || {
        let scanner = Scanner::new();
        let mut agent = Agent::start();
        let wall_clock = Timestamp::now();
        agent.sees_a_scan(&scanner);
        let (awake, all) = (Instant::now(), since_boot());
        sleep();
        let slept = since_boot().saturating_sub(all).saturating_sub(awake.elapsed());
        assert!(slept > SLEEP / 2, "the machine slept for {slept:?}");
        scanner.tries(61..=120);
        assert_eq!(agent.end(), Some(0), "{}", agent.said("log"));

        let ended = agent.told_of_one_scan();
        assert_near(at(&ended, "/event/start"), wall_clock, &ended);
        let told = duration(&ended);
        assert!(told >= slept, "{slept:?} asleep, {told:?} in all: {ended}");
        assert!(!agent.said("log").contains("wall clock was set"), "{}", agent.said("log"));
        assert!(ended["scanwatch"]["scan"]["ports"].as_u64().is_some_and(|ports| ports > 100), "{ended}");
    });
}
