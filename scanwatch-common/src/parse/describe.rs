//! The second look at a frame that is worth a record: addresses and evidence.

use super::{arp, ethernet, ipv4, ipv6};
use crate::abi::Novelty;
use crate::counters::Counter;
use crate::packet::{Packet, be16, be32};
use crate::sighting::{ADVERTISEMENT, ARP, SOLICITATION, Sighting, TCP, TCP_CUT, V4};

/// Writes what the frame says into `record`: addresses as the frame has them, VLAN, sizes, hop limit, TCP numbers,
/// link-layer source. Of an ICMP error, the packet it quotes is told: it shows who was refused what.
///
/// Ports, key, side, time and interface are the caller's.
///
/// # Errors
/// [`Counter::Malformed`] where an IPv6 header holds an IPv4 address in mapped form; [`Counter::Truncated`] where the
/// frame ends within the addresses, or changed since it was parsed, which no caller lets happen.
#[inline(always)]
pub fn describe<P: Packet + ?Sized>(
    packet: &P,
    seen: &Sighting,
    record: &mut Novelty,
) -> Result<(), Counter> {
    record.mac = ethernet::source(packet)?;
    record.key.vlan = seen.vlan;
    let at = usize::from(seen.network_at);
    match seen.network {
        V4 => ipv4::describe(packet, at, record)?,
        ARP => arp::describe(packet, at, record)?,
        _ => ipv6::describe(packet, at, record)?,
    }
    record.sequence = 0;
    record.acknowledgement = 0;
    record.window = 0;
    record.flags = 0;
    let at = usize::from(seen.payload_at);
    // RFC 4861, 4.3 and 4.4: whom a neighbour message is about stands in its body.
    match seen.payload {
        TCP => {
            let h = packet.bytes::<12>(at + 4).ok_or(Counter::Truncated)?;
            record.sequence = be32(&h, 0);
            record.acknowledgement = be32(&h, 4);
            record.flags = h[9];
            record.window = be16(&h, 10);
        }
        TCP_CUT => record.sequence = be32(&packet.bytes::<4>(at + 4).ok_or(Counter::Truncated)?, 0),
        SOLICITATION => record.target = packet.bytes::<16>(at + 8).ok_or(Counter::Truncated)?,
        ADVERTISEMENT => record.source = packet.bytes::<16>(at + 8).ok_or(Counter::Truncated)?,
        _ => {}
    }
    Ok(())
}
