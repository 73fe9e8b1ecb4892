//! Archives as the kernel unpacks into its first file system: cpio's "newc" form
//! (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).

use std::io::{self, Write};

/// Kinds of entries, as in `st_mode` (inode(7)).
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
/// Name of the entry that ends an archive.
const END: &str = "TRAILER!!!";
/// Everything begins at a multiple of this.
const ALIGNMENT: usize = 4;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A folder.
    Folder,
    /// A file and its permissions.
    File { mode: u32, bytes: Vec<u8> },
    /// A symbolic link and where it leads.
    Link(String),
}

/// Writes entries, each after the folders it is in, with the end of the archive.
pub(super) fn write<'a>(
    entries: impl IntoIterator<Item = (&'a str, &'a Entry)>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut number = 0;
    for (name, entry) in entries {
        number += 1;
        let (mode, bytes) = match entry {
            Entry::Folder => (FOLDER | 0o755, &[][..]),
            Entry::File { mode, bytes } => (FILE | mode, &bytes[..]),
            Entry::Link(target) => (LINK | 0o777, target.as_bytes()),
        };
        put(out, number, mode, name, bytes)?;
    }
    put(out, 0, 0, END, &[])
}

fn put(out: &mut impl Write, number: u32, mode: u32, name: &str, bytes: &[u8]) -> io::Result<()> {
    let too_large =
        |_| io::Error::new(io::ErrorKind::FileTooLarge, format!("{name} does not fit into an archive"));
    let size = u32::try_from(bytes.len()).map_err(too_large)?;
    let name_size = u32::try_from(name.len() + 1).map_err(too_large)?;
    // Number, mode, user, group, links, time, size, four numbers of devices, size of the name, check sum.
    let fields = [number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
    let numbers = fields.map(|field| format!("{field:08X}")).concat();
    let header = format!("070701{numbers}{name}\0");
    out.write_all(header.as_bytes())?;
    pad(out, header.len())?;
    out.write_all(bytes)?;
    pad(out, bytes.len())
}

fn pad(out: &mut impl Write, length: usize) -> io::Result<()> {
    out.write_all(&[0; ALIGNMENT][..length.next_multiple_of(ALIGNMENT) - length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_every_entry_on_a_boundary_and_ends() {
        let file = Entry::File { mode: 0o755, bytes: b"hello".to_vec() };
        let mut archive = Vec::new();
        write(
            [("bin", &Entry::Folder), ("bin/x", &file), ("y", &Entry::Link("bin/x".to_owned()))],
            &mut archive,
        )
        .unwrap();
        assert_eq!(archive.len() % ALIGNMENT, 0);
        let text = String::from_utf8_lossy(&archive);
        let starts: Vec<usize> = text.match_indices("070701").map(|(at, _)| at).collect();
        assert_eq!(starts.len(), 4);
        assert!(starts.iter().all(|at| at % ALIGNMENT == 0), "{starts:?}");
        // The mode is the second number, the size the seventh.
        let field = |entry: usize, number: usize| &text[starts[entry] + 6 + 8 * number..][..8];
        assert_eq!((field(0, 1), field(0, 6)), ("000041ED", "00000000"));
        assert_eq!((field(1, 1), field(1, 6)), ("000081ED", "00000005"));
        assert_eq!((field(2, 1), field(2, 6)), ("0000A1FF", "00000005"));
        assert!(text[starts[1]..].contains("bin/x\0hello\0\0\0"), "{text}");
        assert!(text[starts[3]..].contains(END));
    }
}
