//! Frames as the TC hook sees them behind a card that takes tags off.

use scanwatch_common::packet::Packet;

/// A frame whose outer tag is told beside it.
pub struct Stripped<'a> {
    /// The frame without that tag.
    pub frame: &'a [u8],
    /// Priority and number of the VLAN, as the tag had them.
    pub tag: u16,
}

impl Packet for Stripped<'_> {
    type Fields<'a, const N: usize>
        = &'a [u8; N]
    where
        Self: 'a;

    fn fields<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        self.frame.fields::<N>(offset)
    }

    fn stripped_tag(&self) -> Option<u16> {
        Some(self.tag)
    }
}
