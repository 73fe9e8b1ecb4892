//! A sequence of frames as one input: a byte of settings, and for each frame a byte that says how it comes, its length in two
//! bytes, little-endian, and its bytes.
//!
//! The differential test of kernel and host reads the same inputs, so this file names nothing but `std`.

/// Longest frame that is read; longer lengths come round.
const LENGTH_MASK: usize = 0x7ff;

/// How a frame comes, and the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// It leaves for somebody else.
    pub through: bool,
    /// An epoch ends before it.
    pub ends_epoch: bool,
    /// Nanoseconds since the one before.
    pub wait_ns: u64,
    /// The clock was set back by so much instead, where that is looked at.
    pub is_back: bool,
    /// Its bytes.
    pub frame: &'a [u8],
}

/// Times between two frames.
const WAITS_NS: [u64; 4] = [0, 1_000, 1_000_000_000, 3_600_000_000_000];

/// The settings and the steps of an input. What is left at its end is a frame of its own, cut.
#[must_use]
pub fn read(input: &[u8]) -> (u8, Vec<Step<'_>>) {
    let Some((&settings, mut rest)) = input.split_first() else { return (0, Vec::new()) };
    let mut steps = Vec::new();
    while let [how, low, high, after @ ..] = rest {
        let length = (usize::from(u16::from_le_bytes([*low, *high])) & LENGTH_MASK).min(after.len());
        let (frame, behind) = after.split_at(length);
        steps.push(Step {
            through: how & 1 != 0,
            ends_epoch: how & 2 != 0,
            wait_ns: WAITS_NS[usize::from(how >> 2 & 3)],
            is_back: how & 0xf0 == 0xf0,
            frame,
        });
        rest = behind;
    }
    (settings, steps)
}

/// The input that reads as these settings and frames, `how` each comes.
#[must_use]
pub fn write<'a>(settings: u8, frames: impl IntoIterator<Item = (u8, &'a [u8])>) -> Vec<u8> {
    let mut input = vec![settings];
    for (how, frame) in frames {
        let frame = &frame[..frame.len().min(LENGTH_MASK)];
        input.push(how);
        input.extend((frame.len() as u16).to_le_bytes());
        input.extend(frame);
    }
    input
}
