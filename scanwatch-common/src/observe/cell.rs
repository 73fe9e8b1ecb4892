//! Counting a contact in its source's cell.

use super::Ports;
use super::tables::{Clock, Tables};
use crate::abi::{CellFacts, Novelty, OTHER_SERVICE, Side, Technique, port_bucket};
use crate::counters::Counter;
use crate::sketch::{FirstContact, Hasher};

/// Counts what the source tried first, and leaves the record as it was; false where another processor meanwhile gave the
/// source's place away, and the record with it. On a stack of its own, as above.
#[inline(never)]
pub(super) fn count_first<T: Tables>(way: usize, record: &mut Novelty, tables: &mut T) -> bool {
    let side = side_of(record);
    let source = Hasher::new(tables.settings().seed).endpoint(&record.key.source).host();
    match tables.first_contact(side, source, way) {
        Some(first) if first.source == source => exchange(record, first),
        _ => return true,
    }
    // The frame at hand has a way out of its own.
    let first = count_pair(record, tables);
    if first == Counter::Novel as u32 {
        tables.count(Counter::FirstNovel);
    } else if first == Counter::CellRefused as u32 {
        tables.count(Counter::CellRefused);
    }
    match tables.first_contact(side, source, way) {
        Some(first) if first.source == source => {
            exchange(record, first);
            true
        }
        _ => false,
    }
}

/// Exchanges what is at hand for what was tried first, in place: a copy is more than the kernel's stack has room for.
#[inline(always)]
pub(super) fn exchange(record: &mut Novelty, first: &mut FirstContact) {
    core::mem::swap(&mut record.target, &mut first.target);
    core::mem::swap(&mut record.target_port, &mut first.target_port);
    core::mem::swap(&mut record.source_port, &mut first.source_port);
    core::mem::swap(&mut record.length, &mut first.length);
    core::mem::swap(&mut record.key.contact, &mut first.contact);
}

#[inline(always)]
pub(super) const fn side_of(record: &Novelty) -> Side {
    if record.side == Side::Internal as u8 { Side::Internal } else { Side::External }
}

/// Counts the record's pair in its cell; on a stack of its own, as above. Returns the number of the counter by which the
/// contact leaves.
#[inline(never)]
pub(super) fn count_pair<T: Tables>(record: &mut Novelty, tables: &mut T) -> u32 {
    fill_key(record, tables);
    // From memory, so that the verifier walks this once for both sides.
    let side = side_of(record);
    let hasher = Hasher::new(tables.settings().seed);
    let target = hasher.endpoint(&record.target);
    let clock = tables.clock();
    let Some((cell, created)) = tables.cell_or_new(side, &record.key) else {
        return Counter::CellRefused as u32;
    };
    let novel_pair = cell.pairs.insert(target.pair(record.target_port));
    let novel_host = cell.hosts.insert(target.host());
    let novel_port = cell.ports.insert(hasher.port(record.target_port));
    let novel = novel_pair | novel_host | novel_port;
    if novel {
        record.time_ns = clock.now_ns();
        note(&mut cell.facts, record);
    }
    if created {
        tables.count(Counter::CellCreated);
    }
    if !novel {
        return Counter::NotNovel as u32;
    }
    if !tables.emit(side, record) {
        tables.count(Counter::RingLost);
    }
    Counter::Novel as u32
}

/// Completes the key of the cell a contact counts in; source, VLAN, technique and outcome are there.
#[inline(always)]
fn fill_key<T: Tables>(record: &mut Novelty, tables: &mut T) {
    let technique = record.key.contact & 0x0f;
    let service = if technique == Technique::Udp as u8 {
        tables.service(Ports::Udp, record.target_port)
    } else if technique <= Technique::Flags as u8 || technique == Technique::Ack as u8 {
        tables.service(Ports::Tcp, record.target_port)
    } else {
        OTHER_SERVICE
    };
    record.key.zone = tables.zone(&record.target);
    record.key.service = service;
    record.key.bucket = if service == OTHER_SERVICE { port_bucket(record.target_port) } else { 0 };
}

#[inline(always)]
fn note(facts: &mut CellFacts, record: &Novelty) {
    let size = u64::from(record.length);
    if facts.novelties == 0 {
        facts.first_ns = record.time_ns;
    }
    facts.last_ns = record.time_ns;
    facts.size_sum += size;
    facts.size_squares += size * size;
    facts.novelties = facts.novelties.wrapping_add(1);
    facts.interface = record.interface;
    facts.mac = record.mac;
    facts.ttl = record.ttl;
}
