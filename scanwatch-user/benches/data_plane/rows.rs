//! The kinds of traffic.

use std::net::{Ipv4Addr, Ipv6Addr};

use scanwatch_common::counters::Counter;

use crate::build::{BROADCAST, Packet, arp_request, ether, icmp, ipv4, ipv6, tcp, udp};
use crate::plan::{Field, Plan};

/// One kind of traffic.
pub struct Row {
    /// Name in tables and files.
    pub name: &'static str,
    /// What is sent.
    pub what: &'static str,
    /// What it may cost over the empty program, nanoseconds.
    pub target_ns: Option<f64>,
    /// The frame.
    pub frame: Vec<u8>,
    /// What of it differs from packet to packet.
    pub plan: Plan,
    /// Frames seen before all others.
    pub before: Vec<Vec<u8>>,
    /// Packets before it is measured, so that sources are known and sketches are as full as they get.
    pub warm_up: u32,
    /// Cells of sources outside, where the default is too few.
    pub cells_external: Option<u32>,
    /// How the packets must leave the data plane.
    pub ways_out: &'static [Counter],
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A machine inside that tries all others.
const SCANNER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 66);
/// A machine inside that does as all do.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
/// A server inside.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 80);
/// The same server.
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 2, 0, 0, 0, 0x80);
/// A server on the internet.
const FAR_SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// Where headers of frames without a tag have their fields.
const IPV4_SOURCE: u32 = 26;
const IPV4_TARGET: u32 = 30;
const IPV4_PORTS: u32 = 34;
const IPV6_SOURCE: u32 = 22;
const IPV6_PORTS: u32 = 54;
const ARP_TARGET: u32 = 38;

/// What a source that is watched does counts, whether it tells anything or not.
const COUNTED: &[Counter] = &[Counter::NotNovel, Counter::Novel];
const NOT_ADMITTED: &[Counter] = &[Counter::NotAdmitted];

/// Until a doorkeeper's set and a port's sketch are full, and one source's cell.
const WARM_UP: u32 = 2_000_000;

/// Every row, in the order of the table.
pub fn all() -> Vec<Row> {
    let mut rows = conversations();
    rows.extend(probes());
    rows.extend(floods());
    rows.extend(datagrams());
    rows.extend(others());
    rows
}

/// SYNs of forged sources.
pub fn flood() -> Row {
    floods().remove(0)
}

/// Rows that are also sent over a veth pair, by their names there.
pub fn live() -> Vec<(&'static str, Row)> {
    let names = |name| match name {
        "established_tcp" => Some("live:established_tcp"),
        "syn_one_source" => Some("live:syn_one_source"),
        "syn_spoofed_flood" => Some("live:syn_spoofed_flood"),
        _ => None,
    };
    all().into_iter().filter_map(|row| Some((names(row.name)?, row))).collect()
}

/// A segment of a connection that exists.
fn segment() -> Packet {
    ipv4(CLIENT, FAR_SERVER).carry(tcp(40_000, 443).flags(ACK).payload(&[0; 6]))
}

fn conversations() -> Vec<Row> {
    let frame = ether().carry(segment());
    vec![fixed(
        "established_tcp",
        "one segment of a connection, over and over",
        frame,
        &[Counter::TcpEstablished],
    )]
}

fn probes() -> Vec<Row> {
    let syn =
        |source: Ipv4Addr| ether().padded().carry(ipv4(source, SERVER).carry(tcp(50_000, 445).flags(SYN)));
    vec![
        varying(
            "syn_one_source",
            "SYNs of one source inside to hosts inside, at random of 16 million",
            30.0,
            syn(SCANNER),
            &[inside(IPV4_TARGET)],
            COUNTED,
        ),
        Row {
            target_ns: None,
            warm_up: 6_000_000,
            ..varying(
                "syn_256_sources",
                "the same of 256 sources inside, at random",
                0.0,
                syn(SCANNER),
                &[address(IPV4_SOURCE, Ipv4Addr::new(10, 1, 0, 0), 8, 0), inside_from(IPV4_TARGET, 16)],
                COUNTED,
            )
        },
        Row { cells_external: Some(131_072), ..crowd("syn_65536_sources", CROWD, Some(150.0), 4) },
        Row { cells_external: Some(131_072), ..crowd("syn_65536_new_pairs", CROWD_TO_ALL, None, 24) },
        Row {
            ways_out: &[Counter::NotNovel, Counter::Novel, Counter::CellRefused],
            ..crowd("syn_65536_cells_full", CROWD_WITHOUT_ROOM, None, 4)
        },
    ]
}

const CROWD: &str = "SYNs of 65,536 sources outside, at random, to 16 hosts inside; room for 131,072 cells";
const CROWD_TO_ALL: &str =
    "the same to hosts at random of 16 million: most tell something, and nobody reads the records";
const CROWD_WITHOUT_ROOM: &str = "the same to 16 hosts, with the default room for 8,192 cells";

/// SYNs of many sources that have cells, to as many hosts as so many bits tell apart.
fn crowd(name: &'static str, what: &'static str, target_ns: Option<f64>, host_bits: u32) -> Row {
    let frame = ether().padded().carry(ipv4(FAR_SERVER, SERVER).carry(tcp(50_000, 445).flags(SYN)));
    let targets = if host_bits == 24 { Ipv4Addr::new(10, 0, 0, 0) } else { Ipv4Addr::new(10, 2, 0, 0) };
    let fields = [
        address(IPV4_SOURCE, Ipv4Addr::new(198, 18, 0, 0), 16, 0),
        address(IPV4_TARGET, targets, host_bits, 32),
    ];
    Row { target_ns, warm_up: 8_000_000, ..varying(name, what, 0.0, frame, &fields, COUNTED) }
}

fn floods() -> Vec<Row> {
    let frame = |segment| ether().padded().carry(ipv4(FAR_SERVER, SERVER).carry(segment));
    let forged = |frame, name, what| {
        varying(
            name,
            what,
            30.0,
            frame,
            &[outside(IPV4_SOURCE), source_port(IPV4_PORTS, 15, 80)],
            NOT_ADMITTED,
        )
    };
    let inside_too = "SYNs to one port of one server, each of another source inside, at random of 16 million";
    let v6 = ipv6(Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0, 0, 1), SERVER_V6);
    vec![
        forged(
            frame(tcp(50_000, 80).flags(SYN)),
            "syn_spoofed_flood",
            "SYNs to one port of one server, each of another source outside",
        ),
        varying(
            "syn_spoofed_flood_ipv6",
            "the same over IPv6, each of another /64",
            30.0,
            ether().carry(v6.carry(tcp(50_000, 80).flags(SYN))),
            &[
                Field { at: IPV6_SOURCE + 4, mask: u32::MAX, base: 0, shift: 0 },
                Field { at: IPV6_SOURCE + 12, mask: u32::MAX, base: 0, shift: 32 },
                source_port(IPV6_PORTS, 15, 80),
            ],
            NOT_ADMITTED,
        ),
        forged(
            frame(tcp(50_000, 80).flags(0)),
            "null_flood",
            "TCP without flags to one port of one server, each of another source outside",
        ),
        Row {
            target_ns: None,
            ..varying(
                "syn_spoofed_inside",
                inside_too,
                0.0,
                frame(tcp(50_000, 80).flags(SYN)),
                &[inside(IPV4_SOURCE), source_port(IPV4_PORTS, 15, 80)],
                NOT_ADMITTED,
            )
        },
    ]
}

fn datagrams() -> Vec<Row> {
    let question = |source| ether().padded().carry(ipv4(source, SERVER).carry(udp(50_000, 53).payload(30)));
    vec![
        varying(
            "udp_known_flow",
            "datagrams of 256 flows of one client inside, at random",
            12.0,
            question(CLIENT),
            &[source_port(IPV4_PORTS, 8, 53)],
            &[Counter::UdpKnown],
        ),
        Row {
            target_ns: None,
            ..varying(
                "udp_new_flow",
                "first datagrams of one source inside, from a random port, to hosts inside, at random",
                0.0,
                question(CLIENT),
                &[inside(IPV4_TARGET), source_port(IPV4_PORTS, 15, 53)],
                COUNTED,
            )
        },
        varying(
            "udp_spoofed_flood",
            "datagrams to one port of one server, each of another source outside",
            30.0,
            question(FAR_SERVER),
            &[outside(IPV4_SOURCE), source_port(IPV4_PORTS, 15, 53)],
            NOT_ADMITTED,
        ),
    ]
}

fn others() -> Vec<Row> {
    let probe = |port| ether().carry(ipv4(SCANNER, SERVER).carry(tcp(50_000, port).flags(SYN)));
    vec![
        varying(
            "arp_request",
            "ARP requests of one machine for hosts at random of 16 million",
            30.0,
            ether().to(BROADCAST).padded().carry(arp_request(SCANNER, SERVER)),
            &[inside(ARP_TARGET)],
            COUNTED,
        ),
        varying(
            "icmp_echo",
            "echo requests of one source inside to hosts inside, at random of 16 million",
            30.0,
            ether().padded().carry(ipv4(SCANNER, SERVER).carry(icmp(8))),
            &[inside(IPV4_TARGET)],
            COUNTED,
        ),
        fixed(
            "vlan_established",
            "established_tcp with an 802.1Q tag",
            ether().tag(10).carry(segment()),
            &[Counter::TcpEstablished],
        ),
        Row {
            before: (1..=4).map(probe).collect(),
            ..varying(
                "reply_syn_ack",
                "SYN-ACKs of servers inside, at random of 16 million, to one scanner inside",
                30.0,
                ether().padded().carry(ipv4(SERVER, SCANNER).carry(tcp(445, 50_000).flags(SYN | ACK))),
                &[inside(IPV4_SOURCE)],
                COUNTED,
            )
        },
        fixed("non_ip", "a frame of LLDP", ether().ether_type(0x88cc).carry(segment()), &[Counter::NotIp]),
    ]
}

/// The same frame over and over, which the data plane leaves at once.
fn fixed(name: &'static str, what: &'static str, frame: Vec<u8>, ways_out: &'static [Counter]) -> Row {
    varying(name, what, 2.0, frame, &[], ways_out)
}

fn varying(
    name: &'static str,
    what: &'static str,
    target_ns: f64,
    frame: Vec<u8>,
    fields: &[Field],
    ways_out: &'static [Counter],
) -> Row {
    let mut plan = Plan::NOTHING;
    plan.fields[..fields.len()].copy_from_slice(fields);
    Row {
        name,
        what,
        target_ns: Some(target_ns),
        frame,
        plan,
        before: Vec::new(),
        warm_up: WARM_UP,
        cells_external: None,
        ways_out,
    }
}

/// An address whose last `bits` bits are random.
fn address(at: u32, base: Ipv4Addr, bits: u32, shift: u32) -> Field {
    Field { at, mask: (1 << bits) - 1, base: u32::from(base), shift }
}

/// Any address in 10.0.0.0/8.
fn inside(at: u32) -> Field {
    inside_from(at, 0)
}

fn inside_from(at: u32, shift: u32) -> Field {
    address(at, Ipv4Addr::new(10, 0, 0, 0), 24, shift)
}

/// Any address in 32.0.0.0/3, which is all outside.
fn outside(at: u32) -> Field {
    address(at, Ipv4Addr::new(32, 0, 0, 0), 29, 0)
}

/// A source port from 32,768 on whose last `bits` bits are random.
fn source_port(at: u32, bits: u32, target: u16) -> Field {
    Field { at, mask: ((1 << bits) - 1) << 16, base: 0x8000 << 16 | u32::from(target), shift: 32 }
}
