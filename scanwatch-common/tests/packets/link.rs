//! Ethernet and VLAN tags.

use super::{CLIENT, CLIENT_V6, FROM, Fixture, SERVER, SERVER_V6, fixture, not, probe, probe_v6};
use crate::build::{BROADCAST, Packet, ether, ipv4, ipv6, tcp};
use scanwatch_common::abi::Technique::Syn;
use scanwatch_common::counters::Counter;

pub fn fixtures() -> Vec<Fixture> {
    let syn = || ipv4(CLIENT, SERVER).carry(tcp(FROM, 80));
    let syn_v6 = ipv6(CLIENT_V6, SERVER_V6).carry(tcp(FROM, 80));
    let tagged = |name: &str, frame, vlan| Fixture { vlan, ..fixture(name, frame, probe(Syn, 80)) };
    let other = |ether_type| Packet { ether_type, bytes: vec![0; 46] };
    vec![
        fixture("Ethernet, IPv4", ether().carry(syn()), probe(Syn, 80)),
        fixture("Ethernet, IPv6", ether().carry(syn_v6.clone()), probe_v6(Syn, 80)),
        fixture("Ethernet padded to 60 bytes", ether().padded().carry(syn()), probe(Syn, 80)),
        tagged("802.1Q", ether().tag(10).carry(syn()), [10, 0]),
        Fixture {
            vlan: [10, 0],
            ..fixture("802.1Q, IPv6", ether().tag(10).carry(syn_v6), probe_v6(Syn, 80))
        },
        tagged("802.1Q, highest id", ether().tag(0xfff).carry(syn()), [0xfff, 0]),
        tagged("802.1Q, priority and drop eligible", ether().tag_as(0x8100, 0xf00a).carry(syn()), [10, 0]),
        tagged("802.1p priority tag, id 0", ether().tag_as(0x8100, 0xe000).carry(syn()), [0, 0]),
        tagged("802.1ad service tag alone", ether().tag_as(0x88a8, 30).carry(syn()), [30, 0]),
        tagged("QinQ, 802.1ad", ether().tag_as(0x88a8, 100).tag(200).carry(syn()), [100, 200]),
        tagged("QinQ, two 802.1Q tags", ether().tag(100).tag(200).carry(syn()), [100, 200]),
        tagged("QinQ, 0x9100 outside", ether().tag_as(0x9100, 100).tag(200).carry(syn()), [100, 200]),
        fixture("three tags", ether().tag(1).tag(2).tag(3).carry(syn()), not(Counter::VlanTooDeep)),
        fixture(
            "three tags, 802.1ad twice",
            ether().tag_as(0x88a8, 1).tag_as(0x88a8, 2).tag(3).carry(syn()),
            not(Counter::VlanTooDeep),
        ),
        fixture("LLDP", ether().carry(other(0x88cc)), not(Counter::NotIp)),
        fixture("PPPoE session", ether().carry(other(0x8864)), not(Counter::NotIp)),
        fixture("MPLS", ether().carry(other(0x8847)), not(Counter::NotIp)),
        fixture(
            "802.3 length instead of a type",
            ether().to(BROADCAST).carry(other(46)),
            not(Counter::NotIp),
        ),
        fixture("LLDP behind a tag", ether().tag(10).carry(other(0x88cc)), not(Counter::NotIp)),
        fixture(
            "IPv4 by its type, IPv6 by its version",
            ether().ether_type(0x0800).carry(ipv6(CLIENT_V6, SERVER_V6).carry(tcp(FROM, 80))),
            not(Counter::Malformed),
        ),
        fixture(
            "IPv6 by its type, IPv4 by its version",
            ether().ether_type(0x86dd).carry(syn()),
            not(Counter::Malformed),
        ),
    ]
}
