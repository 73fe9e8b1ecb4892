//! The segments of a spool, and its ledger: what lies in its folder.

use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::FOLDER_MODE;
use super::ledger::{Entry, Ledger};
use super::segment::{Found, Segment};
use crate::sink::Envelope;

/// Segments are this part of the limit, within bounds: what gives way at once is no more.
const SEGMENTS: u64 = 64;
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 64 << 10..=64 << 20;

/// The folder of a spool.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    ledger: Ledger,
    segments: VecDeque<Segment>,
    bytes_max: u64,
    /// Number of the first record that waits, in the first segment, and its offset there.
    head: u64,
    offset: u64,
}

impl Disk {
    /// Opens a folder, or makes it; also the ledger's last entry, and how many records are damaged or missing that it does
    /// not know of.
    pub fn open(folder: &Path, bytes_max: u64) -> io::Result<(Self, Option<Entry>, u64)> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        let (ledger, entry) = Ledger::open(&folder.join("ledger"))?;
        let Found { segments, is_torn } = Segment::all(folder)?;
        let segments = VecDeque::from(segments);
        let (head, offset) = segments.front().map_or((0, 0), |segment| (segment.first, segment.begin));
        if let Some(last) = segments.back() {
            last.cut()?;
        }
        let disk = Self { folder: folder.to_owned(), ledger, segments, bytes_max, head, offset };
        // Without a ledger, nobody knows what lay before the first segment.
        let (begin, known) = entry.map_or((head, 0), |entry| (entry.acknowledged, entry.missing));
        // At the very end it is one that was never written to its end.
        let lost = disk.missing(begin).saturating_sub(known) + u64::from(is_torn);
        Ok((disk, entry, lost))
    }

    pub fn set_bytes_max(&mut self, bytes_max: u64) {
        self.bytes_max = bytes_max;
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Numbers from `begin` on, and before the last record, of which no segment has a record.
    pub fn missing(&self, begin: u64) -> u64 {
        let mut next = begin;
        let mut missing = 0;
        for segment in &self.segments {
            missing += segment.first.saturating_sub(next);
            next = next.max(segment.end());
        }
        missing
    }

    /// Number of the first record that waits.
    pub fn first(&self) -> Option<u64> {
        self.segments.front().map(|segment| segment.first.max(self.head))
    }

    /// Number behind the last record.
    pub fn end(&self) -> u64 {
        self.segments.back().map_or(0, Segment::end)
    }

    /// Records that wait.
    pub fn records(&self) -> u64 {
        let all: u64 = self.segments.iter().map(|segment| segment.records).sum();
        all - self.segments.front().map_or(0, |first| self.head.saturating_sub(first.first))
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }

    /// Adds a record of this number. False where the limit leaves no room.
    pub fn append(&mut self, number: u64, record: &[u8]) -> io::Result<bool> {
        let length = record.len() as u64;
        if self.bytes() + length > self.bytes_max {
            return Ok(false);
        }
        let segment_max = (self.bytes_max / SEGMENTS).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end());
        let fits = |last: &&mut Segment| last.end() == number && last.bytes() + length <= segment_max;
        if let Some(last) = self.segments.back_mut().filter(fits) {
            last.append(record)?;
            return Ok(true);
        }
        // What is behind is synced with the last segment alone.
        self.sync()?;
        let mut segment = Segment::create(&self.folder, number)?;
        if let Err(error) = segment.append(record) {
            let _ = segment.remove();
            return Err(error);
        }
        if self.segments.is_empty() {
            (self.head, self.offset) = (number, 0);
        }
        self.segments.push_back(segment);
        Ok(true)
    }

    /// Hands over the records of the first segment from the first that waits on, while `take` says so. A damaged one, and
    /// what follows in its segment, is left out for good: how many these were.
    pub fn read(&mut self, take: &mut dyn FnMut(u64, Envelope) -> bool) -> io::Result<u64> {
        let Some(segment) = self.segments.front() else { return Ok(0) };
        let (mut number, mut offset) = (self.head, self.offset);
        while number < segment.end() {
            let Some((envelope, next)) = segment.read(offset)? else {
                let damaged = segment.end() - number;
                if number == self.head {
                    self.remove_first()?;
                    return Ok(damaged);
                }
                // What came before it goes first.
                break;
            };
            if !take(number, envelope) {
                break;
            }
            (number, offset) = (number + 1, next);
        }
        Ok(0)
    }

    /// Removes the first segment; how many of its records were waiting.
    pub fn remove_first(&mut self) -> io::Result<u64> {
        let Some(first) = self.segments.pop_front() else { return Ok(0) };
        let waiting = first.end() - self.head.max(first.first);
        (self.head, self.offset) =
            self.segments.front().map_or((first.end(), 0), |next| (next.first, next.begin));
        first.remove()?;
        Ok(waiting)
    }

    /// Records before number `end` need not be kept.
    pub fn acknowledge(&mut self, end: u64) -> io::Result<()> {
        while self.segments.front().is_some_and(|segment| segment.end() <= end) {
            self.remove_first()?;
        }
        while let Some(segment) = self.segments.front().filter(|_| self.head < end) {
            let Some((_, next)) = segment.read(self.offset)? else { break };
            (self.head, self.offset) = (self.head + 1, next);
        }
        Ok(())
    }

    /// Writes the ledger.
    pub fn note(&mut self, entry: &Entry) -> io::Result<()> {
        self.ledger.write(entry)
    }

    /// Leaves nothing to the cache of the operating system.
    pub fn sync(&self) -> io::Result<()> {
        self.segments.back().map_or(Ok(()), Segment::sync)
    }
}
