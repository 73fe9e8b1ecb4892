//! Packet times are the clock.

use scanwatch::engine::{Action, TURN};
use scanwatch::replay::{FRAME_BYTES_SEEN, VERDICTS_SETTLE};
use scanwatch_common::counters::Counter;

use crate::planes::{blind, counter, host, incidents, of, play, records};
use crate::traffic::build::tcp;
use crate::traffic::{SECOND_NS, START_NS, Traffic};

const SCANNER: &str = "10.1.0.66";
const TARGET: &str = "10.2.0.1";
const DAY_NS: u64 = 86_400 * SECOND_NS;
const YEAR_NS: u64 = 365 * DAY_NS;

fn scan() -> Traffic {
    let mut traffic = Traffic::new();
    traffic.scan_ports(SCANNER, TARGET, 300, 100.0);
    traffic
}

#[test]
fn a_scan_is_found_once_at_the_time_of_its_packets() {
    let traffic = scan();
    let records = records(&traffic);
    let detected = of(Action::Detected, &records);
    assert_eq!(detected.len(), 1, "{records:?}");
    let snapshot = &detected[0].snapshot;
    assert_eq!(snapshot.scanner.address.to_string(), SCANNER);
    assert!((START_NS..traffic.now_ns).contains(&snapshot.at.as_ns()), "{:?}", snapshot.at);
    assert_eq!(of(Action::Ended, &records).len(), 1);
}

#[test]
fn news_are_judged_within_a_turn_of_packet_time() {
    let records = records(&scan());
    let snapshot = &of(Action::Detected, &records)[0].snapshot;
    let waited = snapshot.at.since(snapshot.last);
    assert!(waited <= TURN, "judged {waited:?} after its last probe");
}

/// Silent ports get their outcome after seconds, and the epoch's end is further away than that.
#[test]
fn silence_is_judged_within_a_second_of_packet_time_though_nothing_is_new() {
    let mut traffic = Traffic::new();
    traffic.wait(0.5);
    for port in 1..=30 {
        traffic.segment(SCANNER, TARGET, tcp(40_000, 20_000 + port));
        traffic.wait(0.001);
    }
    let silent_ns = traffic.now_ns + 3 * SECOND_NS;
    traffic.wait(20.0);
    traffic.idle();
    let mut timeline = host();
    play(&mut timeline, &traffic);
    let events = incidents(&mut timeline);
    let at_ns = of(Action::Detected, &events)[0].snapshot.at.as_ns();
    assert!((silent_ns - SECOND_NS..silent_ns + SECOND_NS).contains(&at_ns), "{} ns late", at_ns - silent_ns);
}

/// Whether there are packets meanwhile or not, an incident ends at the same second.
#[test]
fn an_incident_ends_in_a_silence_when_it_ends_in_traffic() {
    let ended = |pause_s: f64, packets: u32| {
        let mut traffic = scan();
        for _ in 0..packets {
            traffic.wait(pause_s);
            traffic.idle();
        }
        let records = records(&traffic);
        of(Action::Ended, &records)[0].snapshot.at
    };
    assert_eq!(ended(4_000.0, 1), ended(1.0, 4_000));
    assert_eq!(ended(4_000.0, 1), ended(7.0, 600));
}

#[test]
fn what_the_last_packets_did_is_judged_behind_the_end() {
    let mut traffic = Traffic::new();
    traffic.scan_ports(SCANNER, TARGET, 300, 20_000.0);
    let mut timeline = host();
    play(&mut timeline, &traffic);
    assert!(!timeline.has_events(), "all of it lies within one turn");
    timeline.finish().unwrap();
    assert_eq!(of(Action::Detected, &incidents(&mut timeline)).len(), 1);
}

#[test]
fn a_capture_without_packets_ends_with_nothing() {
    assert!(records(&Traffic::new()).is_empty());
}

#[test]
fn an_epoch_ends_every_ten_seconds_of_packet_time() {
    let (mut timeline, asked) = blind();
    let mut traffic = Traffic::new();
    for _ in 0..100 {
        traffic.idle();
        traffic.wait(1.0);
    }
    play(&mut timeline, &traffic);
    assert_eq!(asked.borrow().epochs, [1; 9], "ended by the packets at 10, 20 … 90 s");
}

#[test]
fn a_gap_of_years_is_one_end_of_an_epoch_and_ends_what_was_open_before_it() {
    let mut traffic = scan();
    traffic.now_ns += 30 * YEAR_NS;
    let later_ns = traffic.now_ns;
    traffic.scan_ports(SCANNER, TARGET, 300, 100.0);
    let mut records = records(&traffic);
    records.retain(|record| record.action != Action::Updated);
    let actions: Vec<Action> = records.iter().map(|record| record.action).collect();
    assert_eq!(actions, [Action::Detected, Action::Ended, Action::Detected, Action::Ended]);
    assert!(records[1].snapshot.at.as_ns() < START_NS + 2 * DAY_NS, "ended in its own time");
    assert!(records[2].snapshot.at.as_ns() >= later_ns);

    let (mut timeline, asked) = blind();
    play(&mut timeline, &traffic);
    assert_eq!(asked.borrow().epochs.len(), 1);
}

#[test]
fn a_udp_flow_is_forgotten_over_a_gap_and_known_without() {
    for (gap_s, known) in [(100.0, 1), (1_000.0, 0), (1e9, 0)] {
        let mut timeline = host();
        let mut traffic = Traffic::at(SECOND_NS);
        traffic.question(SCANNER, TARGET);
        traffic.wait(gap_s);
        traffic.question(SCANNER, TARGET);
        play(&mut timeline, &traffic);
        assert_eq!(counter(&timeline, Counter::UdpKnown), known, "after {gap_s} s");
        assert_eq!(counter(&timeline, Counter::ProbeUdp), 2 - known, "after {gap_s} s");
    }
}

#[test]
fn packets_that_come_a_second_late_change_nothing() {
    let in_order = scan();
    let mut late = in_order.clone();
    // As of two interfaces whose blocks are written in turn.
    late.frames.chunks_mut(100).for_each(<[_]>::reverse);
    let (expected, found) = (records(&in_order), records(&late));
    let actions = |records: &[_]| -> Vec<Action> {
        records.iter().map(|record: &scanwatch::engine::IncidentEvent| record.action).collect()
    };
    assert_eq!(actions(&found), actions(&expected));
    let pairs =
        |records: &[scanwatch::engine::IncidentEvent]| records.last().unwrap().snapshot.pairs.rounded();
    assert_eq!(pairs(&found), pairs(&expected));
    let mut timeline = host();
    play(&mut timeline, &late);
    assert_eq!(timeline.jumps_back(), 0);
}

#[test]
fn a_jump_back_ends_what_is_open_and_time_begins_anew() {
    let mut traffic = scan();
    let earlier_ns = START_NS - YEAR_NS;
    traffic.now_ns = earlier_ns;
    traffic.scan_ports("10.1.0.77", TARGET, 300, 100.0);
    let mut timeline = host();
    play(&mut timeline, &traffic);
    timeline.finish().unwrap();
    assert_eq!(timeline.jumps_back(), 1);
    let mut records = incidents(&mut timeline);
    records.retain(|record| record.action != Action::Updated);
    let seen: Vec<_> = records.iter().map(|r| (r.action, r.snapshot.scanner.address.to_string())).collect();
    let expected = [
        (Action::Detected, SCANNER.to_owned()),
        (Action::Ended, SCANNER.to_owned()),
        (Action::Detected, "10.1.0.77".to_owned()),
        (Action::Ended, "10.1.0.77".to_owned()),
    ];
    assert_eq!(seen, expected);
    let at_ns = records[2].snapshot.at.as_ns();
    assert!((earlier_ns..earlier_ns + DAY_NS).contains(&at_ns), "{at_ns}");
}

#[test]
fn times_in_utter_disorder_are_followed_a_hundred_times_and_no_more() {
    let mut traffic = Traffic::new();
    for number in 0..10_000 {
        traffic.now_ns = if number % 2 == 0 { START_NS } else { START_NS + YEAR_NS };
        traffic.idle();
    }
    let (mut timeline, asked) = blind();
    play(&mut timeline, &traffic);
    timeline.finish().unwrap();
    assert!(timeline.jumps_back() > 1_000, "{}", timeline.jumps_back());
    assert_eq!(asked.borrow().frames.len(), 10_000);
    let ends = asked.borrow().epochs.len();
    assert!(ends < 500, "{ends} ends of epochs");
}

#[test]
fn the_ends_of_time_are_no_end() {
    for times in [[0, 0, 1], [0, 1, u64::MAX], [u64::MAX - 1, u64::MAX, u64::MAX], [u64::MAX, 0, u64::MAX]] {
        let (mut timeline, asked) = blind();
        let mut traffic = Traffic::new();
        for time_ns in times {
            traffic.now_ns = time_ns;
            traffic.idle();
        }
        play(&mut timeline, &traffic);
        timeline.finish().unwrap();
        let asked = asked.borrow();
        assert_eq!(asked.frames.len(), 3, "{times:?}");
        assert!(asked.frames.iter().all(|(now_ns, _)| *now_ns > 0), "0 is the kernel's own clock: {times:?}");
    }
}

#[test]
fn of_a_long_frame_as_much_is_seen_as_the_kernel_sees() {
    let (mut timeline, asked) = blind();
    let mut traffic = Traffic::new();
    for length in [0, 13, FRAME_BYTES_SEEN, FRAME_BYTES_SEEN + 1, 65_535] {
        traffic.frame(vec![0; length]);
    }
    play(&mut timeline, &traffic);
    let lengths: Vec<usize> = asked.borrow().frames.iter().map(|(_, length)| *length).collect();
    assert_eq!(lengths, [0, 13, FRAME_BYTES_SEEN, FRAME_BYTES_SEEN, FRAME_BYTES_SEEN]);
}

#[test]
fn nothing_is_open_when_the_verdicts_have_settled() {
    let mut timeline = host();
    play(&mut timeline, &scan());
    timeline.finish().unwrap();
    assert_eq!(timeline.statistics().incidents.open(), 0);
    assert!(VERDICTS_SETTLE.as_secs() >= 600, "as long as anything is held back");
}
