//! PPP over Ethernet, session stage (RFC 2516): what an access line carries.

use super::ethernet::{IPV4, IPV6};
use crate::counters::Counter;
use crate::packet::{Fields, Packet};

/// PPPoE header and PPP protocol number.
const HEADER: usize = 8;
/// Version 1, type 1.
const VERSION_TYPE: u8 = 0x11;

/// The EtherType that the PPP protocol stands for, and where its payload begins.
#[inline(always)]
pub(super) fn parse<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<(u16, usize), Counter> {
    let h = packet.fields::<HEADER>(at).ok_or(Counter::Truncated)?;
    if h.u8::<0>() != VERSION_TYPE || h.u8::<1>() != 0 {
        return Err(Counter::Malformed);
    }
    // RFC 1332, RFC 5072; everything else is negotiation.
    match h.be16::<6>() {
        0x0021 => Ok((IPV4, at + HEADER)),
        0x0057 => Ok((IPV6, at + HEADER)),
        _ => Err(Counter::NotIp),
    }
}
