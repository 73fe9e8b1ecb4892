//! Interfaces: which there are, which holds the default route, and when they come and go.

use std::net::IpAddr;

use futures_util::{StreamExt, TryStreamExt};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, MulticastGroup, RouteMessageBuilder};
use tokio::task::JoinHandle;

use super::error::KernelError;

/// A netlink connection that ends with its owner.
struct Netlink {
    handle: Handle,
    task: JoinHandle<()>,
}

impl Netlink {
    fn open() -> Result<Self, KernelError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| KernelError::of("open a netlink socket", &error))?;
        Ok(Self { handle, task: tokio::spawn(connection) })
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One interface as the kernel describes it; `None` where it is gone.
pub(super) async fn link_by_index(index: u32) -> Result<Option<LinkMessage>, KernelError> {
    Ok(links().await?.into_iter().find(|link| link.header.index == index))
}

/// All interfaces.
pub(super) async fn links() -> Result<Vec<LinkMessage>, KernelError> {
    let netlink = Netlink::open()?;
    Ok(netlink.handle.link().get().execute().try_collect().await?)
}

/// Name of an interface.
pub(super) fn name_of(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

/// Index of the interface with this name, whose frames are Ethernet's.
pub async fn interface_index(name: &str) -> Result<u32, KernelError> {
    Ok(interface(&links().await?, name)?.header.index)
}

/// The interface with this name among `all`, whose frames must be Ethernet's.
pub(super) fn interface<'a>(all: &'a [LinkMessage], name: &str) -> Result<&'a LinkMessage, KernelError> {
    let Some(link) = all.iter().find(|link| name_of(link) == Some(name)) else {
        let available = all.iter().filter_map(name_of).collect::<Vec<_>>().join(", ");
        return Err(KernelError::NoInterface { name: name.to_owned(), available });
    };
    match link.header.link_layer_type {
        // The loopback interface frames as Ethernet does.
        LinkLayerType::Ether | LinkLayerType::Loopback => Ok(link),
        other => {
            Err(KernelError::NotEthernet { name: name.to_owned(), kind: format!("{other:?}").to_lowercase() })
        }
    }
}

/// Name of the interface that holds the default route, IPv4 before IPv6.
pub async fn default_route_interface() -> Result<String, KernelError> {
    let netlink = Netlink::open()?;
    let queries: [RouteMessage; 2] = [
        RouteMessageBuilder::<std::net::Ipv4Addr>::new().build(),
        RouteMessageBuilder::<std::net::Ipv6Addr>::new().build(),
    ];
    for query in queries {
        let routes: Vec<RouteMessage> = netlink.handle.route().get(query).execute().try_collect().await?;
        let index =
            routes.iter().filter(|route| route.header.destination_prefix_length == 0).find_map(outgoing);
        if let Some(index) = index {
            let all = links().await?;
            if let Some(name) = all.iter().find(|link| link.header.index == index).and_then(name_of) {
                return Ok(name.to_owned());
            }
        }
    }
    Err(KernelError::NoDefaultRoute)
}

fn outgoing(route: &RouteMessage) -> Option<u32> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })
}

/// Addresses of one interface, each with the length of its network's prefix.
pub(super) async fn addresses(index: u32) -> Result<Vec<(IpAddr, u8)>, KernelError> {
    let netlink = Netlink::open()?;
    let request = netlink.handle.address().get().set_link_index_filter(index).execute();
    let messages: Vec<AddressMessage> = request.try_collect().await?;
    Ok(messages.iter().filter_map(|message| Some((own(message)?, message.header.prefix_len))).collect())
}

/// The interface's own address: on a point-to-point link the other attribute is the peer's.
fn own(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}

/// A change of the interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// An interface is there, perhaps anew.
    Present {
        /// Index.
        index: u32,
        /// Name.
        name: String,
    },
    /// An interface is gone.
    Gone {
        /// Index it had.
        index: u32,
    },
    /// An interface has other addresses.
    Readdressed {
        /// Index.
        index: u32,
    },
}

/// Tells when interfaces and their addresses come and go.
pub struct LinkWatch {
    messages: std::pin::Pin<Box<dyn futures_util::Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Send>>,
    task: JoinHandle<()>,
}

impl LinkWatch {
    /// Begins to watch.
    pub fn open() -> Result<Self, KernelError> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (connection, _, messages) = rtnetlink::new_multicast_connection(&groups)
            .map_err(|error| KernelError::of("watch the interfaces", &error))?;
        Ok(Self { messages: Box::pin(messages.map(|(message, _)| message)), task: tokio::spawn(connection) })
    }

    /// The next change; `None` where the kernel closed the socket.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        loop {
            let NetlinkPayload::InnerMessage(message) = self.messages.next().await?.payload else { continue };
            match message {
                RouteNetlinkMessage::NewLink(link) if is_of_interface(&link) => {
                    if let Some(name) = name_of(&link) {
                        return Some(LinkEvent::Present { index: link.header.index, name: name.to_owned() });
                    }
                }
                RouteNetlinkMessage::DelLink(link) if is_of_interface(&link) => {
                    return Some(LinkEvent::Gone { index: link.header.index });
                }
                RouteNetlinkMessage::NewAddress(address) | RouteNetlinkMessage::DelAddress(address) => {
                    return Some(LinkEvent::Readdressed { index: address.header.index });
                }
                _ => {}
            }
        }
    }
}

/// Messages of one address family are about the interface's part in it: that it has left a bridge, for one.
fn is_of_interface(link: &LinkMessage) -> bool {
    link.header.interface_family == AddressFamily::Unspec
}

impl Drop for LinkWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
