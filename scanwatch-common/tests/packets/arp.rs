//! ARP.

use super::{CLIENT, Fixture, SERVER, between, fixture, not, told};
use crate::build::{Arp, BROADCAST, arp_reply, arp_request, ether};
use scanwatch_common::abi::{Outcome, Technique};
use scanwatch_common::counters::Counter;

pub fn fixtures() -> Vec<Fixture> {
    let asked = |source, target| Ok(between(source, target, Technique::Arp, 0));
    let own = || not(Counter::ArpOwn);
    let broadcast = |arp: Arp| ether().to(BROADCAST).carry(arp);
    let broken = |name: &str, arp| fixture(name, broadcast(arp), not(Counter::Malformed));
    let request = || arp_request(CLIENT, SERVER);
    vec![
        fixture("ARP request", broadcast(request()), asked("10.0.0.5", "10.0.1.7")),
        fixture(
            "ARP request, padded",
            ether().to(BROADCAST).padded().carry(request()),
            asked("10.0.0.5", "10.0.1.7"),
        ),
        Fixture {
            vlan: [10, 20],
            ..fixture(
                "ARP request, QinQ",
                ether().to(BROADCAST).tag_as(0x88a8, 10).tag(20).carry(request()),
                asked("10.0.0.5", "10.0.1.7"),
            )
        },
        fixture(
            "ARP request from a link-local sender",
            broadcast(arp_request([169, 254, 3, 4], SERVER)),
            asked("169.254.3.4", "10.0.1.7"),
        ),
        fixture(
            "ARP reply",
            ether().carry(arp_reply(SERVER, CLIENT)),
            told(Technique::Arp, Outcome::Answered, Counter::ArpAnswered, 0),
        ),
        fixture("ARP reply to oneself", ether().carry(arp_reply(SERVER, SERVER)), not(Counter::ArpAnswered)),
        fixture("ARP reply for 0.0.0.0", ether().carry(arp_reply([0; 4], CLIENT)), not(Counter::ArpAnswered)),
        fixture("ARP reply to all", broadcast(arp_reply(SERVER, SERVER)), not(Counter::ArpAnswered)),
        fixture("ARP request, gratuitous", broadcast(arp_request(CLIENT, CLIENT)), own()),
        fixture("ARP request, unicast refresh", ether().carry(request()), own()),
        fixture("ARP probe for a duplicate (RFC 5227)", broadcast(arp_request([0, 0, 0, 0], SERVER)), own()),
        fixture(
            "ARP request for a link-local address",
            broadcast(arp_request(CLIENT, [169, 254, 1, 1])),
            own(),
        ),
        fixture("ARP request for a group", broadcast(arp_request(CLIENT, [224, 0, 0, 1])), own()),
        fixture("ARP request for 255.255.255.255", broadcast(arp_request(CLIENT, [255; 4])), own()),
        fixture("ARP request for 0.0.0.0", broadcast(arp_request(CLIENT, [0; 4])), own()),
        fixture("ARP request from a group", broadcast(arp_request([224, 0, 0, 1], SERVER)), own()),
        fixture("ARP request from loopback", broadcast(arp_request([127, 0, 0, 1], SERVER)), own()),
        fixture("ARP operation 0", broadcast(request().operation(0)), not(Counter::Malformed)),
        fixture("RARP request", broadcast(request().operation(3)), not(Counter::Malformed)),
        fixture("InARP request", broadcast(request().operation(8)), not(Counter::Malformed)),
        broken("ARP, hardware type IEEE 802", request().hardware(6)),
        broken("ARP, hardware type 0", request().hardware(0)),
        broken("ARP, protocol type IPv6", request().protocol(0x86dd)),
        broken("ARP, hardware addresses of 8 bytes", request().lengths(8, 4)),
        broken("ARP, protocol addresses of 16 bytes", request().lengths(6, 16)),
    ]
}
