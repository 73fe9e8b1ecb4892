//! What can be wrong with a capture, one sentence each.

use std::fmt;
use std::io;

/// Why a capture cannot be read any further. It names no file: the caller knows which.
#[derive(Debug, thiserror::Error)]
pub struct CaptureError {
    /// What is wrong.
    pub kind: CaptureErrorKind,
    /// Packets that were delivered before.
    pub packets: u64,
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureErrorKind {
    /// The system refused to open or read it.
    #[error("cannot be read ({0})")]
    Read(io::Error),
    /// There are no bytes.
    #[error("the file is empty and holds no capture")]
    Empty,
    /// Neither pcap nor pcapng; what it looks like, and what to do.
    #[error("not a pcap or pcapng capture: it looks like {0}")]
    NotACapture(&'static str),
    /// A version of the format that nobody has defined yet.
    #[error("{format} version {major} is not known; convert the capture with editcap")]
    Version {
        /// The format.
        format: &'static str,
        /// Major number of the version.
        major: u16,
    },
    /// Packets of a kind of network whose headers are not known here.
    #[error("packets of link type {number} cannot be read; known are {}", super::link::KNOWN)]
    UnknownLink {
        /// The number, as in the registry of link types.
        number: u32,
    },
    /// The capture ends within a record or within its header.
    #[error("the capture ends in the middle of a record: its writer was stopped, or the copy is incomplete")]
    Truncated,
    /// A record contradicts itself.
    #[error("the record at byte {offset} is corrupt: {what}")]
    Corrupt {
        /// Where the record begins in the file.
        offset: u64,
        /// The contradiction.
        what: &'static str,
    },
}

impl From<io::Error> for CaptureErrorKind {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match (self.packets, &self.kind) {
            (0, _) => Ok(()),
            (packets, CaptureErrorKind::UnknownLink { .. }) => {
                write!(f, "; packets of other types were read: {packets}")
            }
            (packets, _) => write!(f, "; packets read before: {packets}"),
        }
    }
}

/// What bytes that begin no capture look like, and what to do about it.
pub(super) fn looks_like(start: &[u8]) -> &'static str {
    const MODIFIED: [[u8; 4]; 2] = [[0xa1, 0xb2, 0xcd, 0x34], [0x34, 0xcd, 0xb2, 0xa1]];
    const KNOWN: [(&[u8], &str); 11] = [
        (b"\x1f\x8b", "gzip-compressed data; decompress it first with gunzip"),
        (b"\x28\xb5\x2f\xfd", "zstd-compressed data; decompress it first with unzstd"),
        (b"\xfd7zXZ", "xz-compressed data; decompress it first with unxz"),
        (b"BZh", "bzip2-compressed data; decompress it first with bunzip2"),
        (b"\x04\x22\x4d\x18", "lz4-compressed data; decompress it first with unlz4"),
        (b"PK\x03\x04", "a zip archive; unpack it first"),
        (b"snoop\0", "a snoop capture; convert it with editcap"),
        (b"GMBU", "a Network Monitor capture; convert it with editcap"),
        (b"RTSS", "a Network Monitor capture; convert it with editcap"),
        (b"\0\0\0\0", "zeros, as of a file that was never written"),
        (b"\x7fELF", "a program"),
    ];
    if MODIFIED.iter().any(|magic| start.starts_with(magic)) {
        return "the modified pcap of a patched libpcap of the 1990s; convert it with editcap";
    }
    if let Some((_, looks)) = KNOWN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return looks;
    }
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e);
    if start.iter().all(is_text) {
        "text; give the capture itself, as written by tcpdump -w"
    } else {
        "data of another kind; give a file written by tcpdump -w, dumpcap or Wireshark"
    }
}
