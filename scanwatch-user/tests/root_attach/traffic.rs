//! Real frames on an interface leave behind what the host computes from them, by every hook.

use std::collections::BTreeMap;

use scanwatch::kernel::{DrainedCell, Mode};
use scanwatch_common::abi::{Cell, CellFacts, CellKey, Novelty, Settings, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};

use crate::build::{
    BROADCAST, Ether, Extension, Ipv6, arp_request, ether, icmp, icmpv6, ipv4, ipv6, sctp, tcp, udp,
};
use crate::load;
use crate::support::net::{Veth, in_namespace, ip};
use crate::support::{admitting, eventually, host_tables};

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [10, 0, 1, 7];
/// An Ethernet header: the kernel sends nothing shorter.
const HEADER: usize = 14;

fn v6() -> Ipv6 {
    ipv6([0xfd00, 0, 0, 0, 0, 0, 0, 5], [0xfd00, 1, 0, 0, 0, 0, 0, 7])
}

/// Both families and all techniques below this Ethernet header. Frames are as long as a wire would make them.
fn conversation(link: &Ether) -> Vec<Vec<u8>> {
    let link = || link.clone().padded();
    let mut frames = vec![
        link().to(BROADCAST).carry(arp_request(CLIENT, SERVER)),
        link().carry(ipv4(CLIENT, SERVER).carry(icmp(8))),
        link().carry(ipv4(CLIENT, SERVER).carry(udp(40_000, 161).payload(40))),
        link().carry(ipv4(SERVER, CLIENT).carry(udp(161, 40_000).payload(90))),
        link().carry(ipv4(CLIENT, SERVER).carry(sctp(40_000, 3_868))),
        link().carry(ipv4(CLIENT, SERVER).options(3).carry(tcp(40_000, 445).flags(0x29))),
        link().carry(ipv4(CLIENT, SERVER).carry(tcp(40_000, 80).flags(0x10).payload(&[7; 1_300]))),
        link().carry(v6().carry(icmpv6(128))),
        link().carry(v6().extension(Extension::destination(7)).carry(tcp(40_000, 443))),
        link().carry(v6().extension(Extension::fragment(0, false)).carry(udp(40_000, 53).payload(30))),
    ];
    frames.extend((1..60).map(|port| link().carry(ipv4(CLIENT, SERVER).carry(tcp(40_000, port)))));
    frames.extend((1..20).map(|port| link().carry(v6().carry(tcp(40_000, port)))));
    frames
}

/// What frames leave behind, but for times.
struct Left {
    cells: BTreeMap<CellKey, Cell>,
    records: Vec<Novelty>,
    counters: Vec<(Counter, u64)>,
}

#[test]
fn frames_with_any_number_of_tags_mean_the_same_at_every_hook() {
    let links = [
        ether(),
        ether().tag(100),
        ether().tag_as(0x88a8, 200).tag(100),
        ether().tag_as(0x88a8, 0xe0c9).tag(0x6064),
        ether().tag(7).tag(8).tag(9),
    ];
    let frames: Vec<Vec<u8>> = links.iter().flat_map(conversation).collect();
    for mode in [Mode::XdpNativeFrags, Mode::XdpNative, Mode::XdpGeneric, Mode::Tcx, Mode::Clsact] {
        compare(mode, 1_500, &frames);
    }
}

#[test]
fn frames_cut_at_any_byte_mean_the_same_at_every_hook() {
    let tagged = ether().tag(5).carry(ipv4(CLIENT, SERVER).options(2).carry(tcp(40_000, 22)));
    let plain = ether().carry(v6().extension(Extension::routing(1)).carry(udp(40_000, 161)));
    // The stack takes tags off before TC, and drops what ends within one.
    let tagged = (HEADER + 6..=tagged.len()).map(|length| tagged[..length].to_vec());
    let plain = (HEADER..=plain.len()).map(|length| plain[..length].to_vec());
    let frames: Vec<Vec<u8>> = tagged.chain(plain).collect();
    for mode in [Mode::XdpNativeFrags, Mode::XdpGeneric, Mode::Tcx] {
        compare(mode, 1_500, &frames);
    }
}

#[test]
fn frames_too_long_for_one_buffer_are_read_by_every_hook_that_takes_them() {
    let data = vec![7; 8_000];
    let frames = [
        ether().carry(ipv4(CLIENT, SERVER).carry(tcp(40_000, 22).payload(&data))),
        ether().tag(5).tag(6).carry(ipv4(CLIENT, SERVER).options(10).carry(tcp(40_000, 23).payload(&data))),
        ether().carry(v6().extension(Extension::destination(7)).carry(tcp(40_000, 22).payload(&data))),
        ether().carry(ipv4(CLIENT, SERVER).carry(udp(40_000, 443).payload(8_000))),
        ether().carry(ipv4(CLIENT, SERVER).carry(udp(40_000, 9_999).payload(8_000))),
    ];
    for mode in [Mode::XdpNativeFrags, Mode::XdpGeneric, Mode::Tcx] {
        compare(mode, 9_000, &frames);
    }
}

/// Sends frames to an interface of this largest packet size, and compares what the kernel and the host make of them.
fn compare(mode: Mode, mtu: u32, frames: &[Vec<u8>]) {
    in_namespace(async || {
        let mut veth = Veth::new("watched");
        for end in ["watched", "watched-peer"] {
            ip(&format!("link set {end} mtu {mtu}"));
        }
        let hosts = left_on_host(veth.index, frames);
        let kernels = left_in_kernel(&mut veth, mode, frames, total(&hosts.counters));
        assert_eq!(kernels.counters, hosts.counters, "{mode}: counters");
        assert_eq!(kernels.records, hosts.records, "{mode}: records");
        assert!(kernels.cells == hosts.cells, "{mode}: cells");
        assert!(!hosts.cells.is_empty(), "nothing was compared");
    });
}

/// Sends the frames, and waits until counters were raised so often.
fn left_in_kernel(veth: &mut Veth, mode: Mode, frames: &[Vec<u8>], raised: u64) -> Left {
    let mut kernel = load(&admitting());
    let mut rings = [Side::Internal, Side::External].map(|side| kernel.ring(side).expect("a ring"));
    kernel.attach_by(&veth.name, veth.index, mode).expect("attached");
    veth.send(frames);
    let counters = || kernel.counters().expect("the counters are read");
    eventually(&format!("{mode} sees every frame"), || total(&counters()) >= raised);
    let counters = counters();
    kernel.flip().expect("the copies are flipped");
    let (mut cells, mut records) = (BTreeMap::new(), Vec::new());
    let take = |cell: DrainedCell| {
        cells.insert(cell.key, timeless(cell.cell));
    };
    kernel.drain(take).expect("the cells are drained");
    for ring in &mut rings {
        ring.read(usize::MAX, |record| records.push(Novelty { time_ns: 0, ..*record }));
    }
    Left { cells, records, counters }
}

/// How often any counter was raised.
fn total(counters: &[(Counter, u64)]) -> u64 {
    counters.iter().map(|(_, n)| n).sum()
}

fn left_on_host(interface: u32, frames: &[Vec<u8>]) -> Left {
    let mut host = host_tables(&admitting(), Settings::DEFAULT.hasher);
    for frame in frames {
        observe(&frame[..], interface, Passage::IN, &mut host);
    }
    Left {
        records: std::iter::from_fn(|| host.next_novelty()).collect(),
        counters: Counter::ALL.iter().map(|counter| (*counter, host.counter(*counter))).collect(),
        cells: host.end_epoch().into_iter().map(|(_, key, cell)| (key, cell)).collect(),
    }
}

fn timeless(cell: &Cell) -> Cell {
    assert!(cell.facts.first_ns > 0, "{:?}", cell.facts);
    Cell { facts: CellFacts { first_ns: 0, lasted_us: 0, ..cell.facts }, ..*cell }
}
