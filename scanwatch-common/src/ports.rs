//! Ports with their transport, and their places in the port table.

use core::fmt;

use crate::abi::PORTS_A_PAGE;

/// Transports whose ports are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ports {
    /// TCP.
    Tcp = 0,
    /// UDP.
    Udp = 1,
}

/// A port of a transport. The order is that of the port table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortKey {
    /// Transport.
    pub transport: Ports,
    /// Number.
    pub port: u16,
}

impl PortKey {
    /// Page of the port table.
    #[inline(always)]
    #[must_use]
    pub const fn page(self) -> u32 {
        (self.transport as u32 * 65_536 + self.port as u32) / PORTS_A_PAGE as u32
    }

    /// Place on that page.
    #[inline(always)]
    #[must_use]
    pub const fn place(self) -> usize {
        self.port as usize % PORTS_A_PAGE
    }

    /// The port in a place of a page, the inverse of [`Self::page`] and [`Self::place`].
    #[must_use]
    pub const fn at(page: u32, place: usize) -> Self {
        let index = page as usize * PORTS_A_PAGE + place;
        let transport = if index < 65_536 { Ports::Tcp } else { Ports::Udp };
        Self { transport, port: index as u16 }
    }
}

impl fmt::Display for PortKey {
    /// As people write it: `tcp/445`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Ports::Tcp => "tcp",
            Ports::Udp => "udp",
        };
        write!(f, "{transport}/{}", self.port)
    }
}
