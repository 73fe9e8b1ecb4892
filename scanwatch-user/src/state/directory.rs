//! The directory, and the lock that keeps a second agent out of it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Name of the lock file; it holds the process id of whoever has the lock.
pub const LOCK: &str = "lock";
/// Alerts name hosts: they are nobody else's to read.
const DIRECTORY_MODE: u32 = 0o750;
const LOCK_MODE: u32 = 0o640;
/// Longest process id that is shown.
const PID_LENGTH_MAX: u64 = 20;

/// Why there is no state directory.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is not there, and cannot be made.
    #[error(
        "the state directory {} cannot be made ({error}); make it for the user that runs scanwatch, or name another \
         with --state-dir", path.display()
    )]
    Make {
        /// The directory.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// Its lock cannot be had for another reason than the next.
    #[error(
        "the state directory {} cannot be used ({error}); it must be on a file system that can lock, and writable for \
         the user that runs scanwatch", path.display()
    )]
    Use {
        /// The directory.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// Another process has it.
    #[error(
        "the state directory {} is in use by {holder}; end that one first, or give this one another with --state-dir",
        path.display()
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
}

/// A directory of this process's own, as long as this lives.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    /// Held by being open; the kernel lets go of it with the process, however that ends.
    _lock: File,
}

impl StateDirectory {
    /// Opens the directory, making it where it is missing, and locks it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let at = || path.to_path_buf();
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(path)
            .map_err(|error| StateError::Make { path: at(), error })?;
        let unusable = |error| StateError::Use { path: at(), error };
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(LOCK_MODE)
            .open(path.join(LOCK))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StateError::Held { path: at(), holder: holder(&lock) });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(unusable)?;
        Ok(Self { path: at(), _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Number of the process that has a state directory for its own, where one has and this user may see it. Nothing is locked to
/// find out: that would keep an agent out which starts at this moment.
#[must_use]
pub fn in_use_by(path: &Path) -> Option<u32> {
    let lock = path.join(LOCK);
    let inode = lock.metadata().ok()?.ino();
    let pid: u32 = fs::read_to_string(&lock).ok()?.trim().parse().ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().any(|line| is_lock(line, pid, inode)).then_some(pid)
}

/// Whether a line of /proc/locks (proc_locks(5)) is a lock of this process on a file with this number.
fn is_lock(line: &str, pid: u32, inode: u64) -> bool {
    // 1: FLOCK  ADVISORY  WRITE 22826 fe:00:379054 0 EOF
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, holder, file, ..] = words[..] else { return false };
    let file = file.rsplit(':').next();
    holder.parse() == Ok(pid) && file.and_then(|inode| inode.parse().ok()) == Some(inode)
}

/// Who holds a lock, as the file says: whoever has just got it may not have written yet.
fn holder(lock: &File) -> String {
    let mut text = String::new();
    match lock.take(PID_LENGTH_MAX).read_to_string(&mut text).map(|_| text.trim().parse::<u32>()) {
        Ok(Ok(pid)) => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn directory_is_made_with_its_parents_for_nobody_else() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let directory = StateDirectory::open(&path).unwrap();
        assert_eq!(directory.path(), path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o027, 0);
    }

    #[test]
    fn second_agent_is_kept_out_and_told_by_whom_until_the_first_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        let first = StateDirectory::open(parent.path()).unwrap();
        let error = StateDirectory::open(parent.path()).unwrap_err().to_string();
        let expected = format!("is in use by process {}; end that one first", std::process::id());
        assert!(error.contains(&expected), "{error}");
        drop(first);
        StateDirectory::open(parent.path()).unwrap();
    }

    #[test]
    fn whoever_has_the_directory_is_found_without_taking_its_lock() {
        let parent = tempfile::tempdir().unwrap();
        assert_eq!(in_use_by(parent.path()), None);
        let directory = StateDirectory::open(parent.path()).unwrap();
        assert_eq!(in_use_by(parent.path()), Some(std::process::id()));
        drop(directory);
        assert_eq!(in_use_by(parent.path()), None);
    }

    #[test]
    fn a_line_of_the_kernels_list_is_a_lock_of_one_process_on_one_file() {
        let line = "12: FLOCK  ADVISORY  WRITE 22826 fe:00:379054 0 EOF";
        assert!(is_lock(line, 22_826, 379_054));
        assert!(!is_lock(line, 22_827, 379_054) && !is_lock(line, 22_826, 379_055));
        assert!(!is_lock("1: POSIX  ADVISORY  WRITE 22826 fe:00:379054 0 EOF", 22_826, 379_054));
        assert!(!is_lock("", 1, 1));
    }

    #[test]
    fn longer_process_id_of_a_former_holder_leaves_nothing_behind() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join(LOCK), "4194303999\n").unwrap();
        let _directory = StateDirectory::open(parent.path()).unwrap();
        let text = fs::read_to_string(parent.path().join(LOCK)).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
    }

    #[test]
    fn file_in_the_place_of_the_directory_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        fs::write(&path, "").unwrap();
        let error = StateDirectory::open(&path).unwrap_err().to_string();
        assert!(error.contains("file cannot be made"), "{error}");
    }
}
