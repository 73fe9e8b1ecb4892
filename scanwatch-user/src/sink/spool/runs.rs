//! Runs of records that can be read in a file, and what lies between them: damage costs what it hit, not what follows.
//!
//! How many records a damage hit, the file does not tell. It counts as one; the next file's number tells of more. A record is
//! found again by its form and its checksum. None is taken from inside another that can be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::codec::{BODY_BYTES_MAX, HEAD_BYTES, LOOK_BYTES, decode, head, looks_like_a_record};
use crate::sink::Envelope;

/// Bytes that are looked at one by one at once.
const WINDOW_BYTES: usize = 64 << 10;
/// Where the search ends: no segment of ours is longer.
const SEARCH_BYTES_MAX: u64 = (64 << 20) + BODY_BYTES_MAX as u64;
/// Bytes of bodies that are read in the search through a file, at most: what only looks like records is not to hold up a
/// start.
const BODIES_BYTES_MAX: u64 = 1 << 30;

/// Records one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Records and damages before it in its file.
    pub before: u64,
    /// Records in it.
    pub records: u64,
    /// Offset of its first record.
    pub begin: u64,
    /// Offset behind its last.
    pub end: u64,
}

/// The runs of a file; true where damage comes behind the last of them.
pub fn find(file: &File) -> io::Result<(Vec<Run>, bool)> {
    let length = file.metadata()?.len();
    let mut search = Search { file, length, bodies: 0 };
    let mut runs = Vec::new();
    let (mut before, mut begin) = (0, 0);
    loop {
        let mut run = Run { before, records: 0, begin, end: begin };
        while let Some((_, next)) = record(file, run.end)? {
            run.end = next;
            run.records += 1;
        }
        if run.records > 0 {
            runs.push(run);
        }
        if run.end >= length {
            return Ok((runs, false));
        }
        let Some(found) = search.from(run.end + 1)? else { return Ok((runs, true)) };
        (before, begin) = (run.before + run.records + 1, found);
    }
}

/// The record at an offset, and the offset of the next; `None` at the end, and where a record is damaged.
pub fn record(file: &File, offset: u64) -> io::Result<Option<(Envelope, u64)>> {
    let mut bytes = [0; HEAD_BYTES];
    if !filled(file.read_exact_at(&mut bytes, offset))? {
        return Ok(None);
    }
    let Some((length, checksum)) = head(bytes) else { return Ok(None) };
    let mut body = vec![0; length];
    if !filled(file.read_exact_at(&mut body, offset + HEAD_BYTES as u64))? {
        return Ok(None);
    }
    let next = offset + (HEAD_BYTES + length) as u64;
    Ok(decode(body, checksum).map(|envelope| (envelope, next)))
}

/// A search for the next record that can be read.
struct Search<'a> {
    file: &'a File,
    length: u64,
    bodies: u64,
}

impl Search<'_> {
    /// Its offset, from `offset` on.
    fn from(&mut self, offset: u64) -> io::Result<Option<u64>> {
        let mut at = offset;
        let mut window = vec![0; WINDOW_BYTES];
        while at < self.length.min(SEARCH_BYTES_MAX) {
            let room = usize::try_from(self.length - at).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            if room < LOOK_BYTES || !filled(self.file.read_exact_at(&mut window[..room], at))? {
                return Ok(None);
            }
            for (place, look) in (at..).zip(window[..room].windows(LOOK_BYTES)) {
                if self.is_record(place, look)? {
                    return Ok(Some(place));
                }
            }
            at += (room - LOOK_BYTES + 1) as u64;
        }
        Ok(None)
    }

    fn is_record(&mut self, offset: u64, look: &[u8]) -> io::Result<bool> {
        let Some(length) = looks_like_a_record(look) else { return Ok(false) };
        let length = length as u64;
        if offset + HEAD_BYTES as u64 + length > self.length || self.bodies > BODIES_BYTES_MAX {
            return Ok(false);
        }
        self.bodies += length;
        Ok(record(self.file, offset)?.is_some())
    }
}

/// False at the end of the file.
fn filled(read: io::Result<()>) -> io::Result<bool> {
    match read {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
