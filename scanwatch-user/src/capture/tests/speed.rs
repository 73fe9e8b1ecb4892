//! How fast reading alone is; a measurement, no test, for machines differ.

use std::sync::Arc;

use super::writer::{MICROSECONDS, Order, Pcap, PcapNg, ethernet};
use super::*;

const PACKETS: u64 = 1_000_000;
const RUNS: usize = 9;

/// The best of some runs, in time on the processor: other programs do not count, but they cool the caches.
fn measure(name: &str, bytes: Vec<u8>) {
    let bytes: Arc<[u8]> = bytes.into();
    let best = (0..RUNS).map(|_| run(&bytes)).fold(f64::INFINITY, f64::min);
    println!(
        "{name}: {:.1} million packets/s, {:.0} MB/s",
        PACKETS as f64 / best / 1e6,
        bytes.len() as f64 / best / 1e6
    );
}

/// Seconds that one reading takes.
fn run(bytes: &Arc<[u8]>) -> f64 {
    let mut capture = Capture::read(Cursor::new(Arc::clone(bytes))).ok().unwrap();
    let start = on_processor();
    while let Some(packet) = capture.next_packet().unwrap() {
        std::hint::black_box(packet.frame);
    }
    let seconds = on_processor() - start;
    assert_eq!(capture.packets(), PACKETS);
    seconds
}

/// Seconds this thread has had (proc(5), schedstat).
fn on_processor() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    statistics.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[test]
#[ignore = "a measurement: cargo test --release -p scanwatch --lib capture::tests::speed -- --ignored --nocapture"]
fn packets_a_second() {
    let frame = ethernet(0x0800, &[0x45; 60]);
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0, 8, 0], &[0x45; 60][..]].concat();
    let pcap = |link, packet: &[u8]| {
        (0..PACKETS).fold(Pcap::new(Order::Little, MICROSECONDS, link), |file, _| file.packet(packet))
    };
    let pcapng = |options: &[(u16, &[u8])]| {
        (0..PACKETS).fold(PcapNg::new(Order::Little).interface(1, 0), |file, time| {
            file.enhanced_with(0, time, &frame, 74, options)
        })
    };
    measure("pcap", pcap(1, &frame).bytes);
    measure("pcap, Linux cooked", pcap(113, &cooked).bytes);
    measure("pcapng", pcapng(&[]).bytes);
    measure("pcapng with options", pcapng(&[(2, &[1, 0, 0, 0])]).bytes);
}
