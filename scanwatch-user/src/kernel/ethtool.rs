//! What a driver says of itself, by the old calls of `linux/ethtool.h`: they need no rights, and every kernel has them.

use std::mem;
use std::os::fd::AsRawFd as _;

use rtnetlink::sys::Socket;
use rtnetlink::sys::protocols::NETLINK_ROUTE;

const GET_DRIVER: u32 = 0x03;
const GET_FLAGS: u32 = 0x25;
const GET_CHANNELS: u32 = 0x3c;
/// Bits that [`GET_FLAGS`] gives.
const RX_VLAN: u32 = 1 << 8;
const LRO: u32 = 1 << 15;

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct Driver {
    command: u32,
    name: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    rom: [u8; 32],
    reserved: [u8; 12],
    numbers: [u32; 5],
}

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// `struct ethtool_channels`.
#[repr(C)]
struct Channels {
    command: u32,
    receive_max: u32,
    transmit_max: u32,
    other_max: u32,
    combined_max: u32,
    receive: u32,
    transmit: u32,
    other: u32,
    combined: u32,
}

/// One of the structures above: numbers only, the first of which says what is asked.
trait Question: Default {}
impl Question for Driver {}
impl Question for Value {}
impl Question for Channels {}

impl Default for Driver {
    fn default() -> Self {
        Self {
            command: GET_DRIVER,
            name: [0; 32],
            version: [0; 32],
            firmware: [0; 32],
            bus: [0; 32],
            rom: [0; 32],
            reserved: [0; 12],
            numbers: [0; 5],
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Self { command: GET_FLAGS, data: 0 }
    }
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            command: GET_CHANNELS,
            receive_max: 0,
            transmit_max: 0,
            other_max: 0,
            combined_max: 0,
            receive: 0,
            transmit: 0,
            other: 0,
            combined: 0,
        }
    }
}

/// What a driver says of itself; `None` for what it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ethtool {
    /// Name of the driver.
    pub driver: Option<String>,
    /// Queues that packets come in by.
    pub queues: Option<u32>,
    /// It takes VLAN tags out of frames, and hands them over beside them.
    pub strips_vlan: Option<bool>,
    /// It joins packets of a TCP connection to larger ones.
    pub joins_packets: Option<bool>,
}

/// Asks the driver of an interface.
pub(super) fn ask(interface: &str) -> Ethtool {
    let Ok(socket) = Socket::new(NETLINK_ROUTE) else { return Ethtool::default() };
    let flags: Option<Value> = answer(&socket, interface);
    let channels: Option<Channels> = answer(&socket, interface);
    let driver: Option<Driver> = answer(&socket, interface);
    Ethtool {
        driver: driver.map(|driver| text(&driver.name)).filter(|name| !name.is_empty()),
        queues: channels.map(|channels| channels.receive + channels.combined).filter(|queues| *queues > 0),
        strips_vlan: flags.as_ref().map(|flags| flags.data & RX_VLAN != 0),
        joins_packets: flags.as_ref().map(|flags| flags.data & LRO != 0),
    }
}

/// The answer to one question.
fn answer<Q: Question>(socket: &Socket, interface: &str) -> Option<Q> {
    let mut question = Q::default();
    // SAFETY: an ifreq of nothing but zeros is valid: an empty name, and a null pointer.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays zero: it ends the name.
    let room = request.ifr_name.len() - 1;
    if interface.len() > room {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut question).cast();
    // SAFETY: the descriptor is open as long as `socket` lives. SIOCETHTOOL reads an ifreq, whose name ends with a zero, and
    // writes to what it points to no more than the structure that its command stands for, which `question` is: all are
    // repr(C), as large as the kernel's, and any bytes are valid numbers.
    let status = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    (status == 0).then_some(question)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The kernel writes as much as its own structures are large.
const _: () = assert!(size_of::<Driver>() == 196);
const _: () = assert!(size_of::<Value>() == 8);
const _: () = assert!(size_of::<Channels>() == 36);
