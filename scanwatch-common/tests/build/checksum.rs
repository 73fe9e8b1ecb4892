//! The Internet checksum (RFC 1071) and its pseudo-headers (RFC 9293, 3.1; RFC 8200, 8.1).

use std::net::IpAddr;

/// The checksum of `bytes`, to be stored big-endian.
pub fn internet(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The checksum of a transport header and its payload between two hosts.
pub fn transport(source: IpAddr, target: IpAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let mut whole = match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => [source.octets(), target.octets()].concat(),
        (source, target) => [to_v6(source), to_v6(target)].concat(),
    };
    whole.extend((bytes.len() as u32).to_be_bytes());
    whole.extend([0, 0, 0, protocol]);
    whole.extend(bytes);
    internet(&whole)
}

fn to_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
