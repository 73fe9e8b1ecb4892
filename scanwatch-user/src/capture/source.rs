//! Buffered bytes of a capture: as much in hand as one record needs, and no more than that in memory.

use std::io::{ErrorKind, Read, Result};

/// Bytes asked for at once. Larger reads are no faster; the buffer grows beyond this for records that do not fit.
const CHUNK: usize = 256 * 1024;

/// An input that is read in chunks and taken in records.
pub(super) struct Source {
    input: Box<dyn Read + Send>,
    /// Always initialised to its length; what is in hand lies in `start..end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the input before `start`.
    taken: u64,
}

impl Source {
    pub fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input, buffer: vec![0; CHUNK], start: 0, end: 0, taken: 0 }
    }

    /// Bytes taken or passed over so far.
    pub fn position(&self) -> u64 {
        self.taken
    }

    /// Everything in hand.
    pub fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Gets at least `count` bytes into hand; false where the input ends before. Memory grows with what has arrived,
    /// not with what is asked for.
    pub fn need(&mut self, count: usize) -> Result<bool> {
        while self.end - self.start < count {
            if self.read_more()? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes `count` bytes that are in hand.
    pub fn take(&mut self, count: usize) -> &[u8] {
        let from = self.start;
        self.start = self.end.min(from + count);
        self.taken += (self.start - from) as u64;
        &self.buffer[from..self.start]
    }

    /// Passes over `count` bytes without holding them; false where the input ends before.
    pub fn skip(&mut self, mut count: u64) -> Result<bool> {
        loop {
            let in_hand = (self.end - self.start) as u64;
            let step = in_hand.min(count);
            self.take(step as usize);
            count -= step;
            if count == 0 {
                return Ok(true);
            }
            if !self.need(1)? {
                return Ok(false);
            }
        }
    }

    /// Reads once, behind what is in hand.
    fn read_more(&mut self) -> Result<usize> {
        if self.start > 0 {
            // Little: what is in hand is less than a record.
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    let count = read?;
                    self.end += count;
                    return Ok(count);
                }
            }
        }
    }

    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.buffer.capacity()
    }
}
