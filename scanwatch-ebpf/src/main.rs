//! scanwatch's kernel programs: glue between the kernel's contexts and maps and [`scanwatch_common::observe`].
//!
//! No decision is made here. Every program lets every packet pass.

// Host tools may look at the crate, too; only the kernel's target runs it.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
// Maps and packets are raw pointers that the verifier checks; every block says why it holds.
#![allow(unsafe_code)]
// The entry-point macros make functions of their own, which nobody reads the documentation of.
#![allow(missing_docs)]

mod ingress;
mod maps;
mod object;
mod tables;
mod view;

use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::warn;
use scanwatch_common::observe::{Passage, observe};

use ingress::first_refusal;
use tables::KernelTables;
use view::SkbView;

/// Next program, or the interface's own verdict: what TCX calls `TCX_NEXT` and clsact `TC_ACT_UNSPEC`.
const TC_NEXT: i32 = -1;

/// XDP for drivers that hand over packets in several buffers.
#[xdp(frags)]
#[inline(always)]
pub fn scanwatch_frags(ctx: XdpContext) -> u32 {
    ingress::xdp(&ctx)
}

/// XDP for all other drivers.
#[xdp]
#[inline(always)]
pub fn scanwatch_xdp(ctx: XdpContext) -> u32 {
    ingress::xdp(&ctx)
}

/// TC ingress, where XDP is taken.
#[classifier]
#[inline(always)]
pub fn scanwatch_tc(ctx: TcContext) -> i32 {
    tc(&ctx, Passage::IN)
}

/// TC egress: what this host does itself, and answers to what it forwards.
#[classifier]
#[inline(always)]
pub fn scanwatch_egress(ctx: TcContext) -> i32 {
    // SAFETY: the context is the one the kernel called us with; the field is a plain number.
    let from = unsafe { (*ctx.skb.skb).ingress_ifindex };
    tc(&ctx, Passage::out_from(from))
}

#[inline(always)]
fn tc(ctx: &TcContext, passage: Passage) -> i32 {
    // SAFETY: as above.
    let interface = unsafe { (*ctx.skb.skb).ifindex };
    if let Some(view) = SkbView::new(ctx) {
        let mut tables = KernelTables::new();
        observe(&view, interface, passage, &mut tables);
        if tables.refused && first_refusal(tables.tick()) {
            warn!(ctx, "no room for another cell on interface {}: raise limits.cells_*", interface);
        }
    }
    TC_NEXT
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
