//! XDP held by another program.

use std::process;

use scanwatch::kernel::{Attachment, Kernel, KernelError, Mode};
use scanwatch::policy::Hook;
use scanwatch_common::counters::Counter;

use crate::support::net::{Veth, in_namespace};
use crate::{await_count, counted, kernel, syn};

/// What is said of another agent's program at this hook, in this very process.
fn holder(kernel: &mut Kernel, program: &str) -> String {
    let programs = kernel.programs().expect("the programs");
    let facts = programs.iter().find(|facts| facts.name == program).expect("the program");
    let command = std::fs::read_to_string("/proc/self/comm").expect("this process's name");
    let (id, pid, command) = (facts.id, process::id(), command.trim());
    format!("program {program:?} (id {id}) of process {pid} ({command})")
}

#[test]
fn where_xdp_is_held_tc_is_taken_and_the_holder_is_named() {
    in_namespace(async || {
        let (mut other, mut ours) = (kernel(), kernel());
        let mut veth = Veth::new("watched");
        for (mode, program) in
            [(Mode::XdpNativeFrags, "scanwatch_frags"), (Mode::XdpGeneric, "scanwatch_xdp")]
        {
            other.attach_by(&veth.name, veth.index, mode).expect("the other program is attached");
            let holder = holder(&mut other, program);
            let attachment = ours.attach(&veth.name, veth.index, Hook::Auto).await.expect("attached");
            assert_eq!(attachment.mode, Mode::Tcx);
            assert_refused(&attachment, &[Mode::XdpNativeFrags, Mode::XdpNative, Mode::XdpGeneric], &holder);
            let (before, others) = (counted(&ours, Counter::ProbeSyn), counted(&other, Counter::ProbeSyn));
            veth.send(&[syn([10, 0, 0, 5], 22)]);
            await_count(&ours, Counter::ProbeSyn, before + 1);
            await_count(&other, Counter::ProbeSyn, others + 1);
            ours.detach(veth.index);
            other.detach(veth.index);
        }
    });
}

fn assert_refused(attachment: &Attachment, modes: &[Mode], holder: &str) {
    let expected: Vec<(Mode, String)> =
        modes.iter().map(|mode| (*mode, format!("held by {holder}"))).collect();
    assert_eq!(attachment.refused, expected);
}

#[test]
fn where_only_xdp_is_allowed_and_held_the_holder_is_named_and_nothing_is_attached() {
    in_namespace(async || {
        let (mut other, mut ours) = (kernel(), kernel());
        let mut veth = Veth::new("watched");
        other.attach_by(&veth.name, veth.index, Mode::XdpNativeFrags).expect("the other program is attached");
        let holder = holder(&mut other, "scanwatch_frags");
        for hook in [Hook::XdpNative, Hook::XdpGeneric] {
            let error = ours.attach(&veth.name, veth.index, hook).await.expect_err("XDP is held");
            assert!(
                matches!(&error, KernelError::Busy { holder: named, .. } if *named == holder),
                "{error:?}"
            );
            let expected =
                format!("XDP on watched is held by {holder}: detach it, or set hook = \"tc\" for watched");
            assert_eq!(error.to_string(), expected);
        }
        veth.send(&[syn([10, 0, 0, 5], 22)]);
        await_count(&other, Counter::ProbeSyn, 1);
        assert_eq!(counted(&ours, Counter::ProbeSyn), 0);
    });
}

#[test]
fn when_the_holder_is_gone_xdp_is_taken_again() {
    in_namespace(async || {
        let mut ours = kernel();
        let veth = Veth::new("watched");
        let mut other = kernel();
        other.attach_by(&veth.name, veth.index, Mode::XdpNative).expect("the other program is attached");
        ours.attach(&veth.name, veth.index, Hook::XdpNative).await.expect_err("XDP is held");
        drop(other);
        let attachment = ours.attach(&veth.name, veth.index, Hook::XdpNative).await.expect("attached");
        assert_eq!(attachment.mode, Mode::XdpNativeFrags);
    });
}
