//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, each section with its own order of bytes and its
//! own interfaces.

use pcap_parser::pcapng::{
    BOM_MAGIC, Block, EPB_MAGIC, IDB_MAGIC, InterfaceDescriptionBlock, OptionCode, PcapNGOption, SHB_MAGIC,
    SPB_MAGIC, SectionHeaderBlock, UnknownBlock, parse_block_be, parse_block_le,
};

use super::error::CaptureErrorKind;
use super::link::Link;
use super::source::Source;
use super::time::Units;
use super::{FRAME_BYTES_MAX, Found};

/// The obsolete Packet Block, which the library leaves undecoded.
const PB_MAGIC: u32 = 2;
/// Type and length before a block's content, and the length again behind it.
const BLOCK_BYTES_MIN: u32 = 12;
/// Longest block that is taken into memory, bytes; blocks that are passed over may be longer. It leaves room for the
/// longest packet and several of the longest options, and keeps a block that is nothing but empty options, of which
/// the library makes a list, to some megabytes.
const BLOCK_BYTES_MAX: u32 = 1 << 20;
/// Most interfaces of one section.
const INTERFACES_MAX: usize = 65_536;

/// The section that is being read.
#[derive(Default)]
pub(super) struct PcapNg {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// There was an interface whose packets can be read.
    is_readable: bool,
    /// Time of the last packet that had one; Simple Packet Blocks have none.
    time_ns: u64,
    /// First link type whose packets were passed over.
    unknown_link: Option<u32>,
    /// Where the block that is being read begins in the file.
    offset: u64,
}

struct Interface {
    /// The link type, or its number where its packets cannot be read.
    link: Result<Link, u32>,
    units: Units,
    /// Most bytes of a packet that were kept; 0 for all.
    snap_length: u32,
}

/// What a packet block says of its packet.
struct Described {
    interface: u32,
    /// In units of the interface.
    time: Option<u64>,
    /// Where the packet begins in the block.
    packet_at: usize,
    /// Bytes that were kept.
    captured: u32,
    /// Bytes of the packet.
    original: u32,
}

impl PcapNg {
    /// Type of the block that begins a file, the same in either order of bytes.
    pub const MAGIC: [u8; 4] = SHB_MAGIC.to_be_bytes();

    /// Gets the next packet block whole into hand; `None` at the end.
    ///
    /// Packets of link types that cannot be read are passed over and told at the end, for a capture may mix them with
    /// others; but at once where there were no others.
    pub fn find(&mut self, source: &mut Source) -> Result<Option<Found>, CaptureErrorKind> {
        while source.need(1)? {
            self.offset = source.position();
            let (kind, length) = self.block_header(source)?;
            let found = match kind {
                SHB_MAGIC | IDB_MAGIC | EPB_MAGIC | SPB_MAGIC | PB_MAGIC => {
                    let found = self.read(self.hold(source, length)?)?;
                    if found.is_none() {
                        source.take(length as usize);
                    }
                    found
                }
                _ => {
                    self.pass_over(source, length)?;
                    None
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        self.unknown_link.map_or(Ok(None), |number| Err(CaptureErrorKind::UnknownLink { number }))
    }

    /// Type and length of the block that begins here, and the order of bytes where it begins a section.
    fn block_header(&mut self, source: &mut Source) -> Result<(u32, u32), CaptureErrorKind> {
        let [kind, length] = words(source)?;
        if kind == Self::MAGIC {
            let [.., order] = words::<3>(source)?;
            self.big_endian = match u32::from_be_bytes(order) {
                BOM_MAGIC => true,
                order if order.swap_bytes() == BOM_MAGIC => false,
                _ => return Err(self.corrupt("its section has no order of bytes")),
            };
        }
        let length = self.number(length);
        if length < BLOCK_BYTES_MIN || !length.is_multiple_of(4) {
            return Err(self.corrupt("its length is impossible"));
        }
        Ok((self.number(kind), length))
    }

    /// Gets the block whole into hand.
    fn hold<'a>(&self, source: &'a mut Source, length: u32) -> Result<&'a [u8], CaptureErrorKind> {
        if length > BLOCK_BYTES_MAX {
            return Err(self.corrupt("its length is more than any packet's"));
        }
        let length = length as usize;
        if !source.need(length)? {
            return Err(CaptureErrorKind::Truncated);
        }
        let block = &source.data()[..length];
        if block[length - 4..] != block[4..8] {
            return Err(self.corrupt("it begins and ends with different lengths"));
        }
        Ok(block)
    }

    /// Passes over a block without holding it.
    fn pass_over(&self, source: &mut Source, length: u32) -> Result<(), CaptureErrorKind> {
        if !source.skip(u64::from(length) - 4)? {
            return Err(CaptureErrorKind::Truncated);
        }
        let [again] = words(source)?;
        if self.number(again) != length {
            return Err(self.corrupt("it begins and ends with different lengths"));
        }
        source.take(4);
        Ok(())
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Option<Found>, CaptureErrorKind> {
        let parse = if self.big_endian { parse_block_be } else { parse_block_le };
        let Ok((_, block)) = parse(bytes) else {
            return Err(self.corrupt("its content does not fit its length"));
        };
        match block {
            Block::SectionHeader(section) => self.begin_section(&section),
            Block::InterfaceDescription(interface) => self.add_interface(&interface),
            Block::EnhancedPacket(block) => {
                let described = Described {
                    interface: block.if_id,
                    time: Some(u64::from(block.ts_high) << 32 | u64::from(block.ts_low)),
                    packet_at: 28,
                    captured: block.caplen,
                    original: block.origlen,
                };
                self.find_packet(&described, bytes.len())
            }
            Block::SimplePacket(block) => {
                let described = self.simple(block.origlen);
                self.find_packet(&described, bytes.len())
            }
            Block::Unknown(block) => {
                let Some(described) = self.obsolete(&block) else {
                    return Err(self.corrupt("its content does not fit its length"));
                };
                self.find_packet(&described, bytes.len())
            }
            _ => Ok(None),
        }
    }

    fn begin_section(&mut self, section: &SectionHeaderBlock) -> Result<Option<Found>, CaptureErrorKind> {
        if section.major_version != 1 {
            return Err(CaptureErrorKind::Version { format: "pcapng", major: section.major_version });
        }
        self.interfaces.clear();
        Ok(None)
    }

    fn add_interface(
        &mut self,
        block: &InterfaceDescriptionBlock,
    ) -> Result<Option<Found>, CaptureErrorKind> {
        if self.interfaces.len() == INTERFACES_MAX {
            return Err(self.corrupt("its section has more interfaces than any machine"));
        }
        let number = block.linktype.0.cast_unsigned();
        let link = Link::of(number).ok_or(number);
        self.is_readable |= link.is_ok();
        let units = self.units(&block.options);
        self.interfaces.push(Interface { link, units, snap_length: block.snaplen });
        Ok(None)
    }

    /// The options are read here: the library takes `if_tsoffset` for little-endian in every section.
    fn units(&self, options: &[PcapNGOption]) -> Units {
        let mut units = Units::DEFAULT;
        for option in options.iter().take_while(|option| option.code != OptionCode::EndOfOpt) {
            match (option.code, option.value()) {
                (OptionCode::IfTsresol, [resolution, ..]) => units.set_resolution(*resolution),
                (OptionCode::IfTsoffset, value) => {
                    if let Some(offset_s) = value.first_chunk() {
                        let offset_s = if self.big_endian {
                            i64::from_be_bytes(*offset_s)
                        } else {
                            i64::from_le_bytes(*offset_s)
                        };
                        units.set_offset(offset_s);
                    }
                }
                _ => {}
            }
        }
        units
    }

    /// A Simple Packet Block tells the packet's length only; the rest is the first interface's.
    fn simple(&self, original: u32) -> Described {
        let snap_length = self.interfaces.first().map_or(0, |interface| interface.snap_length);
        let captured = if snap_length == 0 { original } else { original.min(snap_length) };
        Described { interface: 0, time: None, packet_at: 12, captured, original }
    }

    /// The obsolete Packet Block: interface (16 bits), drops (16), time (64), captured and original length.
    fn obsolete(&self, block: &UnknownBlock) -> Option<Described> {
        let [i0, i1, _, _, rest @ ..] = block.data.first_chunk::<20>()?;
        let [high, low, captured, original] = [0, 4, 8, 12].map(|at| {
            let word = [rest[at], rest[at + 1], rest[at + 2], rest[at + 3]];
            self.number(word)
        });
        let interface =
            if self.big_endian { u16::from_be_bytes([*i0, *i1]) } else { u16::from_le_bytes([*i0, *i1]) };
        Some(Described {
            interface: u32::from(interface),
            time: Some(u64::from(high) << 32 | u64::from(low)),
            packet_at: 28,
            captured,
            original,
        })
    }

    fn find_packet(&mut self, block: &Described, length: usize) -> Result<Option<Found>, CaptureErrorKind> {
        let Some(interface) = self.interfaces.get(block.interface as usize) else {
            return Err(self.corrupt("it names an interface that was not described"));
        };
        let captured = block.captured as usize;
        if captured > FRAME_BYTES_MAX {
            return Err(self.corrupt("its packet is longer than any"));
        }
        if block.packet_at + captured > length - 4 {
            return Err(self.corrupt("its packet is longer than the block"));
        }
        let link = match interface.link {
            Ok(link) => link,
            Err(number) => {
                self.unknown_link.get_or_insert(number);
                let alone = !self.is_readable;
                return if alone { Err(CaptureErrorKind::UnknownLink { number }) } else { Ok(None) };
            }
        };
        self.time_ns = block.time.map_or(self.time_ns, |time| interface.units.to_ns(time));
        Ok(Some(Found {
            frame: block.packet_at..block.packet_at + captured,
            record: length,
            time_ns: self.time_ns,
            interface: block.interface,
            cut: block.captured < block.original,
            link,
        }))
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn corrupt(&self, what: &'static str) -> CaptureErrorKind {
        CaptureErrorKind::Corrupt { offset: self.offset, what }
    }
}

/// The next `N` words of four bytes, left in hand.
fn words<const N: usize>(source: &mut Source) -> Result<[[u8; 4]; N], CaptureErrorKind> {
    if !source.need(4 * N)? {
        return Err(CaptureErrorKind::Truncated);
    }
    let mut words = [[0; 4]; N];
    words.as_flattened_mut().copy_from_slice(&source.data()[..4 * N]);
    Ok(words)
}
