use super::*;
use scanwatch_common::abi::mapped;

fn second(s: u64) -> Timestamp {
    Timestamp::from_ns((1_800_000_000 + s) * 1_000_000_000)
}

fn pair(port: u16, at: Timestamp) -> Pair {
    Pair {
        target: mapped([10, 0, 0, 1]),
        first: at,
        last: at,
        port,
        attempts: 1,
        length: 40,
        technique: Technique::Syn,
        zone: 1,
        service: 0,
        direction: Direction::Outbound,
        marks: Marks::TRIED,
        tool: Tool::None,
    }
}

fn ports(pairs: &Pairs) -> Vec<u16> {
    pairs.all().iter().map(|pair| pair.port).collect()
}

#[test]
fn a_pair_is_kept_once_with_its_first_and_last_time() {
    let mut pairs = Pairs::default();
    pairs.insert(pair(80, second(0)), true);
    pairs.insert(pair(80, second(9)), true);
    let [only] = pairs.all() else { panic!("{pairs:?}") };
    assert_eq!((only.first, only.last, only.attempts), (second(0), second(9), 2));
}

#[test]
fn nothing_is_lost_when_a_fast_source_fills_its_room() {
    let mut pairs = Pairs::default();
    (0..500).for_each(|port| pairs.insert(pair(port, second(u64::from(port) / 20)), true));
    assert_eq!(ports(&pairs), (0..500).collect::<Vec<_>>());
}

#[test]
fn a_source_that_is_answered_keeps_its_latest_pairs_and_one_that_fails_all() {
    let (mut ordinary, mut failing) = (Pairs::default(), Pairs::default());
    for port in 0..200 {
        let tried = pair(port, second(30 * u64::from(port)));
        ordinary.insert(Pair { marks: Marks::TRIED.and(Marks::ANSWERED), ..tried }, true);
        failing.insert(tried, true);
    }
    assert!(ordinary.all().len() <= ROOM);
    assert_eq!(ports(&ordinary).last(), Some(&199));
    assert!(ports(&ordinary)[0] >= 200 - ROOM as u16);
    assert_eq!(failing.all().len(), 200);
}

#[test]
fn where_all_sources_have_too_much_nobody_grows() {
    let mut pairs = Pairs::default();
    (0..500).for_each(|port| pairs.insert(pair(port, second(15 * u64::from(port))), false));
    assert!(pairs.all().len() <= ROOM);
}

#[test]
fn a_pair_is_not_given_up_before_its_outcome_can_be_known() {
    let mut pairs = Pairs::default();
    (0..5_000).for_each(|port| pairs.insert(pair(port, second(u64::from(port) / 1_000)), true));
    assert_eq!(ports(&pairs), (0..ROOM_SUSPECT as u16).collect::<Vec<_>>());
}

#[test]
fn a_full_table_takes_pairs_again_as_soon_as_its_oldest_are_no_longer_young() {
    let room = ROOM_SUSPECT as u16;
    let mut pairs = Pairs::default();
    (0..room).for_each(|port| pairs.insert(pair(port, second(u64::from(port) / 100)), true));
    for (at_s, is_taken) in [(10, true), (9, false), (0, false)] {
        let mut pairs = pairs.clone();
        pairs.insert(pair(room, second(9)), true);
        pairs.insert(pair(room + 1, second(at_s)), true);
        assert_eq!(ports(&pairs).contains(&(room + 1)), is_taken, "after {at_s} s");
    }
}

#[test]
fn an_answer_alone_is_no_contact_until_it_is_tried() {
    let mut pairs = Pairs::default();
    pairs.insert(Pair { marks: Marks::ANSWERED, ..pair(80, second(0)) }, true);
    assert!(!pairs.all()[0].is_tried() && pairs.all()[0].is_answered());
    pairs.insert(pair(80, second(9)), true);
    assert_eq!((pairs.all()[0].is_tried(), pairs.all()[0].first), (true, second(9)));
    assert!(!pairs.mark(Technique::Syn, &mapped([10, 0, 0, 1]), 81, Marks::REFUSED));
}

#[test]
fn the_table_never_exceeds_its_bound_even_at_one_instant() {
    let mut pairs = Pairs::default();
    (0..20_000).for_each(|port| pairs.insert(pair(port, second(0)), true));
    assert!(pairs.all().len() <= ROOM_SUSPECT);
    assert!(pairs.heap_bytes() <= 2 * ROOM_SUSPECT * size_of::<Pair>());
    assert!(pairs.all().is_sorted_by_key(Pair::key));
}

#[test]
fn pairs_of_the_past_and_their_memory_are_given_back() {
    let mut pairs = Pairs::default();
    (0..1_000).for_each(|port| pairs.insert(pair(port, second(0)), true));
    pairs.insert(pair(7, second(86_399)), true);
    pairs.forget(second(86_400));
    assert_eq!(ports(&pairs), [7]);
    assert!(pairs.heap_bytes() <= 2 * ROOM * size_of::<Pair>());
}
