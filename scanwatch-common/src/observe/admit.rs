//! Asking the doorkeeper whether a source is worth a cell.

use core::borrow::Borrow;

use super::source::{Parties, is_stranger};
use super::tables::Tables;
use crate::abi::{Outcome, Settings, Side};
use crate::counters::Counter;
use crate::packet::Packet;
use crate::sighting::{Sighting, Workspace};
use crate::sketch::{FirstContact, Knock};

/// What is to be done about a contact.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing, for this reason.
    Leaves(Counter),
    /// It is the source's first, and kept until there is a second, in this place of the doorkeeper's set.
    KeepsFirst(usize),
    /// It counts, and so does what its source tried first, kept in this place.
    CountsWithFirst(usize),
    /// It counts.
    Counts,
}

/// Asks whether the contact's source is worth a cell.
#[inline(always)]
pub(super) fn admit<T: Tables>(seen: &Sighting, parties: &Parties, tables: &mut T) -> Verdict {
    let settings = tables.settings();
    let settings: &Settings = settings.borrow();
    let need = settings.admit[parties.side as usize & 1];
    let source = parties.source_hash;
    let knock = match tables.door_set(parties.side, source) {
        None => Knock::Admitted,
        Some(set) if admits(seen) => {
            // The technique is part of what the doorkeeper tells apart: three odd packets to one port are three.
            let pair = parties.target.pair(&settings.hasher, seen.target_port());
            set.knock(source, pair.rotate_left(u32::from(seen.technique())), need)
        }
        Some(set) if set.knows(source, need) => Knock::Admitted,
        Some(_) => return Verdict::Leaves(Counter::NotAsked),
    };
    match (knock, parties.side == Side::Internal as u32) {
        (Knock::First(way), true) => Verdict::KeepsFirst(way),
        (Knock::Newly(way), true) => Verdict::CountsWithFirst(way),
        (Knock::First(_) | Knock::Waiting, _) => Verdict::Leaves(Counter::NotAdmitted),
        (Knock::Newly(_) | Knock::Admitted, _) => Verdict::Counts,
    }
}

/// Keeps what an internal source tried first. On a stack of its own, as it is rare.
#[inline(never)]
pub(super) fn keep_first<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    space: &mut Workspace,
    way: usize,
    tables: &mut T,
) -> u32 {
    if let Err(reason) = space.describe(packet) {
        return reason as u32;
    }
    let Workspace { record, seen, .. } = space;
    let parties = Parties::new(Side::Internal as u32, space.source, space.target, tables.settings().borrow());
    if let Some(first) = tables.first_contact(parties.source_hash, way) {
        *first = FirstContact {
            source: parties.source_hash,
            target: record.target,
            target_port: record.target_port,
            source_port: record.source_port,
            length: record.length,
            contact: seen.contact(),
            reserved: [0; 3],
            mac: record.mac,
        };
    }
    Counter::NotAdmitted as u32
}

/// Only what a source does itself brings it in: it tries, or it is refused what nobody else can have sent.
#[inline(always)]
const fn admits(seen: &Sighting) -> bool {
    seen.is(Outcome::Tried) || is_stranger(seen)
}
