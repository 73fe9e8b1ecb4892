//! The short way, for frames as nearly all are: untagged or tagged once, and in them ARP requests, TCP over IPv6 without
//! extensions, or over IPv4 without options and fragments TCP, UDP and echo.
//!
//! Segments of established connections, which are most of all traffic, leave after a few dozen instructions; a call costs more
//! than that. Whatever is not known here for certain goes the long way, [`crate::parse`] and [`crate::classify`]; tests hold
//! both ways together.

use core::borrow::BorrowMut;

use super::{Passage, Tables};
use crate::abi::Words;
use crate::classify::{Contact, View, classify_tcp, classify_udp};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};
use crate::parse::{Headers, Icmp, Link, Network, Payload, Tcp, Udp};
use crate::sighting::Sighting;

/// Not known here: no counter has this number.
pub(super) const UNKNOWN: u32 = u32::MAX - 1;

const ETHERNET: usize = 14;
const TAGGED: usize = 18;
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const PPPOE: u16 = 0x8864;

/// A frame, as far as its link tells.
#[derive(Clone, Copy)]
struct Frame {
    /// Where the network header begins.
    at: usize,
    /// Sent to a group.
    group: bool,
    /// VLAN ids.
    vlan: [u16; 2],
    passage: Passage,
}

/// A workspace with all but its record filled, where the frame tells of a contact.
///
/// # Errors
/// The number of the counter by which the frame leaves, or [`UNKNOWN`].
#[inline(always)]
pub(super) fn short_way<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    passage: Passage,
    tables: &mut T,
) -> Result<T::Workspace, u32> {
    let Some(ether) = packet.fields::<ETHERNET>(0) else { return Err(UNKNOWN) };
    let group = ether.u8::<0>() & 1 != 0;
    match ether.be16::<12>() {
        IPV4 => {
            let vlan = [packet.stripped_tag().map_or(0, |tag| tag & 0x0fff), 0];
            ipv4(packet, Frame { at: ETHERNET, group, vlan, passage }, tables)
        }
        IPV6 => {
            let vlan = [packet.stripped_tag().map_or(0, |tag| tag & 0x0fff), 0];
            ipv6(packet, Frame { at: ETHERNET, group, vlan, passage }, tables)
        }
        0x8100 | 0x88a8 if packet.stripped_tag().is_none() => {
            let Some(tagged) = packet.fields::<TAGGED>(0) else { return Err(UNKNOWN) };
            if tagged.be16::<16>() != IPV4 {
                return Err(UNKNOWN);
            }
            let vlan = [tagged.be16::<14>() & 0x0fff, 0];
            ipv4(packet, Frame { at: TAGGED, group, vlan, passage }, tables)
        }
        ARP => {
            let vlan = [packet.stripped_tag().map_or(0, |tag| tag & 0x0fff), 0];
            arp(packet, Frame { at: ETHERNET, group, vlan, passage }, tables)
        }
        PPPOE | 0x8100 | 0x88a8 | 0x9100 => Err(UNKNOWN),
        _ => Err(Counter::NotIp as u32),
    }
}

#[inline(always)]
fn ipv4<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    frame: Frame,
    tables: &mut T,
) -> Result<T::Workspace, u32> {
    let Some(h) = packet.fields::<40>(frame.at) else { return Err(UNKNOWN) };
    let length = h.be16::<2>();
    if h.u8::<0>() != 0x45 || h.be16::<6>() & 0x3fff != 0 || length < 28 {
        return Err(UNKNOWN);
    }
    let addresses = || (Words::mapped(h.be32::<12>()), Words::mapped(h.be32::<16>()));
    match h.u8::<9>() {
        6 => {
            let (payload, contact) = tcp::<_, 20, 22, 24, 28, 32, 33>(h, length - 20)?;
            found((frame, Network::V4, 20), payload, contact, addresses(), tables)
        }
        17 => {
            let udp = Udp { source_port: h.be16::<20>(), target_port: h.be16::<22>(), payload: length - 28 };
            let contact = classify_udp(&udp).map_err(|reason| reason as u32)?;
            found((frame, Network::V4, 20), Payload::Udp(udp), contact, addresses(), tables)
        }
        1 if h.u8::<20>() == 8 => {
            let echo = Payload::Icmp(Icmp { kind: 8, code: 0 });
            found((frame, Network::V4, 20), echo, Contact::ECHO, addresses(), tables)
        }
        _ => Err(UNKNOWN),
    }
}

#[inline(always)]
fn ipv6<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    frame: Frame,
    tables: &mut T,
) -> Result<T::Workspace, u32> {
    let Some(h) = packet.fields::<60>(frame.at) else { return Err(UNKNOWN) };
    if h.u8::<0>() >> 4 != 6 || h.u8::<6>() != 6 {
        return Err(UNKNOWN);
    }
    let (payload, contact) = tcp::<_, 40, 42, 44, 48, 52, 53>(h, h.be16::<4>())?;
    let source = Words { high: h.be64::<8>(), low: h.be64::<16>() };
    let target = Words { high: h.be64::<24>(), low: h.be64::<32>() };
    if source.is_mapped() || target.is_mapped() {
        return Err(UNKNOWN);
    }
    found((frame, Network::V6, 40), payload, contact, (source, target), tables)
}

/// A request for a host, sent to all.
#[inline(always)]
fn arp<P: Packet + ?Sized, T: Tables>(packet: &P, frame: Frame, tables: &mut T) -> Result<T::Workspace, u32> {
    const REQUEST: u64 = 0x0001_0800_0604_0001;
    let Some(h) = packet.fields::<28>(frame.at) else { return Err(UNKNOWN) };
    if h.be64::<0>() != REQUEST || !frame.group {
        return Err(UNKNOWN);
    }
    let addresses = (Words::mapped(h.be32::<14>()), Words::mapped(h.be32::<24>()));
    // That it is for all is what makes it one.
    let frame = Frame { group: false, ..frame };
    found((frame, Network::Arp, 0), Payload::Arp(1), Contact::LOOKED_FOR, addresses, tables)
}

/// A TCP segment of `length` bytes, whose fields stand at these places of the header: source and target port, sequence and
/// acknowledgement number, header length, flags.
#[inline(always)]
fn tcp<
    F: Fields,
    const FROM: usize,
    const TO: usize,
    const SEQUENCE: usize,
    const ACKNOWLEDGEMENT: usize,
    const LENGTH: usize,
    const FLAGS: usize,
>(
    h: F,
    length: u16,
) -> Result<(Payload, Contact), u32> {
    const SYN_ACK_RST_FIN: u8 = 0x17;
    const ACK: u8 = 0x10;
    let header_length = u16::from(h.u8::<LENGTH>() >> 4) * 4;
    if header_length < 20 || length < header_length {
        return Err(UNKNOWN);
    }
    let (flags, sequence, acknowledgement) =
        (h.u8::<FLAGS>(), h.be32::<SEQUENCE>(), h.be32::<ACKNOWLEDGEMENT>());
    // There are more that are established, which the classification tells.
    if flags & SYN_ACK_RST_FIN == ACK && sequence != 0 && acknowledgement != 0 {
        return Err(Counter::TcpEstablished as u32);
    }
    let tcp = Tcp {
        source_port: h.be16::<FROM>(),
        target_port: h.be16::<TO>(),
        sequence,
        acknowledgement,
        flags,
        payload: length - header_length,
        options: header_length > 20,
        cut: false,
    };
    match classify_tcp(&tcp) {
        Ok(contact) => Ok((Payload::Tcp(tcp), contact)),
        Err(reason) => Err(reason as u32),
    }
}

#[inline(always)]
fn found<T: Tables>(
    (frame, network, header): (Frame, Network, usize),
    payload: Payload,
    contact: Contact,
    (from, to): (Words, Words),
    tables: &mut T,
) -> Result<T::Workspace, u32> {
    let Frame { at, group, vlan, passage } = frame;
    if group {
        return Err(UNKNOWN);
    }
    let headers =
        Headers { link: Link { group, vlan }, network, network_at: at, payload_at: at + header, payload };
    let Some(mut workspace) = tables.workspace() else { return Err(Counter::CellRefused as u32) };
    let space = workspace.borrow_mut();
    space.seen = Sighting::new(&headers, &contact, passage);
    (space.source, space.target) = match contact.view {
        View::Source => (from, to),
        View::Target => (to, from),
    };
    Ok(workspace)
}
