//! What the benchmark's programs change in a frame: shared by path with the benchmark that tells them.

/// Fields of a frame that differ from packet to packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The fields; those at offset 0 are none.
    pub fields: [Field; 4],
}

/// Four bytes that are `base`, with random bits where `mask` has them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where they lie in the frame; even, as every header's fields are.
    pub at: u32,
    /// Which bits vary.
    pub mask: u32,
    /// The others, in host order.
    pub base: u32,
    /// Which of the packet's 64 random bits the lowest of these 32 is, at most 32.
    pub shift: u32,
}

impl Plan {
    /// Every frame is as it is.
    pub const NOTHING: Self = Self { fields: [Field { at: 0, mask: 0, base: 0, shift: 0 }; 4] };
}

const _: () = assert!(size_of::<Plan>() == 64);
