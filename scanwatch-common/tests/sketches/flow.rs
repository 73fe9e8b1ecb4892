//! The cache of UDP flows.

use proptest::prelude::*;
use scanwatch_common::sketch::{Flow, FlowLine};

const IDLE: u32 = 30;

/// Flows differ in their tag, the high half.
fn flow(number: u64) -> u64 {
    number << 32 | 7
}

#[test]
fn the_first_datagram_gives_a_flow_its_direction() {
    for forward in [true, false] {
        let mut line = FlowLine::default();
        assert_eq!(line.note(flow(1), forward, 0, 0, IDLE), Flow::First);
        assert_eq!(line.note(flow(1), forward, 0, 0, IDLE), Flow::Known);
        assert_eq!(line.note(flow(1), !forward, 0, 0, IDLE), Flow::Answer);
        assert_eq!(line.note(flow(1), !forward, 0, 0, IDLE), Flow::Answered);
        assert_eq!(line.note(flow(1), forward, 0, 0, IDLE), Flow::Known);
        assert_eq!(line.note(flow(1), !forward, 0, 0, IDLE), Flow::Answered);
    }
}

#[test]
fn the_flow_whose_tag_is_zero_is_a_flow() {
    let mut line = FlowLine::default();
    assert_eq!(line.note(flow(0), false, 0, 0, IDLE), Flow::First);
    assert_eq!(line.note(flow(0), false, 0, 0, IDLE), Flow::Known);
}

#[test]
fn a_line_keeps_its_eight_most_recent_flows() {
    let mut line = FlowLine::default();
    for number in 1..=8 {
        line.note(flow(number), true, 0, number as u32, IDLE);
    }
    // Used again: now the second is the oldest.
    assert_eq!(line.note(flow(1), true, 0, 9, IDLE), Flow::Known);
    assert_eq!(line.note(flow(9), true, 0, 10, IDLE), Flow::First);
    for number in [1, 3, 4, 5, 6, 7, 8, 9] {
        assert_eq!(line.note(flow(number), true, 0, 10, IDLE), Flow::Known, "flow {number}");
    }
    assert_eq!(line.note(flow(2), true, 0, 10, IDLE), Flow::First);
}

#[test]
fn a_forgotten_flow_gives_way_before_a_live_one() {
    let mut line = FlowLine::default();
    for number in 1..=8 {
        line.note(flow(number), true, 0, 0, IDLE);
    }
    for number in 2..=8 {
        line.note(flow(number), true, 0, IDLE, IDLE);
    }
    assert_eq!(line.note(flow(9), true, 0, IDLE + 1, IDLE), Flow::First);
    for number in 2..=9 {
        assert_eq!(line.note(flow(number), true, 0, IDLE + 1, IDLE), Flow::Known, "flow {number}");
    }
}

#[test]
fn a_flow_that_comes_back_after_its_time_is_new_and_has_one_place() {
    let mut line = FlowLine::default();
    line.note(flow(1), true, 0, 0, IDLE);
    assert_eq!(line.note(flow(1), false, 0, IDLE + 1, IDLE), Flow::First);
    assert_eq!(line.note(flow(1), false, 0, IDLE + 1, IDLE), Flow::Known);
    assert_eq!(line.note(flow(1), true, 0, IDLE + 1, IDLE), Flow::Answer);
}

#[test]
fn a_datagram_of_the_same_tick_writes_nothing() {
    let mut line = FlowLine::default();
    line.note(flow(1), true, 0, 5, IDLE);
    line.note(flow(1), false, 0, 5, IDLE);
    let before = line;
    line.note(flow(1), true, 0, 5, IDLE);
    line.note(flow(1), false, 0, 5, IDLE);
    assert_eq!(line, before);
}

#[test]
fn a_flow_is_known_as_long_as_it_lives_and_asking_writes_nothing() {
    let mut line = FlowLine::default();
    assert!(!line.knows(flow(1), 0, IDLE));
    line.note(flow(1), true, 0, 5, IDLE);
    let before = line;
    assert!(line.knows(flow(1), 5, IDLE));
    assert!(line.knows(flow(1), 5 + IDLE, IDLE));
    assert!(!line.knows(flow(1), 6 + IDLE, IDLE));
    assert!(!line.knows(flow(2), 5, IDLE));
    assert_eq!(line, before);
}

#[test]
fn of_a_quiet_flow_no_answer_is_the_first() {
    for forward in [true, false] {
        let mut line = FlowLine::default();
        assert_eq!(line.note(flow(1), forward, 1, 0, IDLE), Flow::First);
        assert_eq!(line.note(flow(1), forward, 1, 0, IDLE), Flow::Known);
        assert_eq!(line.note(flow(1), !forward, 0, 0, IDLE), Flow::Answered);
        // A flow that others know stays as it was.
        assert_eq!(line.note(flow(2), forward, 0, 0, IDLE), Flow::First);
        assert_eq!(line.note(flow(2), forward, 1, 0, IDLE), Flow::Known);
        assert_eq!(line.note(flow(2), !forward, 0, 0, IDLE), Flow::Answer);
    }
}

/// A line by the book: a list, most recently used last.
#[derive(Default)]
struct Model {
    flows: Vec<(u64, bool, bool, u32)>,
}

impl Model {
    fn note(&mut self, number: u64, forward: bool, tick: u32) -> Flow {
        self.flows.retain(|(.., used)| tick - used <= IDLE);
        let Some(at) = self.flows.iter().position(|(known, ..)| *known == number) else {
            if self.flows.len() == 8 {
                self.flows.remove(0);
            }
            self.flows.push((number, forward, false, tick));
            return Flow::First;
        };
        let (_, first, answered, _) = self.flows.remove(at);
        let same = first == forward;
        self.flows.push((number, first, answered || !same, tick));
        match (same, answered) {
            (true, _) => Flow::Known,
            (false, false) => Flow::Answer,
            (false, true) => Flow::Answered,
        }
    }
}

proptest! {
    /// One datagram a tick, as within a tick the order of use is not kept.
    #[test]
    fn a_line_is_a_list_of_the_eight_most_recent_flows(
        datagrams in prop::collection::vec((1..14_u64, any::<bool>(), 1..12_u32), 0..300),
    ) {
        let mut line = FlowLine::default();
        let mut model = Model::default();
        let mut tick = 0;
        for (number, forward, ticks) in datagrams {
            tick += ticks;
            prop_assert_eq!(line.note(flow(number), forward, 0, tick, IDLE), model.note(number, forward, tick));
        }
    }

    #[test]
    fn any_datagram_at_any_time_is_no_panic(
        datagrams in prop::collection::vec((any::<u64>(), any::<bool>(), any::<u32>(), any::<u32>()), 0..200),
    ) {
        let mut line = FlowLine::default();
        for (flow, forward, tick, idle) in datagrams {
            line.note(flow, forward, 0, tick, idle);
        }
    }
}
