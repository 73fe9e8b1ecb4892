//! Ports that strangers begin to scan: found where they rise, and not where they are noisy, flooded or visited.

use std::sync::Arc;
use std::time::Duration;

use scanwatch_common::abi::{Settings, mapped};
use scanwatch_common::ports::{PortKey, Ports};
use scanwatch_common::sketch::{Hasher, PortSketch};

use super::lab::{START_S, policy};
use crate::engine::{Action, Engine, IncidentEvent, Kind, Record, Severity, Timestamp};
use crate::policy::{Direction, Policy};

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;
/// The port that rises: winbox, which is in a service group.
const RISING: PortKey = tcp(8291);

const fn tcp(port: u16) -> PortKey {
    PortKey { transport: Ports::Tcp, port }
}

/// The port table of a network of 250 hosts, in epochs of ten minutes.
struct Edge {
    engine: Engine,
    events: Vec<IncidentEvent>,
    now_s: u64,
    dice: u64,
    sources: u32,
}

impl Edge {
    const EPOCH_S: u64 = 600;

    fn new(policy: Policy) -> Self {
        Self::started_at(START_S, policy)
    }

    fn started_at(now_s: u64, policy: Policy) -> Self {
        let engine = Engine::new(Arc::new(policy));
        let mut edge = Self { engine, events: Vec::new(), now_s, dice: 7, sources: 0 };
        edge.judge();
        edge
    }

    /// After two days of noise.
    fn settled() -> Self {
        let mut edge = Self::new(policy());
        edge.hours(48, |_, _| {});
        assert!(edge.events.is_empty(), "{:?}", edge.said());
        edge
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % limit
    }

    /// So many sources nobody saw before, on hosts up to this number.
    fn crowd(&mut self, key: PortKey, sources: u64, hosts: u64) {
        let hasher = Hasher::new(Settings::SEED);
        let mut sketch = PortSketch::EMPTY;
        for _ in 0..sources {
            self.sources += 1;
            let [_, b, c, d] = self.sources.to_be_bytes();
            let host = self.below(hosts) as u8;
            let (source, target) = (mapped([100 + b, c, d, 1]), mapped([10, 2, 0, host]));
            sketch.insert(hasher.endpoint(&source).host(), hasher.endpoint(&target).host());
        }
        self.engine.port(key, &sketch, self.at());
    }

    /// What the internet sends all day: much on a few ports, now and then something on others.
    fn noise(&mut self) {
        let by_day = if self.now_s % DAY_S / HOUR_S < 12 { 1 } else { 2 };
        for (port, sources) in [(23, 80), (445, 60), (22, 30), (80, 20), (3389, 20), (8080, 10)] {
            let sources = by_day * (sources + self.below(sources));
            self.crowd(tcp(port), sources, 250);
        }
        for _ in 0..40 {
            let port = self.below(65_536) as u16;
            let sources = 1 + self.below(3);
            self.crowd(tcp(port), sources, 250);
        }
        // Somebody's burst on a port of the day, over within the hour.
        if self.below(12) == 0 {
            let port = 2_000 + self.below(5_000) as u16;
            let sources = 20 + self.below(60);
            self.crowd(tcp(port), sources, 250);
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_ns(self.now_s * 1_000_000_000)
    }

    fn judge(&mut self) {
        let records = self.engine.judge(self.at());
        self.take(&records);
    }

    fn take(&mut self, records: &[Record]) {
        self.events.extend(records.iter().filter_map(Record::incident).cloned());
    }

    /// Lets hours of noise pass; `also` is done at the begin of each epoch, whose number within the hour it is given.
    fn hours(&mut self, hours: u64, mut also: impl FnMut(&mut Self, u64)) {
        for _ in 0..hours {
            for epoch in 0..HOUR_S / Self::EPOCH_S {
                self.noise();
                also(self, epoch);
                self.now_s += Self::EPOCH_S;
                self.judge();
            }
        }
    }

    /// Hours in which this many sources an hour rise on a port.
    fn rise(&mut self, key: PortKey, hours: u64, per_hour: u64) {
        self.hours(hours, |edge, _| edge.crowd(key, per_hour / 6, 250));
    }

    fn said(&self) -> Vec<(Action, &str)> {
        self.events.iter().map(|event| (event.action, event.snapshot.reason.as_str())).collect()
    }

    fn actions(&self) -> Vec<Action> {
        self.events.iter().map(|event| event.action).collect()
    }
}

#[test]
fn eight_days_of_noise_with_sweeps_and_bursts_are_silent_and_memory_is_bounded() {
    let mut edge = Edge::new(policy());
    let mut most = 0;
    for day in 0..8 {
        edge.hours(10, |_, _| {});
        // Somebody tries every port there is within an hour, and a dozen others do the same at the week's end.
        for port in 0..=u16::MAX {
            edge.crowd(tcp(port), if day == 5 { 12 } else { 1 }, 250);
        }
        edge.judge();
        most = most.max(edge.engine.bytes_of_ports());
        edge.hours(14, |_, _| {});
    }
    assert!(edge.events.is_empty(), "{:?}", edge.said());
    assert!(most < 6 << 20, "{most} bytes when every port was tried");
    assert!(edge.engine.bytes_of_ports() < 3 << 20, "{} bytes", edge.engine.bytes_of_ports());
}

#[test]
fn a_rise_on_a_port_nobody_scanned_is_one_incident_from_the_third_hour_to_the_third_quiet_one() {
    let mut edge = Edge::settled();
    let rose_s = edge.now_s;
    edge.rise(RISING, 2, 60);
    assert!(edge.events.is_empty(), "{:?}", edge.said());
    edge.rise(RISING, 8, 60);
    assert_eq!(edge.actions(), [Action::Detected], "{:?}", edge.said());
    let detected = &edge.events[0].snapshot;
    let after_s = detected.at.as_secs().cast_unsigned() - rose_s;
    assert!((2 * HOUR_S..=3 * HOUR_S).contains(&after_s), "after {after_s} s");
    assert_eq!((detected.kind, detected.direction), (Kind::Surge, Direction::Inbound));
    assert_eq!((detected.port, detected.rule, detected.severity), (Some(8291), "surge", Severity::Low));
    assert!((100..=240).contains(&detected.others_count), "{}", detected.reason);
    assert!(detected.first.as_secs().cast_unsigned() >= rose_s);
    assert!(detected.source().is_none());
    assert_eq!(detected.services, ["management"]);
    assert!(detected.reason.contains("tried tcp/8291 (management) on "), "{}", detected.reason);
    assert!(detected.reason.contains(" an hour where nobody did before: "), "{}", detected.reason);
    assert!(
        detected.reason.ends_with(": scans of this port from the internet surge, sources unconfirmed."),
        "{}",
        detected.reason
    );

    edge.hours(5, |_, _| {});
    assert_eq!(edge.actions(), [Action::Detected, Action::Ended], "{:?}", edge.said());
    let [detected, ended] = [&edge.events[0].snapshot, &edge.events[1].snapshot];
    assert_eq!((detected.incident, ended.incident), (ended.incident, detected.incident));
    assert!(ended.others_count > detected.others_count, "{}", ended.reason);
    assert!(ended.reason.ends_with("surge, sources unconfirmed, now over."), "{}", ended.reason);
    let statistics = edge.engine.statistics();
    assert_eq!((statistics.incidents.surge.open, statistics.incidents.surge.total), (0, 1));
}

#[test]
fn tenfold_growth_is_one_update() {
    let mut edge = Edge::settled();
    edge.rise(RISING, 4, 60);
    edge.rise(RISING, 6, 1_200);
    let actions = edge.actions();
    assert_eq!(actions, [Action::Detected, Action::Updated], "{:?}", edge.said());
    let [first, second] = [&edge.events[0].snapshot, &edge.events[1].snapshot];
    assert_eq!(second.sequence, 2);
    assert!(second.others_count >= 9 * first.others_count, "{}", second.reason);
    let records = edge.engine.finish(edge.at());
    edge.take(&records);
    assert_eq!(edge.actions().last(), Some(&Action::Ended));
    assert_eq!(edge.engine.statistics().incidents.surge.open, 0);
}

#[test]
fn what_rose_once_must_rise_far_above_that_to_be_told_again() {
    let mut edge = Edge::settled();
    edge.rise(RISING, 5, 60);
    edge.hours(12, |_, _| {});
    edge.rise(RISING, 6, 90);
    assert_eq!(edge.actions(), [Action::Detected, Action::Ended], "{:?}", edge.said());
    edge.rise(RISING, 4, 3_000);
    assert_eq!(edge.actions().len(), 3, "{:?}", edge.said());
}

#[test]
fn a_rise_that_stays_is_usual_after_a_week() {
    let mut edge = Edge::settled();
    edge.rise(RISING, 12 * 24, 60);
    let actions = edge.actions();
    assert_eq!(actions, [Action::Detected, Action::Updated, Action::Ended], "{:?}", edge.said());
    let lasted = edge.events[2].snapshot.at.since(edge.events[2].snapshot.first);
    assert_eq!(lasted.as_secs() / DAY_S, 7);
}

#[test]
fn a_port_that_is_always_scanned_surges_at_five_times_its_busiest_hour_and_not_below() {
    let mut edge = Edge::settled();
    // Its busiest hours have some 1,700 sources.
    edge.rise(tcp(23), 4, 2_500);
    assert!(edge.events.is_empty(), "{:?}", edge.said());
    edge.hours(24, |_, _| {});
    edge.rise(tcp(23), 4, 60_000);
    assert_eq!(edge.actions(), [Action::Detected], "{:?}", edge.said());
    let reason = &edge.events[0].snapshot.reason;
    assert!(reason.contains(" were the most before: ") && reason.contains("98 hosts or more"), "{reason}");
}

#[test]
fn a_flood_of_forged_sources_is_no_surge() {
    let mut edge = Edge::settled();
    // Twenty minutes, on one host and on all; across the turn of an hour, too.
    for hosts in [1, 250] {
        edge.hours(1, |edge, epoch| {
            if epoch > 4 {
                edge.crowd(RISING, 20_000, hosts);
            }
        });
        edge.hours(1, |edge, epoch| {
            if epoch < 2 {
                edge.crowd(RISING, 20_000, hosts);
            }
        });
        edge.hours(4, |_, _| {});
    }
    // All day, on one host of many.
    edge.hours(24, |edge, _| edge.crowd(tcp(6_667), 5_000, 1));
    assert!(edge.events.is_empty(), "{:?}", edge.said());
}

#[test]
fn hours_that_are_high_with_pauses_between_them_are_no_surge() {
    let mut edge = Edge::settled();
    for _ in 0..6 {
        edge.rise(RISING, 2, 60);
        edge.hours(1, |_, _| {});
    }
    assert!(edge.events.is_empty(), "{:?}", edge.said());
}

#[test]
fn in_the_first_day_nothing_is_told_and_what_was_there_then_is_usual() {
    let mut edge = Edge::new(policy());
    edge.rise(RISING, 40, 60);
    assert!(edge.events.is_empty(), "{:?}", edge.said());
    // Watching begins anew in the middle of a surge.
    let mut before = Edge::settled();
    before.rise(RISING, 6, 60);
    assert_eq!(before.actions(), [Action::Detected]);
    let mut after = Edge::started_at(before.now_s, policy());
    after.rise(RISING, 40, 60);
    assert!(after.events.is_empty(), "{:?}", after.said());
    after.rise(tcp(4_444), 4, 60);
    assert_eq!(after.actions(), [Action::Detected]);
}

#[test]
fn where_everything_rises_no_port_surges_and_that_is_counted() {
    let mut edge = Edge::settled();
    edge.hours(6, |edge, _| (9_000..9_200).for_each(|port| edge.crowd(tcp(port), 10, 250)));
    assert!(edge.events.is_empty(), "{:?}", edge.said());
    assert_eq!(edge.engine.statistics().ports_from_outside.rising_together, 200);
    edge.hours(4, |_, _| {});
    edge.rise(RISING, 4, 60);
    assert_eq!(edge.actions(), [Action::Detected]);
}

#[test]
fn udp_and_tcp_surge_by_themselves() {
    let mut edge = Edge::settled();
    let udp = PortKey { transport: Ports::Udp, port: 8291 };
    edge.rise(udp, 4, 60);
    assert_eq!(edge.actions(), [Action::Detected]);
    let snapshot = &edge.events[0].snapshot;
    assert!(snapshot.reason.contains("tried udp/8291 on "), "{}", snapshot.reason);
    assert_eq!(snapshot.services, ["udp/8291"]);
    edge.rise(RISING, 4, 60);
    let detected: Vec<_> = edge.events.iter().filter(|event| event.action == Action::Detected).collect();
    assert_ne!(detected[0].snapshot.incident, detected[1].snapshot.incident);
}

#[test]
fn slots_and_counts_are_those_of_the_configuration_and_off_is_off() {
    let mut quick = policy();
    let surge = quick.thresholds.surge.as_mut().unwrap();
    (surge.sources, surge.slots) = (10, 2);
    (surge.slot, surge.learning) = (Duration::from_mins(20), Duration::ZERO);
    let mut edge = Edge::new(quick);
    edge.rise(RISING, 1, 120);
    assert_eq!(edge.actions().first(), Some(&Action::Detected), "{:?}", edge.said());
    assert_eq!(edge.events[0].snapshot.window, Duration::from_mins(40));
    assert!(
        edge.events[0].snapshot.reason.contains(" in 20 min where nobody did before"),
        "{}",
        edge.events[0].snapshot.reason
    );

    let mut off = policy();
    off.thresholds.surge = None;
    let mut edge = Edge::new(off);
    edge.hours(48, |_, _| {});
    edge.rise(RISING, 24, 6_000);
    assert!(edge.events.is_empty(), "{:?}", edge.said());
    let top = &edge.engine.statistics().ports_from_outside.top;
    assert_eq!(top[0].port, "tcp/8291", "counted all the same");
}

#[test]
fn where_no_incident_may_be_opened_a_surge_waits_for_room() {
    let mut full = policy();
    full.limits.incidents = 1;
    let mut edge = Edge::new(full);
    edge.hours(48, |_, _| {});
    edge.rise(RISING, 4, 60);
    edge.hours(2, |edge, _| {
        edge.crowd(RISING, 10, 250);
        edge.crowd(tcp(4_444), 10, 250);
    });
    edge.rise(tcp(4_444), 2, 60);
    assert_eq!(edge.actions(), [Action::Detected], "{:?}", edge.said());
    assert_eq!(edge.engine.statistics().ports_from_outside.surges_refused, 1);
    edge.rise(tcp(4_444), 3, 60);
    assert_eq!(edge.actions(), [Action::Detected, Action::Ended, Action::Detected], "{:?}", edge.said());
}

#[test]
fn a_clock_set_back_or_forward_by_years_ends_what_is_open_and_learns_anew() {
    for forward in [false, true] {
        let mut edge = Edge::settled();
        edge.rise(RISING, 4, 60);
        let years_s = 20 * 365 * DAY_S;
        edge.now_s = if forward { edge.now_s + years_s } else { edge.now_s - years_s };
        edge.judge();
        assert_eq!(edge.actions(), [Action::Detected, Action::Ended], "{:?}", edge.said());
        edge.hours(48, |_, _| {});
        edge.rise(RISING, 4, 60);
        assert_eq!(edge.actions().len(), 3, "{:?}", edge.said());
    }
}

#[test]
fn statistics_name_the_ports_most_sources_try_and_those_that_hardly_anybody_is_answered_on() {
    let mut edge = Edge::settled();
    let hasher = Hasher::new(Settings::SEED);
    let guests = |count: u8| {
        let mut sketch = PortSketch::EMPTY;
        (0..count).for_each(|guest| sketch.answer(hasher.endpoint(&mapped([198, 51, 100, guest])).host()));
        sketch
    };
    let at = edge.at();
    for (port, count) in [(443, 60), (31_337, 1), (22, 3)] {
        edge.engine.port(tcp(port), &guests(count), at);
    }
    let ports = edge.engine.statistics().ports_from_outside;
    assert_eq!(ports.top.len(), 10);
    assert_eq!((ports.top[0].port.as_str(), ports.top[0].service.as_deref()), ("tcp/23", Some("remote")));
    assert!(ports.top.is_sorted_by_key(|port| std::cmp::Reverse(port.sources)));
    assert!((500..4_000).contains(&ports.top[0].sources), "{}", ports.top[0].sources);
    assert!(ports.tried > 1_000, "{}", ports.tried);
    let rare: Vec<(&str, u64)> =
        ports.rare_in_use.iter().map(|port| (port.port.as_str(), port.answered)).collect();
    assert_eq!(rare, [("tcp/31337", 1), ("tcp/22", 3)]);
}
