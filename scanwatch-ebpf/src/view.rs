//! Packets as the verifier lets us read them.

use core::arch::asm;

use aya_ebpf::helpers::bpf_skb_pull_data;
use aya_ebpf::programs::{TcContext, XdpContext};
use scanwatch_common::packet::{Fields, Packet};
use scanwatch_common::parse::OFFSET_MASK;

/// Bytes asked for in one piece at the TC hook, where headers may lie in several: every header chain that stacks send.
const LINEAR_BYTES: u32 = 256;

/// A header in a packet, at an address from which on all its bytes lie within the packet.
#[derive(Clone, Copy)]
pub struct At(usize);

#[inline(always)]
fn at<const N: usize>(data: usize, end: usize, offset: usize) -> Option<At> {
    if offset > OFFSET_MASK {
        return None;
    }
    let at = data + offset;
    if at + N > end { None } else { Some(At(at)) }
}

/// Loads a field. In assembly, for the compiler takes bytes in a packet for unaligned, and would load them one by one; but
/// packets may be read at any alignment: the verifier knows where the processor does.
macro_rules! load {
    ($width:literal, $from:expr) => {{
        let word: u64;
        // SAFETY: an `At` is made where the header was seen to lie within the packet, as the verifier checks again.
        unsafe {
            asm!(
                concat!("{word} = *(", $width, " *)({from} + {offset})"),
                word = out(reg) word,
                from = in(reg) $from,
                offset = const { AT },
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        word
    }};
}

impl Fields for At {
    #[inline(always)]
    fn u8<const AT: usize>(self) -> u8 {
        load!("u8", self.0) as u8
    }

    #[inline(always)]
    fn be16<const AT: usize>(self) -> u16 {
        u16::from_be(load!("u16", self.0) as u16)
    }

    #[inline(always)]
    fn be32<const AT: usize>(self) -> u32 {
        u32::from_be(load!("u32", self.0) as u32)
    }

    #[inline(always)]
    fn be64<const AT: usize>(self) -> u64 {
        u64::from_be(load!("u64", self.0))
    }
}

/// The value, of which the verifier knows no more than the mask: what it knows of a sum with something unknown is nothing,
/// also when the unknown is taken away again.
#[inline(always)]
fn forget<const MASK: usize>(value: usize, unknown: &usize) -> usize {
    // SAFETY: both are reads of a live value; volatile, so that the compiler does not see that they are the same.
    let (there, back) = unsafe { (core::ptr::read_volatile(unknown), core::ptr::read_volatile(unknown)) };
    (value ^ there ^ back) & MASK
}

/// A packet at the XDP hook. Of a multi-buffer packet, the first buffer, which holds the headers.
pub struct XdpView {
    data: usize,
    end: usize,
    /// Any number of which the verifier knows nothing.
    unknown: usize,
}

impl XdpView {
    #[inline(always)]
    pub fn new(ctx: &XdpContext) -> Self {
        Self { data: ctx.data(), end: ctx.data_end(), unknown: ctx.rx_queue_index() as usize }
    }
}

impl Packet for XdpView {
    type Fields<'a, const N: usize> = At;

    #[inline(always)]
    fn fields<const N: usize>(&self, offset: usize) -> Option<At> {
        at::<N>(self.data, self.end, offset)
    }

    #[inline(always)]
    fn forget<const MASK: usize>(&self, value: usize) -> usize {
        forget::<MASK>(value, &self.unknown)
    }
}

/// A packet at the TC hook.
pub struct SkbView {
    data: usize,
    end: usize,
    /// As above.
    unknown: usize,
    /// Tag control information, and above it whether there is any: as an option, half of it would be undefined, which the
    /// verifier does not let us move.
    tag: u32,
}

impl SkbView {
    /// `None` where the kernel has no memory to make the headers linear.
    #[inline(always)]
    pub fn new(ctx: &TcContext) -> Option<Self> {
        let skb = ctx.skb.skb;
        let wanted = ctx.len().min(LINEAR_BYTES);
        if (ctx.data_end() as u32).wrapping_sub(ctx.data() as u32) < wanted {
            // SAFETY: the context is the one the kernel called us with.
            let pulled = unsafe { bpf_skb_pull_data(skb, wanted) };
            if pulled != 0 {
                return None;
            }
        }
        // SAFETY: as above; the fields are plain numbers.
        let tag = unsafe { u32::from((*skb).vlan_present != 0) << 16 | (*skb).vlan_tci & 0xffff };
        Some(Self { data: ctx.data(), end: ctx.data_end(), unknown: ctx.len() as usize, tag })
    }
}

impl Packet for SkbView {
    type Fields<'a, const N: usize> = At;

    #[inline(always)]
    fn fields<const N: usize>(&self, offset: usize) -> Option<At> {
        at::<N>(self.data, self.end, offset)
    }

    #[inline(always)]
    fn forget<const MASK: usize>(&self, value: usize) -> usize {
        forget::<MASK>(value, &self.unknown)
    }

    #[inline(always)]
    fn stripped_tag(&self) -> Option<u16> {
        (self.tag >> 16 != 0).then_some(self.tag as u16)
    }
}
