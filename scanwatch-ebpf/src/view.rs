//! Packets as the verifier lets us read them.

use core::arch::asm;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
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
/// also when the unknown is taken away again. Both are the same number, read twice.
#[inline(always)]
const fn forget<const MASK: usize>(value: usize, there: usize, back: usize) -> usize {
    (value ^ there ^ back) & MASK
}

/// Reads a field of a context anew: pointers into the packet are not kept, for what the verifier knows of them on one
/// way keeps it from seeing that it has been on another already; and they would take registers. In assembly, for the compiler
/// would keep the field's address in a register, which the verifier refuses of contexts.
macro_rules! anew {
    ($context:expr, $structure:ty, $field:ident) => {{
        let number: u64;
        // SAFETY: the context is the one the kernel called us with; the field is a plain number of four bytes.
        unsafe {
            asm!(
                "{number} = *(u32 *)({context} + {offset})",
                number = out(reg) number,
                context = in(reg) $context,
                offset = const { core::mem::offset_of!($structure, $field) },
                options(readonly, nostack, preserves_flags),
            );
        }
        number as usize
    }};
}

/// A packet at the XDP hook. Of a multi-buffer packet, the first buffer, which holds the headers.
pub struct XdpView {
    context: *mut xdp_md,
}

impl XdpView {
    #[inline(always)]
    pub const fn new(ctx: &XdpContext) -> Self {
        Self { context: ctx.ctx }
    }
}

impl Packet for XdpView {
    type Fields<'a, const N: usize> = At;

    #[inline(always)]
    fn fields<const N: usize>(&self, offset: usize) -> Option<At> {
        at::<N>(anew!(self.context, xdp_md, data), anew!(self.context, xdp_md, data_end), offset)
    }

    #[inline(always)]
    fn forget<const MASK: usize>(&self, value: usize) -> usize {
        forget::<MASK>(
            value,
            anew!(self.context, xdp_md, rx_queue_index),
            anew!(self.context, xdp_md, rx_queue_index),
        )
    }
}

/// A packet at the TC hook.
pub struct SkbView {
    context: *mut __sk_buff,
}

impl SkbView {
    /// `None` where the kernel has no memory to make the headers linear.
    #[inline(always)]
    pub fn new(ctx: &TcContext) -> Option<Self> {
        let context = ctx.skb.skb;
        let wanted = ctx.len().min(LINEAR_BYTES);
        if (ctx.data_end() as u32).wrapping_sub(ctx.data() as u32) < wanted {
            // SAFETY: the context is the one the kernel called us with.
            let pulled = unsafe { bpf_skb_pull_data(context, wanted) };
            if pulled != 0 {
                return None;
            }
        }
        Some(Self { context })
    }
}

impl Packet for SkbView {
    type Fields<'a, const N: usize> = At;

    #[inline(always)]
    fn fields<const N: usize>(&self, offset: usize) -> Option<At> {
        at::<N>(anew!(self.context, __sk_buff, data), anew!(self.context, __sk_buff, data_end), offset)
    }

    #[inline(always)]
    fn forget<const MASK: usize>(&self, value: usize) -> usize {
        forget::<MASK>(value, anew!(self.context, __sk_buff, len), anew!(self.context, __sk_buff, len))
    }

    #[inline(always)]
    fn stripped_tag(&self) -> Option<u16> {
        (anew!(self.context, __sk_buff, vlan_present) != 0)
            .then(|| anew!(self.context, __sk_buff, vlan_tci) as u16)
    }
}
