//! A file of messages, a message a line, with a rotation of its own.
//!
//! `path` is what is written; rotated, it becomes `path.1`, which becomes `path.2` … and the oldest is removed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;

use super::{BatchMax, Outage, Receipt, Transport};
use crate::kernel::may_write;
use crate::policy::FilePlan;
use crate::sink::Envelope;

/// Readable by the group of the log readers, by nobody else.
const MODE: u32 = 0o640;

/// A file that is written.
#[derive(Debug)]
pub struct File {
    plan: FilePlan,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: fs::File,
    bytes: u64,
    born: SystemTime,
}

/// Says whether the file's folder is there.
pub fn check(plan: &FilePlan) -> Result<(), String> {
    let folder = plan.path.parent().unwrap_or(Path::new("/"));
    if folder.is_dir() {
        return Ok(());
    }
    Err(format!(
        "{} is no folder, and {} is to be written there; make it",
        folder.display(),
        plan.path.display()
    ))
}

impl File {
    /// A file, not opened yet.
    #[must_use]
    pub fn new(plan: FilePlan) -> Self {
        Self { plan, open: None }
    }

    fn write(&mut self, batch: &[Envelope]) -> io::Result<()> {
        self.rotate_if_due()?;
        let lines = super::lines(batch);
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(Open::append(&self.plan.path)?),
        };
        let written = open.file.write_all(&lines).and_then(|()| open.file.sync_data());
        if written.is_ok() {
            open.bytes += lines.len() as u64;
        } else {
            // Half a line is no message: what was not written as a whole is taken back, and written again.
            let _ = open.file.set_len(open.bytes);
            self.open = None;
        }
        written
    }

    fn rotate_if_due(&mut self) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let age = open.born.elapsed().unwrap_or(Duration::ZERO);
        let old = self.plan.rotate_age.is_some_and(|limit| age >= limit);
        if open.bytes == 0 || !(old || open.bytes >= self.plan.rotate_bytes) {
            return Ok(());
        }
        self.open = None;
        for number in (0..self.plan.keep).rev() {
            let (from, to) = (rotated(&self.plan.path, number), rotated(&self.plan.path, number + 1));
            match fs::rename(&from, &to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.plan.keep == 0 {
            fs::remove_file(&self.plan.path)?;
        }
        Ok(())
    }
}

impl Open {
    fn append(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(MODE).open(path)?;
        let metadata = file.metadata()?;
        // A file that was begun by an earlier start keeps its age, where the file system knows it.
        let born = metadata.created().ok().filter(|_| metadata.len() > 0).unwrap_or_else(SystemTime::now);
        Ok(Self { file, bytes: metadata.len(), born })
    }
}

fn rotated(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

impl Transport for File {
    fn batch_max(&self) -> BatchMax {
        BatchMax { messages: 1_024, bytes: 1 << 20, timeout: Duration::from_mins(1) }
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<String, Outage>> {
        let path = self.plan.path.display();
        let found = match writable(&self.plan.path) {
            Ok(()) => Ok(format!("{path} can be written")),
            Err(error) => Err(outage(&self.plan.path, &error)),
        };
        Box::pin(std::future::ready(found))
    }

    fn deliver<'a>(&'a mut self, batch: &'a [Envelope]) -> BoxFuture<'a, Receipt> {
        let receipt = match self.write(batch) {
            Ok(()) => Receipt::taken(batch.len()),
            Err(error) => Receipt::interrupted(0, outage(&self.plan.path, &error)),
        };
        Box::pin(std::future::ready(receipt))
    }

    fn reopen(&mut self) -> BoxFuture<'_, ()> {
        self.open = None;
        Box::pin(std::future::ready(()))
    }
}

/// Whether the file can be written, or else be made: nothing is made to find out.
fn writable(path: &Path) -> io::Result<()> {
    match may_write(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            may_write(path.parent().unwrap_or(Path::new("/")))
        }
        found => found,
    }
}

fn outage(path: &Path, error: &io::Error) -> Outage {
    Outage::new(format!(
        "{} cannot be written ({error}); make room, or let this user write there",
        path.display()
    ))
}
