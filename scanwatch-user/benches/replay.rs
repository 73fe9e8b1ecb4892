//! How fast captures are replayed on the host: `cargo bench --bench replay`, with `-- NAME` for the mixtures whose names
//! hold NAME. Prints figures and judges nothing.
//!
//! Each mixture is a pcap file in memory, read by the capture reader and played to a time line from its first byte to its
//! last verdict, as `scanwatch replay` does with a file that the system has cached. Beside it stands what reading alone
//! takes. Times are those of the processor, which the machine's other work does not change much: there is one thread.

#[path = "../tests/support/traffic.rs"]
mod traffic;

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use scanwatch::capture::Capture;
use scanwatch::engine::Engine;
use scanwatch::policy::Policy;
use scanwatch::replay::{HostPlane, Timeline};
use traffic::Traffic;
use traffic::build::{ether, ipv4, tcp, udp};

/// Frames of a mixture.
const FRAMES: u32 = 500_000;
/// Each mixture is replayed so often; the best run counts, for others were disturbed.
const RUNS: u32 = 5;
/// Between two frames: a tenth of a million a second, so that a mixture lasts five seconds of its own time.
const STEP_NS: u64 = 10_000;

/// The frame with this number.
type MakeFrame = fn(u32) -> Vec<u8>;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn main() {
    // What cargo adds begins with a dash.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!(
        "{:>28} {:>12} {:>10} {:>9} {:>15} {:>8}",
        "mixture", "packets/s", "ns/packet", "MB/s", "reading alone/s", "records"
    );
    let mixtures: [(&str, MakeFrame); 8] = [
        ("established connections", established),
        ("office: 1 % new contacts", office),
        ("scan of a /8 from inside", scan),
        ("SYN flood, forged sources", flood),
        ("DNS questions and answers", questions),
        ("10,000 clients, all new", crowd),
        ("new contacts, 20 scanners", hard),
        ("ports of a /16 by 200", outbreak),
    ];
    for (name, frame) in mixtures {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted)) {
            measure(name, frame);
        }
    }
}

fn measure(name: &str, frame: MakeFrame) {
    let mut traffic = Traffic::new();
    for number in 0..FRAMES {
        traffic.frame(frame(number));
        traffic.now_ns += STEP_NS;
    }
    let pcap = traffic.pcap();
    drop(traffic);
    let best =
        |run: fn(Vec<u8>) -> usize| (0..RUNS).map(|_| timed(run, pcap.clone())).min().unwrap_or_default();
    let ((took, records), (reading, _)) = (best(replay), best(read));
    let seconds = took.as_secs_f64();
    println!(
        "{name:>28} {:>12.0} {:>10.1} {:>9.0} {:>15.0} {records:>8}",
        f64::from(FRAMES) / seconds,
        1e9 * seconds / f64::from(FRAMES),
        pcap.len() as f64 / seconds / 1e6,
        f64::from(FRAMES) / reading.as_secs_f64(),
    );
}

fn timed(run: fn(Vec<u8>) -> usize, pcap: Vec<u8>) -> (Duration, usize) {
    let begun = processor_time();
    let records = run(pcap);
    (processor_time().saturating_sub(begun), records)
}

/// Time that this process has had so far.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the kernel tells what a process used");
    let micros = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(time.tv_sec().unsigned_abs() * 1_000_000 + time.tv_usec().unsigned_abs())
    };
    micros(usage.user_time()) + micros(usage.system_time())
}

/// Records of a capture.
fn replay(pcap: Vec<u8>) -> usize {
    let policy = Policy::default();
    let mut timeline = Timeline::new(HostPlane::new(&policy), Engine::new(Arc::new(policy)));
    let mut capture = Capture::read(Cursor::new(pcap)).expect("a capture");
    while let Some(packet) = capture.next_packet().expect("a packet") {
        timeline.packet(&packet).expect("nothing in memory fails");
    }
    timeline.finish().expect("nothing in memory fails");
    timeline.take_events().len()
}

/// Longest frame of a capture.
fn read(pcap: Vec<u8>) -> usize {
    let mut capture = Capture::read(Cursor::new(pcap)).expect("a capture");
    let mut longest = 0;
    while let Some(packet) = capture.next_packet().expect("a packet") {
        longest = longest.max(packet.frame.len());
    }
    longest
}

/// One of 50 clients, and one of 200 servers on the internet.
fn pair(number: u32) -> ([u8; 4], [u8; 4]) {
    ([10, 1, 0, (number % 50) as u8], [198, 51, (number % 2) as u8, (number % 200) as u8])
}

fn established(number: u32) -> Vec<u8> {
    let (client, server) = pair(number);
    let segment = tcp(40_000 + (number % 999) as u16, 443).flags(ACK).payload(&[0; 200]);
    ether().carry(ipv4(client, server).carry(segment))
}

fn office(number: u32) -> Vec<u8> {
    let (client, server) = pair(number / 7);
    match number % 200 {
        0 => ether().carry(ipv4(client, server).carry(tcp(number as u16, 443).flags(SYN))),
        100 => ether().carry(ipv4(client, [10, 2, 0, 53]).carry(udp(number as u16 | 1_024, 53).payload(40))),
        _ => established(number),
    }
}

fn scan(number: u32) -> Vec<u8> {
    let [_, a, b, c] = number.to_be_bytes();
    ether().carry(ipv4([10, 1, 0, 66], [10, 100 + a, b, c]).carry(tcp(50_000, 445).flags(SYN)))
}

fn flood(number: u32) -> Vec<u8> {
    let source = number.wrapping_mul(0x9e37_79b1) | 0x0b00_0000;
    ether().carry(ipv4(source.to_be_bytes(), [10, 2, 0, 80]).carry(tcp(number as u16, 80).flags(SYN)))
}

fn questions(number: u32) -> Vec<u8> {
    let (client, _) = pair(number / 2);
    let port = 1_024 + (number / 2 % 60_000) as u16;
    let (server, dns) = ([10, 2, 0, 53], 53);
    if number.is_multiple_of(2) {
        ether().carry(ipv4(client, server).carry(udp(port, dns).payload(40)))
    } else {
        ether().carry(ipv4(server, client).carry(udp(dns, port).payload(120)))
    }
}

fn crowd(number: u32) -> Vec<u8> {
    let (client, server) = ((number % 10_000) as u16, (number / 10_000) as u8);
    let [high, low] = client.to_be_bytes();
    ether().carry(ipv4([10, 1, high, low], [198, 51, 100, server]).carry(tcp(50_000, 443).flags(SYN)))
}

/// A quarter each of established traffic, of new contacts of 5,000 clients with a million web servers, of their answers,
/// and of 20 scanners that sweep networks inside.
fn hard(number: u32) -> Vec<u8> {
    let turn = number / 4;
    let [_, _, high, low] = (turn % 5_000).to_be_bytes();
    let mut server = turn.wrapping_mul(0x9e37_79b1).to_be_bytes();
    server[0] = 203;
    let client = [10, 1, high, low];
    let port = 1_024 + (turn / 5_000) as u16;
    match number % 4 {
        0 => established(number),
        1 => ether().carry(ipv4(client, server).carry(tcp(port, 443).flags(SYN))),
        2 => ether().carry(ipv4(server, client).carry(tcp(443, port).flags(SYN | ACK))),
        _ => {
            let scanner = [10, 9, 0, (turn % 20) as u8];
            let [_, _, third, fourth] = (turn / 20).to_be_bytes();
            ether().carry(ipv4(scanner, [10, 100, third, fourth]).carry(tcp(50_000, 445).flags(SYN)))
        }
    }
}

/// 200 machines inside that try eight ports each on a network of 65,536 hosts.
fn outbreak(number: u32) -> Vec<u8> {
    let turn = number / 200;
    let [_, _, y, z] = (turn / 8).to_be_bytes();
    let source = [10, 9, 1, (number % 200) as u8];
    let port = [22, 80, 135, 139, 443, 445, 3389, 5985][(turn % 8) as usize];
    ether().carry(ipv4(source, [10, 100, y, z]).carry(tcp(50_000, port).flags(SYN)))
}
