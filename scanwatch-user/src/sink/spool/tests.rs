//! A spool over restarts, full disks and damage.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::engine::Severity;

const PLAN: SpoolPlan = SpoolPlan { bytes_max: 1 << 20, when_full: WhenFull::DropOldest };

fn at(second: u64) -> Timestamp {
    Timestamp::from_ns(second * 1_000_000_000)
}

fn envelope(number: u64, bytes: usize) -> Envelope {
    Envelope {
        id: format!("message-{number}"),
        key: format!("incident-{}", number / 3),
        at: at(number),
        severity: Severity::High,
        payload: vec![b'a' + (number % 26) as u8; bytes].into(),
    }
}

fn ids(spool: &mut Spool, messages: usize) -> Vec<String> {
    spool.peek(messages, usize::MAX, at(0)).into_iter().map(|(_, envelope)| envelope.id).collect()
}

/// All that waits, each batch acknowledged.
fn drained(spool: &mut Spool) -> Vec<Envelope> {
    let mut all = Vec::new();
    loop {
        let batch = spool.peek(7, usize::MAX, at(0));
        let (Some((first, _)), Some((last, _))) = (batch.first(), batch.last()) else { return all };
        spool.acknowledge(*first, last + 1);
        all.extend(batch.into_iter().map(|(_, envelope)| envelope));
    }
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "seg"));
    paths.sort();
    paths
}

#[test]
fn what_was_taken_and_not_acknowledged_is_there_after_a_restart_in_order_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    for number in 0..1_000 {
        assert!(spool.push(envelope(number, 500), at(number)));
    }
    assert!(segments(folder.path()).len() > 5, "several segments");
    assert_eq!(ids(&mut spool, 2), ["message-0", "message-1"]);
    spool.acknowledge(0, 300);
    drop(spool);
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    assert_eq!(spool.messages(), 700);
    let expected: Vec<Envelope> = (300..1_000).map(|number| envelope(number, 500)).collect();
    assert_eq!(drained(&mut spool), expected);
    assert_eq!((spool.messages(), spool.bytes(), spool.dropped().messages), (0, 0, 0));
    assert_eq!(segments(folder.path()).len(), 0, "what is acknowledged is removed");
    assert!(spool.push(envelope(1_000, 5), at(0)), "and it goes on");
    assert_eq!(ids(&mut spool, 5), ["message-1000"]);
}

#[test]
fn a_full_spool_drops_the_oldest_or_what_comes_and_counts_it_over_restarts() {
    for (when_full, first) in [(WhenFull::DropOldest, None), (WhenFull::DropNewest, Some("message-0"))] {
        let folder = tempfile::tempdir().unwrap();
        let plan = SpoolPlan { when_full, ..PLAN };
        let mut spool = Spool::open(folder.path(), plan, at(0));
        for number in 0..3_000 {
            spool.push(envelope(number, 1_000), at(number));
        }
        assert!(spool.bytes() <= PLAN.bytes_max);
        let gap = spool.dropped();
        drop(spool);
        let mut spool = Spool::open(folder.path(), plan, at(0));
        assert_eq!(spool.dropped(), gap);
        assert_eq!(gap.messages + spool.messages(), 3_000);
        assert!(gap.first < gap.last && gap.last > at(2_900));
        let kept = drained(&mut spool);
        assert_eq!(kept.len() as u64 + gap.messages, 3_000);
        match first {
            Some(first) => assert_eq!(kept[0].id, first),
            None => assert_eq!(kept.last().unwrap().id, "message-2999"),
        }
    }
}

#[test]
fn what_was_dropped_is_announced_once_by_one_identity_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    assert_eq!(spool.announcement(true), None);
    spool.drop_messages(3, at(5));
    spool.drop_messages(2, at(9));
    assert_eq!(spool.announcement(false), None, "the way is not free");
    let told = spool.announcement(true).unwrap();
    assert_eq!(told.gap, Gap { messages: 5, first: at(5), last: at(9) });
    spool.drop_messages(1, at(10));
    drop(spool);
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    assert_eq!(spool.announcement(false), Some(told.clone()), "begun, and not yet arrived");
    spool.announced();
    let next = spool.announcement(true).unwrap();
    assert_eq!(next.gap.messages, 1);
    assert_ne!(next.id, told.id);
    spool.announced();
    assert_eq!(spool.announcement(true), None);
}

#[test]
fn what_gave_way_while_it_was_sent_is_not_counted_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    for number in 0..1_000 {
        spool.push(envelope(number, 1_000), at(0));
    }
    let sent = spool.peek(10, usize::MAX, at(0));
    for number in 1_000..1_100 {
        spool.push(envelope(number, 1_000), at(0));
    }
    let dropped = spool.dropped().messages;
    assert!(dropped >= 10);
    spool.acknowledge(sent[0].0, sent[9].0 + 1);
    assert_eq!(spool.dropped().messages, dropped - 10);
    assert_eq!(spool.messages() + spool.dropped().messages + 10, 1_100);
}

#[test]
fn a_torn_end_is_cut_and_a_damaged_record_costs_itself_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    for number in 0..300 {
        spool.push(envelope(number, 1_000), at(0));
    }
    drop(spool);
    let paths = segments(folder.path());
    let per_segment =
        300 - u64::from_str_radix(paths.last().unwrap().file_stem().unwrap().to_str().unwrap(), 16).unwrap();
    let last = OpenOptions::new().write(true).open(paths.last().unwrap()).unwrap();
    last.set_len(last.metadata().unwrap().len() - 3).unwrap();
    let damaged = OpenOptions::new().write(true).open(&paths[1]).unwrap();
    damaged.write_all_at(b"damage", 3_000).unwrap();
    let second = u64::from_str_radix(paths[1].file_stem().unwrap().to_str().unwrap(), 16).unwrap();

    let mut spool = Spool::open(folder.path(), PLAN, at(7));
    let ids: Vec<String> = drained(&mut spool).into_iter().map(|envelope| envelope.id).collect();
    // Two records lie before the damage.
    let expected: Vec<String> =
        (0..299).filter(|number| *number != second + 2).map(|number| format!("message-{number}")).collect();
    assert_eq!(ids, expected);
    assert_eq!(spool.dropped(), Gap { messages: 2, first: at(7), last: at(7) });
    assert!(per_segment > 1);
}

#[test]
fn a_hole_in_a_segment_costs_the_records_it_hit_and_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    for number in 0..100 {
        spool.push(envelope(number, 1_000), at(0));
    }
    drop(spool);
    let paths = segments(folder.path());
    assert!(paths.len() > 1);
    // As a power failure leaves blocks that were never written: records 3 to 7, in part or whole.
    let damaged = OpenOptions::new().write(true).open(&paths[0]).unwrap();
    damaged.write_all_at(&[0; 4_096], 4_000).unwrap();
    let hit: Vec<u64> = (0..100).filter(|number| (3..=7).contains(number)).collect();
    for _ in 0..2 {
        let spool = Spool::open(folder.path(), PLAN, at(7));
        assert_eq!((spool.messages(), spool.dropped().messages), (95, hit.len() as u64));
    }
    let mut spool = Spool::open(folder.path(), PLAN, at(8));
    let expected: Vec<Envelope> =
        (0..100).filter(|number| !hit.contains(number)).map(|number| envelope(number, 1_000)).collect();
    assert_eq!(drained(&mut spool), expected);
    assert_eq!(segments(folder.path()).len(), 0, "the damaged file goes with its last record");
}

#[test]
fn a_segment_that_overlaps_with_the_one_before_is_delivered_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    for (folder, numbers) in [(&folder, 0..6), (&other, 100..104)] {
        let mut spool = Spool::open(folder.path(), PLAN, at(0));
        for number in numbers {
            spool.push(envelope(number, 10), at(0));
        }
    }
    // A copy that was put back, under numbers that are taken; and once more under the numbers it is to have.
    let copy = &segments(other.path())[0];
    fs::copy(copy, folder.path().join("0000000000000002.seg")).unwrap();
    fs::copy(copy, folder.path().join("0000000000000006.seg")).unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    assert_eq!(ids(&mut spool, 2), ["message-0", "message-1"]);
    spool.acknowledge(0, 6);
    drop(spool);
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    let expected: Vec<Envelope> = (100..104).chain(100..104).map(|number| envelope(number, 10)).collect();
    assert_eq!(drained(&mut spool), expected, "after a restart as well");
    assert_eq!(spool.dropped().messages, 0);
}

#[test]
fn without_a_folder_to_write_to_messages_are_held_in_memory_and_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let mut spool = Spool::open(&file.join("spool"), PLAN, at(0));
    let trouble = spool.trouble().unwrap().to_owned();
    assert!(trouble.contains("cannot be used") && trouble.contains("held in memory"), "{trouble}");
    for number in 0..10 {
        assert!(spool.push(envelope(number, 100), at(0)));
    }
    assert_eq!(drained(&mut spool).len(), 10);
}

#[test]
fn memory_is_bounded_as_well() {
    let mut spool = Spool::in_memory(PLAN);
    for number in 0..2_000 {
        spool.push(envelope(number, 1_000), at(number));
    }
    assert!(spool.bytes() <= PLAN.bytes_max);
    assert_eq!(spool.dropped().messages + spool.messages(), 2_000);
    assert_eq!(drained(&mut spool).last().unwrap().id, "message-1999");
}

/// What may happen to a segment while nobody looks.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(usize, u8),
    Cut(usize),
    Empty,
    Gone,
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<usize>(), 0..8_u8).prop_map(|(place, bit)| Harm::Flip(place, bit)),
        any::<usize>().prop_map(Harm::Cut),
        Just(Harm::Empty),
        Just(Harm::Gone),
    ]
}

fn do_harm(path: &Path, harm: Harm) {
    let mut bytes = fs::read(path).unwrap();
    let length = bytes.len();
    match harm {
        Harm::Flip(place, bit) => bytes[place % length] ^= 1 << bit,
        Harm::Cut(place) => bytes.truncate(place % length),
        Harm::Empty => bytes.clear(),
        Harm::Gone => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_to_one_segment_no_other_suffers_and_what_is_lost_is_counted_once(
        acknowledged in 0..400_u64, place in any::<prop::sample::Index>(), harm in harm(),
    ) {
        const COUNT: u64 = 400;
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), PLAN, at(0));
        for number in 0..COUNT {
            prop_assert!(spool.push(envelope(number, 1_000), at(0)));
        }
        spool.acknowledge(0, acknowledged);
        drop(spool);
        let paths = segments(folder.path());
        let begins: Vec<u64> = paths
            .iter()
            .map(|path| u64::from_str_radix(path.file_stem().unwrap().to_str().unwrap(), 16).unwrap())
            .collect();
        let hurt = place.index(paths.len());
        do_harm(&paths[hurt], harm);
        let reach = begins[hurt]..begins.get(hurt + 1).copied().unwrap_or(COUNT);

        let told = Spool::open(folder.path(), PLAN, at(7)).dropped().messages;
        let mut spool = Spool::open(folder.path(), PLAN, at(8));
        prop_assert_eq!(spool.dropped().messages, told, "a restart counts nothing again");
        let kept = drained(&mut spool);
        let number = |envelope: &Envelope| envelope.id["message-".len()..].parse::<u64>().unwrap();
        prop_assert!(kept.iter().all(|found| *found == envelope(number(found), 1_000)), "whole");
        let numbers: Vec<u64> = kept.iter().map(number).collect();
        prop_assert!(numbers.is_sorted_by(|one, next| one < next));
        let expected = (acknowledged..COUNT).filter(|number| !reach.contains(number));
        prop_assert!(expected.clone().all(|number| numbers.contains(&number)), "no other segment suffers");
        let lost = COUNT - acknowledged - numbers.len() as u64;
        let dropped = spool.dropped().messages;
        if reach.end < COUNT {
            prop_assert_eq!(dropped, lost, "{:?}", harm);
        } else {
            // Nothing behind tells how many there were.
            prop_assert!(dropped <= lost.max(1));
            prop_assert!(dropped > 0 || lost == 0 || !matches!(harm, Harm::Flip(..)));
        }
        prop_assert!(spool.push(envelope(COUNT, 5), at(9)), "and it goes on");
        prop_assert_eq!(ids(&mut spool, 5), ["message-400"]);
    }

    #[test]
    fn a_folder_of_anything_is_opened_and_used(
        files in prop::collection::vec(
            (
                prop_oneof![
                    Just("ledger".to_owned()),
                    "[0-9a-f]{16}\\.seg",
                    Just("ffffffffffffffff.seg".to_owned()),
                    Just("0000000000000000.seg".to_owned()),
                    "[a-z0-9+]{1,5}\\.(seg|seg2|bad)",
                ],
                prop::collection::vec(any::<u8>(), 0..300),
            ),
            0..6,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut spool = Spool::open(folder.path(), PLAN, at(0));
        prop_assert_eq!(spool.trouble(), None);
        prop_assert!(spool.push(envelope(1, 10), at(0)));
        drop(spool);
        let mut spool = Spool::open(folder.path(), PLAN, at(0));
        prop_assert_eq!(drained(&mut spool), [envelope(1, 10)]);
    }
}

#[test]
fn a_segment_of_which_nothing_can_be_read_is_put_aside_and_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = b"another version's segment, longer than the head of a record";
    fs::write(folder.path().join("0000000000000000.seg"), theirs).unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    assert_eq!(spool.dropped().messages, 1, "it is told that something was lost");
    assert!(spool.push(envelope(5, 10), at(0)));
    drop(spool);
    assert_eq!(fs::read(folder.path().join("0000000000000000.bad")).unwrap(), theirs);
    assert_eq!(drained(&mut Spool::open(folder.path(), PLAN, at(0))), [envelope(5, 10)]);
}

/// Found by fuzzing: a count that went beyond what a ledger may say made its last copies no entry, and the place up to which
/// the receiver has come was forgotten.
#[test]
fn a_gap_of_forged_numbers_grows_no_further_than_a_ledger_may_say_and_no_message_comes_twice() {
    let folder = tempfile::tempdir().unwrap();
    let gap = Gap { messages: Gap::MESSAGES_MAX, first: at(0), last: at(0) };
    let entry = ledger::Entry { dropped: gap, identity: 7, ..ledger::Entry::default() };
    fs::write(folder.path().join("ledger"), ledger::copies(&[entry, entry])).unwrap();
    // What is missing before it is dropped, too.
    let far = codec::encode(&envelope(0, 10)).unwrap();
    fs::write(folder.path().join("3fc0000000000000.seg"), far).unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(1));
    assert_eq!(spool.dropped().messages, Gap::MESSAGES_MAX);
    assert!(spool.push(envelope(1, 10), at(1)));
    let (first, _) = spool.peek(1, usize::MAX, at(1))[0];
    spool.acknowledge(first, first + 1);
    drop(spool);
    let mut again = Spool::open(folder.path(), PLAN, at(2));
    assert_eq!(drained(&mut again), [envelope(1, 10)]);
    assert_eq!(again.announcement(true).unwrap().gap.messages, Gap::MESSAGES_MAX);
}

#[test]
fn a_ledger_of_before_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), PLAN, at(0));
    spool.push(envelope(0, 10), at(0));
    spool.push(envelope(1, 10), at(0));
    drop(spool);
    let mut copy = vec![0; 96];
    copy[..4].copy_from_slice(&0x5357_4c31_u32.to_le_bytes());
    copy[4..12].copy_from_slice(&99_u64.to_le_bytes());
    copy[12..20].copy_from_slice(&1_u64.to_le_bytes());
    let checksum = crc32fast::hash(&copy[..84]);
    copy[84..88].copy_from_slice(&checksum.to_le_bytes());
    OpenOptions::new()
        .write(true)
        .open(folder.path().join("ledger"))
        .unwrap()
        .write_all_at(&copy, 0)
        .unwrap();
    assert_eq!(drained(&mut Spool::open(folder.path(), PLAN, at(0))), [envelope(1, 10)]);
}
