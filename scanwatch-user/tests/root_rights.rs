//! Which capabilities the agent needs, and what it says without them. Needs root, whose capabilities it gives up.
//!
//! Capabilities belong to threads: each test has one of its own.

mod support;

use std::collections::HashSet;

use caps::{CapSet, Capability};
use scanwatch::kernel::{Kernel, KernelError, Mode, Options, interface_index};
use scanwatch::policy::Hook;
use scanwatch_common::abi::Side;
use support::net::{Veth, in_namespace};
use support::policy;

const NEEDED: [Capability; 3] = [Capability::CAP_BPF, Capability::CAP_NET_ADMIN, Capability::CAP_PERFMON];

/// Gives up all capabilities of this thread but these.
fn keep(capabilities: impl IntoIterator<Item = Capability>) {
    let kept: HashSet<Capability> = capabilities.into_iter().collect();
    caps::set(None, CapSet::Effective, &kept).expect("capabilities are given up");
}

fn assert_names_capabilities(error: &KernelError, what: &str) {
    assert!(matches!(error, KernelError::Rights(_)), "{error:?}");
    let expected = format!(
        "no rights to {what}: run scanwatch as root, or give it the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn without_any_capability_the_message_names_those_that_are_needed() {
    in_namespace(async || {
        keep([]);
        let error = Kernel::load(&policy(), Options::default()).err().expect("loading is refused");
        assert_names_capabilities(&error, "load the kernel programs");
    });
}

#[test]
fn without_any_one_of_the_capabilities_the_message_names_all() {
    for missing in NEEDED {
        in_namespace(async || {
            let veth = Veth::new("watched");
            keep(NEEDED.into_iter().filter(|capability| *capability != missing));
            let error = match Kernel::load(&policy(), Options::default()) {
                Ok(mut kernel) => kernel.attach(&veth.name, veth.index, Hook::Auto).await.err(),
                Err(error) => Some(error),
            };
            let error = error.unwrap_or_else(|| panic!("{missing} was not needed"));
            println!("without {missing}: {error}");
            assert!(matches!(error, KernelError::Rights(_)), "without {missing}: {error}");
        });
    }
}

#[test]
fn an_agent_that_loses_its_rights_cannot_attach_and_says_so() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        let mut kernel = Kernel::load(&policy(), Options::default()).expect("the object is loaded");
        keep([]);
        let error =
            kernel.attach(&veth.name, veth.index, Hook::Auto).await.expect_err("attaching is refused");
        assert_names_capabilities(&error, "attach to an interface");
    });
}

#[test]
fn the_capabilities_that_are_named_are_enough() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        keep(NEEDED);
        let mut kernel = Kernel::load(&policy(), Options::default()).expect("the object is loaded");
        let index = interface_index(&veth.name).await.expect("the index");
        for (hook, mode) in
            [(Hook::Auto, Mode::XdpNativeFrags), (Hook::XdpGeneric, Mode::XdpGeneric), (Hook::Tc, Mode::Tcx)]
        {
            let attachment = kernel.attach(&veth.name, index, hook).await.expect("attached");
            assert_eq!(attachment.mode, mode);
            kernel.detach(index);
        }
        kernel.ring(Side::Internal).expect("the ring");
        kernel.flip().expect("the copies are flipped");
        kernel.drain(|_| ()).expect("the cells are drained");
        kernel.counters().expect("the counters are read");

        // Looking at programs of others takes CAP_SYS_ADMIN; a number is better than nothing.
        let mut other = Kernel::load(&policy(), Options::default()).expect("the object is loaded once more");
        other.attach_by(&veth.name, index, Mode::XdpNative).expect("attached");
        let attachment = kernel.attach(&veth.name, index, Hook::Auto).await.expect("attached");
        assert_eq!(attachment.mode, Mode::Tcx);
        assert!(attachment.refused[0].1.starts_with("held by program id "), "{:?}", attachment.refused);
    });
}
