//! A small writer of captures, byte by byte as the formats' drafts have it; it shares no code with the reader.

/// Order of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub const BOTH: [Self; 2] = [Self::Little, Self::Big];

    pub fn u16(self, number: u16) -> [u8; 2] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    pub fn i64(self, number: i64) -> [u8; 8] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}

/// Magic number of pcap with microseconds.
pub const MICROSECONDS: u32 = 0xa1b2_c3d4;
/// Magic number of pcap with nanoseconds.
pub const NANOSECONDS: u32 = 0xa1b2_3c4d;

/// A pcap file.
pub struct Pcap {
    order: Order,
    pub bytes: Vec<u8>,
}

impl Pcap {
    pub fn new(order: Order, magic: u32, link: u32) -> Self {
        let mut bytes = Vec::new();
        bytes.extend(order.u32(magic));
        bytes.extend(order.u16(2));
        bytes.extend(order.u16(4));
        // Time zone and accuracy, never used; snap length.
        bytes.extend([0; 8]);
        bytes.extend(order.u32(65_535));
        bytes.extend(order.u32(link));
        Self { order, bytes }
    }

    /// A record; `fraction` in the units of the magic number.
    pub fn record(mut self, seconds: u32, fraction: u32, data: &[u8], original: u32) -> Self {
        for number in [seconds, fraction, data.len() as u32, original] {
            self.bytes.extend(self.order.u32(number));
        }
        self.bytes.extend(data);
        self
    }

    /// A record of a whole packet, at a time that does not matter.
    pub fn packet(self, data: &[u8]) -> Self {
        self.record(1, 0, data, data.len() as u32)
    }
}

/// A pcapng file.
pub struct PcapNg {
    pub order: Order,
    pub bytes: Vec<u8>,
}

impl PcapNg {
    /// A file with one section and no interface.
    pub fn new(order: Order) -> Self {
        Self { order, bytes: Vec::new() }.section(order)
    }

    /// Begins a section, in its own order of bytes.
    pub fn section(mut self, order: Order) -> Self {
        self.order = order;
        let mut content = Vec::new();
        content.extend(order.u32(0x1a2b_3c4d));
        content.extend(order.u16(1));
        content.extend(order.u16(0));
        content.extend(order.i64(-1));
        self.block(0x0a0d_0d0a, &content)
    }

    pub fn interface(self, link: u16, snap_length: u32) -> Self {
        self.interface_with(link, snap_length, &[])
    }

    /// An interface with options: code and value.
    pub fn interface_with(self, link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> Self {
        let mut content = Vec::new();
        content.extend(self.order.u16(link));
        content.extend(self.order.u16(0));
        content.extend(self.order.u32(snap_length));
        content.extend(self.options(options));
        self.block(1, &content)
    }

    /// An Enhanced Packet Block.
    pub fn enhanced(self, interface: u32, units: u64, data: &[u8], original: u32) -> Self {
        self.enhanced_with(interface, units, data, original, &[])
    }

    pub fn enhanced_with(
        self,
        interface: u32,
        units: u64,
        data: &[u8],
        original: u32,
        options: &[(u16, &[u8])],
    ) -> Self {
        let mut content = Vec::new();
        for number in [interface, (units >> 32) as u32, units as u32, data.len() as u32, original] {
            content.extend(self.order.u32(number));
        }
        content.extend(padded(data));
        content.extend(self.options(options));
        self.block(6, &content)
    }

    /// A whole packet in an Enhanced Packet Block of interface 0, at a time that does not matter.
    pub fn packet(self, data: &[u8]) -> Self {
        self.enhanced(0, 1_000_000, data, data.len() as u32)
    }

    /// A Simple Packet Block.
    pub fn simple(self, data: &[u8], original: u32) -> Self {
        let mut content = self.order.u32(original).to_vec();
        content.extend(padded(data));
        self.block(3, &content)
    }

    /// An obsolete Packet Block.
    pub fn obsolete(self, interface: u16, units: u64, data: &[u8], original: u32) -> Self {
        let mut content = Vec::new();
        content.extend(self.order.u16(interface));
        content.extend(self.order.u16(0xffff));
        for number in [(units >> 32) as u32, units as u32, data.len() as u32, original] {
            content.extend(self.order.u32(number));
        }
        content.extend(padded(data));
        self.block(2, &content)
    }

    /// Any block; the content is padded.
    pub fn block(mut self, kind: u32, content: &[u8]) -> Self {
        let content = padded(content);
        let length = self.order.u32(content.len() as u32 + 12);
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(content);
        self.bytes.extend(length);
        self
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.order.u16(*code));
            bytes.extend(self.order.u16(value.len() as u16));
            bytes.extend(padded(value));
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// An Ethernet frame with an EtherType and `payload`.
pub fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}
