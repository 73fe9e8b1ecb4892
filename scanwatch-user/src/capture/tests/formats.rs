//! What the formats can say, as it comes out.

use super::writer::{MICROSECONDS, NANOSECONDS, Order, Pcap, PcapNg, ethernet};
use super::*;

const ETHERNET: u16 = 1;
const RAW: u16 = 101;

fn frame(number: u8) -> Vec<u8> {
    ethernet(0x0800, &[0x45, number, number, number, number])
}

fn owned(time_ns: u64, interface: u32, number: u8) -> Owned {
    Owned { time_ns, interface, frame: frame(number), cut: false }
}

/// A file with all that pcapng has, and what is in it.
fn everything() -> (Vec<u8>, Vec<Owned>) {
    let length = frame(0).len() as u32;
    let bytes = PcapNg::new(Order::Little)
        .block(0x0bad, b"of no concern")
        .interface(ETHERNET, 0)
        .interface_with(ETHERNET, 0, &[(2, b"eth1"), (9, &[9]), (14, &Order::Little.i64(100))])
        .enhanced(0, 1_000_001, &frame(1), length)
        .block(5, &[0; 40])
        .enhanced_with(1, 7, &frame(2), length, &[(1, b"a comment"), (2, &[1, 0, 0, 0])])
        .simple(&frame(3), length)
        .section(Order::Big)
        .interface_with(ETHERNET, 0, &[(9, &[3]), (14, &Order::Big.i64(-2))])
        .obsolete(0, 5_000, &frame(4), length)
        .block(0x4000_0bad, b"of no concern either")
        .enhanced(0, 6_000, &frame(5), length)
        .bytes;
    let packets = vec![
        owned(1_000_001_000, 0, 1),
        owned(100_000_000_007, 1, 2),
        owned(100_000_000_007, 0, 3),
        owned(3_000_000_000, 0, 4),
        owned(4_000_000_000, 0, 5),
    ];
    (bytes, packets)
}

#[test]
fn pcap_is_read_in_either_order_of_bytes_and_either_unit_of_time() {
    let length = frame(0).len() as u32;
    for order in Order::BOTH {
        for (magic, unit_ns) in [(MICROSECONDS, 1_000), (NANOSECONDS, 1)] {
            let file = Pcap::new(order, magic, 1).record(1_700_000_000, 999_999, &frame(1), length).record(
                u32::MAX,
                1,
                &frame(2),
                length,
            );
            let expected = [
                owned(1_700_000_000_000_000_000 + 999_999 * unit_ns, 0, 1),
                owned(u64::from(u32::MAX) * 1_000_000_000 + unit_ns, 0, 2),
            ];
            assert_eq!(packets(&file.bytes), expected, "{order:?} {magic:#x}");
        }
    }
}

#[test]
fn fractions_of_more_than_a_second_do_not_overflow() {
    let file = Pcap::new(Order::Little, MICROSECONDS, 1).record(u32::MAX, u32::MAX, &[], 0);
    assert_eq!(packets(&file.bytes)[0].time_ns, u64::from(u32::MAX) * 1_000_001_000);
}

#[test]
fn a_frame_check_sequence_in_the_link_type_field_is_no_other_link_type() {
    let file = Pcap::new(Order::Big, MICROSECONDS, 1 | 0x2400_0000).packet(&frame(1));
    assert_eq!(packets(&file.bytes).len(), 1);
}

#[test]
fn packets_cut_by_the_snap_length_say_so() {
    let file = Pcap::new(Order::Little, MICROSECONDS, 1)
        .record(1, 0, &frame(1), 1_514)
        .record(1, 0, &frame(2), frame(2).len() as u32)
        // Some writers forget the original length.
        .record(1, 0, &frame(3), 0);
    assert_eq!(
        packets(&file.bytes).iter().map(|packet| packet.cut).collect::<Vec<_>>(),
        [true, false, false]
    );
    let file = PcapNg::new(Order::Little)
        .interface(ETHERNET, 16)
        .enhanced(0, 1, &frame(1)[..16], 60)
        .obsolete(0, 1, &frame(2)[..16], 60)
        .simple(&frame(3)[..16], 60)
        .simple(&frame(4)[..15], 15)
        .enhanced(0, 1, &frame(5), 0);
    let found = packets(&file.bytes);
    assert_eq!(found.iter().map(|packet| packet.cut).collect::<Vec<_>>(), [true, true, true, false, false]);
    assert_eq!(found.iter().map(|packet| packet.frame.len()).collect::<Vec<_>>(), [16, 16, 16, 15, 19]);
}

#[test]
fn pcapng_blocks_sections_interfaces_and_orders_of_bytes_mix() {
    let (bytes, expected) = everything();
    assert_eq!(packets(&bytes), expected);
}

#[test]
fn bytes_may_arrive_one_by_one() {
    let (bytes, expected) = everything();
    for chunk in [1, 3, 17] {
        let (found, error) = read_in_chunks(&bytes, chunk);
        assert_eq!(found, expected);
        assert!(error.is_none());
    }
    let bytes = Pcap::new(Order::Big, NANOSECONDS, 1).packet(&frame(1)).packet(&frame(2)).bytes;
    assert_eq!(read_in_chunks(&bytes, 1).0, packets(&bytes));
}

#[test]
fn each_interface_has_its_own_link_type_and_its_own_time() {
    let bytes = PcapNg::new(Order::Big)
        .interface_with(RAW, 0, &[(9, &[0x8a])])
        .interface(ETHERNET, 0)
        .enhanced(1, 2_000_000, &frame(1), 19)
        .enhanced(0, 1_536, &[0x45, 1], 2)
        .bytes;
    let found = packets(&bytes);
    assert_eq!(found[0], owned(2_000_000_000, 1, 1));
    assert_eq!((found[1].time_ns, found[1].interface), (1_500_000_000, 0));
    assert_eq!(found[1].frame[12..], [0x08, 0x00, 0x45, 1]);
}

#[test]
fn options_behind_the_end_of_options_do_not_count() {
    let bytes = PcapNg::new(Order::Little)
        .interface_with(ETHERNET, 0, &[(0, &[]), (9, &[0]), (14, &Order::Little.i64(77))])
        .packet(&frame(1))
        .bytes;
    assert_eq!(packets(&bytes), [owned(1_000_000_000, 0, 1)]);
}

#[test]
fn a_packet_of_a_pcapng_interface_of_unknown_type_does_not_hide_the_others() {
    let bytes = PcapNg::new(Order::Little)
        .interface(147, 0)
        .interface(ETHERNET, 0)
        .enhanced(0, 1, b"private", 7)
        .enhanced(1, 1, &frame(1), 19)
        .enhanced(0, 1, b"private", 7)
        .bytes;
    let (found, error) = read(&bytes);
    assert_eq!(found, [owned(1_000, 1, 1)]);
    let error = error.unwrap();
    assert!(matches!(error.kind, CaptureErrorKind::UnknownLink { number: 147 }));
    assert!(error.to_string().ends_with("; packets of other types were read: 1"), "{error}");
}

#[test]
fn an_interface_of_unknown_type_without_packets_is_no_error() {
    let bytes =
        PcapNg::new(Order::Little).interface(147, 0).interface(ETHERNET, 0).enhanced(1, 1, &frame(1), 19);
    assert_eq!(packets(&bytes.bytes).len(), 1);
}

#[test]
fn captures_without_packets_are_no_error() {
    assert_eq!(packets(&Pcap::new(Order::Little, MICROSECONDS, 1).bytes), []);
    assert_eq!(packets(&PcapNg::new(Order::Big).bytes), []);
}

#[test]
fn progress_ends_at_the_length_of_the_file() {
    let path = std::env::temp_dir().join(format!("scanwatch-progress-{}.pcapng", std::process::id()));
    let (bytes, expected) = everything();
    std::fs::write(&path, &bytes).unwrap();
    let mut capture = Capture::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let length = bytes.len() as u64;
    assert_eq!((capture.bytes_read(), capture.bytes_total()), (0, Some(length)));
    let mut before = 0;
    while capture.next_packet().unwrap().is_some() {
        assert!(capture.bytes_read() > before);
        before = capture.bytes_read();
    }
    assert_eq!((capture.bytes_read(), capture.packets()), (length, expected.len() as u64));
    assert_eq!(Capture::read(Cursor::new(bytes)).ok().unwrap().bytes_total(), None);
}
