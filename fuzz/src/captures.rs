//! A capture file, whatever it holds.

use std::io::{Cursor, Read};

use scanwatch::capture::{Capture, CaptureError, CaptureErrorKind, FRAME_BYTES_MAX};

use crate::packets;
use crate::writer::{MICROSECONDS, NANOSECONDS, Order, Pcap, PcapNg};

/// Longest header that is made for a packet that had none of Ethernet's.
const HEADER_MAX: usize = 64;

/// Packets of a capture, and why it ended: what is compared.
type Read_ = (Vec<(u64, u32, Vec<u8>, bool)>, Option<String>);

/// An input that comes in small pieces, as from a pipe.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    length: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.length);
        self.bytes.read(&mut buffer[..length])
    }
}

/// Reads the input as a capture, whole and in pieces.
///
/// # Panics
/// Where a packet is longer than any, where more is read than there is, where a reader goes on after its end, or where pieces
/// make a difference.
pub fn check(input: &[u8]) {
    let whole = read(Cursor::new(input.to_vec()), input.len());
    for length in [1, 13] {
        let pieces = Pieces { bytes: Cursor::new(input.to_vec()), length };
        assert_eq!(read(pieces, input.len()), whole, "in pieces of {length}");
    }
}

fn read(input: impl Read + Send + 'static, length: usize) -> Read_ {
    let mut packets = Vec::new();
    let sentence = |error: CaptureError| {
        let text = error.to_string();
        assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
        Some(text)
    };
    let mut capture = match Capture::read(input) {
        Ok(capture) => capture,
        // What no capture is taken for depends on how much of it has come, for nobody waits for more of it.
        Err(CaptureError { kind: CaptureErrorKind::NotACapture(_), .. }) => return (packets, None),
        Err(error) => return (packets, sentence(error)),
    };
    let fault = loop {
        match capture.next_packet() {
            Ok(Some(packet)) => {
                assert!(packet.frame.len() <= FRAME_BYTES_MAX + HEADER_MAX);
                packets.push((packet.time_ns, packet.interface, packet.frame.to_vec(), packet.cut));
            }
            Ok(None) => break None,
            Err(error) => break sentence(error),
        }
    };
    assert!(matches!(capture.next_packet(), Ok(None)), "nothing comes after the end");
    assert_eq!(capture.packets(), packets.len() as u64);
    assert!(capture.bytes_read() <= length as u64);
    (packets, fault)
}

/// Files of both formats, in both orders of bytes, of every link type that is read, with all blocks and options.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    const LINKS: [u16; 9] = [1, 101, 113, 276, 0, 108, 228, 229, 12];
    let fixtures: Vec<Vec<u8>> =
        packets::all().into_iter().map(|fixture| fixture.frame).step_by(40).collect();
    let mut seeds = Vec::new();
    for order in Order::BOTH {
        for magic in [MICROSECONDS, NANOSECONDS] {
            let empty = Pcap::new(order, magic, 1);
            seeds.push(fixtures.iter().fold(empty, |pcap, frame| pcap.packet(frame)).bytes);
        }
        for link in LINKS {
            seeds.push(
                Pcap::new(order, MICROSECONDS, link.into()).packet(&fixtures[0]).packet(&fixtures[1]).bytes,
            );
            let section = PcapNg::new(order).interface(link, 0);
            seeds.push(section.packet(&fixtures[2]).simple(&fixtures[3], 60).bytes);
        }
        let all = PcapNg::new(order)
            .block(0x0bad, b"of no concern")
            .interface_with(1, 96, &[(2, b"eth1"), (9, &[0x8a]), (14, &order.i64(100))])
            .enhanced(0, 1_000_001, &fixtures[0], 90)
            .enhanced_with(0, 7, &fixtures[1], 200, &[(1, b"a comment"), (2, &[1, 0, 0, 0])])
            .simple(&fixtures[2], 54)
            .obsolete(0, 5_000, &fixtures[3], 60)
            .block(5, &[0; 40])
            .section(if order == Order::Little { Order::Big } else { Order::Little })
            .interface(101, 0)
            .packet(&fixtures[0][14..]);
        seeds.push(all.bytes);
    }
    seeds
}
