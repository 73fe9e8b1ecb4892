//! Days of what the internet sends, and scans of a port that rise among them.

use scanwatch::engine::{Action, Kind};

use crate::planes::{host, of, play, records};
use crate::traffic::{SECOND_NS, START_NS, Traffic};

const HOUR_NS: u64 = 3_600 * SECOND_NS;
const MINUTES_A_DAY: u32 = 24 * 60;
const RISING: u16 = 8291;

#[test]
fn of_four_days_of_noise_and_one_rising_port_the_port_is_told_once_and_nothing_else() {
    let mut traffic = Traffic::new();
    traffic.background(3 * MINUTES_A_DAY, None);
    let rose_ns = traffic.now_ns;
    traffic.background(6 * 60, Some((RISING, 2)));
    traffic.background(12 * 60, None);
    let records = records(&traffic);
    let kinds: Vec<(Action, Kind)> =
        records.iter().map(|record| (record.action, record.snapshot.kind)).collect();
    assert_eq!(kinds, [(Action::Detected, Kind::Surge), (Action::Ended, Kind::Surge)], "{records:?}");
    let detected = &of(Action::Detected, &records)[0].snapshot;
    assert_eq!(detected.port, Some(RISING));
    let waited_h = (detected.at.as_ns() - rose_ns) / HOUR_NS;
    assert_eq!(waited_h, 2, "in the third hour");
    assert!((200..=600).contains(&detected.others_count), "{}", detected.reason);
    let ended = &of(Action::Ended, &records)[0].snapshot;
    assert!((500..=1_000).contains(&ended.others_count), "{}", ended.reason);
    assert!(ended.at.as_ns() < traffic.now_ns, "ended in its own time");
}

#[test]
fn the_guests_of_a_web_server_and_the_ports_most_tried_are_told_apart_in_the_statistics() {
    let mut traffic = Traffic::new();
    traffic.background(MINUTES_A_DAY, None);
    let mut timeline = host();
    play(&mut timeline, &traffic);
    timeline.finish().unwrap();
    let ports = timeline.statistics().ports_from_outside;
    assert_eq!(ports.top[0].port, "tcp/23");
    assert!((8..=40).contains(&ports.top[0].sources), "{:?}", ports.top);
    let web = ports.top.iter().find(|port| port.port == "tcp/443");
    assert!(web.is_none_or(|port| port.sources <= 2), "the first guests knock like strangers: {web:?}");
    assert!(ports.rare_in_use.is_empty(), "{:?}", ports.rare_in_use);
}

#[test]
fn a_flood_within_a_day_of_noise_is_not_told() {
    let mut traffic = Traffic::new();
    traffic.background(2 * MINUTES_A_DAY, None);
    for number in 0..20_000_u32 {
        let forged = std::net::Ipv4Addr::from(number.wrapping_mul(2_654_435_761) | 0x4000_0000).to_string();
        traffic.knock(&forged, "10.2.0.9", RISING);
        traffic.wait(0.03);
    }
    traffic.background(6 * 60, None);
    assert!(traffic.now_ns > START_NS);
    let records = records(&traffic);
    assert!(records.is_empty(), "{records:?}");
}
