//! Which addresses can take part in a scan.

use crate::abi::{Outcome, Technique, Words};
use crate::counters::Counter;
use crate::sighting::Sighting;

/// Why a contact between these addresses counts for nothing, if it does.
///
/// `source` is who tried, `target` who was tried.
#[inline(always)]
#[must_use]
pub fn refuse(seen: &Sighting, source: Words, target: Words) -> Option<Counter> {
    let same = (source.high ^ target.high) | (source.low ^ target.low) == 0;
    let useless = is_nobody(source) || same;
    if seen.technique() == Technique::Arp as u8 {
        // Sender = target announces; sender 0.0.0.0 or :: probes for a duplicate (RFC 5227, RFC 4862); 169.254/16 is
        // looked for by every machine without DHCP (RFC 3927).
        let link_local = target.is_mapped() && target.low >> 16 & 0xffff == 0xa9fe;
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

/// Unspecified, loopback, multicast, broadcast or reserved: no host sends from there, and none is found there.
#[inline(always)]
fn is_nobody(address: Words) -> bool {
    let Words { high, low } = address;
    if address.is_mapped() {
        // 0/8, 127/8, 224/4 and 240/4 (RFC 6890).
        let first = (low >> 24) as u8;
        return first == 0 || first == 127 || first >= 224;
    }
    // ff00::/8, :: and ::1 (RFC 4291).
    high >> 56 == 0xff || (high == 0 && low <= 1)
}
