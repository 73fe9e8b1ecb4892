//! The short way, for frames as nearly all are: untagged or tagged once, IPv4 without options or fragments, and TCP, UDP or
//! echo in it.
//!
//! Segments of established connections, which are most of all traffic, leave after some forty instructions; a call costs more
//! than that. Whatever is not known here for certain goes the long way, [`crate::parse`] and [`crate::classify`]; tests hold
//! both ways together.

use super::{CONTACT, Passage};
use crate::abi::Words;
use crate::classify::{Contact, View, classify_tcp, classify_udp};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};
use crate::parse::{Headers, Icmp, Link, Network, Payload, Tcp, Udp};
use crate::sighting::{Sighting, Workspace};

/// Not known here.
pub(super) const UNKNOWN: u32 = u32::MAX - 1;

const ETHERNET: usize = 14;
const TAGGED: usize = 18;
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const PPPOE: u16 = 0x8864;

/// The number of the counter by which the frame leaves; [`CONTACT`], with all of the workspace but the record filled; or
/// [`UNKNOWN`].
#[inline(always)]
pub(super) fn short_way<P: Packet + ?Sized>(packet: &P, passage: Passage, space: &mut Workspace) -> u32 {
    let Some(ether) = packet.fields::<ETHERNET>(0) else { return UNKNOWN };
    match ether.be16::<12>() {
        IPV4 => {
            let vlan = [packet.stripped_tag().map_or(0, |tag| tag & 0x0fff), 0];
            ipv4(packet, ETHERNET, (ether.u8::<0>(), vlan), passage, space)
        }
        0x8100 | 0x88a8 if packet.stripped_tag().is_none() => {
            let Some(tagged) = packet.fields::<TAGGED>(0) else { return UNKNOWN };
            if tagged.be16::<16>() != IPV4 {
                return UNKNOWN;
            }
            let vlan = [tagged.be16::<14>() & 0x0fff, 0];
            ipv4(packet, TAGGED, (ether.u8::<0>(), vlan), passage, space)
        }
        IPV6 => ipv6(packet),
        ARP | PPPOE | 0x8100 | 0x88a8 | 0x9100 => UNKNOWN,
        _ => Counter::NotIp as u32,
    }
}

/// Segments of established connections alone; addresses are left to the long way.
#[inline(always)]
fn ipv6<P: Packet + ?Sized>(packet: &P) -> u32 {
    let Some(h) = packet.fields::<60>(ETHERNET) else { return UNKNOWN };
    if h.u8::<0>() >> 4 != 6 || h.u8::<6>() != 6 {
        return UNKNOWN;
    }
    let header_length = u16::from(h.u8::<52>() >> 4) * 4;
    if header_length < 20 || h.be16::<4>() < header_length {
        return UNKNOWN;
    }
    if is_established(h.u8::<53>(), h.be32::<44>(), h.be32::<48>()) {
        Counter::TcpEstablished as u32
    } else {
        UNKNOWN
    }
}

/// By flags and numbers; there are more that are, which the long way tells.
#[inline(always)]
const fn is_established(flags: u8, sequence: u32, acknowledgement: u32) -> bool {
    const SYN_ACK_RST_FIN: u8 = 0x17;
    const ACK: u8 = 0x10;
    flags & SYN_ACK_RST_FIN == ACK && sequence != 0 && acknowledgement != 0
}

#[inline(always)]
fn ipv4<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    (to, vlan): (u8, [u16; 2]),
    passage: Passage,
    space: &mut Workspace,
) -> u32 {
    let Some(h) = packet.fields::<40>(at) else { return UNKNOWN };
    let length = h.be16::<2>();
    if h.u8::<0>() != 0x45 || h.be16::<6>() & 0x3fff != 0 || length < 28 {
        return UNKNOWN;
    }
    let (payload, contact) = match h.u8::<9>() {
        6 => {
            let header_length = u16::from(h.u8::<32>() >> 4) * 4;
            if header_length < 20 || length < 20 + header_length {
                return UNKNOWN;
            }
            if is_established(h.u8::<33>(), h.be32::<24>(), h.be32::<28>()) {
                return Counter::TcpEstablished as u32;
            }
            let tcp = Tcp {
                source_port: h.be16::<20>(),
                target_port: h.be16::<22>(),
                sequence: h.be32::<24>(),
                acknowledgement: h.be32::<28>(),
                flags: h.u8::<33>(),
                payload: length - 20 - header_length,
                options: header_length > 20,
                cut: false,
            };
            (Payload::Tcp(tcp), classify_tcp(&tcp))
        }
        17 => {
            let udp = Udp { source_port: h.be16::<20>(), target_port: h.be16::<22>(), payload: length - 28 };
            (Payload::Udp(udp), classify_udp(&udp))
        }
        1 if h.u8::<20>() == 8 => (Payload::Icmp(Icmp { kind: 8, code: 0 }), Ok(Contact::ECHO)),
        _ => return UNKNOWN,
    };
    let contact = match contact {
        Ok(contact) => contact,
        Err(reason) => return reason as u32,
    };
    if to & 1 != 0 {
        return UNKNOWN;
    }
    let link = Link { group: false, vlan };
    let headers = Headers { link, network: Network::V4, network_at: at, payload_at: at + 20, payload };
    space.seen = Sighting::new(&headers, &contact, passage);
    let (from, to) = (Words::mapped(h.be32::<12>()), Words::mapped(h.be32::<16>()));
    (space.source, space.target) = match contact.view {
        View::Source => (from, to),
        View::Target => (to, from),
    };
    CONTACT
}
