//! An interface as the kernel and its driver describe it. Nothing is attached, and nothing is changed.

use rtnetlink::packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};

use super::error::KernelError;
use super::ethtool;
use super::holder::{self, XdpHolder};
use super::links::{interface, links, name_of};
use super::netdev::{self, XdpSupport};

/// What there is to know of an interface before anything is attached to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Name.
    pub name: String,
    /// Index.
    pub index: u32,
    /// What made it, where no hardware did: `veth`, `bridge`, `vlan`.
    pub kind: Option<String>,
    /// Driver.
    pub driver: Option<String>,
    /// It is switched on.
    pub is_up: bool,
    /// There is somebody on the other end.
    pub has_carrier: bool,
    /// It leads back to this machine.
    pub is_loopback: bool,
    /// Largest packet, bytes.
    pub mtu_bytes: Option<u32>,
    /// Queues that packets come in by.
    pub queues: Option<u32>,
    /// The driver takes VLAN tags out of frames and hands them over beside them, where XDP does not see them.
    pub strips_vlan: Option<bool>,
    /// The driver joins packets of a TCP connection to larger ones (LRO).
    pub joins_packets: Option<bool>,
    /// What the driver can do of XDP; `None` where the kernel does not tell (before Linux 6.3).
    pub xdp: Option<XdpSupport>,
    /// Who holds its XDP hook.
    pub holder: Option<XdpHolder>,
    /// VLAN interfaces that lie on it.
    pub vlans: Vec<String>,
    /// The bond or bridge that it is a part of.
    pub part_of: Option<String>,
}

impl Device {
    /// The interface with this name, whose frames must be Ethernet's.
    pub async fn named(name: &str) -> Result<Self, KernelError> {
        let all = links().await?;
        let link = interface(&all, name)?;
        let index = link.header.index;
        let flags = link.header.flags;
        let driver = ethtool::ask(name);
        Ok(Self {
            name: name.to_owned(),
            index,
            kind: kind(link),
            driver: driver.driver,
            is_up: flags.contains(LinkFlags::Up),
            has_carrier: flags.contains(LinkFlags::LowerUp),
            is_loopback: link.header.link_layer_type == LinkLayerType::Loopback,
            mtu_bytes: find(link, |attribute| match attribute {
                LinkAttribute::Mtu(bytes) => Some(*bytes),
                _ => None,
            }),
            queues: driver.queues.or_else(|| {
                find(link, |attribute| match attribute {
                    LinkAttribute::NumRxQueues(queues) => Some(*queues),
                    _ => None,
                })
            }),
            strips_vlan: driver.strips_vlan,
            joins_packets: driver.joins_packets,
            xdp: netdev::xdp_support(index),
            holder: holder::of_link(link),
            vlans: all
                .iter()
                .filter(|other| lies_on(other, index))
                .filter_map(name_of)
                .map(str::to_owned)
                .collect(),
            part_of: part_of(link, &all),
        })
    }
}

fn find<T>(link: &LinkMessage, wanted: impl Fn(&LinkAttribute) -> Option<T>) -> Option<T> {
    link.attributes.iter().find_map(wanted)
}

fn kind(link: &LinkMessage) -> Option<String> {
    let infos = find(link, |attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos.clone()),
        _ => None,
    })?;
    infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    })
}

/// Whether `link` is a VLAN on the interface with this index, of the same network namespace.
fn lies_on(link: &LinkMessage, index: u32) -> bool {
    let is_elsewhere = find(link, |attribute| match attribute {
        LinkAttribute::LinkNetNsId(_) => Some(()),
        _ => None,
    });
    let below = find(link, |attribute| match attribute {
        LinkAttribute::Link(below) => Some(*below),
        _ => None,
    });
    is_elsewhere.is_none() && below == Some(index) && kind(link) == Some(InfoKind::Vlan.to_string())
}

fn part_of(link: &LinkMessage, all: &[LinkMessage]) -> Option<String> {
    let whole = find(link, |attribute| match attribute {
        LinkAttribute::Controller(index) => Some(*index),
        _ => None,
    })?;
    all.iter().find(|other| other.header.index == whole).and_then(name_of).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, attributes: Vec<LinkAttribute>) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.attributes = attributes;
        link.attributes.push(LinkAttribute::IfName(name.to_owned()));
        link
    }

    fn vlan_on(below: u32) -> Vec<LinkAttribute> {
        vec![LinkAttribute::Link(below), LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan)])]
    }

    #[test]
    fn vlans_on_an_interface_are_told_from_other_neighbours() {
        assert!(lies_on(&link(7, "eth0.10", vlan_on(2)), 2));
        assert!(!lies_on(&link(7, "eth1.10", vlan_on(3)), 2));
        let veth =
            vec![LinkAttribute::Link(2), LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)])];
        assert!(!lies_on(&link(7, "veth0", veth), 2));
        // What lies on an interface of this number in another namespace.
        let mut elsewhere = vlan_on(2);
        elsewhere.push(LinkAttribute::LinkNetNsId(0));
        assert!(!lies_on(&link(7, "eth0.10", elsewhere), 2));
    }

    #[test]
    fn a_part_of_a_bond_is_known_with_the_name_of_the_whole() {
        let bond = link(9, "bond0", Vec::new());
        let part = link(2, "eth0", vec![LinkAttribute::Controller(9)]);
        let all = [bond, part.clone()];
        assert_eq!(part_of(&part, &all).as_deref(), Some("bond0"));
        assert_eq!(part_of(&all[0], &all), None);
    }
}
