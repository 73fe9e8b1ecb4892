//! Every hook that this kernel has, and what is said of those that it has not.

use std::net::{Ipv4Addr, UdpSocket};

use scanwatch::kernel::{Device, KernelError, Mode, TCX, Version, interface_index};
use scanwatch::policy::Hook;
use scanwatch_common::counters::Counter;

use crate::build::{ether, ipv4, tcp};
use crate::support::net::{Far, Veth, in_namespace, ip, tc};
use crate::{await_count, counted, tc_modes, version, with_kernel};

/// First version in which drivers tell what they can do of XDP.
const DRIVERS_TELL: Version = Version(6, 3);

fn syn(port: u16) -> Vec<u8> {
    ether().carry(ipv4([10, 0, 0, 5], [10, 0, 1, 7]).carry(tcp(40_000, port)))
}

/// Neither `ip` nor `tc` knows of a program of ours.
fn assert_nothing_is_left(veth: &Veth, what: &str) {
    assert!(!veth.details().contains("xdp"), "{what}: {}", veth.details());
    for way in ["ingress", "egress"] {
        let filters = tc(&format!("filter show dev {} {way}", veth.name));
        assert!(!filters.contains("scanwatch"), "{what}: {filters}");
    }
}

#[test]
fn every_hook_of_this_kernel_sees_packets_while_it_is_attached_and_leaves_nothing() {
    with_kernel(async |kernel| {
        let mut veth = Veth::new("watched");
        for &mode in [Mode::XdpNativeFrags, Mode::XdpNative, Mode::XdpGeneric].iter().chain(tc_modes()) {
            let before = counted(kernel, Counter::ProbeSyn);
            kernel.attach_by(&veth.name, veth.index, mode).unwrap_or_else(|error| panic!("{mode}: {error}"));
            veth.send(&[syn(22), syn(23)]);
            await_count(kernel, Counter::ProbeSyn, before + 2);
            kernel.detach(veth.index);
            veth.send(&[syn(24)]);
            assert_eq!(counted(kernel, Counter::ProbeSyn), before + 2, "{mode} is still there");
            assert_nothing_is_left(&veth, &mode.to_string());
        }
    });
}

#[test]
fn a_veth_is_watched_in_its_driver_with_frags_and_on_the_way_out() {
    with_kernel(async |kernel| {
        let veth = Veth::new("watched");
        let attachment = kernel.attach(&veth.name, veth.index, Hook::Auto).await.expect("attached");
        assert_eq!((attachment.mode, attachment.refused), (Mode::XdpNativeFrags, Vec::new()));
        assert_eq!(attachment.egress, Some(tc_modes()[0]));
        kernel.detach(veth.index);
        assert_nothing_is_left(&veth, "auto");
    });
}

#[test]
fn where_tcx_is_missing_clsact_is_taken_both_ways_and_the_reason_is_told() {
    with_kernel(async |kernel| {
        let veth = Veth::new("watched");
        let attachment = kernel.attach(&veth.name, veth.index, Hook::Tc).await.expect("attached");
        assert_eq!((attachment.mode, attachment.egress), (tc_modes()[0], Some(tc_modes()[0])));
        for refused in [&attachment.refused, &attachment.egress_refused] {
            println!("refused: {refused:?}");
            match &refused[..] {
                [] => assert!(version() >= TCX, "TCX is not there, and nothing is said of it"),
                [(mode, reason)] => {
                    assert!(version() < TCX, "{reason}");
                    assert_eq!(*mode, Mode::Tcx);
                    let expected = format!("TCX comes with Linux {TCX}, and this is Linux {}", version());
                    assert!(reason.starts_with(&expected), "{reason}");
                }
                more => panic!("{more:?}"),
            }
        }
        kernel.detach(veth.index);
        assert_nothing_is_left(&veth, "tc");
    });
}

#[test]
fn what_this_host_sends_is_seen_on_the_way_out() {
    with_kernel(async |kernel| {
        let _far = Far::new("watched", &["10.0.1.7/24"], "");
        ip("address add 10.0.1.1/24 dev watched");
        ip("neighbour add 10.0.1.7 lladdr 02:00:00:00:00:07 dev watched");
        let index = interface_index("watched").await.expect("the index");
        for (port, &mode) in (41_000..).zip(tc_modes()) {
            let before = counted(kernel, Counter::ProbeUdp);
            kernel.attach_out_by("watched", index, mode).unwrap_or_else(|error| panic!("{mode}: {error}"));
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a socket");
            socket.send_to(b"hello", "10.0.1.7:9").expect("a datagram sent");
            await_count(kernel, Counter::ProbeUdp, before + 1);
            kernel.detach(index);
        }
    });
}

#[test]
fn where_a_driver_has_no_xdp_the_next_step_is_taken_and_each_reason_is_told_in_a_machine() {
    with_kernel(async |kernel| {
        const IN_THE_DRIVER: [Mode; 2] = [Mode::XdpNativeFrags, Mode::XdpNative];
        ip("link add watched type dummy");
        ip("link set watched up");
        let index = interface_index("watched").await.expect("the index");
        let attachment = kernel.attach("watched", index, Hook::Auto).await.expect("attached");
        kernel.detach(index);
        assert_eq!(attachment.mode, Mode::XdpGeneric, "{attachment:?}");
        let refused: Vec<Mode> = attachment.refused.iter().map(|(mode, _)| *mode).collect();
        assert_eq!(refused, IN_THE_DRIVER, "{attachment:?}");
        assert!(attachment.refused.iter().all(|(_, reason)| !reason.is_empty()), "{attachment:?}");
        let error = kernel.attach("watched", index, Hook::XdpNative).await.expect_err("refused");
        println!("{error}");
        assert!(matches!(error, KernelError::NoHook { .. }), "{error:?}");
        assert!(IN_THE_DRIVER.iter().all(|mode| error.to_string().contains(&format!("{mode}: "))), "{error}");
    });
}

#[test]
fn what_a_driver_can_do_is_told_where_the_kernel_knows_and_otherwise_nothing_is_claimed() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        let device = Device::named(&veth.name).await.expect("the interface");
        let expected = (version() >= DRIVERS_TELL).then_some(true);
        assert_eq!(device.xdp.map(|support| support.native && support.frags), expected, "{device:?}");
        assert_eq!((device.kind.as_deref(), device.driver.as_deref()), (Some("veth"), Some("veth")));
    });
}
