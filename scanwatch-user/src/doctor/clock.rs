//! The clock: records carry its time.

use super::finding::{Area, Check, Finding};
use crate::kernel::{is_clock_synchronized, wall_ns};
use std::fs;

const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
/// Sources that are read by a register of a device, or tick a thousand times a second: reading them costs a microsecond, or
/// they do not tell microseconds apart.
const SLOW: [&str; 5] = ["acpi_pm", "hpet", "jiffies", "pit", "refined-jiffies"];
/// 2025-01-01, in nanoseconds since the Unix epoch: no scanwatch is older.
const PAST_NS: u64 = 1_735_689_600 * 1_000_000_000;

/// What there is to know.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Nanoseconds since the Unix epoch.
    pub now_ns: u64,
    /// `None` where the kernel does not say.
    pub is_synchronized: Option<bool>,
    /// Name of the clock source.
    pub source: Option<String>,
}

pub(super) fn gather() -> Facts {
    Facts {
        now_ns: wall_ns(),
        is_synchronized: is_clock_synchronized(),
        source: fs::read_to_string(SOURCE).ok().map(|text| text.trim().to_owned()),
    }
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let source = facts.source.as_deref().map(source);
    [time(facts)].into_iter().chain(source).collect()
}

fn time(facts: &Facts) -> Finding {
    let check = Check::of(Area::Clock, "time");
    let keeper = "start a keeper of time: chrony, systemd-timesyncd or ntpd";
    if facts.now_ns < PAST_NS {
        return check.problem(
            "the clock is in the past: alerts would carry its time, and no certificate would be valid yet",
            keeper,
        );
    }
    match facts.is_synchronized {
        Some(true) => check.ok("something keeps the time (the kernel says that it is synchronised)"),
        Some(false) => check.warning(
            "nothing keeps the time (the kernel says that it is not synchronised): alerts cannot be put in order \
             with those of others",
            keeper,
        ),
        None => check.note("whether something keeps the time does not show").advising(keeper),
    }
}

fn source(source: &str) -> Finding {
    let check = Check::of(Area::Clock, "source");
    if SLOW.contains(&source) {
        return check.warning(
            format!("the clock source is {source}, which is slow or coarse, and packets get their times from it"),
            "see in the kernel's log why it takes no better one; `clocksource=tsc` and the hypervisor's settings help",
        );
    }
    check.ok(format!("the clock source is {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn facts() -> Facts {
        Facts { now_ns: PAST_NS, is_synchronized: Some(true), source: Some("tsc".to_owned()) }
    }

    fn verdicts(facts: &Facts) -> Vec<Verdict> {
        judge(facts).iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_clock_that_is_kept_is_ok_and_one_that_is_not_a_warning() {
        assert_eq!(verdicts(&facts()), [Verdict::Ok; 2]);
        let free = Facts { is_synchronized: Some(false), ..facts() };
        assert_eq!(verdicts(&free), [Verdict::Warning, Verdict::Ok]);
        let silent = Facts { is_synchronized: None, source: None, ..facts() };
        assert_eq!(verdicts(&silent), [Verdict::Note]);
    }

    #[test]
    fn a_clock_in_the_past_is_a_problem_whoever_keeps_it() {
        assert_eq!(verdicts(&Facts { now_ns: 0, ..facts() }), [Verdict::Problem, Verdict::Ok]);
    }

    #[test]
    fn a_slow_clock_source_is_a_warning() {
        for slow in SLOW {
            assert_eq!(source(slow).verdict, Verdict::Warning);
        }
        for fast in ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "xen"] {
            assert_eq!(source(fast).verdict, Verdict::Ok);
        }
    }
}
