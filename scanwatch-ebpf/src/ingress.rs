//! What every program at the XDP hook does with a packet, in the agent's object and in the benchmark's.

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::warn;
use scanwatch_common::observe::{Passage, observe};

use crate::maps;
use crate::tables::KernelTables;
use crate::view::XdpView;

#[inline(always)]
pub fn xdp(ctx: &XdpContext) -> u32 {
    let interface = ctx.ingress_ifindex() as u32;
    let mut tables = KernelTables::new();
    observe(&XdpView::new(ctx), interface, Passage::IN, &mut tables);
    if tables.refused && first_refusal(tables.tick()) {
        warn!(ctx, "no room for another cell on interface {}: raise limits.cells_*", interface);
    }
    XDP_PASS
}

/// True once an epoch and CPU: a message a packet would be a flood of its own.
#[inline(always)]
pub fn first_refusal(tick: u32) -> bool {
    let Some(said) = maps::REFUSAL_SAID.get_ptr_mut(0) else { return false };
    // Zero means never, so ticks are stored plus one.
    let now = tick.wrapping_add(1);
    // SAFETY: the value is this CPU's own, and no other program of ours runs on it before this one returns.
    unsafe {
        if *said == now {
            return false;
        }
        *said = now;
    }
    true
}
