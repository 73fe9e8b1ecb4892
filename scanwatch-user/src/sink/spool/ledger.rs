//! What a spool must know across a restart beside its segments: how far the receiver has come, and what was dropped.
//!
//! Two copies of 96 bytes in one file, written in turn and in place: a torn write leaves the other, and a full disk has
//! room for what is there already.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use bytes::{Buf, BufMut};

use super::FILE_MODE;
use super::segment::NUMBER_MAX;
use crate::engine::Timestamp;

const COPY_BYTES: usize = 96;
/// Of a copy with [`Entry::missing`], and of one from before, where zeros stand in its place.
const MAGIC: u32 = 0x5357_4c32;
const MAGIC_BEFORE: u32 = 0x5357_4c31;

/// Messages that were dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// How many, and no more than [`Gap::MESSAGES_MAX`].
    pub messages: u64,
    /// When the first of them was.
    pub first: Timestamp,
    /// When the last of them was.
    pub last: Timestamp,
}

impl Gap {
    /// As many as a ledger tells: only numbers that were forged come to that.
    pub const MESSAGES_MAX: u64 = NUMBER_MAX - 1;

    /// Adds messages dropped now.
    pub fn add(&mut self, messages: u64, now: Timestamp) {
        if messages > 0 {
            if self.messages == 0 {
                self.first = now;
            }
            self.messages = self.messages.saturating_add(messages).min(Self::MESSAGES_MAX);
            self.last = now;
        }
    }
}

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Number of the first message that the receiver does not have.
    pub acknowledged: u64,
    /// Dropped, and not yet told.
    pub dropped: Gap,
    /// Dropped, and being told: what the message says does not change any more.
    pub announced: Gap,
    /// Announcements made so far.
    pub announcements: u64,
    /// Tells this spool from every other, in the ids of announcements.
    pub identity: u64,
    /// Numbers behind `acknowledged` of which no segment has a record, and which were counted as dropped.
    pub missing: u64,
}

/// The file.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    writes: u64,
}

impl Ledger {
    /// Opens the file, or makes it; the entry that was written last, where there is one.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Entry>)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?;
        let copies = [0, 1].map(|copy| read(&file, copy));
        let newest = copies.into_iter().flatten().reduce(|first, second| {
            // Whatever they are counted from (RFC 1982, section 3.2).
            if second.0.wrapping_sub(first.0).cast_signed() > 0 { second } else { first }
        });
        let writes = newest.map_or(0, |(writes, _)| writes);
        Ok((Self { file, writes }, newest.map(|(_, entry)| entry)))
    }

    /// Writes an entry over the older copy.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let writes = self.writes.wrapping_add(1);
        self.file.write_all_at(&copy(entry, writes), writes % 2 * COPY_BYTES as u64)?;
        self.writes = writes;
        Ok(())
    }
}

/// A copy, the one that is written as number `writes`.
fn copy(entry: &Entry, writes: u64) -> Vec<u8> {
    let mut copy = Vec::with_capacity(COPY_BYTES);
    copy.put_u32_le(MAGIC);
    copy.put_u64_le(writes);
    copy.put_u64_le(entry.acknowledged);
    for gap in [entry.dropped, entry.announced] {
        copy.put_u64_le(gap.messages);
        copy.put_u64_le(gap.first.as_ns());
        copy.put_u64_le(gap.last.as_ns());
    }
    copy.put_u64_le(entry.announcements);
    copy.put_u64_le(entry.identity);
    copy.put_u64_le(entry.missing);
    copy.put_u32_le(crc32fast::hash(&copy));
    copy.resize(COPY_BYTES, 0);
    copy
}

/// The file after these two entries were written, for fuzzers and tests.
#[cfg(any(test, fuzzing))]
pub fn copies(entries: &[Entry; 2]) -> Vec<u8> {
    [copy(&entries[1], 2), copy(&entries[0], 1)].concat()
}

/// Gives every copy of a file its right checksum, for fuzzers and tests.
#[cfg(any(test, fuzzing))]
pub fn mend(file: &mut [u8]) {
    for copy in file.chunks_exact_mut(COPY_BYTES) {
        let written = COPY_BYTES - size_of::<u32>();
        let checksum = crc32fast::hash(&copy[..written]);
        copy[written..].copy_from_slice(&checksum.to_le_bytes());
    }
}

fn read(file: &File, copy: u64) -> Option<(u64, Entry)> {
    let mut bytes = [0; COPY_BYTES];
    file.read_exact_at(&mut bytes, copy * COPY_BYTES as u64).ok()?;
    let mut rest = &bytes[..];
    let magic = rest.get_u32_le();
    if magic != MAGIC && magic != MAGIC_BEFORE {
        return None;
    }
    let writes = rest.get_u64_le();
    let acknowledged = rest.get_u64_le();
    let [dropped, announced] = [(); 2].map(|()| Gap {
        messages: rest.get_u64_le(),
        first: Timestamp::from_ns(rest.get_u64_le()),
        last: Timestamp::from_ns(rest.get_u64_le()),
    });
    let (announcements, identity) = (rest.get_u64_le(), rest.get_u64_le());
    let missing = if magic == MAGIC { rest.get_u64_le() } else { 0 };
    let written = bytes.len() - rest.len();
    let entry = Entry { acknowledged, dropped, announced, announcements, identity, missing };
    let counts = [acknowledged, dropped.messages, announced.messages, missing];
    let is_ours = counts.into_iter().all(|count| count < NUMBER_MAX);
    (is_ours && crc32fast::hash(&bytes[..written]) == rest.get_u32_le()).then_some((writes, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_no_spool_comes_near_are_no_entry_and_the_other_copy_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let far = |acknowledged| Entry { acknowledged, ..Entry::default() };
        for entries in [[far(7), far(u64::MAX)], [far(7), far(NUMBER_MAX)]] {
            std::fs::write(&path, copies(&entries)).unwrap();
            assert_eq!(Ledger::open(&path).unwrap().1, Some(far(7)));
        }
        let gap = Gap { messages: u64::MAX, ..Gap::default() };
        for lost in [Entry { dropped: gap, ..far(1) }, Entry { announced: gap, ..far(1) }] {
            std::fs::write(&path, copies(&[far(7), lost])).unwrap();
            assert_eq!(Ledger::open(&path).unwrap().1, Some(far(7)));
        }
    }

    #[test]
    fn the_newer_copy_is_known_also_where_its_number_has_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let entry = |acknowledged| Entry { acknowledged, ..Entry::default() };
        for copies in
            [[copy(&entry(1), u64::MAX), copy(&entry(2), 0)], [copy(&entry(2), 0), copy(&entry(1), u64::MAX)]]
        {
            std::fs::write(&path, copies.concat()).unwrap();
            let (mut ledger, found) = Ledger::open(&path).unwrap();
            assert_eq!(found, Some(entry(2)));
            ledger.writes = u64::MAX;
            ledger.write(&entry(3)).unwrap();
            assert_eq!(ledger.writes, 0);
        }
    }

    #[test]
    fn the_last_entry_is_found_again_and_a_torn_write_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let entry = |acknowledged| Entry { acknowledged, identity: 7, ..Entry::default() };
        let (mut ledger, found) = Ledger::open(&path).unwrap();
        assert_eq!(found, None);
        for acknowledged in 1..=3 {
            ledger.write(&entry(acknowledged)).unwrap();
            assert_eq!(Ledger::open(&path).unwrap().1, Some(entry(acknowledged)));
        }
        // The third write went to the second copy.
        ledger.file.write_all_at(&[0xff], COPY_BYTES as u64 + 20).unwrap();
        assert_eq!(Ledger::open(&path).unwrap().1, Some(entry(2)));
    }
}
