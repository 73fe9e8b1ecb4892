//! One file of state: a line that says what it is, then what it holds.
//!
//! A file is written beside the one before and put into its place at once, so that there is a whole one whenever the machine
//! stops. It is checked before it is believed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What such a file is called in its first line.
const KIND: &str = "scanwatch state";
/// Version of what it holds: changed where what was written before can no longer be read.
const VERSION: u32 = 2;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    kind: String,
    version: u32,
    /// Nanoseconds since the Unix epoch, UTC.
    at_ns: u64,
    crc32: u32,
}

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not there, or not for this user.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else, or damaged.
    #[error("{0}")]
    Damaged(String),
    /// What it counts cannot be merged with what is counted now.
    #[error("what it counts was hashed under another key")]
    OtherKey,
    /// It is of another version.
    #[error("it is of version {0}, and this scanwatch reads version {VERSION}")]
    Version(u32),
}

/// Writes a file of what was at a time, with these rights, and returns once it is on disk.
pub fn write(folder: &Path, (name, mode): (&str, u32), at_ns: u64, body: &[u8]) -> io::Result<()> {
    let header = Header { kind: KIND.to_owned(), version: VERSION, at_ns, crc32: crc32fast::hash(body) };
    let beside = folder.join(format!("{name}.new"));
    // Never through a link, and never with the rights of a file that somebody left there.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    let mut line = serde_json::to_vec(&header)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.write_all(body)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&beside, folder.join(name))?;
    // The new name is on disk with its folder.
    File::open(folder)?.sync_all()
}

/// Reads a file: the time of which it tells, and what it holds.
pub fn read(path: &Path) -> Result<(u64, Vec<u8>), Unreadable> {
    let damaged = |what: String| Unreadable::Damaged(what);
    let mut bytes = fs::read(path)?;
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| damaged("it has no first line".to_owned()))?;
    let header: Header = serde_json::from_slice(&bytes[..end])
        .map_err(|_| damaged("its first line is not that of a file of scanwatch's state".to_owned()))?;
    if header.kind != KIND {
        return Err(damaged(format!("it is of the kind {:?}", header.kind)));
    }
    if header.version != VERSION {
        return Err(Unreadable::Version(header.version));
    }
    bytes.drain(..=end);
    bytes.pop_if(|last| *last == b'\n');
    if crc32fast::hash(&bytes) != header.crc32 {
        return Err(damaged("its checksum is wrong".to_owned()));
    }
    Ok((header.at_ns, bytes))
}

/// Gives a file that is not believed another name, and says what became of it.
pub fn put_aside(path: &Path) -> String {
    let aside = path.with_extension("bad");
    match fs::rename(path, &aside) {
        Ok(()) => format!("it is now {}", aside.display()),
        Err(error) => format!("it cannot be renamed ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const MODE: u32 = 0o640;

    #[test]
    fn what_was_written_last_is_read_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        for body in [&b"{\"first\":1}"[..], b"{}", b""] {
            write(folder.path(), ("a.json", MODE), 7, body).unwrap();
            assert_eq!(read(&folder.path().join("a.json")).unwrap(), (7, body.to_vec()));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mode = fs::metadata(folder.path().join("a.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !MODE, 0);
    }

    #[test]
    fn a_file_left_half_written_is_written_anew_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "precious").unwrap();
        symlink(&other, folder.path().join("a.json.new")).unwrap();
        write(folder.path(), ("a.json", MODE), 7, b"{}").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
    }

    #[test]
    fn every_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(folder.path(), ("a.json", MODE), 7, b"{\"sources\":[]}").unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() - 1 {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(read(&path).is_err(), "cut to {cut} bytes");
        }
        let body = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for at in body..whole.len() - 1 {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(read(&path).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "{\"kind\":\"scanwatch state\",\"version\":9,\"at_ns\":0,\"crc32\":0}\n\n").unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(error.to_string(), "it is of version 9, and this scanwatch reads version 2");
    }
}
