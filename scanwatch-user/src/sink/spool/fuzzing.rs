//! What must be true of a spool whatever lies in its folder: for fuzzers and tests.

use std::fs;
use std::path::Path;

use super::codec::{HEAD_BYTES, decode, encode, head};
use super::ledger::{self, Ledger};
use super::segment::NUMBER_MAX;
use super::{Spool, SpoolPlan, WhenFull};
use crate::engine::{Severity, Timestamp};
use crate::sink::Envelope;

const PLAN: SpoolPlan = SpoolPlan { bytes_max: 64 << 20, when_full: WhenFull::DropOldest };
const NOW: Timestamp = Timestamp::from_ns(1_830_470_400_000_000_000);
/// Numbers that are left before those end that a spool takes for its own. With fewer, which only a forged ledger leaves,
/// messages may come twice after a restart.
const NUMBERS_LEFT: u64 = 1 << 32;
/// Messages of a batch: few, so that batches end within segments.
const BATCH: usize = 3;

/// A file of an input: a byte that says what it is, a byte from which its number is made, its length in two bytes,
/// little-endian, and its content.
struct File<'a> {
    what: u8,
    number: u8,
    content: &'a [u8],
}

/// A segment whose records have right checksums, whatever else is wrong with them.
const MENDED: u8 = 4;

fn files(input: &[u8]) -> Vec<File<'_>> {
    let mut files = Vec::new();
    let mut rest = input;
    while let [what, number, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (content, behind) = after.split_at(length);
        files.push(File { what: *what, number: *number, content });
        rest = behind;
    }
    files
}

/// Writes the files of an input into a folder.
fn lay_out(folder: &Path, input: &[u8]) {
    for File { what, number, content } in files(input) {
        let mut content = content.to_vec();
        let name = match what & 3 {
            0 | 3 => {
                if what & MENDED != 0 {
                    mend_segment(&mut content);
                }
                let first = u64::from(number) << if what & 3 == 3 { 54 } else { 0 };
                format!("{first:016x}.seg")
            }
            1 => {
                if what & MENDED != 0 {
                    ledger::mend(&mut content);
                }
                "ledger".to_owned()
            }
            _ => format!("{number:x}.{}", if what & MENDED == 0 { "seg" } else { "bad" }),
        };
        fs::write(folder.join(name), content).expect("room for the input");
    }
}

fn mend_segment(content: &mut [u8]) {
    let mut at = 0;
    while let Some(bytes) = content.get(at..).and_then(<[u8]>::first_chunk::<HEAD_BYTES>) {
        let Some((length, _)) = head(*bytes) else { return };
        let body = at + HEAD_BYTES..at + HEAD_BYTES + length;
        let Some(checksum) = content.get(body.clone()).map(crc32fast::hash) else { return };
        content[at + 4..at + HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
        at = body.end;
    }
}

/// The record at the beginning of these bytes, and how long it is.
fn record(bytes: &[u8]) -> Option<(Envelope, usize)> {
    let (start, behind) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let (length, checksum) = head(*start)?;
    let body = behind.get(..length)?;
    Some((decode(body.to_vec(), checksum)?, HEAD_BYTES + length))
}

/// The records of a segment, numbered from 0; damage, of whatever length, has a number as well.
fn readable(content: &[u8]) -> Vec<(u64, Envelope)> {
    let mut records = Vec::new();
    let (mut at, mut number, mut is_whole) = (0, 0, true);
    while at < content.len() {
        if let Some((envelope, length)) = record(&content[at..]) {
            records.push((number, envelope));
            (at, number, is_whole) = (at + length, number + 1, true);
        } else {
            number += u64::from(is_whole);
            (at, is_whole) = (at + 1, false);
        }
    }
    records
}

/// What lies in a folder, by number. What overlaps with what is before it comes behind.
fn waiting(folder: &Path) -> Vec<(u64, Envelope)> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let number = path.file_stem().and_then(|stem| u64::from_str_radix(stem.to_str()?, 16).ok());
        if path.extension().is_some_and(|end| end == "seg")
            && let Some(first) = number.filter(|first| *first < 1 << 62)
        {
            segments.push((first, path));
        }
    }
    segments.sort();
    let mut records: Vec<(u64, Envelope)> = Vec::new();
    for (first, path) in segments {
        let first = records.last().map_or(first, |(last, _)| first.max(last + 1));
        let content = fs::read(path).expect("the segment");
        records.extend(readable(&content).into_iter().map(|(number, envelope)| (first + number, envelope)));
    }
    records
}

/// Takes up, in an empty folder, what an input says lies there; drains it as a sink does, and uses it further.
///
/// # Panics
/// Where a record that is whole is not handed over once and in order, where the spool comes to no end or does not count
/// what it holds, or where it takes nothing any more.
pub fn take_up(folder: &Path, input: &[u8]) {
    lay_out(folder, input);
    let mut expected = waiting(folder);
    let ledger = Ledger::open(&folder.join("ledger")).expect("the ledger");
    let acknowledged = ledger.1.map_or(0, |entry| entry.acknowledged);
    if acknowledged > NUMBER_MAX - NUMBERS_LEFT {
        return;
    }
    let mut spool = Spool::open(folder, PLAN, NOW);
    expected.retain(|(number, _)| *number >= acknowledged);
    assert_eq!(spool.messages(), expected.len() as u64, "messages that wait");
    assert!(drained(&mut spool) == expected, "what was readable is handed over, in order");
    assert_eq!((spool.messages(), spool.bytes()), (0, 0), "nothing is left");
    goes_on(folder, spool);
}

/// All that waits, each batch acknowledged.
fn drained(spool: &mut Spool) -> Vec<(u64, Envelope)> {
    let mut all = Vec::new();
    let mut turns = spool.messages() + 2;
    loop {
        let batch = spool.peek(BATCH, usize::MAX, NOW);
        if let (Some((first, _)), Some((last, _))) = (batch.first(), batch.last()) {
            spool.acknowledge(*first, last + 1);
            all.extend(batch);
        } else if spool.messages() == 0 {
            return all;
        }
        turns = turns.checked_sub(1).expect("a spool that is drained comes to an end");
    }
}

/// The spool takes messages, announces what was lost, and is the same when it is opened again.
fn goes_on(folder: &Path, mut spool: Spool) {
    if let Some(announcement) = spool.announcement(true) {
        assert!(announcement.gap.messages > 0, "{announcement:?}");
        spool.announced();
    }
    let more: Vec<Envelope> = (0..4).map(|number| envelope(&number.to_string(), number * 100)).collect();
    for envelope in &more {
        assert!(spool.push(envelope.clone(), NOW), "{:?}", spool.trouble());
    }
    let numbers: Vec<u64> = spool.peek(9, usize::MAX, NOW).iter().map(|(number, _)| *number).collect();
    spool.acknowledge(numbers[0], numbers[0] + 1);
    drop(spool);
    let mut again = Spool::open(folder, PLAN, NOW);
    let left: Vec<Envelope> = drained(&mut again).into_iter().map(|(_, envelope)| envelope).collect();
    assert!(left == more[1..], "what was pushed and not acknowledged is there again");
}

fn envelope(id: &str, bytes: usize) -> Envelope {
    Envelope {
        id: id.to_owned(),
        key: format!("incident-{id}"),
        at: NOW,
        severity: Severity::High,
        payload: vec![b'x'; bytes].into(),
    }
}

/// Folders that a spool wrote itself: segments behind each other and with a gap, whole, torn, and damaged; with a ledger, and
/// one with a damaged copy.
///
/// # Panics
/// Never: the messages are small.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let record = |number: usize| encode(&envelope(&format!("m{number}"), number * 7 % 60)).expect("small");
    let segment = |numbers: std::ops::Range<usize>| numbers.flat_map(record).collect::<Vec<u8>>();
    let file = |what: u8, number: u8, content: &[u8]| {
        [&[what, number], &(content.len() as u16).to_le_bytes()[..], content].concat()
    };
    let entry = |acknowledged| ledger::Entry { acknowledged, identity: 7, ..ledger::Entry::default() };
    let (first, second) = (segment(0..5), segment(5..9));
    let mut torn = second.clone();
    torn.truncate(second.len() - 9);
    let mut damaged = first.clone();
    damaged[first.len() / 2] ^= 0x10;
    let ledger = ledger::copies(&[entry(1), entry(2)]);
    let mut half = ledger.clone();
    half[20] ^= 1;
    vec![
        file(0, 0, &first),
        [file(0, 0, &first), file(0, 5, &second)].concat(),
        [file(0, 0, &first), file(0, 9, &second), file(1, 0, &ledger)].concat(),
        [file(0, 0, &first), file(0, 5, &torn), file(1, 0, &half)].concat(),
        [file(0, 0, &damaged), file(0, 5, &second), file(1, 0, &ledger)].concat(),
        [file(MENDED, 0, &damaged), file(MENDED, 3, &second), file(1 | MENDED, 0, &half)].concat(),
        [file(3, 255, &second), file(3, 1, &first), file(2, 0, b"not ours"), file(2 | MENDED, 7, &first)]
            .concat(),
        file(0, 3, &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_of_the_fuzzer_is_taken_up() {
        for seed in seeds() {
            let folder = tempfile::tempdir().unwrap();
            take_up(folder.path(), &seed);
        }
    }
}
