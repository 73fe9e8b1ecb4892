//! Ethernet with 802.1Q and 802.1ad tags.

use super::Link;
use crate::counters::Counter;
use crate::packet::{Fields, Packet};

/// Tags that are followed: 802.1Q, or a service tag with a customer tag inside (QinQ).
pub const VLAN_DEPTH_MAX: usize = 2;

pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV6: u16 = 0x86dd;
pub(super) const PPPOE: u16 = 0x8864;

const HEADER: usize = 14;
const TAG: usize = 4;
const VLAN_ID: u16 = 0x0fff;

/// Tag protocol identifiers: IEEE 802.1Q, 802.1ad, and 0x9100 of QinQ before its standard.
#[inline(always)]
const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x88a8 | 0x9100)
}

/// The link, the EtherType behind the tags, and where its payload begins.
#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized>(packet: &P) -> Result<(Link, u16, usize), Counter> {
    let header = packet.fields::<HEADER>(0).ok_or(Counter::Truncated)?;
    let mut ether_type = header.be16::<12>();
    let mut offset = HEADER;
    let mut vlan = [0; VLAN_DEPTH_MAX];
    let mut depth = 0;
    if let Some(tag) = packet.stripped_tag() {
        vlan[0] = tag & VLAN_ID;
        depth = 1;
    }
    for (level, id) in vlan.iter_mut().enumerate() {
        if level < depth || !is_tag(ether_type) {
            continue;
        }
        let tag = packet.fields::<TAG>(offset).ok_or(Counter::Truncated)?;
        *id = tag.be16::<0>() & VLAN_ID;
        ether_type = tag.be16::<2>();
        offset += TAG;
    }
    if is_tag(ether_type) {
        return Err(Counter::VlanTooDeep);
    }
    Ok((Link { group: header.u8::<0>() & 1 != 0, vlan }, ether_type, offset))
}

/// The link-layer source.
#[inline(always)]
pub(super) fn source<P: Packet + ?Sized>(packet: &P) -> Result<[u8; 6], Counter> {
    Ok(packet.fields::<6>(6).ok_or(Counter::Truncated)?.mac::<0, 4>())
}
