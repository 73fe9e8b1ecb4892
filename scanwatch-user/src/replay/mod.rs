//! Captures through the very same code as live traffic: the packets' times are the clock.
//!
//! ```text
//! capture → timeline: packet clock, epochs, turns → plane: host tables, or the loaded program → engine → sink
//! ```
//!
//! Every capture stands for itself: it begins with empty tables and an engine that has seen nothing, so that its records do
//! not depend on what was replayed before it.

mod host;
mod in_kernel;
mod input;
mod plane;
mod progress;
mod timeline;

pub use host::HostPlane;
pub use in_kernel::KernelPlane;
pub use input::Input;
pub use plane::{DataPlane, FRAME_BYTES_SEEN};
pub use progress::Progress;
pub use timeline::{Timeline, VERDICTS_SETTLE};

use std::sync::Arc;

use anyhow::{Context as _, Result};
use scanwatch_common::counters::Counter;

use crate::app::FinalStatistics;
use crate::capture::{Capture, CaptureError};
use crate::engine::{Engine, Record};
use crate::policy::Policy;
use crate::sink::Sink;

/// Packets between two looks at the wall clock, which a terminal's reader waits for.
const PACKETS_PER_LOOK: u64 = 4_096;

/// What runs the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Through {
    /// The decision of `scanwatch_common`, on tables in memory.
    #[default]
    Host,
    /// The program that is loaded into the kernel, packet by packet with `BPF_PROG_TEST_RUN`. Needs rights.
    Kernel,
}

/// What became of one capture.
#[derive(Debug)]
pub struct Replayed {
    /// What was counted; `None` where nothing could be read.
    pub statistics: Option<FinalStatistics>,
    /// Why the capture could not be read to its end. What was readable has been judged.
    pub fault: Option<CaptureError>,
    /// Times at which the packets' times went back, and whatever was open was ended.
    pub jumps_back: u64,
    /// False where nobody reads the records any more.
    pub is_open: bool,
}

/// What is said where records do not get through, before the reason.
const NOT_WRITTEN: &str =
    "a record cannot be written; see where standard output goes, and whether there is room";

/// Replays one capture, and writes its records as they arise.
///
/// # Errors
/// Where the kernel refuses to take part, or a record cannot be written; what is wrong with the capture is in the
/// [`Replayed`].
pub fn run(
    policy: &Arc<Policy>,
    input: &Input,
    through: Through,
    sink: &mut dyn Sink,
    progress: &mut Progress,
) -> Result<Replayed> {
    // Before the capture is opened: rights that are missing are missing for every capture.
    match through {
        Through::Host => replay(policy, input, HostPlane::new(policy), sink, progress),
        Through::Kernel => replay(policy, input, KernelPlane::new(policy)?, sink, progress),
    }
}

fn replay(
    policy: &Arc<Policy>,
    input: &Input,
    plane: impl DataPlane,
    sink: &mut dyn Sink,
    progress: &mut Progress,
) -> Result<Replayed> {
    let mut capture = match input.open() {
        Ok(capture) => capture,
        Err(fault) => {
            return Ok(Replayed { statistics: None, fault: Some(fault), jumps_back: 0, is_open: true });
        }
    };
    let mut timeline = Timeline::new(plane, Engine::new(Arc::clone(policy)));
    progress.begin(&input.to_string());
    let played = play(&mut capture, &mut timeline, sink, progress);
    progress.clear();
    let (mut is_open, fault) = played.with_context(|| input.to_string())?;
    timeline.finish().with_context(|| input.to_string())?;
    is_open = is_open && write(&timeline.take_events(), sink, progress)?;
    sink.flush().context(NOT_WRITTEN)?;
    Ok(Replayed {
        statistics: Some(statistics(&timeline)?),
        fault,
        jumps_back: timeline.jumps_back(),
        is_open,
    })
}

/// Plays packets until the capture ends, or nobody reads the records any more: whether somebody does, and why the capture
/// ended before its end.
fn play(
    capture: &mut Capture,
    timeline: &mut Timeline<impl DataPlane>,
    sink: &mut dyn Sink,
    progress: &mut Progress,
) -> Result<(bool, Option<CaptureError>)> {
    loop {
        for _ in 0..PACKETS_PER_LOOK {
            match capture.next_packet() {
                Ok(Some(packet)) => timeline.packet(&packet)?,
                Ok(None) => return Ok((true, None)),
                Err(fault) => return Ok((true, Some(fault))),
            }
            if timeline.has_events() && !write(&timeline.take_events(), sink, progress)? {
                return Ok((false, None));
            }
        }
        progress.note(capture.packets(), capture.bytes_read(), capture.bytes_total());
    }
}

/// Writes records; false where nobody reads them.
fn write(events: &[Record], sink: &mut dyn Sink, progress: &mut Progress) -> Result<bool> {
    if !events.is_empty() {
        // Both may be the same terminal.
        progress.clear();
    }
    for event in events {
        if !sink.write(event).context(NOT_WRITTEN)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn statistics(timeline: &Timeline<impl DataPlane>) -> Result<FinalStatistics> {
    let counted = |(counter, n): (Counter, u64)| (counter.name().to_owned(), n.into());
    Ok(FinalStatistics {
        packets: timeline.counters()?.into_iter().map(counted).collect(),
        configuration: None,
        engine: timeline.statistics(),
    })
}
