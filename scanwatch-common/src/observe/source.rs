//! Who is tried by whom, and on which side the source is.

use core::borrow::Borrow;

use super::{CONTACT, Tables};
use crate::abi::{Outcome, Settings, Technique, Words};
use crate::classify::refuse;
use crate::counters::Counter;
use crate::packet::Packet;
use crate::parse::addresses;
use crate::sighting::{Sighting, Workspace};
use crate::sketch::Endpoint;

/// Source and target of a contact, hashed once for all that is asked of them.
#[derive(Clone, Copy)]
pub(super) struct Parties {
    /// Number of the source's [`crate::abi::Side`].
    pub(super) side: u32,
    /// The address by which it counts.
    pub(super) counts_as: Words,
    /// What hashes of the source are finished from …
    pub(super) source: Endpoint,
    /// … and its hash alone.
    pub(super) source_hash: u64,
    /// The target's address.
    pub(super) target_is: Words,
    /// What hashes of the target are finished from.
    pub(super) target: Endpoint,
}

impl Parties {
    #[inline(always)]
    pub(super) fn new(side: u32, source: Words, target: Words, settings: &Settings) -> Self {
        let hasher = &settings.hasher;
        // One address of IPv4 is one machine.
        let mask = if source.is_mapped() {
            Settings::prefix(128)
        } else {
            settings.source_mask_v6[side as usize & 1]
        };
        let counts_as = Words { high: source.high & mask.high, low: source.low & mask.low };
        let source = hasher.endpoint_of(counts_as);
        let target_is = target;
        let target = hasher.endpoint_of(target);
        Self { side, counts_as, source, source_hash: source.host(), target_is, target }
    }
}

/// Reads source and target: [`CONTACT`], or the number of the counter by which the frame leaves.
#[inline(always)]
pub(super) fn meet<P: Packet + ?Sized>(packet: &P, space: &mut Workspace) -> u32 {
    let (first, second) = match addresses(packet, &space.seen) {
        Ok(addresses) => addresses,
        Err(reason) => return reason as u32,
    };
    // Arithmetic, for the verifier would go both ways of a branch.
    let mask = u64::from(space.seen.reversed()).wrapping_neg();
    let (high, low) = ((first.high ^ second.high) & mask, (first.low ^ second.low) & mask);
    let source = Words { high: first.high ^ high, low: first.low ^ low };
    let target = Words { high: second.high ^ high, low: second.low ^ low };
    (space.source, space.target) = (source, target);
    CONTACT
}

/// Whether these addresses can meet: [`CONTACT`], or the number of the counter by which the frame leaves.
#[inline(always)]
pub(super) fn is_possible(space: &Workspace) -> u32 {
    match refuse(&space.seen, space.source, space.target) {
        Some(reason) => reason as u32,
        None => CONTACT,
    }
}

/// Finds out which side the contact's source is on, and under which address it counts.
///
/// # Errors
/// The counter of a contact that was told elsewhere.
#[inline(always)]
pub(super) fn place<T: Tables>(space: &mut Workspace, tables: &mut T) -> Result<Parties, Counter> {
    let seen = &space.seen;
    if seen.through() != 0 && seen.reversed() == 0 && !seen.is(Outcome::Refused) {
        return Err(Counter::Forwarded);
    }
    if is_stranger(seen) && tables.stands_for_others(&space.source.address()) {
        return Err(Counter::Translated);
    }
    tables.count_number(seen.counter());
    let zone = tables.zone(space.source);
    // Arithmetic, and through memory, for the verifier would walk the rest once for each side.
    space.record.side = (u32::from(zone).wrapping_sub(1) >> 31) as u8;
    T::settle(space);
    Ok(Parties::new(u32::from(space.record.side & 1), space.source, space.target, tables.settings().borrow()))
}

/// A segment of no conversation was refused.
#[inline(always)]
pub(super) const fn is_stranger(seen: &Sighting) -> bool {
    seen.is(Outcome::Refused) && seen.technique() == Technique::Ack as u8
}
