//! Packets as the verifier lets us read them.

use aya_ebpf::helpers::bpf_skb_pull_data;
use aya_ebpf::programs::{TcContext, XdpContext};
use scanwatch_common::packet::Packet;
use scanwatch_common::parse::OFFSET_MASK;

/// Bytes asked for in one piece at the TC hook, where headers may lie in several: every header chain that stacks send.
const LINEAR_BYTES: u32 = 256;

#[inline(always)]
fn read<const N: usize>(data: usize, end: usize, offset: usize) -> Option<[u8; N]> {
    if offset > OFFSET_MASK {
        return None;
    }
    let at = data + offset;
    if at + N > end {
        return None;
    }
    // SAFETY: at .. at + N lies within the packet, as the verifier checks again; bytes need no alignment.
    Some(unsafe { *(at as *const [u8; N]) })
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
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        read(self.data, self.end, offset)
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
    tag: Option<u16>,
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
        let tag = unsafe { ((*skb).vlan_present != 0).then(|| (*skb).vlan_tci as u16) };
        Some(Self { data: ctx.data(), end: ctx.data_end(), unknown: ctx.len() as usize, tag })
    }
}

impl Packet for SkbView {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        read(self.data, self.end, offset)
    }

    #[inline(always)]
    fn forget<const MASK: usize>(&self, value: usize) -> usize {
        forget::<MASK>(value, &self.unknown)
    }

    #[inline(always)]
    fn stripped_tag(&self) -> Option<u16> {
        self.tag
    }
}
