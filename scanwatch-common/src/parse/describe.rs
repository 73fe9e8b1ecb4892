//! The second look at a frame that is worth a record: addresses and evidence.

use super::{Headers, Network, Payload, Tcp, arp, ethernet, ipv4, ipv6};
use crate::abi::Novelty;
use crate::counters::Counter;
use crate::packet::{Packet, be16, be32};

/// Writes what the frame says into `record`: addresses, VLAN, sizes, hop limit, TCP numbers, link-layer source.
///
/// Ports, key, side, time and interface are the caller's.
///
/// # Errors
/// [`Counter::Malformed`] where an IPv6 header holds an IPv4 address in mapped form; [`Counter::Truncated`] where the
/// frame ends within the addresses, or changed since it was parsed, which no caller lets happen.
#[inline(always)]
pub fn describe<P: Packet + ?Sized>(
    packet: &P,
    headers: &Headers,
    record: &mut Novelty,
) -> Result<(), Counter> {
    record.mac = ethernet::source(packet)?;
    record.key.vlan = headers.link.vlan;
    match headers.network {
        Network::V4 => ipv4::describe(packet, headers.network_at, record)?,
        Network::V6 => ipv6::describe(packet, headers.network_at, record)?,
        Network::Arp => arp::describe(packet, headers.network_at, record)?,
    }
    record.sequence = 0;
    record.acknowledgement = 0;
    record.window = 0;
    record.flags = 0;
    if let Payload::Tcp(tcp) = &headers.payload {
        describe_tcp(packet, headers.payload_at, tcp, record)?;
    }
    Ok(())
}

#[inline(always)]
fn describe_tcp<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    tcp: &Tcp,
    record: &mut Novelty,
) -> Result<(), Counter> {
    record.sequence = be32(&packet.bytes::<4>(at + 4).ok_or(Counter::Truncated)?, 0);
    if !tcp.cut {
        let rest = packet.bytes::<8>(at + 8).ok_or(Counter::Truncated)?;
        record.acknowledgement = be32(&rest, 0);
        record.flags = tcp.flags;
        record.window = be16(&rest, 6);
    }
    Ok(())
}
