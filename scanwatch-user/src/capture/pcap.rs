//! The pcap format (draft-ietf-opsawg-pcap): one header, one link type, one record a packet.

use pcap_parser::PcapError;
use pcap_parser::nom::{Err, IResult, Needed};
use pcap_parser::pcap::{
    LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header,
};

use super::error::CaptureErrorKind;
use super::link::Link;
use super::source::Source;
use super::time::SECOND_NS;
use super::{FRAME_BYTES_MAX, Found};

/// Length of the file's header, bytes.
const HEADER: usize = 24;
/// Length of a record's header, bytes.
const RECORD: usize = 16;
/// The link type's field also holds the length of a frame check sequence, in its high bits.
const LINK_BITS: u32 = 0xffff;

type ParseRecord = fn(&[u8]) -> IResult<&[u8], LegacyPcapBlock<'_>, PcapError<&[u8]>>;

/// What a pcap file's header said.
pub(super) struct Pcap {
    link: Link,
    parse: ParseRecord,
    /// Nanoseconds in a unit of a record's second field of time.
    fraction_ns: u64,
}

impl Pcap {
    /// Magic numbers, as they stand in the file: micro- and nanoseconds, in either order of bytes.
    pub const MAGIC: [[u8; 4]; 4] = [
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x4d, 0x3c, 0xb2, 0xa1],
    ];

    /// Takes the header of a file that begins with one of [`Self::MAGIC`].
    pub fn open(source: &mut Source) -> Result<Self, CaptureErrorKind> {
        if !source.need(HEADER)? {
            return Err(CaptureErrorKind::Truncated);
        }
        let Ok((_, header)) = parse_pcap_header(source.take(HEADER)) else {
            return Err(CaptureErrorKind::Corrupt { offset: 0, what: "its header cannot be read" });
        };
        if header.version_major != 2 {
            return Err(CaptureErrorKind::Version { format: "pcap", major: header.version_major });
        }
        Self::of(&header)
    }

    fn of(header: &PcapHeader) -> Result<Self, CaptureErrorKind> {
        let number = header.network.0.cast_unsigned() & LINK_BITS;
        Ok(Self {
            link: Link::of(number).ok_or(CaptureErrorKind::UnknownLink { number })?,
            parse: if header.is_bigendian() { parse_pcap_frame_be } else { parse_pcap_frame },
            fraction_ns: if header.is_nanosecond_precision() { 1 } else { 1_000 },
        })
    }

    /// Gets the next record whole into hand; `None` at the end.
    pub fn find(&self, source: &mut Source) -> Result<Option<Found>, CaptureErrorKind> {
        loop {
            let in_hand = source.data().len();
            let wanted = match (self.parse)(source.data()) {
                Ok(_) if source.data().starts_with(&[0; RECORD]) => {
                    return Err(corrupt(source, "it is zeros, as of a file that was not written to its end"));
                }
                Ok((_, record)) if record.data.len() <= FRAME_BYTES_MAX => {
                    return Ok(Some(self.found(&record)));
                }
                Err(Err::Incomplete(Needed::Size(more)))
                    if in_hand.saturating_add(more.get()) <= RECORD + FRAME_BYTES_MAX =>
                {
                    in_hand + more.get()
                }
                _ => return Err(corrupt(source, "its packet is longer than any")),
            };
            if !source.need(wanted)? {
                let at_end = source.data().is_empty();
                return if at_end { Ok(None) } else { Err(CaptureErrorKind::Truncated) };
            }
        }
    }

    fn found(&self, record: &LegacyPcapBlock<'_>) -> Found {
        let length = record.data.len();
        Found {
            frame: RECORD..RECORD + length,
            record: RECORD + length,
            // Cannot overflow: two numbers of 32 bits, of seconds and of microseconds.
            time_ns: u64::from(record.ts_sec) * SECOND_NS + u64::from(record.ts_usec) * self.fraction_ns,
            interface: 0,
            cut: record.caplen < record.origlen,
            link: self.link,
        }
    }
}

fn corrupt(source: &Source, what: &'static str) -> CaptureErrorKind {
    CaptureErrorKind::Corrupt { offset: source.position(), what }
}
