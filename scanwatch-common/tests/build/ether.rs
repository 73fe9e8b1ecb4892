//! Ethernet and its VLAN tags.

use super::Packet;

/// Link-layer source of every frame that does not say otherwise.
pub const MAC_SOURCE: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
/// Link-layer target of every frame that does not say otherwise.
pub const MAC_TARGET: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
/// Every machine on the link.
pub const BROADCAST: [u8; 6] = [0xff; 6];

const SHORTEST: usize = 60;

/// A packet in a session of PPP over Ethernet (RFC 2516), under its PPP protocol number.
pub fn pppoe(packet: impl Into<Packet>) -> Packet {
    let packet = packet.into();
    let protocol = if packet.ether_type == 0x86dd { 0x57 } else { 0x21 };
    session(0x11, 0, protocol, &packet.bytes)
}

/// Anything in a PPPoE frame of this version and type, code, and PPP protocol.
pub fn session(version_type: u8, code: u8, protocol: u16, payload: &[u8]) -> Packet {
    let mut bytes = vec![version_type, code, 0x12, 0x34];
    bytes.extend((payload.len() as u16 + 2).to_be_bytes());
    bytes.extend(protocol.to_be_bytes());
    bytes.extend(payload);
    Packet { ether_type: 0x8864, bytes }
}

/// An Ethernet header.
#[derive(Clone, Debug)]
pub struct Ether {
    source: [u8; 6],
    target: [u8; 6],
    tags: Vec<(u16, u16)>,
    says: Option<u16>,
    padded: bool,
}

/// A unicast frame without tags.
pub fn ether() -> Ether {
    Ether { source: MAC_SOURCE, target: MAC_TARGET, tags: Vec::new(), says: None, padded: false }
}

impl Ether {
    /// Sent by this station.
    pub fn from(mut self, source: [u8; 6]) -> Self {
        self.source = source;
        self
    }

    /// Sent to this station or group.
    pub fn to(mut self, target: [u8; 6]) -> Self {
        self.target = target;
        self
    }

    /// One more 802.1Q tag, inside those before it.
    pub fn tag(self, id: u16) -> Self {
        self.tag_as(0x8100, id)
    }

    /// One more tag with this protocol identifier; the high four bits of `control` are priority and drop eligibility.
    pub fn tag_as(mut self, identifier: u16, control: u16) -> Self {
        self.tags.push((identifier, control));
        self
    }

    /// Says this type, whatever is carried.
    pub fn ether_type(mut self, ether_type: u16) -> Self {
        self.says = Some(ether_type);
        self
    }

    /// Padded to the shortest frame of IEEE 802.3, as it arrives from a wire.
    pub fn padded(mut self) -> Self {
        self.padded = true;
        self
    }

    /// The frame.
    pub fn carry(&self, packet: impl Into<Packet>) -> Vec<u8> {
        let packet = packet.into();
        let mut frame = [self.target, self.source].concat();
        for (identifier, control) in &self.tags {
            frame.extend(identifier.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        frame.extend(self.says.unwrap_or(packet.ether_type).to_be_bytes());
        frame.extend(packet.bytes);
        if self.padded && frame.len() < SHORTEST {
            frame.resize(SHORTEST, 0);
        }
        frame
    }
}
