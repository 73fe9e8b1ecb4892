//! Inputs with something wrong: one sentence, all that came before, and never more memory than a record needs.

use std::path::Path;

use proptest::prelude::*;

use super::super::source::Source;
use super::writer::{MICROSECONDS, NANOSECONDS, Order, Pcap, PcapNg, ethernet};
use super::*;

fn said(bytes: &[u8]) -> String {
    read(bytes).1.expect("a fault").to_string()
}

#[test]
fn a_missing_file_and_a_folder_cannot_be_read() {
    let error = Capture::open("/nonexistent/a.pcap").err().unwrap();
    assert_eq!(error.to_string(), "cannot be read (No such file or directory (os error 2))");
    let error = Capture::open(Path::new("/")).err().unwrap();
    assert_eq!(error.to_string(), "cannot be read (Is a directory (os error 21))");
}

#[test]
fn an_empty_file_is_called_empty() {
    assert!(matches!(fault(b""), CaptureErrorKind::Empty));
    assert_eq!(said(b""), "the file is empty and holds no capture");
}

#[test]
fn what_is_no_capture_is_called_what_it_looks_like() {
    for (bytes, looks) in [
        (&b"\x1f\x8b\x08\0\0\0\0\0"[..], "gzip-compressed data; decompress it first with gunzip"),
        (b"PK\x03\x04....", "a zip archive; unpack it first"),
        (b"snoop\0\0\0\0\0\0\x02", "a snoop capture; convert it with editcap"),
        (b"12:00:00.0 IP 10.0.0.1.53 > 10.0.0.2", "text; give the capture itself, as written by tcpdump -w"),
        (b"x", "text; give the capture itself, as written by tcpdump -w"),
        (&[0; 4096], "zeros, as of a file that was never written"),
        (
            b"\x34\xcd\xb2\xa1\x02\0\x04\0",
            "the modified pcap of a patched libpcap of the 1990s; convert it with editcap",
        ),
        (b"\xa1\xb2\xc3", "data of another kind; give a file written by tcpdump -w, dumpcap or Wireshark"),
    ] {
        assert_eq!(said(bytes), format!("not a pcap or pcapng capture: it looks like {looks}"));
    }
}

#[test]
fn an_unknown_link_type_is_named_with_those_that_are_known() {
    let expected = "packets of link type 147 cannot be read; known are Ethernet (1), raw IP (101, 228, 229), \
                    Linux cooked (113, 276), loopback (0, 108) and PPP (9)";
    assert_eq!(said(&Pcap::new(Order::Little, MICROSECONDS, 147).packet(b"?").bytes), expected);
    assert_eq!(said(&PcapNg::new(Order::Big).interface(147, 0).packet(b"?").bytes), expected);
}

#[test]
fn a_capture_of_an_unknown_link_type_alone_is_not_read_to_its_end() {
    let bytes = PcapNg::new(Order::Little).interface(147, 0).packet(b"?").packet(b"?").bytes;
    assert!(matches!(fault(&bytes[..bytes.len() - 1]), CaptureErrorKind::UnknownLink { number: 147 }));
}

#[test]
fn an_unknown_version_is_named() {
    let mut bytes = Pcap::new(Order::Big, NANOSECONDS, 1).bytes;
    bytes[5] = 3;
    assert_eq!(said(&bytes), "pcap version 3 is not known; convert the capture with editcap");
    let mut bytes = PcapNg::new(Order::Little).bytes;
    bytes[12] = 2;
    assert_eq!(said(&bytes), "pcapng version 2 is not known; convert the capture with editcap");
}

#[test]
fn a_cut_last_record_is_told_after_the_packets_before_it() {
    let whole = ethernet(0x0800, &[1; 46]);
    for bytes in [
        Pcap::new(Order::Little, MICROSECONDS, 1).packet(&whole).packet(&whole).packet(&whole).bytes,
        PcapNg::new(Order::Big).interface(1, 0).packet(&whole).packet(&whole).packet(&whole).bytes,
    ] {
        for missing in [1, 40, 60] {
            let (found, error) = read(&bytes[..bytes.len() - missing]);
            let error = error.unwrap();
            assert_eq!((found.len(), error.packets), (2, 2));
            assert!(matches!(error.kind, CaptureErrorKind::Truncated));
            assert_eq!(
                error.to_string(),
                "the capture ends in the middle of a record: its writer was stopped, or the copy is incomplete; \
                 packets read before: 2"
            );
        }
    }
}

#[test]
fn a_cut_header_is_a_truncated_capture() {
    assert!(matches!(
        fault(&Pcap::new(Order::Big, MICROSECONDS, 1).bytes[..23]),
        CaptureErrorKind::Truncated
    ));
    assert!(matches!(fault(&PcapNg::new(Order::Big).bytes[..10]), CaptureErrorKind::Truncated));
    assert!(matches!(fault(&PcapNg::new(Order::Big).bytes[..27]), CaptureErrorKind::Truncated));
}

#[test]
fn a_record_of_four_gigabytes_takes_no_memory() {
    let mut huge = Pcap::new(Order::Little, MICROSECONDS, 1).packet(b"before").packet(b"").bytes;
    let length = huge.len();
    huge[length - 8..length - 4].fill(0xff);
    assert_eq!(
        said(&huge),
        format!(
            "the record at byte {} is corrupt: its packet is longer than any; packets read before: 1",
            length - 16
        )
    );

    let before = PcapNg::new(Order::Little).interface(1, 0).packet(b"before").bytes;
    for kind in [1_u8, 6, 3, 2] {
        let mut huge = before.clone();
        huge.extend([kind, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff]);
        assert!(said(&huge).contains("corrupt: its length is more than any packet's"), "block {kind}");
    }
    // Of another kind it is passed over, as far as it goes.
    let mut huge = before;
    huge.extend([77, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 1, 2, 3]);
    assert!(said(&huge).starts_with("the capture ends in the middle of a record"));
}

#[test]
fn the_longest_packet_is_read_and_a_longer_one_is_not() {
    let longest = vec![0x45; super::super::FRAME_BYTES_MAX];
    let longer = [&longest[..], &[0]].concat();
    // Wherever the buffer ends.
    for between in 0..10 {
        let expected = format!("its packet is longer than any; packets read before: {}", 1 + between);
        let pcap = Pcap::new(Order::Little, MICROSECONDS, 1).packet(&longest);
        let pcap = (0..between).fold(pcap, |file, _| file.packet(&longest[..60_000])).packet(&longer);
        assert!(said(&pcap.bytes).ends_with(&expected));
        let pcapng = PcapNg::new(Order::Little).interface(1, 0).packet(&longest);
        let pcapng = (0..between).fold(pcapng, |file, _| file.packet(&longest[..60_000])).packet(&longer);
        assert!(said(&pcapng.bytes).ends_with(&expected));
    }
}

#[test]
fn memory_grows_with_what_arrives_and_not_with_what_is_claimed() {
    let mut source = Source::new(Box::new(Cursor::new(vec![1; 1 << 20])));
    let empty = source.memory();
    assert!(!Source::new(Box::new(Cursor::new(vec![1; 100]))).need(16 << 20).unwrap());
    assert!(!source.need(16 << 20).unwrap());
    assert!(source.memory() <= 4 << 20, "{} bytes", source.memory());
    let mut source = Source::new(Box::new(Cursor::new(vec![1; 8 << 20])));
    assert!(source.skip(8 << 20).unwrap());
    assert_eq!(source.memory(), empty, "what is passed over is not held");
}

#[test]
fn long_blocks_of_no_concern_are_passed_over() {
    let bytes =
        PcapNg::new(Order::Little).interface(1, 0).block(10, &vec![7; 3 << 20]).packet(b"behind").bytes;
    assert_eq!(packets(&bytes).len(), 1);
}

#[test]
fn zeros_at_the_end_of_a_file_are_no_packets() {
    let mut bytes = Pcap::new(Order::Little, MICROSECONDS, 1).packet(b"before").bytes;
    bytes.extend([0; 4096]);
    assert_eq!(
        said(&bytes),
        "the record at byte 46 is corrupt: it is zeros, as of a file that was not written to its end; \
         packets read before: 1"
    );
    let mut bytes = PcapNg::new(Order::Little).interface(1, 0).packet(b"before").bytes;
    bytes.extend([0; 4096]);
    assert!(said(&bytes).contains("corrupt: its length is impossible; packets read before: 1"));
}

#[test]
fn blocks_that_contradict_themselves_are_corrupt() {
    let start = || PcapNg::new(Order::Little).interface(1, 0);
    let what = |file: PcapNg| match fault(&file.bytes) {
        CaptureErrorKind::Corrupt { what, .. } => what,
        other => panic!("{other:?}"),
    };
    let tampered = |mut file: PcapNg, back: usize, byte: u8| {
        let at = file.bytes.len() - back;
        file.bytes[at] = byte;
        file
    };
    assert_eq!(what(start().enhanced(1, 0, b"x", 1)), "it names an interface that was not described");
    assert_eq!(what(PcapNg::new(Order::Big).simple(b"x", 1)), "it names an interface that was not described");
    assert_eq!(what(start().simple(b"x", 5)), "its packet is longer than the block");
    assert_eq!(what(start().block(6, &[0; 8])), "its content does not fit its length");
    assert_eq!(what(start().block(2, &[0; 8])), "its content does not fit its length");
    // Captured lengths of five where there are four bytes.
    assert_eq!(
        what(tampered(start().enhanced(0, 0, b"xxxx", 4), 16, 5)),
        "its content does not fit its length"
    );
    assert_eq!(
        what(tampered(start().obsolete(0, 0, b"xxxx", 4), 16, 5)),
        "its packet is longer than the block"
    );
    let different = "it begins and ends with different lengths";
    assert_eq!(what(tampered(start().packet(b"xxxx"), 4, 99)), different);
    assert_eq!(what(tampered(start().block(77, b"xxxx"), 4, 99)), different);
    let mut odd = start().block(77, b"xxxx");
    odd.bytes[48 + 4] = 15;
    assert_eq!(what(odd), "its length is impossible");
    let mut orderless = PcapNg::new(Order::Little);
    orderless.bytes[8] = 0;
    assert_eq!(what(orderless), "its section has no order of bytes");
}

#[test]
fn interfaces_without_end_are_refused() {
    let one = PcapNg::new(Order::Little).interface(1, 0).bytes;
    let (section, interface) = one.split_at(28);
    let bytes = [section, &interface.repeat(65_536)].concat();
    assert_eq!(packets(&bytes), []);
    let bytes = [&bytes, interface].concat();
    assert!(said(&bytes).contains("its section has more interfaces than any machine"));
}

#[test]
fn an_input_that_fails_midway_tells_how_far_it_went() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the cable was pulled"))
        }
    }
    let bytes = Pcap::new(Order::Little, MICROSECONDS, 1).packet(b"before").bytes;
    let (found, error) = drain(Capture::read(Cursor::new(bytes).chain(Failing)).ok().unwrap());
    assert_eq!(found.len(), 1);
    assert_eq!(error.unwrap().to_string(), "cannot be read (the cable was pulled); packets read before: 1");
}

/// A whole capture of either format, and where each of its records ends.
fn captures() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let order = prop::sample::select(&Order::BOTH[..]);
    let link = prop::sample::select(&[1_u16, 0, 9, 101, 113, 276, 147][..]);
    let data = prop::collection::vec(any::<u8>(), 0..40);
    // Not zero: an empty packet of the year 1970 is a record of zeros.
    let records = prop::collection::vec((0..5_u8, 1_u32.., data), 0..12);
    (any::<bool>(), order, link, records).prop_map(|(ng, order, link, records)| {
        if ng { pcapng(order, link, &records) } else { pcap(order, link, &records) }
    })
}

type Records = [(u8, u32, Vec<u8>)];

fn pcap(order: Order, link: u16, records: &Records) -> (Vec<u8>, Vec<usize>) {
    let mut file = Pcap::new(order, MICROSECONDS, u32::from(link));
    let mut ends = vec![file.bytes.len()];
    for (_, time, data) in records {
        file = file.record(*time, 0, data, data.len() as u32);
        ends.push(file.bytes.len());
    }
    (file.bytes, ends)
}

fn pcapng(order: Order, link: u16, records: &Records) -> (Vec<u8>, Vec<usize>) {
    let mut file = PcapNg::new(order);
    let mut ends = vec![file.bytes.len()];
    file = file.interface(link, 0);
    ends.push(file.bytes.len());
    for (kind, time, data) in records {
        let (units, length) = (u64::from(*time) << 7, data.len() as u32);
        file = match kind {
            0 => file.simple(data, length),
            1 => file.obsolete(0, units, data, length),
            2 => file.block(0x0bad, data),
            3 => file.enhanced_with(0, units, data, length + 7, &[(1, b"comment")]),
            _ => file.enhanced(0, units, data, length),
        };
        ends.push(file.bytes.len());
    }
    (file.bytes, ends)
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0..4_usize) {
        let start = match start {
            0 => Vec::new(),
            1 => Pcap::new(Order::Big, NANOSECONDS, 113).bytes,
            2 => PcapNg::new(Order::Big).bytes,
            _ => PcapNg::new(Order::Little).interface(1, 0).bytes,
        };
        let bytes = [start, bytes].concat();
        for packet in read(&bytes).0 {
            prop_assert!(packet.frame.len() <= bytes.len());
        }
    }

    #[test]
    fn a_changed_byte_leaves_the_packets_before_it_as_they_were(
        (mut bytes, ends) in captures(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let at = at.index(bytes.len());
        let untouched = ends.iter().copied().take_while(|end| *end <= at).last().unwrap_or(0);
        let (before, _) = read(&bytes[..untouched]);
        bytes[at] = to;
        let (after, error) = read(&bytes);
        prop_assert_eq!(&before[..], &after[..before.len().min(after.len())]);
        prop_assert!(error.is_none_or(|error| error.packets == after.len() as u64));
    }

    #[test]
    fn a_capture_cut_anywhere_gives_its_whole_records_and_says_that_it_was_cut(
        (bytes, ends) in captures(), at in any::<prop::sample::Index>(),
    ) {
        let (whole, fault) = read(&bytes);
        let at = at.index(bytes.len() + 1);
        let (found, error) = read(&bytes[..at]);
        prop_assert_eq!(&found[..], &whole[..found.len()]);
        let kind = error.map(|error| error.kind);
        if fault.is_some() {
            // A link type that cannot be read.
            prop_assert!(found.is_empty());
        } else if ends.contains(&at) {
            prop_assert!(kind.is_none(), "{:?} at a record's end", kind);
        } else if at >= 4 {
            prop_assert!(matches!(kind, Some(CaptureErrorKind::Truncated)), "{:?}", kind);
        }
    }

    #[test]
    fn how_the_bytes_arrive_makes_no_difference((bytes, _) in captures(), chunk in 1..70_usize) {
        let (at_once, fault) = read(&bytes);
        let (in_chunks, error) = read_in_chunks(&bytes, chunk);
        prop_assert_eq!(at_once, in_chunks);
        prop_assert_eq!(fault.map(|fault| fault.to_string()), error.map(|error| error.to_string()));
    }
}
