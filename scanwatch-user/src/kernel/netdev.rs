//! What a driver can do of XDP, by the netlink family `netdev`, which is there since Linux 6.3. Asking changes nothing.

use std::io;

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLM_F_REQUEST, NetlinkDeserializable, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable, Nla, NlasIterator, Parseable as _, ParseableParametrized,
};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use rtnetlink::sys::protocols::NETLINK_GENERIC;
use rtnetlink::sys::{Socket, SocketAddr};

/// Numbers of `linux/netdev.h`.
const CMD_DEV_GET: u8 = 1;
const A_DEV_IFINDEX: u16 = 1;
const A_DEV_XDP_FEATURES: u16 = 3;
const XDP_ACT_BASIC: u64 = 1;
const XDP_ACT_RX_SG: u64 = 32;

/// What a driver can do of XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpSupport {
    /// Programs run in the driver.
    pub native: bool,
    /// They may be given packets in several buffers.
    pub frags: bool,
}

/// What the driver of an interface can do; `None` where the kernel does not tell.
pub(super) fn xdp_support(index: u32) -> Option<XdpSupport> {
    let mut socket = Socket::new(NETLINK_GENERIC).ok()?;
    socket.bind_auto().ok()?;
    socket.connect(&SocketAddr::new(0, 0)).ok()?;
    let family = family(&socket).ok()??;
    let wanted = DefaultNla::new(A_DEV_IFINDEX, index.to_ne_bytes().to_vec());
    let mut request = GenlMessage::from_payload(NetDevice { command: CMD_DEV_GET, attributes: vec![wanted] });
    request.set_resolved_family_id(family);
    let answer = ask(&socket, request).ok()??;
    let features =
        answer.payload.attributes.iter().find(|attribute| attribute.kind() == A_DEV_XDP_FEATURES)?;
    let mut bytes = [0; 8];
    features.value_len().eq(&bytes.len()).then(|| features.emit_value(&mut bytes))?;
    let features = u64::from_ne_bytes(bytes);
    Some(XdpSupport { native: features & XDP_ACT_BASIC != 0, frags: features & XDP_ACT_RX_SG != 0 })
}

/// Number of the family; `None` where there is none.
fn family(socket: &Socket) -> io::Result<Option<u16>> {
    let name = GenlCtrlAttrs::FamilyName(NetDevice::family_name().to_owned());
    let request = GenlMessage::from_payload(GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: vec![name] });
    let answer = ask(socket, request)?;
    Ok(answer.and_then(|answer| {
        answer.payload.nlas.iter().find_map(|attribute| match attribute {
            GenlCtrlAttrs::FamilyId(id) => Some(*id),
            _ => None,
        })
    }))
}

/// One question, and the answer; `None` where the kernel answers with an error. It answers while it is asked, so there is
/// nothing to wait for.
fn ask<F>(socket: &Socket, request: GenlMessage<F>) -> io::Result<Option<GenlMessage<F>>>
where
    F: std::fmt::Debug,
    GenlMessage<F>: NetlinkSerializable + NetlinkDeserializable<Error = DecodeError>,
{
    let mut message = NetlinkMessage::from(request);
    message.header.flags = NLM_F_REQUEST;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    socket.set_non_blocking(true)?;
    let (bytes, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<GenlMessage<F>>::deserialize(&bytes).map_err(io::Error::other)?;
    Ok(match answer.payload {
        NetlinkPayload::InnerMessage(message) => Some(message),
        _ => None,
    })
}

/// A message of the family.
#[derive(Clone, Debug)]
struct NetDevice {
    command: u8,
    attributes: Vec<DefaultNla>,
}

impl GenlFamily for NetDevice {
    fn family_name() -> &'static str {
        "netdev"
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for NetDevice {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for NetDevice {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let attributes = NlasIterator::new(bytes).map(|attribute| DefaultNla::parse(&attribute?));
        Ok(Self { command: header.cmd, attributes: attributes.collect::<Result<_, _>>()? })
    }
}
