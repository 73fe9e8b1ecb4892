//! Which hook is taken, and that detaching leaves nothing.

use scanwatch::kernel::{KernelError, Mode, interface_index};
use scanwatch::policy::Hook;
use scanwatch_common::counters::Counter;

use crate::support::net::{Veth, in_namespace, ip, tc};
use crate::{await_count, counted, kernel, syn};

const ALL: [Mode; 5] = [Mode::XdpNativeFrags, Mode::XdpNative, Mode::XdpGeneric, Mode::Tcx, Mode::Clsact];

#[test]
fn a_veth_is_watched_in_its_driver_with_frags() {
    in_namespace(async || {
        let mut kernel = kernel();
        let veth = Veth::new("watched");
        for hook in [Hook::Auto, Hook::XdpNative] {
            let attachment = kernel.attach(&veth.name, veth.index, hook).await.expect("attached");
            assert_eq!(attachment.mode, Mode::XdpNativeFrags);
            assert!(attachment.refused.is_empty(), "{:?}", attachment.refused);
            assert_eq!((attachment.egress, attachment.egress_refused.len()), (Some(Mode::Tcx), 0));
            assert_eq!((attachment.interface, attachment.index), (veth.name.clone(), veth.index));
            assert!(veth.details().contains("prog/xdp "), "{}", veth.details());
            kernel.detach(veth.index);
        }
    });
}

#[test]
fn a_hook_that_is_named_is_the_one_that_is_taken() {
    in_namespace(async || {
        let mut kernel = kernel();
        let mut veth = Veth::new("watched");
        for (hook, mode, shown) in
            [(Hook::XdpGeneric, Mode::XdpGeneric, Some("prog/xdp ")), (Hook::Tc, Mode::Tcx, None)]
        {
            let before = counted(&kernel, Counter::ProbeSyn);
            let attachment = kernel.attach(&veth.name, veth.index, hook).await.expect("attached");
            assert_eq!(attachment.mode, mode);
            assert!(attachment.refused.is_empty(), "{:?}", attachment.refused);
            assert_eq!(veth.details().contains("prog/xdp "), shown.is_some(), "{}", veth.details());
            veth.send(&[syn([10, 0, 0, 5], 22)]);
            await_count(&kernel, Counter::ProbeSyn, before + 1);
            kernel.detach(veth.index);
        }
    });
}

#[test]
fn an_interface_without_xdp_in_its_driver_is_watched_behind_it_and_the_reasons_are_told() {
    in_namespace(async || {
        let mut kernel = kernel();
        ip("link set lo up");
        let index = interface_index("lo").await.expect("the loopback interface");
        let attachment = kernel.attach("lo", index, Hook::Auto).await.expect("attached");
        assert_eq!(attachment.mode, Mode::XdpGeneric);
        let [(first, why), (second, _)] = &attachment.refused[..] else { panic!("{:?}", attachment.refused) };
        assert_eq!((*first, *second), (Mode::XdpNativeFrags, Mode::XdpNative));
        assert!(why.contains("not supported"), "{why}");
        kernel.detach(index);
        let error = kernel.attach("lo", index, Hook::XdpNative).await.expect_err("no XDP in the driver");
        let message = error.to_string();
        assert!(matches!(error, KernelError::NoHook { .. }), "{message}");
        assert!(message.starts_with("cannot attach to lo: xdp native with frags: "), "{message}");
        assert!(message.ends_with("allow other hooks with hook = \"auto\""), "{message}");
    });
}

#[test]
fn every_hook_sees_packets_while_it_is_attached_and_leaves_nothing() {
    in_namespace(async || {
        let mut kernel = kernel();
        let mut veth = Veth::new("watched");
        for mode in ALL {
            let before = counted(&kernel, Counter::ProbeSyn);
            kernel.attach_by(&veth.name, veth.index, mode).unwrap_or_else(|error| panic!("{mode}: {error}"));
            veth.send(&[syn([10, 0, 0, 5], 22), syn([10, 0, 0, 6], 22)]);
            await_count(&kernel, Counter::ProbeSyn, before + 2);
            kernel.detach(veth.index);
            veth.send(&[syn([10, 0, 0, 5], 22)]);
            assert_eq!(counted(&kernel, Counter::ProbeSyn), before + 2, "{mode} is still there");
            assert!(!veth.details().contains("xdp"), "{mode}: {}", veth.details());
            for way in ["ingress", "egress"] {
                let filters = tc(&format!("filter show dev {} {way}", veth.name));
                assert!(!filters.contains("scanwatch"), "{mode}: {filters}");
            }
        }
    });
}

#[test]
fn an_agent_that_ends_detaches_from_every_interface() {
    in_namespace(async || {
        let mut kernel = kernel();
        let veths = ["one", "two", "three"].map(Veth::new);
        for (veth, hook) in veths.iter().zip([Hook::Auto, Hook::XdpGeneric, Hook::Tc]) {
            kernel.attach(&veth.name, veth.index, hook).await.expect("attached");
        }
        assert!(veths[0].details().contains("xdp") && veths[1].details().contains("xdp"));
        drop(kernel);
        for veth in &veths {
            assert!(!veth.details().contains("xdp"), "{}", veth.details());
        }
    });
}

#[test]
fn an_interface_that_is_gone_is_forgotten_and_can_come_back() {
    in_namespace(async || {
        let mut kernel = kernel();
        for _ in 0..3 {
            let mut veth = Veth::new("watched");
            let attachment = kernel.attach(&veth.name, veth.index, Hook::Auto).await.expect("attached");
            assert_eq!(attachment.mode, Mode::XdpNativeFrags);
            let before = counted(&kernel, Counter::ProbeSyn);
            veth.send(&[syn([10, 0, 0, 5], 22)]);
            await_count(&kernel, Counter::ProbeSyn, before + 1);
            ip(&format!("link delete {}", veth.name));
            kernel.detach(veth.index);
        }
    });
}

#[test]
fn an_interface_that_does_not_exist_is_refused_with_those_that_do() {
    in_namespace(async || {
        let _veth = Veth::new("watched");
        let error = interface_index("wacthed").await.expect_err("no such interface");
        let message = error.to_string();
        assert!(message.starts_with("no interface \"wacthed\": this host has lo, "), "{message}");
        assert!(message.contains("watched-peer"), "{message}");
        assert!(message.contains("[[interface]]") && message.contains("--interface"), "{message}");
        let error = kernel().attach("wacthed", 99, Hook::Auto).await.expect_err("no such interface");
        assert!(error.to_string().contains("wacthed"), "{error}");
    });
}

#[test]
fn an_interface_without_ethernet_frames_is_refused_by_its_type() {
    in_namespace(async || {
        ip("tuntap add dev tunnel mode tun");
        let error = interface_index("tunnel").await.expect_err("no Ethernet there");
        assert!(error.to_string().starts_with("tunnel carries no Ethernet frames"), "{error}");
        assert!(interface_index("lo").await.is_ok());
    });
}
