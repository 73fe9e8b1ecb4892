//! Packets as the verifier lets us read them.

use aya_ebpf::helpers::bpf_skb_pull_data;
use aya_ebpf::programs::{TcContext, XdpContext};
use scanwatch_common::packet::Packet;

/// Highest offset that any header begins at: two tags, 40 bytes of IPv6 and six extension headers of 2,048 bytes. The
/// verifier wants a bound on what it adds to a packet pointer.
pub const OFFSET_MASK: u16 = 0x3fff;
const OFFSET_MAX: usize = OFFSET_MASK as usize;

/// Bytes asked for in one piece at the TC hook, where headers may lie in several: every header chain that stacks send.
const LINEAR_BYTES: u32 = 256;

#[inline(always)]
fn read<const N: usize>(data: usize, end: usize, offset: usize) -> Option<[u8; N]> {
    if offset > OFFSET_MAX {
        return None;
    }
    let at = data + offset;
    if at + N > end {
        return None;
    }
    // SAFETY: at .. at + N lies within the packet, as the verifier checks again; bytes need no alignment.
    Some(unsafe { *(at as *const [u8; N]) })
}

/// A packet at the XDP hook. Of a multi-buffer packet, the first buffer, which holds the headers.
pub struct XdpView {
    data: usize,
    end: usize,
}

impl XdpView {
    #[inline(always)]
    pub fn new(ctx: &XdpContext) -> Self {
        Self { data: ctx.data(), end: ctx.data_end() }
    }
}

impl Packet for XdpView {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        read(self.data, self.end, offset)
    }
}

/// A packet at the TC hook.
pub struct SkbView {
    data: usize,
    end: usize,
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
        Some(Self { data: ctx.data(), end: ctx.data_end(), tag })
    }
}

impl Packet for SkbView {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        read(self.data, self.end, offset)
    }

    #[inline(always)]
    fn stripped_tag(&self) -> Option<u16> {
        self.tag
    }
}
