//! What a sink keeps until its receiver has it.
//!
//! Messages lie on disk in segments, each record with a checksum; a segment is removed once all of it is acknowledged.
//! The size is limited: then the oldest segment gives way, or what comes, as the plan says, and what was dropped is counted
//! until it has been told. Where the disk takes nothing, a few messages are held in memory, behind those on disk.
//!
//! A record is handed to the operating system before [`Spool::push`] returns: it outlives the process, and a power failure
//! once [`Spool::sync`] has run.

mod codec;
mod disk;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod ledger;
mod runs;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use crate::engine::Timestamp;
use crate::policy::{SpoolPlan, WhenFull};
use crate::sink::Envelope;

use disk::Disk;
pub use ledger::Gap;

/// Alerts name machines and what they did: the group of the log readers may see them, nobody else.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// What is held in memory while the disk takes nothing: this part of the limit, and no more than so many bytes of payload.
const MEMORY_PART: u64 = 16;
const MEMORY_BYTES_MAX: u64 = 4 << 20;

/// Messages that wait for one receiver, in order, each with a number that grows.
#[derive(Debug)]
pub struct Spool {
    plan: SpoolPlan,
    disk: Option<Disk>,
    memory: VecDeque<(u64, Envelope)>,
    memory_bytes: u64,
    /// Number of the next message.
    next: u64,
    entry: ledger::Entry,
    dropped_total: u64,
    /// Why the disk takes nothing.
    trouble: Option<String>,
}

/// An announcement to be made: what was dropped, and the identity of the message that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Identity.
    pub id: String,
    /// What was dropped.
    pub gap: Gap,
}

impl Spool {
    /// A spool in memory alone, of the same limit.
    #[must_use]
    pub fn in_memory(plan: SpoolPlan) -> Self {
        let entry = ledger::Entry { identity: identity(), ..ledger::Entry::default() };
        Self {
            plan,
            disk: None,
            memory: VecDeque::new(),
            memory_bytes: 0,
            next: 0,
            entry,
            dropped_total: 0,
            trouble: None,
        }
    }

    /// Opens the spool in a folder, or makes it, and takes up what an earlier process left. Where the folder cannot be used,
    /// the spool is one in memory and [`Spool::trouble`] says why.
    #[must_use]
    pub fn open(folder: &Path, plan: SpoolPlan, now: Timestamp) -> Self {
        let mut spool = Self::in_memory(plan);
        match Disk::open(folder, plan.bytes_max) {
            Ok((disk, entry, damaged)) => {
                spool.entry = entry.unwrap_or(spool.entry);
                spool.entry.dropped.add(damaged, now);
                spool.dropped_total = damaged;
                spool.entry.acknowledged =
                    disk.first().unwrap_or(spool.entry.acknowledged).max(spool.entry.acknowledged);
                spool.next = disk.end().max(spool.entry.acknowledged);
                spool.disk = Some(disk);
                spool.settle();
                spool.write_ledger();
            }
            Err(error) => spool.trouble = Some(unusable(folder, &error)),
        }
        spool
    }

    /// Changes limit and policy; they hold from the next message on.
    pub fn set_plan(&mut self, plan: SpoolPlan) {
        self.plan = plan;
        if let Some(disk) = &mut self.disk {
            disk.set_bytes_max(plan.bytes_max);
        }
    }

    /// Why the disk takes nothing, where it does not.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Messages that wait.
    #[must_use]
    pub fn messages(&self) -> u64 {
        let on_disk = self.disk.as_ref().map_or(0, Disk::records);
        on_disk + self.memory.len() as u64
    }

    /// Bytes they take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, Disk::bytes) + self.memory_bytes
    }

    /// Something was dropped, and the receiver does not know.
    #[must_use]
    pub fn has_to_announce(&self) -> bool {
        self.entry.dropped.messages > 0 || self.entry.announced.messages > 0
    }

    /// What was dropped and is not yet announced.
    #[cfg(test)]
    #[must_use]
    pub fn dropped(&self) -> Gap {
        self.entry.dropped
    }

    /// Messages dropped since this process opened the spool.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped_total
    }

    /// Takes a message. False where it was dropped; what was dropped in its place is counted as well.
    pub fn push(&mut self, envelope: Envelope, now: Timestamp) -> bool {
        let Some(record) = codec::encode(&envelope) else {
            self.drop_messages(1, now);
            return false;
        };
        if self.disk.is_some() && self.unload(now) {
            match self.write(self.next, &record, now) {
                Ok(true) => {
                    self.next += 1;
                    return true;
                }
                Ok(false) => {
                    self.drop_messages(1, now);
                    return false;
                }
                Err(error) => self.is_broken(&error),
            }
        }
        self.hold(envelope, now)
    }

    /// The first messages that wait, with their numbers, of no more than `bytes` of payload unless the first alone is larger.
    #[must_use]
    pub fn peek(&mut self, messages: usize, bytes: usize, now: Timestamp) -> Vec<(u64, Envelope)> {
        let mut batch = Batch { room: bytes, messages, taken: Vec::new() };
        if let Some(disk) = &mut self.disk {
            match disk.read(&mut |number, envelope| batch.take(number, envelope)) {
                Ok(0) => {}
                Ok(damaged) => {
                    self.skip_to_first();
                    self.drop_messages(damaged, now);
                }
                Err(error) => {
                    self.trouble =
                        Some(unusable(self.disk.as_ref().map_or(Path::new(""), Disk::folder), &error));
                }
            }
            if self.disk.as_ref().is_some_and(|disk| disk.records() > 0) {
                return batch.taken;
            }
        }
        for (number, envelope) in &self.memory {
            if !batch.take(*number, envelope.clone()) {
                break;
            }
        }
        batch.taken
    }

    /// The receiver has the messages from number `first` up to, but without, `end`: they are removed.
    pub fn acknowledge(&mut self, first: u64, end: u64) {
        // What gave way while it was on its way has arrived all the same.
        let arrived = self.entry.acknowledged.min(end).saturating_sub(first);
        self.entry.dropped.messages = self.entry.dropped.messages.saturating_sub(arrived);
        self.dropped_total = self.dropped_total.saturating_sub(arrived);
        self.entry.acknowledged = self.entry.acknowledged.max(end);
        // Before anything is removed: what is neither there nor acknowledged is lost.
        self.write_ledger();
        self.settle();
    }

    /// The announcement to be made, if any: one that was begun, or, with the way `free`, one of what was dropped since.
    pub fn announcement(&mut self, free: bool) -> Option<Announcement> {
        if self.entry.announced.messages == 0 {
            if !free || self.entry.dropped.messages == 0 {
                return None;
            }
            self.entry.announced = std::mem::take(&mut self.entry.dropped);
            self.write_ledger();
        }
        let id = format!("dropped-{:016x}-{}", self.entry.identity, self.entry.announcements.wrapping_add(1));
        Some(Announcement { id, gap: self.entry.announced })
    }

    /// The announcement has arrived.
    pub fn announced(&mut self) {
        self.entry.announced = Gap::default();
        self.entry.announcements = self.entry.announcements.wrapping_add(1);
        self.write_ledger();
    }

    /// Counts messages that were lost on their way here.
    pub fn drop_messages(&mut self, messages: u64, now: Timestamp) {
        if messages > 0 {
            self.entry.dropped.add(messages, now);
            self.dropped_total += messages;
            self.write_ledger();
        }
    }

    /// Makes sure that what was taken outlives a power failure.
    pub fn sync(&mut self) {
        let synced = self.disk.as_ref().map_or(Ok(()), Disk::sync);
        if let Err(error) = synced {
            self.is_broken(&error);
        }
    }

    /// Moves what is held in memory to the disk; true where nothing is left.
    fn unload(&mut self, now: Timestamp) -> bool {
        while let Some((number, envelope)) = self.memory.front() {
            let (number, length) = (*number, envelope.payload.len() as u64);
            // It was encoded before it came here.
            let Some(record) = codec::encode(envelope) else { return false };
            match self.write(number, &record, now) {
                Ok(true) => {
                    self.memory.pop_front();
                    self.memory_bytes -= length;
                }
                Ok(false) => return false,
                Err(error) => {
                    self.is_broken(&error);
                    return false;
                }
            }
        }
        true
    }

    /// Writes a record. False where the limit leaves no room for it; an error where the disk does not take it.
    fn write(&mut self, number: u64, record: &[u8], now: Timestamp) -> io::Result<bool> {
        loop {
            let Some(disk) = &mut self.disk else { return Ok(false) };
            if disk.append(number, record)? {
                self.trouble = None;
                return Ok(true);
            }
            if self.plan.when_full == WhenFull::DropNewest || disk.records() == 0 {
                return Ok(false);
            }
            self.drop_oldest(now)?;
        }
    }

    fn drop_oldest(&mut self, now: Timestamp) -> io::Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let dropped = disk.remove_first()?;
        self.skip_to_first();
        self.drop_messages(dropped, now);
        Ok(())
    }

    /// What is gone counts as acknowledged.
    fn skip_to_first(&mut self) {
        let on_disk = self.disk.as_ref().and_then(Disk::first);
        let first = on_disk.or(self.memory.front().map(|(number, _)| *number)).unwrap_or(self.next);
        self.entry.acknowledged = self.entry.acknowledged.max(first);
    }

    fn hold(&mut self, envelope: Envelope, now: Timestamp) -> bool {
        let limit = match (&self.disk, &self.trouble) {
            (None, None) => self.plan.bytes_max,
            _ => (self.plan.bytes_max / MEMORY_PART).min(MEMORY_BYTES_MAX),
        };
        let length = envelope.payload.len() as u64;
        while self.memory_bytes + length > limit {
            if self.plan.when_full == WhenFull::DropNewest || !self.drop_for_memory(now) {
                self.drop_messages(1, now);
                return false;
            }
        }
        self.memory_bytes += length;
        self.memory.push_back((self.next, envelope));
        self.next += 1;
        true
    }

    /// Makes room in memory: what is oldest gives way, on disk first, where its room is taken by what memory holds. False
    /// where nothing is left to give way.
    fn drop_for_memory(&mut self, now: Timestamp) -> bool {
        if self.disk.as_ref().is_some_and(|disk| disk.records() > 0) {
            let dropped = self.drop_oldest(now);
            self.unload(now);
            if dropped.is_ok() {
                return true;
            }
        }
        let Some((number, oldest)) = self.memory.pop_front() else { return false };
        self.memory_bytes -= oldest.payload.len() as u64;
        // What lies on a disk from which nothing can be removed still waits.
        if self.disk.as_ref().is_none_or(|disk| disk.records() == 0) {
            self.entry.acknowledged = self.entry.acknowledged.max(number + 1);
        }
        self.drop_messages(1, now);
        true
    }

    /// Removes what is acknowledged.
    fn settle(&mut self) {
        let acknowledged = self.entry.acknowledged;
        if let Some(disk) = &mut self.disk
            && let Err(error) = disk.acknowledge(acknowledged)
        {
            self.is_broken(&error);
        }
        while let Some((_, envelope)) = self.memory.front().filter(|(number, _)| *number < acknowledged) {
            self.memory_bytes -= envelope.payload.len() as u64;
            self.memory.pop_front();
        }
    }

    fn write_ledger(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        self.entry.missing = disk.missing(self.entry.acknowledged);
        if let Err(error) = disk.note(&self.entry) {
            self.is_broken(&error);
        }
    }

    fn is_broken(&mut self, error: &io::Error) {
        let folder = self.disk.as_ref().map_or_else(PathBuf::new, |disk| disk.folder().to_owned());
        self.trouble = Some(unusable(&folder, error));
    }
}

/// A batch that is being filled.
struct Batch {
    room: usize,
    messages: usize,
    taken: Vec<(u64, Envelope)>,
}

impl Batch {
    /// True where there may be room for another.
    fn take(&mut self, number: u64, envelope: Envelope) -> bool {
        let length = envelope.payload.len();
        if self.taken.len() >= self.messages.max(1) || (length > self.room && !self.taken.is_empty()) {
            return false;
        }
        self.room = self.room.saturating_sub(length);
        self.taken.push((number, envelope));
        true
    }
}

fn unusable(folder: &Path, error: &io::Error) -> String {
    format!(
        "the spool {} cannot be used ({error}): alerts that wait are held in memory; make room, or let this user write there",
        folder.display()
    )
}

/// A number that no other spool has.
fn identity() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}
