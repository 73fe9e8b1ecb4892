//! Bounded access to the bytes of a packet, wherever they live.

/// Bytes of one packet, from the link-layer header on.
///
/// The kernel reads them through verified pointers, user space from a slice. A read outside the packet is `None`,
/// never a fault.
pub trait Packet {
    /// `N` bytes of the packet, which are known to be there.
    type Fields<'a, const N: usize>: Fields
    where
        Self: 'a;

    /// `N` bytes from `offset`, or `None` where the packet does not hold them all. Nothing is read yet: of a header, few
    /// fields are asked for.
    fn fields<const N: usize>(&self, offset: usize) -> Option<Self::Fields<'_, N>>;

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

/// Fields of a header, by where they begin in it. All numbers are big-endian. A field must lie within the header; where it is
/// is known when the program is built.
pub trait Fields: Copy {
    /// A byte.
    fn u8<const AT: usize>(self) -> u8;
    /// Two bytes.
    fn be16<const AT: usize>(self) -> u16;
    /// Four bytes.
    fn be32<const AT: usize>(self) -> u32;
    /// Eight bytes.
    fn be64<const AT: usize>(self) -> u64;

    /// Six bytes as they lie there.
    #[inline(always)]
    fn mac<const AT: usize, const REST: usize>(self) -> [u8; 6] {
        let ([a, b, c, d], [e, f]) = (self.be32::<AT>().to_be_bytes(), self.be16::<REST>().to_be_bytes());
        [a, b, c, d, e, f]
    }
}

impl Packet for [u8] {
    type Fields<'a, const N: usize> = &'a [u8; N];

    #[inline]
    fn fields<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        let end = offset.checked_add(N)?;
        self.get(offset..end)?.try_into().ok()
    }
}

impl<const N: usize> Fields for &[u8; N] {
    #[inline(always)]
    fn u8<const AT: usize>(self) -> u8 {
        self[AT]
    }

    #[inline(always)]
    fn be16<const AT: usize>(self) -> u16 {
        u16::from_be_bytes([self[AT], self[AT + 1]])
    }

    #[inline(always)]
    fn be32<const AT: usize>(self) -> u32 {
        u32::from_be_bytes([self[AT], self[AT + 1], self[AT + 2], self[AT + 3]])
    }

    #[inline(always)]
    fn be64<const AT: usize>(self) -> u64 {
        u64::from(self.be32::<AT>()) << 32
            | u64::from(u32::from_be_bytes([self[AT + 4], self[AT + 5], self[AT + 6], self[AT + 7]]))
    }
}
