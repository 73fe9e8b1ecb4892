//! Captures: pcap and pcapng files, read packet by packet, every packet as an Ethernet frame.
//!
//! The library reads the layouts of records and blocks; what is here decides how much of the input is in memory at a
//! time, which no field of the input can enlarge beyond bounds, and what a broken input is called.

mod clock;
mod error;
mod link;
mod pcap;
mod pcapng;
mod source;
mod time;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

pub use clock::{PacketClock, Step};
pub use error::{CaptureError, CaptureErrorKind};

use link::Link;
use pcap::Pcap;
use pcapng::PcapNg;
use source::Source;

/// Longest packet, bytes: libpcap's longest too. More is a corrupt length.
pub const FRAME_BYTES_MAX: usize = 262_144;

/// Bytes that tell a capture's format.
const MAGIC: usize = 4;
/// Bytes by which an input that is no capture is named.
const START_BYTES_MAX: usize = 64;

/// A packet of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it was captured, nanoseconds since the Unix epoch; as the capture says, in no certain order. A pcapng
    /// Simple Packet Block has no time: the packet before it lends its own, or it is 0.
    pub time_ns: u64,
    /// The interface that saw it: 0 in pcap files; the number within its section in pcapng files; the machine's own
    /// index where the packet tells it, as in Linux cooked captures of version 2.
    pub interface: u32,
    /// The packet from its Ethernet header on. A packet of another link has a header made for it: the destination is
    /// broadcast or a group where the link says so, the source is the link's where it has six bytes, and what is
    /// unknown is zero.
    pub frame: &'a [u8],
    /// Only the packet's first bytes were kept.
    pub cut: bool,
}

/// A capture that is being read.
pub struct Capture {
    source: Source,
    format: Format,
    /// Where frames are put together that had no Ethernet header.
    buffer: Vec<u8>,
    packets: u64,
    bytes_total: Option<u64>,
    has_ended: bool,
}

enum Format {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

/// A record with a packet, whole in hand.
struct Found {
    /// Where the packet lies in the record.
    frame: Range<usize>,
    /// Length of the record, bytes.
    record: usize,
    time_ns: u64,
    interface: u32,
    cut: bool,
    link: Link,
}

impl Capture {
    /// Opens a file.
    ///
    /// # Errors
    /// Where the file cannot be read or is no capture, and where it is a pcap file of a link type that cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let file = File::open(path).map_err(at_start)?;
        let metadata = file.metadata().map_err(at_start)?;
        let mut capture = Self::read(file)?;
        capture.bytes_total = metadata.is_file().then_some(metadata.len());
        Ok(capture)
    }

    /// Begins to read a capture from an input of unknown length, such as standard input.
    ///
    /// # Errors
    /// As [`Capture::open`].
    pub fn read(input: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        let mut source = Source::new(Box::new(input));
        let format = Format::of(&mut source).map_err(at_start)?;
        Ok(Self { source, format, buffer: Vec::new(), packets: 0, bytes_total: None, has_ended: false })
    }

    /// The next packet; `None` at the end, and after an error.
    ///
    /// # Errors
    /// Where the capture cannot be read any further; all packets before have been delivered then. Packets of unknown
    /// link types between others in a pcapng file are passed over, and are an error at its end.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        if self.has_ended {
            return Ok(None);
        }
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.find(&mut self.source),
            Format::PcapNg(pcapng) => pcapng.find(&mut self.source),
        };
        let Found { frame, record, time_ns, interface, cut, link } = match found {
            Ok(Some(found)) => found,
            ended => {
                self.has_ended = true;
                return ended.map(|_| None).map_err(|kind| CaptureError { kind, packets: self.packets });
            }
        };
        self.packets += 1;
        let packet = &self.source.take(record)[frame];
        let (frame, index) = link.to_ethernet(packet, &mut self.buffer);
        Ok(Some(Packet { time_ns, interface: index.unwrap_or(interface), frame, cut }))
    }

    /// Packets delivered so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of the input that have been dealt with.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.source.position()
    }

    /// Length of the input when it was opened, bytes; `None` where it is no file.
    #[must_use]
    pub fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }
}

impl Format {
    fn of(source: &mut Source) -> Result<Self, CaptureErrorKind> {
        source.need(MAGIC)?;
        let start = &source.data()[..source.data().len().min(START_BYTES_MAX)];
        match start.first_chunk() {
            Some(&PcapNg::MAGIC) => Ok(Self::PcapNg(PcapNg::default())),
            Some(magic) if Pcap::MAGIC.contains(magic) => Pcap::open(source).map(Self::Pcap),
            _ if start.is_empty() => Err(CaptureErrorKind::Empty),
            _ => Err(CaptureErrorKind::NotACapture(error::looks_like(start))),
        }
    }
}

fn at_start(kind: impl Into<CaptureErrorKind>) -> CaptureError {
    CaptureError { kind: kind.into(), packets: 0 }
}
