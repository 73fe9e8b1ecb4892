//! A mixture of traffic: many sources, targets and techniques of both families, tagged or not, with answers and repeats.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::build::{
    BROADCAST, Ether, Extension, MAC_TARGET, Segment, arp_reply, arp_request, ether, icmp, icmpv6, ipv4,
    ipv6, raw, sctp, tcp, udp,
};
use crate::dice::Dice;

/// Sources of each kind.
const SOURCES: usize = 24;
/// Flows that may be answered.
const FLOWS_MAX: usize = 64;
const SERVICES: [u16; 9] = [80, 443, 139, 445, 53, 5353, 22, 3389, 8080];

/// One UDP conversation: who spoke first, and to whom.
#[derive(Clone, Copy)]
struct Conversation {
    from: (IpAddr, u16),
    to: (IpAddr, u16),
}

/// A source of frames.
pub struct Mixture {
    dice: Dice,
    conversations: Vec<Conversation>,
    last: Vec<u8>,
}

impl Mixture {
    /// The mixture of this seed.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), conversations: Vec::new(), last: vec![0; 60] }
    }

    /// The next frame.
    pub fn next_frame(&mut self) -> Vec<u8> {
        if self.dice.once_in(8) {
            return self.last.clone();
        }
        let frame = match self.dice.below(20) {
            0..=6 => self.handshake(),
            7..=8 => self.odd_flags(),
            9..=13 => self.datagram(),
            14 => self.association(),
            15..=16 => self.control(),
            17 => self.resolution(),
            18 => self.protocol(),
            _ => self.established(),
        };
        self.last.clone_from(&frame);
        frame
    }

    fn handshake(&mut self) -> Vec<u8> {
        let flags = self.dice.pick(&[0x02, 0x02, 0x02, 0xc2, 0x12, 0x14, 0x14, 0x04, 0x11, 0x10]);
        let (near, far) = (self.any_port(), self.port());
        // Answers come from the far end.
        let (from, to) = if flags & 0x14 != 0 && flags != 0x10 { (far, near) } else { (near, far) };
        let any = self.dice.any() as u32;
        let numbers = self.dice.pick(&[(0, 9), (9, 0), (any, 7)]);
        let segment = tcp(from, to).flags(flags).numbers(numbers.0, numbers.1);
        let options = if self.dice.once_in(2) { 0 } else { self.dice.below(11) };
        let segment = segment.options(options).window(self.dice.any() as u16);
        self.between(segment.into())
    }

    fn odd_flags(&mut self) -> Vec<u8> {
        let flags = self.dice.pick(&[0x00, 0x01, 0x29, 0x03, 0x06, 0x07, 0x22, 0x08, 0x20, 0x3f]);
        let data: &[u8] = if self.dice.once_in(6) { b"data" } else { b"" };
        let segment = tcp(self.any_port(), self.port()).flags(flags).payload(data);
        self.between(segment.into())
    }

    fn established(&mut self) -> Vec<u8> {
        let flags = self.dice.pick(&[0x10, 0x18, 0x11, 0x19, 0x90, 0x04]);
        let segment = tcp(self.any_port(), self.port()).flags(flags).payload(b"GET / HTTP/1.1\r\n");
        self.between(segment.into())
    }

    fn datagram(&mut self) -> Vec<u8> {
        let length = self.dice.pick(&[0, 1, 33, 120, 511, 512, 513, 1_200]);
        if self.dice.below(2) == 0 && !self.conversations.is_empty() {
            let known = self.dice.pick(&self.conversations);
            let (from, to) =
                if self.dice.below(2) == 0 { (known.from, known.to) } else { (known.to, known.from) };
            return self.packet(from.0, to.0, udp(from.1, to.1).payload(length).into());
        }
        let (source, target) = self.pair();
        let from_service = self.dice.once_in(4);
        let (from, to) =
            if from_service { (self.port(), self.any_port()) } else { (self.any_port(), self.port()) };
        let (from, to) = if self.dice.once_in(20) { (68, 67) } else { (from, to) };
        if self.conversations.len() == FLOWS_MAX {
            let at = self.dice.below(FLOWS_MAX);
            self.conversations.swap_remove(at);
        }
        self.conversations.push(Conversation { from: (source, from), to: (target, to) });
        let datagram = udp(from, to).payload(length);
        let datagram = if self.dice.once_in(10) { datagram.lite() } else { datagram };
        self.packet(source, target, datagram.into())
    }

    fn association(&mut self) -> Vec<u8> {
        let chunk = self.dice.pick(&[1, 1, 1, 2, 6, 0, 10]);
        let segment = sctp(self.any_port(), self.port()).chunk(chunk);
        self.between(segment.into())
    }

    fn control(&mut self) -> Vec<u8> {
        let (source, target) = self.pair();
        if self.dice.once_in(3) {
            return self.unreachable(source, target);
        }
        let segment: Segment = if source.is_ipv4() {
            icmp(self.dice.pick(&[8, 8, 13, 15, 17, 0, 14, 3, 11, 5, 40])).into()
        } else {
            match (self.dice.pick(&[128, 128, 129, 1, 3, 135, 136, 143, 200]), self.v6_inside()) {
                (kind @ (135 | 136), subject) => icmpv6(kind).about(subject).into(),
                (kind, _) => icmpv6(kind).into(),
            }
        };
        self.packet(source, target, segment)
    }

    /// Somebody says that what the target of this frame sent did not arrive.
    fn unreachable(&mut self, source: IpAddr, target: IpAddr) -> Vec<u8> {
        let (from, to) = (self.any_port(), self.port());
        let quoted: Segment = match self.dice.below(5) {
            0 => tcp(from, to).into(),
            1 => udp(from, to).payload(30).into(),
            2 => sctp(from, to).into(),
            3 if source.is_ipv4() => icmp(8).into(),
            3 => icmpv6(128).into(),
            _ => raw(self.dice.pick(&[99, 47, 253]), &[0; 20]),
        };
        let length_max = self.dice.pick(&[28, 48, 128, 128, 20]);
        let message = match (source, target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let code = self.dice.pick(&[0, 1, 2, 3, 3, 4, 13]);
                icmp(3).code(code).quote(&ipv4(target, source).carry(quoted), length_max)
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                icmpv6(1).code(4).quote(&ipv6(target, source).carry(quoted), length_max)
            }
            _ => unreachable!("pairs are of one family"),
        };
        self.packet(source, target, message.into())
    }

    fn resolution(&mut self) -> Vec<u8> {
        let (source, target) = (self.v4_inside(), self.v4_inside());
        let target = if self.dice.once_in(8) { source } else { target };
        let frame = self.link();
        if self.dice.once_in(5) {
            return frame.carry(arp_reply(source, target));
        }
        let asked = if self.dice.once_in(6) { MAC_TARGET } else { BROADCAST };
        frame.to(asked).padded().carry(arp_request(source, target))
    }

    fn protocol(&mut self) -> Vec<u8> {
        let number = self.dice.pick(&[3, 8, 9, 20, 77, 99, 143, 200, 253, 2, 47, 50, 89, 1, 58]);
        let data = self.dice.bytes(24);
        self.between(raw(number, &data))
    }

    fn between(&mut self, segment: Segment) -> Vec<u8> {
        let (source, target) = self.pair();
        self.packet(source, target, segment)
    }

    fn packet(&mut self, source: IpAddr, target: IpAddr, segment: Segment) -> Vec<u8> {
        let link = self.link();
        let link = if self.dice.once_in(30) { link.to(BROADCAST) } else { link };
        match (source, target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let mut header = ipv4(source, target).ttl(self.dice.any() as u8).id(self.dice.any() as u16);
                if self.dice.once_in(6) {
                    header = header.options(self.dice.below(11));
                }
                if self.dice.once_in(15) {
                    let piece = self.dice.pick(&[0..8, 0..16, 8..16]);
                    let long_enough = segment.checked(source.into(), target.into()).len() >= piece.end;
                    header = if long_enough { header.piece(piece) } else { header };
                }
                link.carry(header.carry(segment))
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                let mut header = ipv6(source, target).hop_limit(self.dice.any() as u8);
                while self.dice.once_in(4) {
                    header = header.extension(self.extension());
                }
                link.carry(header.carry(segment))
            }
            _ => unreachable!("pairs are of one family"),
        }
    }

    fn extension(&mut self) -> Extension {
        let units = self.dice.below(4) as u8;
        match self.dice.below(8) {
            0 => Extension::hop_by_hop(units),
            1 => Extension::routing(units),
            2 => Extension::destination(units),
            3 => Extension::authentication(units),
            4 => Extension::mobility(units),
            5 => Extension::fragment(0, self.dice.once_in(2)),
            6 => Extension::fragment(1_480, true),
            _ => Extension::hip(units),
        }
    }

    fn link(&mut self) -> Ether {
        let frame = ether().from([2, 0, 0, 0, 1, self.dice.below(SOURCES) as u8]);
        match self.dice.below(8) {
            0 | 1 => frame.tag(self.dice.below(6) as u16),
            2 => frame.tag_as(0x88a8, 100 + self.dice.below(3) as u16).tag(self.dice.below(6) as u16),
            3 => frame.tag_as(0x9100, 0xe000 | 7),
            _ if self.dice.once_in(60) => frame.tag(1).tag(2).tag(3),
            _ => frame,
        }
    }

    fn pair(&mut self) -> (IpAddr, IpAddr) {
        if self.dice.below(5) < 3 {
            let source = if self.dice.below(3) == 0 { self.v4_outside() } else { self.v4_inside() };
            let target = match self.dice.below(12) {
                0..=2 => self.v4_outside(),
                3 => Ipv4Addr::new(172, 16, 0, self.dice.below(40) as u8),
                4 => self.dice.pick(&[
                    Ipv4Addr::BROADCAST,
                    Ipv4Addr::LOCALHOST,
                    Ipv4Addr::UNSPECIFIED,
                    Ipv4Addr::new(224, 0, 0, 251),
                    source,
                ]),
                _ => self.v4_inside(),
            };
            let source = if self.dice.once_in(40) { Ipv4Addr::UNSPECIFIED } else { source };
            return (source.into(), target.into());
        }
        let source = if self.dice.below(3) == 0 { self.v6_outside() } else { self.v6_inside() };
        let target = match self.dice.below(10) {
            0..=2 => self.v6_outside(),
            3 => self.dice.pick(&[Ipv6Addr::LOCALHOST, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), source]),
            _ => self.v6_inside(),
        };
        (source.into(), target.into())
    }

    /// Of the office, of the servers, or of the vault.
    fn v4_inside(&mut self) -> Ipv4Addr {
        let third = self.dice.pick(&[0, 1, 1, 2]);
        let last = self.dice.pick(&[1, 5, 7, 8, 127, 128, 129, 255_u8]);
        Ipv4Addr::new(10, 0, third, last.wrapping_add(self.dice.below(3) as u8))
    }

    fn v4_outside(&mut self) -> Ipv4Addr {
        Ipv4Addr::new(198, 51, 100, self.dice.below(SOURCES * 4) as u8)
    }

    fn v6_inside(&mut self) -> Ipv6Addr {
        let subnet = self.dice.pick(&[0xfd00_0000_u32, 0xfd00_0001, 0xfd77_0001, 0xfe80_0000]);
        let (last, middle) = (self.dice.below(SOURCES) as u16, self.dice.below(3) as u16);
        Ipv6Addr::new((subnet >> 16) as u16, subnet as u16, 0, 0, middle << 8, middle, 0, last)
    }

    /// Of a few networks, each with many interface identifiers.
    fn v6_outside(&mut self) -> Ipv6Addr {
        let (network, host) = (self.dice.below(6) as u16, self.dice.any());
        Ipv6Addr::new(0x2001, 0xdb8, network, network, (host >> 16) as u16, host as u16, 0, 1)
    }

    fn port(&mut self) -> u16 {
        if self.dice.once_in(3) { self.any_port() } else { self.dice.pick(&SERVICES) }
    }

    fn any_port(&mut self) -> u16 {
        self.dice.any() as u16
    }
}
