//! Ethernet and VLAN tags.

use super::{CLIENT, CLIENT_V6, FROM, Fixture, SERVER, SERVER_V6, fixture, not, probe, probe_v6, told_v6};
use crate::build::{BROADCAST, Packet, ether, icmpv6, ipv4, ipv6, pppoe, session, tcp};
use scanwatch_common::abi::Outcome::Refused;
use scanwatch_common::abi::Technique::Syn;
use scanwatch_common::counters::Counter;

pub fn fixtures() -> Vec<Fixture> {
    [frames(), sessions()].concat()
}

/// PPP over Ethernet.
fn sessions() -> Vec<Fixture> {
    let syn = || ipv4(CLIENT, SERVER).carry(tcp(FROM, 80));
    let syn_v6 = || ipv6(CLIENT_V6, SERVER_V6).carry(tcp(FROM, 80));
    let tagged = |name: &str, frame, vlan, expect| Fixture { vlan, ..fixture(name, frame, expect) };
    let qinq = || ether().tag_as(0x88a8, 100).tag(200);
    let refused = syn_v6();
    let refusal = ipv6(SERVER_V6, CLIENT_V6).carry(icmpv6(1).code(4).quote(&refused, 1232));
    vec![
        fixture("PPPoE, IPv4", ether().carry(pppoe(syn())), probe(Syn, 80)),
        fixture("PPPoE, IPv6", ether().carry(pppoe(syn_v6())), probe_v6(Syn, 80)),
        tagged("PPPoE behind a tag", ether().tag(7).carry(pppoe(syn())), [7, 0], probe(Syn, 80)),
        tagged("PPPoE in QinQ, IPv4", qinq().carry(pppoe(syn())), [100, 200], probe(Syn, 80)),
        tagged("PPPoE in QinQ, IPv6", qinq().carry(pppoe(syn_v6())), [100, 200], probe_v6(Syn, 80)),
        tagged(
            "PPPoE in QinQ, ICMPv6 port unreachable",
            qinq().carry(pppoe(refusal)),
            [100, 200],
            told_v6(Syn, Refused, Counter::IcmpRefused, 80),
        ),
        fixture("PPPoE, LCP echo", ether().carry(session(0x11, 0, 0xc021, &[9; 12])), not(Counter::NotIp)),
        fixture("PPPoE, IPCP", ether().carry(session(0x11, 0, 0x8021, &[1; 12])), not(Counter::NotIp)),
        fixture("PPPoE, version 2", ether().carry(session(0x21, 0, 0x21, &[0; 40])), not(Counter::Malformed)),
        fixture("PPPoE, code 7", ether().carry(session(0x11, 7, 0x21, &[0; 40])), not(Counter::Malformed)),
        fixture(
            "PPPoE, IPv6 under IPv4's protocol number",
            ether().carry(session(0x11, 0, 0x21, &syn_v6().bytes)),
            not(Counter::Malformed),
        ),
    ]
}

fn frames() -> Vec<Fixture> {
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
        fixture("PPPoE discovery", ether().carry(other(0x8863)), not(Counter::NotIp)),
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
