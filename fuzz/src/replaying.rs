//! Frames with times through all that a capture goes through: the clock, epochs, the engine, and every form of a record.

use std::sync::Arc;

use scanwatch::capture::Packet;
use scanwatch::engine::{Engine, Record};
use scanwatch::kernel::KernelError;
use scanwatch::policy::{Policy, Treatment};
use scanwatch::replay::{DataPlane, Timeline};
use scanwatch::sink::{Format, Message, Observer};
use scanwatch_common::abi::{Cell, CellKey, Novelty, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;

use crate::build::{ether, ipv4, tcp};
use crate::frames;
use crate::packets;
use crate::tables::Tracked;

/// Bytes of an input before its frames: when they begin.
const START: usize = 8;
/// 3 January 2028, 00:00 UTC.
const USUAL_START_NS: u64 = 1_830_470_400_000_000_000;

/// A data plane that is empty again for the next input.
struct Plane(Tracked);

impl DataPlane for &mut Plane {
    fn observe(&mut self, frame: &[u8], interface: u32, now_ns: u64) -> Result<(), KernelError> {
        self.0.tables.control.clock_ns = now_ns;
        observe(frame, interface, Passage::IN, &mut self.0);
        Ok(())
    }

    fn novelties(&mut self, take: impl FnMut(&Novelty)) {
        self.0.records().iter().for_each(take);
    }

    fn end_epoch(
        &mut self,
        epochs: u32,
        mut take: impl FnMut(Side, &CellKey, &Cell),
    ) -> Result<(), KernelError> {
        for (side, key, cell) in self.0.tables.end_epoch() {
            take(side, &key, &cell);
        }
        let control = &mut self.0.tables.control;
        control.tick = control.tick.wrapping_add(epochs.saturating_sub(1));
        Ok(())
    }

    fn ports(&mut self, mut take: impl FnMut(PortKey, &PortSketch)) -> Result<(), KernelError> {
        self.0.tables.take_ports().iter().for_each(|(key, sketch)| take(*key, sketch));
        Ok(())
    }

    fn counters(&self) -> Result<Vec<(Counter, u64)>, KernelError> {
        Ok(Counter::ALL.iter().copied().zip(self.0.counters()).collect())
    }
}

thread_local! {
    static PLANE: std::cell::RefCell<Plane> = std::cell::RefCell::new(Plane(Tracked::new()));
    static OBSERVER: Observer = Observer::on("sensor");
}

/// Replays the frames of an input, the first of them at a time of its own.
///
/// # Panics
/// Where a time that packets can have is too much for the clock or the engine, or a record is no line in one of the forms.
pub fn check(input: &[u8]) {
    let Some((start, rest)) = input.split_first_chunk::<START>() else { return };
    let mut time_ns = u64::from_le_bytes(*start);
    let (settings, steps) = frames::read(rest);
    PLANE.with_borrow_mut(|plane| {
        plane.0.begin_anew(settings);
        let mut timeline = Timeline::new(plane, Engine::new(Arc::new(policy(settings))));
        for step in &steps {
            time_ns = if step.is_back {
                time_ns.wrapping_sub(step.wait_ns)
            } else {
                time_ns.wrapping_add(step.wait_ns)
            };
            let packet = Packet { time_ns, interface: 7, frame: step.frame, cut: false };
            timeline.packet(&packet).expect("tables in memory");
        }
        timeline.finish().expect("tables in memory");
        OBSERVER.with(|observer| timeline.take_events().iter().for_each(|event| is_a_line(event, observer)));
    });
}

/// Every direction alerts, so that everything is judged.
fn policy(settings: u8) -> Policy {
    let mut policy = Policy::default();
    if settings & 8 == 0 {
        policy.directions.inbound = Treatment::Alert;
        policy.directions.transit = Treatment::Alert;
    }
    policy
}

fn is_a_line(record: &Record, observer: &Observer) {
    let message = Message::from(record);
    for (name, format) in Format::NAMES {
        let line = format.write(&message, observer);
        let text = std::str::from_utf8(&line).unwrap_or_else(|_| panic!("{name} is no UTF-8: {line:02x?}"));
        assert!(!text.is_empty() && !text.contains(['\n', '\r', '\0']), "{name}: {text:?}");
    }
}

/// Scans up and down one host, across many, and from far away, at the usual time and at the ends of time.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut scans: Vec<Vec<Vec<u8>>> = vec![
        (0..40)
            .map(|n| ether().carry(ipv4([10, 0, 0, 5], [10, 0, 1, 7]).carry(tcp(40_000, 20 + n))))
            .collect(),
        (0..40).map(|n| ether().carry(ipv4([10, 0, 0, 5], [10, 0, 1, n]).carry(tcp(40_000, 445)))).collect(),
        (0..40)
            .map(|n| ether().carry(ipv4([198, 51, 100, n], [10, 0, 1, 7]).carry(tcp(40_000, 22))))
            .collect(),
    ];
    let fixtures: Vec<Vec<u8>> = packets::all().into_iter().map(|fixture| fixture.frame).collect();
    scans.extend(fixtures.chunks(60).map(<[Vec<u8>]>::to_vec));
    let mut seeds = Vec::new();
    for scan in &scans {
        let steps = scan.iter().enumerate().map(|(at, frame)| (if at % 9 == 8 { 8 } else { 4 }, &frame[..]));
        seeds.push([&USUAL_START_NS.to_le_bytes()[..], &frames::write(1, steps)].concat());
    }
    for start in [0_u64, u64::MAX, u64::MAX - 3_600_000_000_000, 1 << 62] {
        let steps = scans[0].iter().map(|frame| (12, &frame[..]));
        seeds.push([&start.to_le_bytes()[..], &frames::write(1, steps)].concat());
    }
    seeds
}
