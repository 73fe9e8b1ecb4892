//! A file of records, one behind the other, named after the number of its first: `0000000000000042.seg`, in hexadecimal.
//!
//! Damage parts a file into runs of records that can be read. Each run is a segment here; the file goes with its last.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::FILE_MODE;
use super::runs::{self, Run};
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
    /// Offset of its first record.
    pub begin: u64,
    /// Offset behind its last.
    behind: u64,
    /// No other run of the same file follows.
    is_last: bool,
    path: PathBuf,
    file: Arc<File>,
}

/// What lies in a folder.
#[derive(Debug)]
pub struct Found {
    /// In order, each of records that can be read.
    pub segments: Vec<Segment>,
    /// The last file ends with something that cannot be read.
    pub is_torn: bool,
}

/// A file with what can be read of it.
struct Scanned {
    first: u64,
    path: PathBuf,
    file: File,
    runs: Vec<Run>,
}

impl Segment {
    /// A new one, which begins with the record of this number.
    pub fn create(folder: &Path, first: u64) -> io::Result<Self> {
        let path = named(folder, first);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&path)?;
        Ok(Self { first, records: 0, begin: 0, behind: 0, is_last: true, path, file: Arc::new(file) })
    }

    /// The segments of a folder. Files without a record are removed, or, where something else lies in them, put aside. One that
    /// begins before the end of the one before is none that a spool wrote there, a copy put back for instance: it gets the
    /// numbers behind.
    pub fn all(folder: &Path) -> io::Result<Found> {
        let mut scanned: Vec<Scanned> = Vec::new();
        let mut is_torn = false;
        for (first, path) in files(folder)? {
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            let (runs, torn) = runs::find(&file)?;
            is_torn = torn;
            match (runs.is_empty(), torn) {
                (true, false) => fs::remove_file(&path)?,
                (true, true) => fs::rename(&path, path.with_extension(PUT_ASIDE))?,
                (false, _) => scanned.push(Scanned { first, path, file, runs }),
            }
        }
        renumber(folder, &mut scanned)?;
        Ok(Found { segments: scanned.into_iter().flat_map(Scanned::segments).collect(), is_torn })
    }

    /// Number of the record behind the last.
    pub fn end(&self) -> u64 {
        self.first + self.records
    }

    /// Bytes of its records.
    pub fn bytes(&self) -> u64 {
        self.behind - self.begin
    }

    /// Adds a record. Where that fails, nothing was added.
    pub fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let written = self.file.write_all_at(record, self.behind);
        match written {
            Ok(()) => {
                self.behind += record.len() as u64;
                self.records += 1;
            }
            // A part of it may be there: the file ends where the last whole record does.
            Err(_) => drop(self.file.set_len(self.behind)),
        }
        written
    }

    /// The record at an offset, and the offset of the next; `None` at the end, and where a record is damaged.
    pub fn read(&self, offset: u64) -> io::Result<Option<(Envelope, u64)>> {
        runs::record(&self.file, offset)
    }

    /// Leaves nothing to the cache of the operating system.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Ends the file behind its last whole record.
    pub fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.behind)
    }

    /// Removes it: the file, where it is the last of its runs.
    pub fn remove(self) -> io::Result<()> {
        if self.is_last { fs::remove_file(&self.path) } else { Ok(()) }
    }
}

impl Scanned {
    /// Number behind its last record.
    fn end(&self) -> u64 {
        self.first + self.runs.last().map_or(0, |run| run.before + run.records)
    }

    fn segments(self) -> Vec<Segment> {
        let Self { first, path, file, runs } = self;
        let file = Arc::new(file);
        let segment = |(at, run): (usize, &Run)| Segment {
            first: first + run.before,
            records: run.records,
            begin: run.begin,
            behind: run.end,
            is_last: at + 1 == runs.len(),
            path: path.clone(),
            file: Arc::clone(&file),
        };
        runs.iter().enumerate().map(segment).collect()
    }
}

fn named(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:016x}.{EXTENSION}"))
}

/// The files of segments, by number.
fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let number = name.and_then(|name| u64::from_str_radix(name, 16).ok());
        let is_ours = path.extension().is_some_and(|end| end == EXTENSION);
        if let Some(first) = number.filter(|first| is_ours && *first < NUMBER_MAX) {
            files.push((first, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Gives files that overlap with those before them the numbers behind, also by name: the order in a folder is one of names.
fn renumber(folder: &Path, files: &mut [Scanned]) -> io::Result<()> {
    let mut end = 0;
    let mut moved = Vec::new();
    for (at, file) in files.iter_mut().enumerate() {
        if file.first < end {
            file.first = end;
            moved.push(at);
        }
        end = file.end();
    }
    // The last first: then a name that is taken belongs to one that has it no more.
    for at in moved.into_iter().rev() {
        let file = &mut files[at];
        let path = named(folder, file.first);
        fs::rename(&file.path, &path)?;
        file.path = path;
    }
    Ok(())
}
