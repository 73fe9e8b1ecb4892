//! A file of records, one behind the other, named after the number of its first: `0000000000000042.seg`, in hexadecimal.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::FILE_MODE;
use super::codec::{HEAD_BYTES, decode, head};
use crate::sink::Envelope;

const EXTENSION: &str = "seg";
/// Of what nothing could be read: it is kept, for it may be another version's, and never read again.
const PUT_ASIDE: &str = "bad";
/// Larger numbers are no names of ours: no spool comes near, and sums of them stay in range.
pub const NUMBER_MAX: u64 = 1 << 62;

/// A segment.
#[derive(Debug)]
pub struct Segment {
    /// Number of its first record.
    pub first: u64,
    /// Records in it.
    pub records: u64,
    /// Bytes in it.
    pub bytes: u64,
    path: PathBuf,
    file: File,
}

impl Segment {
    /// A new one, which begins with the record of this number.
    pub fn create(folder: &Path, first: u64) -> io::Result<Self> {
        let path = folder.join(format!("{first:016x}.{EXTENSION}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&path)?;
        Ok(Self { first, records: 0, bytes: 0, path, file })
    }

    /// The segments of a folder in order, each as far as it can be read. What follows a damaged record cannot be told
    /// from it and is left behind: true with those that have such an end.
    pub fn all(folder: &Path) -> io::Result<Vec<(Self, bool)>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str());
            let number = name.and_then(|name| u64::from_str_radix(name, 16).ok());
            let is_ours = path.extension().is_some_and(|end| end == EXTENSION);
            if let Some(first) = number.filter(|first| is_ours && *first < NUMBER_MAX) {
                paths.push((first, path));
            }
        }
        paths.sort();
        paths.into_iter().map(|(first, path)| Self::open(first, path)).collect()
    }

    fn open(first: u64, path: PathBuf) -> io::Result<(Self, bool)> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let length = file.metadata()?.len();
        let mut segment = Self { first, records: 0, bytes: 0, path, file };
        while let Some((_, next)) = segment.read(segment.bytes)? {
            segment.bytes = next;
            segment.records += 1;
        }
        let is_damaged = segment.bytes < length;
        Ok((segment, is_damaged))
    }

    /// Number of the record behind the last.
    pub fn end(&self) -> u64 {
        self.first + self.records
    }

    /// Adds a record. Where that fails, nothing was added.
    pub fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let written = self.file.write_all_at(record, self.bytes);
        match written {
            Ok(()) => {
                self.bytes += record.len() as u64;
                self.records += 1;
            }
            // A part of it may be there: the file ends where the last whole record does.
            Err(_) => drop(self.file.set_len(self.bytes)),
        }
        written
    }

    /// The record at an offset, and the offset of the next; `None` at the end, and where a record is damaged.
    pub fn read(&self, offset: u64) -> io::Result<Option<(Envelope, u64)>> {
        let mut bytes = [0; HEAD_BYTES];
        if !filled(self.file.read_exact_at(&mut bytes, offset))? {
            return Ok(None);
        }
        let Some((length, checksum)) = head(bytes) else { return Ok(None) };
        let mut body = vec![0; length];
        if !filled(self.file.read_exact_at(&mut body, offset + HEAD_BYTES as u64))? {
            return Ok(None);
        }
        let next = offset + (HEAD_BYTES + length) as u64;
        Ok(decode(body, checksum).map(|envelope| (envelope, next)))
    }

    /// Leaves nothing to the cache of the operating system.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Ends the file behind its last whole record.
    pub fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.bytes)
    }

    /// Puts it aside, out of the spool.
    pub fn put_aside(self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_extension(PUT_ASIDE))
    }

    /// Removes it.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
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
