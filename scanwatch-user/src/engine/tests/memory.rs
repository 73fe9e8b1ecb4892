//! What is remembered is bounded.

use scanwatch_common::abi::{Cell, Side};

use super::lab::{Lab, host_in, policy};
use crate::engine::{Action, Timestamp};

#[test]
fn a_typical_source_takes_a_few_kilobytes() {
    const SOURCES: u16 = 60;
    let mut lab = Lab::answering(policy());
    // Ten minutes of an office: names, pages over TCP and QUIC, two file servers, the directory, a printer.
    for minute in 0..10u16 {
        for source in 1..=SOURCES {
            let client = host_in("10.1.0", source);
            lab.udp(&client, "10.2.0.53", 53);
            lab.syn(&client, &host_in("10.2.0", source % 4 + 1), 445);
            lab.udp(&client, "10.2.0.20", 88);
            lab.syn(&client, "10.2.0.20", 389);
            lab.syn(&client, "10.2.0.30", 9100);
            for site in 0..3 {
                let server = host_in("198.51.100", (source * 7 + minute * 31 + site) % 1_000 + 1);
                lab.syn(&client, &server, 443);
                lab.udp(&client, &server, 443);
            }
            lab.wait(1.0);
        }
    }
    lab.assert_silent("an office");
    assert_eq!(lab.statistics().sources.tracked, usize::from(SOURCES));
    let each = lab.engine.bytes() / usize::from(SOURCES);
    // Of which 1.5 kB are pairs: 65,536 such sources, the most that are tracked, are 256 MiB.
    assert!(each <= 4_096, "{each} bytes a source");
}

#[test]
fn the_busiest_source_is_bounded_and_forgotten_when_it_stops() {
    let mut lab = Lab::new(policy());
    let mut most = 0;
    for n in 0..12_000u32 {
        lab.syn("10.1.0.99", &host_in("10.2.0", (n % 254) as u16 + 1), (n * 7 % 65_000) as u16 + 1);
        lab.wait(0.001);
        most = most.max(if n % 1_000 == 0 { lab.engine.bytes() } else { 0 });
    }
    assert!(most < 512 * 1_024, "{most} bytes");
    lab.turns_a_second(1);
    lab.wait(2.0 * 86_400.0);
    assert_eq!((lab.statistics().sources.tracked, lab.engine.bytes()), (0, 0));
}

#[test]
fn sources_outside_make_room_first_and_those_in_incidents_never() {
    let mut policy = policy();
    policy.limits.sources = 64;
    let mut lab = Lab::new(policy);
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=100, 100.0);
    for host in 1..=20 {
        (1..=5).for_each(|port| lab.syn(&host_in("10.1.7", host), "10.2.0.10", 440 + port));
    }
    for host in 1..=500 {
        (1..=8).for_each(|port| lab.syn(&host_in("198.51.100", host), "10.2.0.10", port));
        lab.wait(0.01);
    }
    let statistics = lab.statistics();
    assert!(statistics.sources.tracked <= 64);
    assert!(statistics.sources.dropped >= 400, "{:?}", statistics.sources);
    // Every source inside is still known: one more port each is seen as their sixth and seventh.
    lab.wait(120.0);
    assert_eq!(lab.the_end().scanner.address.to_string(), "10.1.0.99");
    let ports = lab.the_end().ports.rounded();
    assert!((97..=103).contains(&ports), "{ports}: {}", lab.the_end().reason);
}

#[test]
fn sources_inside_are_not_given_up_for_strangers() {
    let mut policy = policy();
    policy.thresholds.vertical = crate::policy::Limit { ten_minutes: Some(30), ..crate::policy::Limit::OFF };
    policy.limits.sources = 64;
    let mut lab = Lab::exact(policy);
    let slow = |lab: &mut Lab, from: u16| {
        for port in from..from + 20 {
            lab.syn("10.1.0.99", "10.2.0.10", 30_000 + port);
            lab.wait(0.5);
        }
    };
    slow(&mut lab, 0);
    for host in 1..=1_000 {
        (1..=3).for_each(|port| lab.syn(&host_in("198.51.100", host), "10.2.0.10", port));
        lab.wait(0.005);
    }
    slow(&mut lab, 20);
    lab.wait(1.0);
    assert_eq!(lab.snapshots(Action::Detected).len(), 1, "its first twenty ports were not forgotten");
}

#[test]
fn a_clock_set_back_or_forward_by_years_neither_hangs_nor_leaves_anything_behind() {
    const YEAR_S: f64 = 365.0 * 86_400.0;
    for years in [-20.0, 20.0] {
        let mut lab = Lab::new(policy());
        lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=100, 50.0);
        lab.set_clock(years * YEAR_S);
        lab.wait(2.0);
        assert_eq!(lab.snapshots(Action::Ended).len(), 1, "{years} years");
        lab.scan_ports("10.1.0.98", "10.2.0.10", 1..=100, 50.0);
        lab.turns_a_second(1);
        lab.wait(2.0 * 86_400.0);
        assert_eq!(lab.snapshots(Action::Ended).len(), 2);
        assert_eq!(lab.statistics().sources.tracked, 0);
    }
}

#[test]
fn records_of_no_known_technique_are_left_out() {
    let mut lab = Lab::new(policy());
    let mut novelty = scanwatch_common::abi::Novelty::EMPTY;
    novelty.key.contact = u8::MAX;
    let at = Timestamp::from_ns(1);
    lab.engine.novelty(at, &novelty, at);
    lab.engine.cell(Side::Internal, &novelty.key, &Cell::EMPTY, at, at);
    assert!(!lab.engine.is_dirty());
    assert_eq!(lab.statistics().sources.tracked, 0);
}

#[test]
fn state_of_a_source_is_constant_over_a_week() {
    const DAY_S: f64 = 86_400.0;
    let mut lab = Lab::new(policy());
    lab.turns_a_second(1);
    let mut days = Vec::new();
    for day in 0..7u16 {
        let mut most = 0;
        // A port every five minutes, another one each time, and 60 hosts that answer, once an hour.
        for step in 0..288u16 {
            lab.is_answering = false;
            lab.syn("10.1.0.99", "10.2.0.10", 1_024 + day * 288 + step);
            lab.is_answering = true;
            if step % 12 == 0 {
                (1..=60).for_each(|host| lab.syn("10.1.0.98", &host_in("10.2.0", host), 8_080));
            }
            lab.wait(DAY_S / 288.0);
            most = most.max(lab.engine.bytes());
        }
        days.push(most);
    }
    assert_eq!(lab.snapshots(Action::Detected).len(), 1, "{:?}", lab.detected());
    let (second, last) = (days[1], days[6]);
    assert!(last <= second + second / 10, "bytes by day: {days:?}");
    assert!(last < 96 * 1_024, "bytes by day: {days:?}");
}
