//! Frames that nobody sends in good faith.

use crate::build::{Extension, ether, ipv4, ipv6, raw, tcp, udp};
use crate::dice::Dice;
use crate::packets;
use crate::twins::FRAME_MIN;

/// Lengths and types that sit at the ends of their ranges.
const EXTREMES: [u8; 8] = [0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xfe, 0xff];
/// Where headers lie in a frame.
const HEADERS: usize = 110;

/// Random bytes; three of four begin like a frame of a known type, so that the parsers behind it are reached.
pub fn random(dice: &mut Dice) -> Vec<u8> {
    let kinds: [&[u8]; 8] = [
        &[0x08, 0x00, 0x45],
        &[0x08, 0x00, 0x4f],
        &[0x86, 0xdd, 0x60],
        &[0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04],
        &[0x81, 0x00, 0x00, 0x01, 0x08, 0x00, 0x46],
        &[0x88, 0xa8, 0x00, 0x01, 0x81, 0x00, 0x00, 0x02, 0x86, 0xdd, 0x60],
        &[],
        &[],
    ];
    let kind = dice.pick(&kinds);
    let length = dice.below(200);
    let mut frame = dice.bytes(12);
    frame.extend(kind);
    frame.extend(dice.bytes(length));
    frame.resize(frame.len().max(FRAME_MIN), 0);
    frame
}

/// A frame with one to eight bits of its headers turned.
pub fn flipped(dice: &mut Dice, frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    for _ in 0..=dice.below(8) {
        let at = dice.below(frame.len().min(HEADERS));
        frame[at] ^= 1 << dice.below(8);
    }
    frame
}

/// A frame some of whose header bytes say something extreme, cut or drawn out at its end.
pub fn extreme(dice: &mut Dice, frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    for _ in 0..=dice.below(4) {
        let at = 12 + dice.below(frame.len().min(HEADERS) - 12);
        frame[at] = dice.pick(&EXTREMES);
    }
    match dice.below(4) {
        0 => frame.truncate(FRAME_MIN + dice.below(frame.len())),
        1 => frame.extend([0xa5; 40]),
        _ => {}
    }
    frame
}

/// A chain of IPv6 headers of any kind and number, whose lengths lie now and then, cut anywhere now and then.
pub fn nested(dice: &mut Dice) -> Vec<u8> {
    let mut header = ipv6(packets::CLIENT_V6, packets::SERVER_V6);
    for _ in 0..dice.below(9) {
        let units = dice.pick(&[0, 0, 0, 1, 2, 7, 31]);
        let mut extension = match dice.below(7) {
            0 => Extension::hop_by_hop(units),
            1 => Extension::routing(units),
            2 => Extension::destination(units),
            3 => Extension::authentication(units),
            4 => Extension::shim6(units),
            5 => Extension::fragment(dice.pick(&[0, 0, 0, 8, 0xfff8]), dice.once_in(2)),
            _ => Extension::mobility(units),
        };
        if dice.once_in(6) {
            extension.bytes[1] = dice.pick(&EXTREMES);
        }
        header = header.extension(extension);
    }
    if dice.once_in(4) {
        header = header.length(dice.pick(&[0, 1, 7, 8, 40, 0xffff]));
    }
    if dice.once_in(8) {
        header = header.next(dice.pick(&[0, 43, 44, 51, 59, 60, 135, 255]));
    }
    let frame = match dice.below(3) {
        0 => ether().carry(header.carry(tcp(packets::FROM, 22))),
        1 => ether().tag(9).carry(header.carry(udp(packets::FROM, 161))),
        _ => ether().carry(header.carry(raw(254, &[0; 8]))),
    };
    let length = if dice.once_in(3) { FRAME_MIN + dice.below(frame.len() - FRAME_MIN) } else { frame.len() };
    frame[..length].to_vec()
}

/// The IPv4 header lengths, total lengths, TCP header lengths and fragment fields there are, one lie at a time.
pub fn lies() -> Vec<Vec<u8>> {
    let header = || ipv4(packets::CLIENT, packets::SERVER);
    let segment = || tcp(packets::FROM, 445).options(2);
    let mut frames = vec![ether().tag(1).tag(2).tag(3).carry(header().carry(segment()))];
    for words in 0..16 {
        frames.push(ether().carry(header().words(words).carry(segment())));
        frames.push(ether().carry(header().options(10).words(words).carry(segment())));
        frames.push(ether().carry(header().carry(segment().words(words))));
        frames.push(ether().carry(header().version(words).carry(segment())));
        frames.push(
            ether().carry(ipv6(packets::CLIENT_V6, packets::SERVER_V6).version(words).carry(segment())),
        );
    }
    for length in (0..80).chain([0xff, 0x100, 0x7fff, 0x8000, 0xffff]) {
        frames.push(ether().carry(header().length(length).carry(segment())));
        frames.push(ether().carry(header().length(length).carry(udp(packets::FROM, 53).payload(20))));
        frames.push(ether().carry(header().carry(udp(packets::FROM, 53).length(length))));
        let six = ipv6(packets::CLIENT_V6, packets::SERVER_V6).length(length);
        frames.push(ether().carry(six.carry(segment())));
    }
    for protocol in 0..=255 {
        frames.push(ether().carry(header().protocol(protocol).carry(raw(0, &[0; 40]))));
        let six = ipv6(packets::CLIENT_V6, packets::SERVER_V6).next(protocol);
        frames.push(ether().carry(six.carry(raw(0, &[0; 40]))));
    }
    frames
}
