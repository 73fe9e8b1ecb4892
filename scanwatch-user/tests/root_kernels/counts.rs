//! What is counted of a scan and of its answers, and that it is drained once.

use scanwatch::kernel::Mode;
use scanwatch_common::abi::Outcome;
use scanwatch_common::counters::Counter;

use crate::build::{ether, ipv4, tcp};
use crate::support::net::Veth;
use crate::{await_count, counted, drained, tc_modes, with_kernel};

const SCANNER: [u8; 4] = [10, 0, 0, 5];
const TARGET: [u8; 4] = [10, 0, 1, 7];
/// Ports that are tried; of these, those that refuse, and the one that answers.
const PORTS: std::ops::RangeInclusive<u16> = 1..=100;
const ANSWERS: u16 = 22;
/// RST with ACK, and SYN with ACK.
const REFUSAL: u8 = 0x14;
const ANSWER: u8 = 0x12;
/// Pairs that a sketch may be off by.
const SLACK: u64 = 4;

fn scan() -> Vec<Vec<u8>> {
    let pair = |port: u16| {
        let flags = if port == ANSWERS { ANSWER } else { REFUSAL };
        [
            ether().carry(ipv4(SCANNER, TARGET).carry(tcp(40_000, port))),
            // What refuses a SYN has no number of its own (RFC 9293, section 3.10.7.1).
            ether().carry(ipv4(TARGET, SCANNER).carry(tcp(port, 40_000).flags(flags).numbers(0, 2))),
        ]
    };
    PORTS.flat_map(pair).collect()
}

#[test]
fn a_scan_and_its_answers_are_counted_once_by_every_hook_and_drained_once() {
    with_kernel(async |kernel| {
        let mut veth = Veth::new("watched");
        let frames = scan();
        let ports = u64::from(*PORTS.end());
        for &mode in [Mode::XdpNativeFrags, Mode::XdpGeneric].iter().chain(tc_modes()) {
            let [probes, refusals] =
                [Counter::ProbeSyn, Counter::TcpRefused].map(|counter| counted(kernel, counter));
            kernel.attach_by(&veth.name, veth.index, mode).unwrap_or_else(|error| panic!("{mode}: {error}"));
            // Twice: what is known changes nothing.
            for _ in 0..2 {
                veth.send(&frames);
            }
            await_count(kernel, Counter::ProbeSyn, probes + 2 * ports);
            await_count(kernel, Counter::TcpRefused, refusals + 2 * (ports - 1));
            kernel.detach(veth.index);
            let cells = drained(kernel);
            let of = |outcome| cells.get(&(0, outcome)).copied().unwrap_or_default();
            assert!(of(Outcome::Tried).abs_diff(ports) <= SLACK, "{mode}: {cells:?}");
            assert!(of(Outcome::Refused).abs_diff(ports - 1) <= SLACK, "{mode}: {cells:?}");
            assert_eq!(of(Outcome::Answered), 1, "{mode}: {cells:?}");
            assert!(drained(kernel).is_empty(), "{mode}: drained twice");
        }
    });
}
