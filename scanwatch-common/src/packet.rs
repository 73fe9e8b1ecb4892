//! Bounded access to the bytes of a packet, wherever they live.

/// Bytes of one packet, from the link-layer header on.
///
/// The kernel reads them through verified pointers, user space from a slice. A read outside the packet is `None`,
/// never a fault.
pub trait Packet {
    /// `N` bytes from `offset`, or `None` where the packet does not hold them all.
    fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;

    /// The same value, which has no bits but those of `MASK`, and of which the kernel's verifier knows no more than that: it
    /// would follow every sum of header lengths through all that lies behind them.
    #[inline(always)]
    fn forget<const MASK: usize>(&self, value: usize) -> usize {
        value
    }

    /// Tag control information of the outer VLAN tag, where the network card or the stack took it off the frame.
    #[inline(always)]
    fn stripped_tag(&self) -> Option<u16> {
        None
    }
}

impl Packet for [u8] {
    #[inline]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let end = offset.checked_add(N)?;
        self.get(offset..end)?.try_into().ok()
    }
}

/// Big-endian 16 bits at `at` of a header; the compiler removes the bounds check, `at` and `N` being constants.
#[inline(always)]
#[must_use]
pub fn be16<const N: usize>(header: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}

/// Big-endian 32 bits at `at` of a header.
#[inline(always)]
#[must_use]
pub fn be32<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}
