//! What the kernel says of a place on disk.

use std::io;
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::fcntl::AtFlags;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, faccessat, geteuid};

/// The file system that holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this user can still write.
    pub available_bytes: u64,
    /// Bytes it holds in all.
    pub total_bytes: u64,
    /// Files that can still be made; `None` where it does not count them.
    pub files_available: Option<u64>,
    /// It is mounted for reading alone.
    pub is_read_only: bool,
}

/// The room where a path is, which must exist.
pub fn room(path: &Path) -> io::Result<Room> {
    let found = statvfs(path).map_err(io::Error::from)?;
    let block_bytes = found.fragment_size();
    Ok(Room {
        available_bytes: found.blocks_available() * block_bytes,
        total_bytes: found.blocks() * block_bytes,
        files_available: (found.files() > 0).then(|| found.files_available()),
        is_read_only: found.flags().contains(FsFlags::ST_RDONLY),
    })
}

/// Whether this process may write there now: to the file, or in the folder.
pub fn may_write(path: &Path) -> io::Result<()> {
    let wanted = if path.is_dir() { AccessFlags::W_OK | AccessFlags::X_OK } else { AccessFlags::W_OK };
    faccessat(AT_FDCWD, path, wanted, AtFlags::AT_EACCESS).map_err(io::Error::from)
}

/// The user as whom this process reaches files.
#[must_use]
pub fn user() -> u32 {
    geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_that_of_the_file_system_a_folder_lies_on() {
        let folder = tempfile::tempdir().unwrap();
        let found = room(folder.path()).unwrap();
        assert!(found.available_bytes > 0 && found.available_bytes <= found.total_bytes, "{found:?}");
        assert!(!found.is_read_only);
        assert_eq!(room(&folder.path().join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_place_that_is_not_there_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        may_write(folder.path()).unwrap();
        assert_eq!(may_write(&folder.path().join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
