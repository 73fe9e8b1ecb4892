//! The benchmark's kernel programs: the agent's own observation, of frames that differ from packet to packet.
//!
//! This object is never embedded in the agent. A frame is changed after it was observed, for the next run of the program
//! to find: were it changed just before, reads of what is still on its way to the cache would cost what no packet from a
//! wire costs.

// As in the agent's object.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![allow(unsafe_code)]
#![allow(missing_docs)]

mod ingress;
mod maps;
mod object;
mod plan;
mod tables;
#[allow(dead_code, reason = "the benchmark has no program at the TC hook")]
mod view;

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::bpf_redirect;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::XdpContext;

use plan::Plan;

/// Fixed at load; the verifier sees constants and leaves out what is not in the plan.
#[unsafe(no_mangle)]
static PLAN: Global<Plan> = Global::new(Plan::NOTHING);

/// Index of the interface by which [`bench_send`] sends, likewise.
#[unsafe(no_mangle)]
static OUT_INTERFACE: Global<u32> = Global::new(0);

/// Packets so far, by CPU, each in steps of the golden ratio.
#[map]
static STEPS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Does nothing: what the kernel needs to run any program.
#[xdp]
#[inline(always)]
pub fn bench_empty(_: XdpContext) -> u32 {
    XDP_PASS
}

/// Changes the frame and does nothing else.
#[xdp]
#[inline(always)]
pub fn bench_rewrite(ctx: XdpContext) -> u32 {
    rewrite(&ctx);
    XDP_PASS
}

/// Observes the frame and changes it for the next run.
#[xdp]
#[inline(always)]
pub fn bench_observe(ctx: XdpContext) -> u32 {
    let action = ingress::xdp(&ctx);
    rewrite(&ctx);
    action
}

/// Observes the frame: the agent's program, for frames that stay as they are.
#[xdp]
#[inline(always)]
pub fn scanwatch_xdp(ctx: XdpContext) -> u32 {
    ingress::xdp(&ctx)
}

/// Changes the frame and sends it: run with live frames.
#[xdp]
pub fn bench_send(ctx: XdpContext) -> u32 {
    rewrite(&ctx);
    // SAFETY: the helper takes numbers, and refuses those of no interface.
    unsafe { bpf_redirect(OUT_INTERFACE.load(), 0) as u32 }
}

/// Where frames end that nobody observes.
#[xdp]
pub fn bench_sink(_: XdpContext) -> u32 {
    XDP_DROP
}

/// Observes the frame, and ends it: what would come behind is no part of the measurement.
#[xdp]
pub fn bench_observing_sink(ctx: XdpContext) -> u32 {
    ingress::xdp(&ctx);
    XDP_DROP
}

#[inline(always)]
fn rewrite(ctx: &XdpContext) {
    let Some(random) = random() else { return };
    for field in PLAN.load().fields {
        if field.at == 0 {
            continue;
        }
        let at = ctx.data() + field.at as usize;
        if at + 4 > ctx.data_end() {
            continue;
        }
        let value = field.base | (random >> (field.shift & 63)) as u32 & field.mask;
        // SAFETY: at .. at + 4 lies within the packet, as the verifier checks again. Frames begin and fields lie at even
        // addresses.
        unsafe {
            *(at as *mut u16) = ((value >> 16) as u16).to_be();
            *((at + 2) as *mut u16) = (value as u16).to_be();
        }
    }
}

/// SplitMix64 (Steele et al., 2014): no number comes twice.
#[inline(always)]
fn random() -> Option<u64> {
    let steps = STEPS.get_ptr_mut(0)?;
    // SAFETY: the value is this CPU's own.
    let mut mixed = unsafe {
        *steps = (*steps).wrapping_add(0x9e37_79b9_7f4a_7c15);
        *steps
    };
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    Some(mixed ^ mixed >> 31)
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
