//! Counting a contact in its source's cell.

use core::borrow::Borrow;

use super::Ports;
use super::source::Parties;
use super::tables::{Clock, Tables};
use crate::abi::{CellFacts, CellKey, Novelty, OTHER_SERVICE, Settings, Side, Technique, Words, port_bucket};
use crate::counters::Counter;
use crate::packet::Packet;
use crate::parse::evidence;
use crate::sighting::Workspace;
use crate::sketch::Seat;

/// Counts a contact in its cell. Returns the number of the counter by which the contact leaves.
#[inline(always)]
pub(super) fn count_pair<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    space: &mut Workspace,
    parties: &Parties,
    tables: &mut T,
) -> u32 {
    let seen = &space.seen;
    match insert(parties, (seen.contact(), seen.vlan(), seen.target_port()), tables) {
        Inserted::Refused => Counter::CellRefused as u32,
        Inserted::Nothing => Counter::NotNovel as u32,
        Inserted::News(cell) => tell_frame(packet, space, cell, tables),
    }
}

/// Counts what an internal source tried first, beside the frame at hand. On a stack of its own, as it is rare. Returns the
/// number of the counter of what that came to.
#[inline(never)]
pub(super) fn count_first<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    space: &mut Workspace,
    way: usize,
    tables: &mut T,
) -> u32 {
    let nothing = Counter::NotNovel as u32;
    let settings = tables.settings();
    let settings: &Settings = settings.borrow();
    let source = Parties::new(Side::Internal as u32, space.source, space.target, settings).source_hash;
    // Another processor may have given the source's place away.
    let first = match tables.first_contact(source, way) {
        Some(first) if first.source == source => *first,
        _ => return nothing,
    };
    if space.describe(packet).is_err() {
        return nothing;
    }
    let record = &mut space.record;
    record.target = first.target;
    record.target_port = first.target_port;
    record.source_port = first.source_port;
    record.length = first.length;
    record.mac = first.mac;
    let parties = Parties::new(Side::Internal as u32, space.source, Words::of(&first.target), settings);
    match insert(&parties, (first.contact, space.seen.vlan(), first.target_port), tables) {
        Inserted::Refused => tables.count(Counter::CellRefused),
        Inserted::Nothing => {}
        Inserted::News(cell) => {
            tell(record, cell, tables);
            tables.count(Counter::FirstNovel);
        }
    }
    nothing
}

/// What a contact told its cell.
enum Inserted {
    /// It has none.
    Refused,
    /// Nothing new.
    Nothing,
    /// Something, to the cell with this number.
    News(u32),
}

/// Counts a target with this port, tried so and in these VLANs.
#[inline(always)]
fn insert<T: Tables>(
    parties: &Parties,
    (contact, vlan, port): (u8, [u16; 2], u16),
    tables: &mut T,
) -> Inserted {
    let service = service_of(contact, port, tables);
    let bucket = if service == OTHER_SERVICE { port_bucket(port) } else { 0 };
    let zone = tables.zone(parties.target_is);
    let source = parties.counts_as.address();
    let key = CellKey { source, vlan, zone, service, bucket, contact }.words();
    let Some(number) = find(parties, key, tables) else {
        tables.refuse_cell();
        return Inserted::Refused;
    };
    let settings = tables.settings();
    let hasher = &Borrow::<Settings>::borrow(&settings).hasher;
    let Some(keyed) = tables.cell(parties.side, number) else { return Inserted::Refused };
    let novel_pair = keyed.cell.pairs.insert(parties.target.pair(hasher, port));
    let novel_host = keyed.cell.hosts.insert(parties.target.host());
    let novel_port = keyed.cell.ports.insert(hasher.port(port));
    if novel_pair | novel_host | novel_port { Inserted::News(number) } else { Inserted::Nothing }
}

/// The service group of a port that is tried so.
#[inline(always)]
fn service_of<T: Tables>(contact: u8, port: u16, tables: &mut T) -> u8 {
    let technique = contact & 0x0f;
    if technique == Technique::Udp as u8 {
        tables.service(Ports::Udp, port)
    } else if technique <= Technique::Flags as u8 || technique == Technique::Ack as u8 {
        tables.service(Ports::Tcp, port)
    } else {
        OTHER_SERVICE
    }
}

/// The number of the cell with this key, a new one where there is none; `None` where there is no room for one.
#[inline(always)]
fn find<T: Tables>(parties: &Parties, key: [u64; 3], tables: &mut T) -> Option<u32> {
    let settings = tables.settings();
    let hasher = &Borrow::<Settings>::borrow(&settings).hasher;
    let (side, hash) = (parties.side, parties.source.with(hasher, key[2]));
    for neighbour in 0..2 {
        match tables.index_line(side, hash ^ neighbour)?.look(hash) {
            Seat::Taken(number) => {
                let [a, b, c] = tables.cell(side, number)?.key.words();
                // Comparing arrays would be a call.
                if (a ^ key[0]) | (b ^ key[1]) | (c ^ key[2]) == 0 {
                    return Some(number);
                }
            }
            Seat::Free(way) => {
                let number = tables.new_cell(side)?;
                tables.cell(side, number)?.key = CellKey::of_words(key);
                tables.index_line(side, hash ^ neighbour)?.seat(way, hash, number);
                tables.count(Counter::CellCreated);
                return Some(number);
            }
            Seat::Full => {}
        }
    }
    None
}

/// Completes the record of the frame at hand, and tells it. On a stack of its own, as it is rare.
#[inline(never)]
fn tell_frame<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    space: &mut Workspace,
    cell: u32,
    tables: &mut T,
) -> u32 {
    if let Err(reason) = space.describe(packet) {
        return reason as u32;
    }
    tell(&mut space.record, cell, tables);
    Counter::Novel as u32
}

impl Workspace {
    /// Fills the record with all that is known of the frame; interface and side are there.
    ///
    /// # Errors
    /// As [`evidence`].
    #[inline(always)]
    pub(super) fn describe<P: Packet + ?Sized>(&mut self, packet: &P) -> Result<(), Counter> {
        let Self { seen, source, target, record } = self;
        evidence(packet, seen, record)?;
        record.source = source.address();
        record.target = target.address();
        record.source_port = seen.source_port();
        record.target_port = seen.target_port();
        Ok(())
    }
}

/// Notes in a cell what it was told, and hands the record to user space.
#[inline(always)]
fn tell<T: Tables>(record: &mut Novelty, number: u32, tables: &mut T) {
    let side = u32::from(record.side);
    record.time_ns = tables.clock().now_ns();
    record.reserved = 0;
    if let Some(keyed) = tables.cell(side, number) {
        record.key = keyed.key;
        note(&mut keyed.cell.facts, record);
    }
    if !tables.emit(side, record) {
        tables.count(Counter::RingLost);
    }
}

#[inline(always)]
fn note(facts: &mut CellFacts, record: &Novelty) {
    let size = u64::from(record.length);
    if facts.novelties == 0 {
        facts.first_ns = record.time_ns;
    }
    let lasted_us = record.time_ns.saturating_sub(facts.first_ns) / 1_000;
    facts.lasted_us = lasted_us.min(u64::from(u32::MAX)) as u32;
    facts.size_sum += u32::from(record.length);
    facts.size_squares += size * size;
    facts.novelties = facts.novelties.wrapping_add(1);
    facts.interface = record.interface;
    facts.mac = record.mac;
    facts.ttl = record.ttl;
}
