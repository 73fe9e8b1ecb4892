//! Data planes and time lines for tests.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use scanwatch::capture::Packet;
use scanwatch::engine::{Action, Engine, IncidentEvent, Record};
use scanwatch::kernel::KernelError;
use scanwatch::policy::Policy;
use scanwatch::replay::{DataPlane, HostPlane, Timeline};
use scanwatch_common::abi::{Cell, CellKey, Novelty, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;

use crate::traffic::Traffic;

/// What a data plane was asked for.
#[derive(Default)]
pub struct Asked {
    /// Time and length of each frame.
    pub frames: Vec<(u64, usize)>,
    /// Epochs that passed, at each end of an epoch.
    pub epochs: Vec<u32>,
}

/// A data plane that sees nothing, and notes what it is asked for.
#[derive(Clone, Default)]
pub struct Blind(pub Rc<RefCell<Asked>>);

impl DataPlane for Blind {
    fn observe(&mut self, frame: &[u8], _interface: u32, now_ns: u64) -> Result<(), KernelError> {
        self.0.borrow_mut().frames.push((now_ns, frame.len()));
        Ok(())
    }

    fn novelties(&mut self, _take: impl FnMut(&Novelty)) {}

    fn end_epoch(
        &mut self,
        epochs: u32,
        _take: impl FnMut(Side, &CellKey, &Cell),
    ) -> Result<(), KernelError> {
        self.0.borrow_mut().epochs.push(epochs);
        Ok(())
    }

    fn ports(&mut self, _take: impl FnMut(PortKey, &PortSketch)) -> Result<(), KernelError> {
        Ok(())
    }

    fn counters(&self) -> Result<Vec<(Counter, u64)>, KernelError> {
        Ok(Vec::new())
    }
}

/// A time line over host tables under the default policy.
pub fn host() -> Timeline<HostPlane> {
    let policy = Policy::default();
    Timeline::new(HostPlane::new(&policy), Engine::new(Arc::new(policy)))
}

/// A time line over nothing, and what it asks for.
pub fn blind() -> (Timeline<Blind>, Rc<RefCell<Asked>>) {
    let plane = Blind::default();
    let asked = Rc::clone(&plane.0);
    (Timeline::new(plane, Engine::new(Arc::new(Policy::default()))), asked)
}

/// Plays frames to a time line.
pub fn play(timeline: &mut Timeline<impl DataPlane>, traffic: &Traffic) {
    for (time_ns, frame) in &traffic.frames {
        let packet = Packet { time_ns: *time_ns, interface: 0, frame, cut: false };
        timeline.packet(&packet).unwrap();
    }
}

/// The records of incidents since the last call.
pub fn incidents(timeline: &mut Timeline<impl DataPlane>) -> Vec<IncidentEvent> {
    timeline.take_events().iter().filter_map(Record::incident).cloned().collect()
}

/// The records of a capture.
pub fn records(traffic: &Traffic) -> Vec<IncidentEvent> {
    let mut timeline = host();
    play(&mut timeline, traffic);
    timeline.finish().unwrap();
    incidents(&mut timeline)
}

/// The records of an action.
pub fn of(action: Action, records: &[IncidentEvent]) -> Vec<&IncidentEvent> {
    records.iter().filter(|record| record.action == action).collect()
}

pub fn counter(timeline: &Timeline<impl DataPlane>, wanted: Counter) -> u64 {
    let counters = timeline.counters().unwrap();
    counters.iter().filter(|(counter, _)| *counter == wanted).map(|(_, n)| n).sum()
}
