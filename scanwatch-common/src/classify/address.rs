//! Which addresses can take part in a scan.

use crate::abi::{Address, Outcome, Technique};
use crate::counters::Counter;
use crate::sighting::Sighting;

/// Why a contact between these addresses counts for nothing, if it does.
///
/// `source` is who tried, `target` who was tried.
#[inline(always)]
#[must_use]
pub fn refuse(seen: &Sighting, source: &Address, target: &Address) -> Option<Counter> {
    let useless = is_nobody(source) || same(source, target);
    if seen.technique() == Technique::Arp as u8 {
        // Sender = target announces; sender 0.0.0.0 or :: probes for a duplicate (RFC 5227, RFC 4862); 169.254/16 is
        // looked for by every machine without DHCP (RFC 3927).
        let link_local = is_v4(target) && target[12] == 169 && target[13] == 254;
        let own = useless || is_nobody(target) || link_local;
        return match (own, seen.is(Outcome::Tried)) {
            (false, _) => None,
            (true, true) => Some(Counter::ArpOwn),
            (true, false) => Some(Counter::ArpAnswered),
        };
    }
    if is_nobody(target) {
        Some(Counter::GroupTarget)
    } else if useless {
        Some(Counter::SourceUnusable)
    } else {
        None
    }
}

/// The address as two words, high and low, which compare and mask faster than bytes.
#[inline(always)]
#[must_use]
pub(crate) fn words(address: &Address) -> (u64, u64) {
    let value = u128::from_be_bytes(*address);
    ((value >> 64) as u64, value as u64)
}

/// The address of these two words.
#[inline(always)]
#[must_use]
pub(crate) fn from_words(high: u64, low: u64) -> Address {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

#[inline(always)]
fn same(a: &Address, b: &Address) -> bool {
    let ((a, b), (c, d)) = (words(a), words(b));
    (a ^ c) | (b ^ d) == 0
}

#[inline(always)]
fn is_v4(address: &Address) -> bool {
    let (high, low) = words(address);
    high == 0 && low >> 32 == 0xffff
}

/// Unspecified, loopback, multicast, broadcast or reserved: no host sends from there, and none is found there.
#[inline(always)]
fn is_nobody(address: &Address) -> bool {
    let (high, low) = words(address);
    if high == 0 && low >> 32 == 0xffff {
        // 0/8, 127/8, 224/4 and 240/4 (RFC 6890).
        let first = (low >> 24) as u8;
        return first == 0 || first == 127 || first >= 224;
    }
    // ff00::/8, :: and ::1 (RFC 4291).
    high >> 56 == 0xff || (high == 0 && low <= 1)
}
