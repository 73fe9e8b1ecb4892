//! Which networks count as inside because of an interface's addresses.

use scanwatch::kernel::{Kernel, LinkEvent, LinkWatch, Mode};
use scanwatch::policy::{Hook, Network};
use scanwatch_common::abi::Side;

use crate::build::{ether, ipv4, ipv6, tcp};
use crate::load;
use crate::support::admitting;
use crate::support::net::{Veth, in_namespace, ip};

/// A host on the internet that is in no zone.
const ELSEWHERE: [u8; 4] = [198, 51, 100, 9];

fn networks(texts: &[&str]) -> Vec<Network> {
    let parse = |text: &&str| {
        let (address, prefix) = text.split_once('/').expect("a prefix");
        Network { address: address.parse().expect("an address"), prefix: prefix.parse().expect("a length") }
    };
    texts.iter().map(parse).collect()
}

/// The side of who sends this frame, and the zone it goes to.
fn judged(kernel: &mut Kernel, frame: &[u8]) -> (Side, u8) {
    kernel.run(frame).expect("the program runs");
    kernel.flip().expect("the copies are flipped");
    let mut cells = Vec::new();
    kernel.drain(|cell| cells.push((cell.side, cell.key.zone))).expect("the cells are drained");
    assert_eq!(cells.len(), 1, "{cells:?}");
    cells[0]
}

fn from(source: [u8; 4]) -> Vec<u8> {
    ether().carry(ipv4(source, ELSEWHERE).carry(tcp(40_000, 22)))
}

fn to(target: [u8; 4]) -> Vec<u8> {
    ether().carry(ipv4(ELSEWHERE, target).carry(tcp(40_000, 22)))
}

#[test]
fn a_hosts_own_public_address_is_inside_while_its_interface_is_watched() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        ip("address add 203.0.113.7/24 dev watched");
        let mut kernel = load(&admitting());
        let own = [203, 0, 113, 7];
        assert_eq!(judged(&mut kernel, &from(own)), (Side::External, 0));
        let attachment = kernel.attach(&veth.name, veth.index, Hook::Auto).await.expect("attached");
        assert_eq!(attachment.learned.inside, networks(&["203.0.113.7/32"]));
        assert_eq!(judged(&mut kernel, &from(own)), (Side::Internal, 0));
        assert_eq!(judged(&mut kernel, &to(own)), (Side::External, 1));
        assert_eq!(judged(&mut kernel, &from([203, 0, 113, 8])), (Side::External, 0), "its neighbour");
        kernel.detach(veth.index);
        assert_eq!(judged(&mut kernel, &from(own)), (Side::External, 0));
    });
}

#[test]
fn addresses_in_a_zone_teach_nothing() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        ip("address add 10.0.1.130/24 dev watched");
        let mut kernel = load(&admitting());
        let attachment = kernel.attach(&veth.name, veth.index, Hook::Auto).await.expect("attached");
        assert!(attachment.learned.inside.is_empty(), "{:?}", attachment.learned);
        assert_eq!(judged(&mut kernel, &to([10, 0, 1, 130])), (Side::External, crate::support::VAULT));
        kernel.detach(veth.index);
        assert_eq!(judged(&mut kernel, &to([10, 0, 1, 130])), (Side::External, crate::support::VAULT));
    });
}

#[test]
fn the_global_ipv6_network_of_a_lan_is_inside_until_the_last_interface_on_it_is_gone() {
    in_namespace(async || {
        let veths = ["one", "two"].map(Veth::new);
        std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0").expect("IPv6 switched on");
        for (veth, last) in veths.iter().zip(1..) {
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", veth.name), "0")
                .expect("IPv6 on");
            ip(&format!("address add 10.0.0.{last}/24 dev {}", veth.name));
            ip(&format!("address add 2001:db8:aaaa::{last}/64 dev {} nodad", veth.name));
        }
        let mut kernel = load(&admitting());
        let probe = ipv6([0x2001, 0xdb8, 0xaaaa, 0, 0, 0, 0, 0x99], [0x2001, 0xdb8, 0xbbbb, 0, 0, 0, 0, 1]);
        let probe = ether().carry(probe.carry(tcp(40_000, 22)));
        for veth in &veths {
            let attachment = kernel.attach(&veth.name, veth.index, Hook::Auto).await.expect("attached");
            assert_eq!(attachment.learned.inside, networks(&["2001:db8:aaaa::/64"]));
        }
        assert_eq!(judged(&mut kernel, &probe), (Side::Internal, 0));
        kernel.detach(veths[0].index);
        assert_eq!(judged(&mut kernel, &probe), (Side::Internal, 0));
        kernel.detach(veths[1].index);
        assert_eq!(judged(&mut kernel, &probe), (Side::External, 0));
    });
}

#[test]
fn a_change_of_addresses_is_told_and_learned() {
    in_namespace(async || {
        let mut links = LinkWatch::open().expect("the watch");
        let veth = Veth::new("watched");
        let mut kernel = load(&admitting());
        kernel.attach_by(&veth.name, veth.index, Mode::XdpNative).expect("attached");
        for (change, expected) in [("add", &["203.0.113.7/32"][..]), ("del", &[])] {
            ip(&format!("address {change} 203.0.113.7/24 dev watched"));
            while links.next().await.expect("an event") != (LinkEvent::Readdressed { index: veth.index }) {}
            let learned = kernel.learn(veth.index).await.expect("the addresses");
            assert_eq!(learned.inside, networks(expected), "{change}");
            let side = if expected.is_empty() { Side::External } else { Side::Internal };
            assert_eq!(judged(&mut kernel, &from([203, 0, 113, 7])).0, side, "{change}");
        }
    });
}
