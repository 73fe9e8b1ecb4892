//! scanwatch's kernel programs: glue between the kernel's contexts and maps and [`scanwatch_common::observe`].
//!
//! No decision is made here. Every program lets every packet pass.

// Host tools may look at the crate, too; only the kernel's target runs it.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
// Maps and packets are raw pointers that the verifier checks; every block says why it holds.
#![allow(unsafe_code)]
// The entry-point macros make functions of their own, which nobody reads the documentation of.
#![allow(missing_docs)]

mod maps;
mod tables;
mod view;

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::warn;
use scanwatch_common::observe::{Passage, observe};

use tables::KernelTables;
use view::{SkbView, XdpView};

/// Next program, or the interface's own verdict: what TCX calls `TCX_NEXT` and clsact `TC_ACT_UNSPEC`.
const TC_NEXT: i32 = -1;

/// XDP for drivers that hand over packets in several buffers.
#[xdp(frags)]
pub fn scanwatch_frags(ctx: XdpContext) -> u32 {
    xdp_ingress(&ctx)
}

/// XDP for all other drivers.
#[xdp]
pub fn scanwatch_xdp(ctx: XdpContext) -> u32 {
    xdp_ingress(&ctx)
}

/// TC ingress, where XDP is taken.
#[classifier]
pub fn scanwatch_tc(ctx: TcContext) -> i32 {
    tc(&ctx, Passage::IN)
}

/// TC egress: what this host does itself, and answers to what it forwards.
#[classifier]
pub fn scanwatch_egress(ctx: TcContext) -> i32 {
    // SAFETY: the context is the one the kernel called us with; the field is a plain number.
    let from = unsafe { (*ctx.skb.skb).ingress_ifindex };
    tc(&ctx, Passage::out_from(from))
}

#[inline(always)]
fn tc(ctx: &TcContext, passage: Passage) -> i32 {
    // SAFETY: as above.
    let interface = unsafe { (*ctx.skb.skb).ifindex };
    if let (Some(view), Some(mut tables)) = (SkbView::new(ctx), KernelTables::new()) {
        observe(&view, interface, passage, &mut tables);
        if tables.refused && first_refusal(tables.tick()) {
            warn!(ctx, "no room for another cell on interface {}: raise limits.cells_*", interface);
        }
    }
    TC_NEXT
}

#[inline(always)]
fn xdp_ingress(ctx: &XdpContext) -> u32 {
    let interface = ctx.ingress_ifindex() as u32;
    if let Some(mut tables) = KernelTables::new() {
        observe(&XdpView::new(ctx), interface, Passage::IN, &mut tables);
        if tables.refused && first_refusal(tables.tick()) {
            warn!(ctx, "no room for another cell on interface {}: raise limits.cells_*", interface);
        }
    }
    XDP_PASS
}

/// True once an epoch and CPU: a message a packet would be a flood of its own.
#[inline(always)]
fn first_refusal(tick: u32) -> bool {
    let Some(said) = maps::REFUSAL_SAID.get_ptr_mut(0) else { return false };
    // Zero means never, so ticks are stored plus one.
    let now = tick.wrapping_add(1);
    // SAFETY: the value is this CPU's own.
    unsafe {
        if *said == now {
            return false;
        }
        *said = now;
    }
    true
}

/// Parts of the kernel interface are for GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // No panic survives into the object: the verifier refuses loops without end.
    loop {}
}
