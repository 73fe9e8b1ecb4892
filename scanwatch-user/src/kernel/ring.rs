//! Novelty records from the kernel.

use std::io;

use aya::maps::{MapData, RingBuf};
use scanwatch_common::abi::Novelty;
use tokio::io::unix::AsyncFd;

use super::plain;

/// The ring of one side.
pub struct NoveltyRing {
    ring: AsyncFd<RingBuf<MapData>>,
    /// The last reading ended at its limit: the kernel wakes nobody for what lies behind it.
    is_cut_short: bool,
}

impl NoveltyRing {
    pub(super) fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the descriptor is the map's own; the ring that moves into the AsyncFd keeps it open and never changes it.
        let ring = unsafe { AsyncFd::register(ring) }?;
        Ok(Self { ring, is_cut_short: false })
    }

    /// Waits until there is something to read.
    pub async fn readable(&mut self) -> io::Result<()> {
        if self.is_cut_short {
            return Ok(());
        }
        let mut guard = self.ring.readable_mut().await?;
        // Whoever was woken reads until the ring is empty, so the next wake-up is for something new.
        guard.clear_ready();
        Ok(())
    }

    /// Hands every record there is, at most `limit`, to `take`; returns how many.
    pub fn read(&mut self, limit: usize, mut take: impl FnMut(&Novelty)) -> usize {
        let ring = self.ring.get_mut();
        let mut count = 0;
        while count < limit {
            let Some(item) = ring.next() else { break };
            // A record of another length is none of ours.
            if let Some(novelty) = plain::read::<Novelty>(&item) {
                take(&novelty);
            }
            count += 1;
        }
        self.is_cut_short = count == limit;
        count
    }
}
