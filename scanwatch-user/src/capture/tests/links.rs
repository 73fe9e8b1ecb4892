//! Ethernet headers for packets that had none.

use super::writer::{MICROSECONDS, Order, Pcap, ethernet};
use super::*;

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const NOTHING: [u8; 2] = [0xff, 0xff];

/// The frame that is made of a packet.
fn frame(link: u32, packet: &[u8]) -> Vec<u8> {
    let found = packets(&Pcap::new(Order::Little, MICROSECONDS, link).packet(packet).bytes);
    assert_eq!(found.len(), 1);
    found[0].frame.clone()
}

/// A frame that names no machine.
fn anonymous(ether_type: [u8; 2], payload: &[u8]) -> Vec<u8> {
    [&[0; 12], &ether_type[..], payload].concat()
}

#[test]
fn ethernet_frames_stay_as_they_are() {
    let packet = ethernet(0x8864, b"a session over PPP");
    assert_eq!(frame(1, &packet), packet);
    assert_eq!(frame(1, b"short"), b"short");
}

#[test]
fn raw_ip_is_told_by_its_version() {
    for link in [12, 14, 101] {
        assert_eq!(frame(link, &[0x45, 1, 2]), anonymous(IPV4, &[0x45, 1, 2]));
        assert_eq!(frame(link, &[0x60, 1, 2]), anonymous(IPV6, &[0x60, 1, 2]));
        assert_eq!(frame(link, &[0x10, 1, 2]), anonymous(NOTHING, &[0x10, 1, 2]));
    }
}

#[test]
fn raw_ip_of_one_version_is_told_by_its_link_type() {
    assert_eq!(frame(228, &[0x45, 1]), anonymous(IPV4, &[0x45, 1]));
    assert_eq!(frame(229, &[0x60, 1]), anonymous(IPV6, &[0x60, 1]));
}

#[test]
fn loopback_families_are_those_of_any_system_in_any_order_of_bytes() {
    for link in [0, 108] {
        for order in Order::BOTH {
            let of = |family| frame(link, &[&order.u32(family)[..], b"ip"].concat());
            assert_eq!(of(2), anonymous(IPV4, b"ip"));
            for family in [10, 23, 24, 28, 30] {
                assert_eq!(of(family), anonymous(IPV6, b"ip"), "family {family}");
            }
            assert_eq!(of(7), anonymous(NOTHING, b"ip"));
        }
    }
}

#[test]
fn cooked_packets_tell_their_source_and_whether_a_group_is_addressed() {
    let packet = |packet_type, length, hardware| {
        [&[0, packet_type, 0, hardware, 0, length, 2, 0, 0, 0, 0, 9, 0, 0], &IPV4[..], b"ip"].concat()
    };
    let expected = |destination: [u8; 6]| [&destination[..], &[2, 0, 0, 0, 0, 9], &IPV4, b"ip"].concat();
    for to_one in [0, 3, 4] {
        assert_eq!(frame(113, &packet(to_one, 6, 1)), expected([0; 6]));
    }
    assert_eq!(frame(113, &packet(1, 6, 1)), expected([0xff; 6]));
    assert_eq!(frame(113, &packet(2, 6, 1)), expected([1, 0, 0, 0, 0, 0]));
    // A tunnel's address is four bytes long and no MAC.
    assert_eq!(frame(113, &packet(0, 4, 1)), anonymous(IPV4, b"ip"));
}

#[test]
fn cooked_packets_of_version_2_tell_their_interface() {
    let packet = [&IPV6[..], &[0, 0, 0, 1, 0, 2, 0, 1, 2, 6, 2, 0, 0, 0, 0, 9, 0, 0], b"ip"].concat();
    let found = packets(&Pcap::new(Order::Little, MICROSECONDS, 276).packet(&packet).bytes);
    assert_eq!(found[0].interface, 0x0001_0002);
    assert_eq!(found[0].frame, [&[1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 9], &IPV6[..], b"ip"].concat());
}

#[test]
fn protocols_of_netlink_and_radio_are_not_taken_for_ethertypes() {
    for hardware in [770_u16, 801, 802, 803, 824] {
        let [h0, h1] = hardware.to_be_bytes();
        let packet = [&[0, 0, h0, h1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &IPV4[..], b"??"].concat();
        assert_eq!(frame(113, &packet), anonymous(NOTHING, b"??"), "hardware {hardware}");
    }
}

#[test]
fn ppp_is_read_with_and_without_framing_and_compression() {
    for framing in [&[][..], &[0xff, 0x03]] {
        let of = |protocol: &[u8]| frame(9, &[framing, protocol, b"ip"].concat());
        assert_eq!(of(&[0x00, 0x21]), anonymous(IPV4, b"ip"));
        assert_eq!(of(&[0x00, 0x57]), anonymous(IPV6, b"ip"));
        assert_eq!(of(&[0x21]), anonymous(IPV4, b"ip"));
        assert_eq!(of(&[0x57]), anonymous(IPV6, b"ip"));
        assert_eq!(of(&[0xc0, 0x21]), anonymous(NOTHING, b"ip"));
    }
}

#[test]
fn a_packet_that_ends_within_its_link_header_is_an_empty_frame() {
    for (link, header) in [(0, 4), (108, 4), (101, 1), (113, 16), (276, 20), (9, 2)] {
        for length in 0..header {
            assert_eq!(frame(link, &vec![0; length]), [0u8; 0], "link type {link}, {length} bytes");
        }
        assert_eq!(frame(link, &vec![0; header]).len(), 14 + usize::from(link == 101), "link type {link}");
    }
}
