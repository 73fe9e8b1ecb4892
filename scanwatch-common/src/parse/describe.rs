//! The second look at a frame that is worth a record: addresses and evidence.

use super::{arp, ethernet, ipv4, ipv6};
use crate::abi::{Novelty, Words};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};
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
    let (source, target) = addresses(packet, seen)?;
    (record.source, record.target) = (source.address(), target.address());
    evidence(packet, seen, record)
}

/// The addresses alone, source first as the frame has them: all that nearly every contact is asked for.
///
/// # Errors
/// As [`describe`].
#[inline(always)]
pub fn addresses<P: Packet + ?Sized>(packet: &P, seen: &Sighting) -> Result<(Words, Words), Counter> {
    let at = seen.network_at();
    let (mut source, mut target) = match seen.network() {
        V4 => ipv4::addresses(packet, at)?,
        ARP => arp::addresses(packet, at)?,
        _ => ipv6::addresses(packet, at)?,
    };
    // RFC 4861, 4.3 and 4.4: whom a neighbour message is about stands in its body.
    let at = seen.payload_at();
    match seen.payload() {
        SOLICITATION => target = subject(packet, at)?,
        ADVERTISEMENT => source = subject(packet, at)?,
        _ => {}
    }
    Ok((source, target))
}

#[inline(always)]
fn subject<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<Words, Counter> {
    let body = packet.fields::<16>(at + 8).ok_or(Counter::Truncated)?;
    Ok(Words { high: body.be64::<0>(), low: body.be64::<8>() })
}

/// All but the addresses.
///
/// # Errors
/// As [`describe`].
#[inline(always)]
pub fn evidence<P: Packet + ?Sized>(
    packet: &P,
    seen: &Sighting,
    record: &mut Novelty,
) -> Result<(), Counter> {
    record.mac = ethernet::source(packet)?;
    record.key.vlan = seen.vlan();
    let at = seen.network_at();
    match seen.network() {
        V4 => ipv4::describe(packet, at, record)?,
        ARP => arp::describe(record),
        _ => ipv6::describe(packet, at, record)?,
    }
    record.sequence = 0;
    record.acknowledgement = 0;
    record.window = 0;
    record.flags = 0;
    let at = seen.payload_at();
    match seen.payload() {
        TCP => {
            let h = packet.fields::<12>(at + 4).ok_or(Counter::Truncated)?;
            record.sequence = h.be32::<0>();
            record.acknowledgement = h.be32::<4>();
            record.flags = h.u8::<9>();
            record.window = h.be16::<10>();
        }
        TCP_CUT => record.sequence = packet.fields::<4>(at + 4).ok_or(Counter::Truncated)?.be32::<0>(),
        _ => {}
    }
    Ok(())
}
