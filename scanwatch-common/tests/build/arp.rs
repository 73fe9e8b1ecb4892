//! ARP (RFC 826).

use super::{MAC_SOURCE, Packet};
use std::net::Ipv4Addr;

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Debug)]
pub struct Arp {
    hardware: u16,
    protocol: u16,
    lengths: [u8; 2],
    operation: u16,
    sender_mac: [u8; 6],
    sender: Ipv4Addr,
    target_mac: [u8; 6],
    target: Ipv4Addr,
}

/// `sender` asks who has `target`.
pub fn arp_request(sender: impl Into<Ipv4Addr>, target: impl Into<Ipv4Addr>) -> Arp {
    Arp {
        hardware: 1,
        protocol: 0x0800,
        lengths: [6, 4],
        operation: 1,
        sender_mac: MAC_SOURCE,
        sender: sender.into(),
        target_mac: [0; 6],
        target: target.into(),
    }
}

/// `sender` says to `target` where it is.
pub fn arp_reply(sender: impl Into<Ipv4Addr>, target: impl Into<Ipv4Addr>) -> Arp {
    arp_request(sender, target).operation(2)
}

impl Arp {
    /// Another operation: 1 request, 2 reply, 3 and 4 of RARP, 8 and 9 of InARP.
    pub fn operation(mut self, operation: u16) -> Self {
        self.operation = operation;
        self
    }

    /// Another hardware type; 1 is Ethernet.
    pub fn hardware(mut self, hardware: u16) -> Self {
        self.hardware = hardware;
        self
    }

    /// Another protocol type; 0x0800 is IPv4.
    pub fn protocol(mut self, protocol: u16) -> Self {
        self.protocol = protocol;
        self
    }

    /// Other lengths of hardware and protocol addresses.
    pub fn lengths(mut self, hardware: u8, protocol: u8) -> Self {
        self.lengths = [hardware, protocol];
        self
    }
}

impl From<Arp> for Packet {
    fn from(arp: Arp) -> Self {
        let mut bytes = Vec::new();
        bytes.extend(arp.hardware.to_be_bytes());
        bytes.extend(arp.protocol.to_be_bytes());
        bytes.extend(arp.lengths);
        bytes.extend(arp.operation.to_be_bytes());
        bytes.extend(arp.sender_mac);
        bytes.extend(arp.sender.octets());
        bytes.extend(arp.target_mac);
        bytes.extend(arp.target.octets());
        Packet { ether_type: 0x0806, bytes }
    }
}
