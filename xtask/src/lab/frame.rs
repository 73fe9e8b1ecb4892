//! Whole Ethernet frames for `Host::send_frames`: what no ordinary socket sends, such as stacked VLAN tags.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use etherparse::{
    IpHeaders, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6Header, PacketBuilder, TcpHeader,
};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const TPID_CUSTOMER: u16 = 0x8100;
const TPID_SERVICE: u16 = 0x88a8;
const HOP_LIMIT: u8 = 64;
/// Shortest frame on the wire without its check sequence (IEEE 802.3).
const FRAME_LENGTH_MIN: usize = 60;

/// VLAN tags of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tags {
    /// Untagged.
    #[default]
    None,
    /// One 802.1Q tag with this VLAN id.
    Vlan(u16),
    /// An 802.1ad service tag outside, an 802.1Q tag inside.
    QinQ {
        /// VLAN id of the service tag.
        outer: u16,
        /// VLAN id of the customer's tag.
        inner: u16,
    },
}

/// The Ethernet header of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Sender.
    pub source: [u8; 6],
    /// Receiver; the router's MAC for what shall be routed, all ones for broadcast.
    pub target: [u8; 6],
    /// VLAN tags between the addresses and the EtherType.
    pub tags: Tags,
}

impl Link {
    /// A complete frame with this header, padded to the shortest length Ethernet knows.
    #[must_use]
    pub fn frame(&self, ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = [self.target, self.source].concat();
        let tags: &[(u16, u16)] = match self.tags {
            Tags::None => &[],
            Tags::Vlan(id) => &[(TPID_CUSTOMER, id)],
            Tags::QinQ { outer, inner } => &[(TPID_SERVICE, outer), (TPID_CUSTOMER, inner)],
        };
        for (tpid, id) in tags {
            frame.extend(tpid.to_be_bytes());
            frame.extend((id & 0x0fff).to_be_bytes());
        }
        frame.extend(ethertype.to_be_bytes());
        frame.extend(payload);
        frame.resize(frame.len().max(FRAME_LENGTH_MIN), 0);
        frame
    }

    /// A TCP segment without payload that carries `flags`, checksums correct. Fails where the families differ.
    pub fn tcp(&self, source: SocketAddr, target: SocketAddr, flags: TcpFlags) -> Result<Vec<u8>> {
        let mut tcp =
            TcpHeader::new(source.port(), target.port(), 0x5ca7_0000 | u32::from(target.port()), 1024);
        let TcpFlags { syn, ack, fin, rst, psh, urg } = flags;
        (tcp.syn, tcp.ack, tcp.fin, tcp.rst, tcp.psh, tcp.urg) = (syn, ack, fin, rst, psh, urg);
        let (ethertype, ip) = ip_header(source.ip(), target.ip())?;
        let builder = PacketBuilder::ip(ip).tcp_header(tcp);
        let mut packet = Vec::with_capacity(builder.size(0));
        builder.write(&mut packet, &[]).context("cannot build a TCP segment")?;
        Ok(self.frame(ethertype, &packet))
    }

    /// A UDP datagram, checksums correct. Fails where the families differ.
    pub fn udp(&self, source: SocketAddr, target: SocketAddr, payload: &[u8]) -> Result<Vec<u8>> {
        let (ethertype, ip) = ip_header(source.ip(), target.ip())?;
        let builder = PacketBuilder::ip(ip).udp(source.port(), target.port());
        let mut packet = Vec::with_capacity(builder.size(payload.len()));
        builder.write(&mut packet, payload).context("cannot build a UDP datagram")?;
        Ok(self.frame(ethertype, &packet))
    }

    /// An ARP request (RFC 826) of `source`, at this header's sender, for `target`.
    #[must_use]
    pub fn arp_request(&self, source: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
        let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
        arp.extend(self.source);
        arp.extend(source.octets());
        arp.extend([0; 6]);
        arp.extend(target.octets());
        self.frame(ETHERTYPE_ARP, &arp)
    }
}

/// The six classic TCP flags (RFC 9293, section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a bit field of the protocol, spelled out")]
pub struct TcpFlags {
    /// Opens a connection.
    pub syn: bool,
    /// The acknowledgment number counts.
    pub ack: bool,
    /// Ends one direction.
    pub fin: bool,
    /// Ends the connection at once.
    pub rst: bool,
    /// Deliver at once.
    pub psh: bool,
    /// The urgent pointer counts.
    pub urg: bool,
}

impl TcpFlags {
    /// What a SYN scan sends.
    pub const SYN: Self = Self { syn: true, ..Self::NULL };
    /// No flag at all: what a NULL scan sends.
    pub const NULL: Self = Self { syn: false, ack: false, fin: false, rst: false, psh: false, urg: false };
    /// What a Xmas scan sends.
    pub const XMAS: Self = Self { fin: true, psh: true, urg: true, ..Self::NULL };
}

fn ip_header(source: IpAddr, target: IpAddr) -> Result<(u16, IpHeaders)> {
    Ok(match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            let header = Ipv4Header {
                source: source.octets(),
                destination: target.octets(),
                time_to_live: HOP_LIMIT,
                dont_fragment: true,
                ..Ipv4Header::default()
            };
            (ETHERTYPE_IPV4, IpHeaders::Ipv4(header, Ipv4Extensions::default()))
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            let header = Ipv6Header {
                source: source.octets(),
                destination: target.octets(),
                hop_limit: HOP_LIMIT,
                ..Ipv6Header::default()
            };
            (ETHERTYPE_IPV6, IpHeaders::Ipv6(header, Ipv6Extensions::default()))
        }
        _ => bail!("{source} and {target} are of different address families"),
    })
}

#[cfg(test)]
mod tests {
    use etherparse::{LinkExtSlice, SlicedPacket, TransportSlice};

    use super::*;

    fn link(tags: Tags) -> Link {
        Link { source: [2, 0, 10, 1, 0, 99], target: [2, 0, 10, 1, 0, 1], tags }
    }

    #[test]
    fn a_tagged_syn_reads_back_as_it_was_meant() {
        let tags = Tags::QinQ { outer: 100, inner: 200 };
        for (source, target) in
            [("10.1.0.99:40000", "10.2.0.10:22"), ("[fd00:1::99]:40000", "[fd00:2::10]:22")]
        {
            let frame =
                link(tags).tcp(source.parse().unwrap(), target.parse().unwrap(), TcpFlags::SYN).unwrap();
            assert_eq!(frame[12..20], [0x88, 0xa8, 0, 100, 0x81, 0x00, 0, 200]);
            let packet = SlicedPacket::from_ethernet(&frame).unwrap();
            let ids: Vec<u16> = packet
                .link_exts
                .iter()
                .map(|tag| match tag {
                    LinkExtSlice::Vlan(tag) => tag.vlan_identifier().value(),
                    LinkExtSlice::Macsec(_) => panic!("no MACsec was asked for"),
                })
                .collect();
            assert_eq!(ids, [100, 200]);
            let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("no TCP in {packet:?}") };
            assert_eq!((tcp.destination_port(), tcp.syn(), tcp.ack()), (22, true, false));
        }
    }

    #[test]
    fn families_that_differ_are_refused() {
        let (source, target) = ("10.1.0.99:1".parse().unwrap(), "[fd00:2::10]:2".parse().unwrap());
        let error = link(Tags::None).udp(source, target, b"").unwrap_err();
        assert_eq!(error.to_string(), "10.1.0.99 and fd00:2::10 are of different address families");
    }

    #[test]
    fn an_arp_request_asks_for_the_target_and_fills_the_frame() {
        let frame = link(Tags::Vlan(7)).arp_request([10, 1, 0, 99].into(), [10, 1, 0, 5].into());
        assert_eq!(frame.len(), 60);
        assert_eq!(frame[12..18], [0x81, 0, 0, 7, 0x08, 0x06]);
        assert_eq!(frame[18..26], [0, 1, 8, 0, 6, 4, 0, 1]);
        assert_eq!(frame[42..46], [10, 1, 0, 5]);
    }
}
