//! Devices of 802.1Q, which tag what they send: as bytes of the frame, or beside it, as a card does that takes tags off.
//! Not every kernel has them: these tests run in the machines of `cargo xtask vm`.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use scanwatch::kernel::{Kernel, Mode, interface_index};
use scanwatch::policy::Hook;
use scanwatch_common::abi::Outcome;
use scanwatch_common::counters::Counter;

use crate::support::net::{Far, ip, tool};
use crate::{await_count, counted, drained, tc_modes, with_kernel};

/// Ports that are tried on each VLAN.
const PORTS: u16 = 40;
/// Pairs that a sketch may be off by.
const SLACK: u64 = 2;
/// VLANs by their devices on the far host, and the network of each.
const VLANS: [(u16, u8); 2] = [(100, 11), (200, 12)];
/// The port that the next datagrams come from: what a flow has shown once is no probe any more.
static SENDER: AtomicU16 = AtomicU16::new(40_000);
/// Whether a tag comes beside the frame.
const BESIDE: bool = true;

/// A far host with a device on each VLAN, whose frames all come in by one cable.
struct Trunk {
    far: Far,
    index: u32,
}

impl Trunk {
    async fn new() -> Self {
        let far = Far::new("watched", &[], "");
        far.run(|| {
            for (vlan, network) in VLANS {
                let device = format!("eth0.{vlan}");
                ip(&format!("link add link eth0 name {device} type vlan id {vlan}"));
                ip(&format!("link set {device} up"));
                ip(&format!("address add 10.0.{network}.7/24 dev {device}"));
                ip(&format!("neighbour add 10.0.{network}.1 lladdr 02:00:00:00:00:01 dev {device}"));
            }
        });
        let index = interface_index("watched").await.expect("the index");
        Self { far, index }
    }

    /// Whether the far host's driver takes tags off, as a card with rx-vlan-offload does.
    fn tags(&self, beside: bool) {
        let state = if beside { "on" } else { "off" };
        self.far.run(move || tool("ethtool", &format!("-K eth0 txvlan {state}")));
    }

    /// One datagram to every port on every VLAN, each of a flow that was not seen before.
    fn send(&self) {
        let from = SENDER.fetch_add(1, Ordering::Relaxed);
        self.far.run(move || {
            for (_, network) in VLANS {
                let socket = UdpSocket::bind((Ipv4Addr::from([10, 0, network, 7]), from)).expect("a socket");
                for port in 1..=PORTS {
                    let target = SocketAddr::from(([10, 0, network, 1], 1_000 + port));
                    socket.send_to(b"hello", target).expect("a datagram sent");
                }
            }
        });
    }

    /// Distinct pairs by VLAN that a hook sees of what [`Self::send`] sends.
    fn seen(&self, kernel: &mut Kernel, mode: Mode) -> Vec<(u16, u64)> {
        let before = counted(kernel, Counter::ProbeUdp);
        kernel.attach_by("watched", self.index, mode).unwrap_or_else(|error| panic!("{mode}: {error}"));
        self.send();
        await_count(kernel, Counter::ProbeUdp, before + u64::from(PORTS) * VLANS.len() as u64);
        kernel.detach(self.index);
        let tried = drained(kernel).into_iter().filter(|((_, outcome), _)| *outcome == Outcome::Tried);
        tried.map(|((vlan, _), pairs)| (vlan, pairs)).collect()
    }
}

fn assert_apart(seen: &[(u16, u64)], what: &str) {
    let vlans: Vec<u16> = seen.iter().map(|(vlan, _)| *vlan).collect();
    assert_eq!(vlans, VLANS.map(|(vlan, _)| vlan), "{what}: {seen:?}");
    assert!(seen.iter().all(|(_, pairs)| pairs.abs_diff(u64::from(PORTS)) <= SLACK), "{what}: {seen:?}");
}

#[test]
fn what_comes_by_a_trunk_is_counted_by_vlan_whether_tags_are_bytes_of_the_frame_or_beside_it_in_a_machine() {
    with_kernel(async |kernel| {
        let trunk = Trunk::new().await;
        trunk.tags(!BESIDE);
        for &mode in [Mode::XdpNativeFrags, Mode::XdpGeneric].iter().chain(tc_modes()) {
            assert_apart(&trunk.seen(kernel, mode), &format!("{mode}, tags in the frame"));
        }
        trunk.tags(BESIDE);
        for &mode in tc_modes() {
            assert_apart(&trunk.seen(kernel, mode), &format!("{mode}, tags beside the frame"));
        }
    });
}

#[test]
fn a_device_of_a_vlan_is_watched_as_any_other_and_sees_no_tag_in_a_machine() {
    with_kernel(async |kernel| {
        let trunk = Trunk::new().await;
        let (vlan, _) = VLANS[0];
        ip(&format!("link add link watched name watched.{vlan} type vlan id {vlan}"));
        ip(&format!("link set watched.{vlan} up"));
        let device = format!("watched.{vlan}");
        let index = interface_index(&device).await.expect("the index");
        let before = counted(kernel, Counter::ProbeUdp);
        let attachment = kernel.attach(&device, index, Hook::Auto).await.expect("attached");
        println!("{device}: {} after {:?}", attachment.mode, attachment.refused);
        assert_eq!(attachment.mode, Mode::XdpGeneric, "{:?}", attachment.refused);
        trunk.send();
        await_count(kernel, Counter::ProbeUdp, before + u64::from(PORTS));
        kernel.detach(index);
        let seen = drained(kernel);
        let untagged = seen.get(&(0, Outcome::Tried)).copied().unwrap_or_default();
        assert!(untagged.abs_diff(u64::from(PORTS)) <= SLACK, "{seen:?}");
    });
}
