//! Bytes as the agent takes them for values: here, because Miri runs this crate's tests, and cannot run what loads programs.

#[path = "../../../scanwatch-user/src/kernel/plain.rs"]
#[allow(unsafe_code, reason = "what is tested")]
mod plain;

use plain::{read, values_mut};
use scanwatch_common::abi::{Cell, CellKey, KeyedCell, Novelty, PortPage};
use scanwatch_common::sketch::IndexLine;

/// Memory that begins as a page does, in the eyes of any value.
#[repr(C, align(4096))]
struct Page([u8; 8_192]);

fn page() -> Box<Page> {
    let mut page = Box::new(Page([0; 8_192]));
    for (at, byte) in page.0.iter_mut().enumerate() {
        *byte = (at * 37) as u8;
    }
    page
}

#[test]
fn a_record_is_read_from_any_place_and_of_its_own_length_only() {
    const LENGTH: usize = size_of::<Novelty>();
    let mut page = page();
    let record = Novelty { time_ns: 7, source_port: 0x1234, mac: [1, 2, 3, 4, 5, 6], ..Novelty::EMPTY };
    for at in 0..8 {
        let bytes = &mut page.0[at..at + LENGTH];
        bytes.fill(0);
        bytes[..8].copy_from_slice(&7_u64.to_ne_bytes());
        let of_port = std::mem::offset_of!(Novelty, source_port);
        bytes[of_port..of_port + 2].copy_from_slice(&0x1234_u16.to_ne_bytes());
        let of_mac = std::mem::offset_of!(Novelty, mac);
        bytes[of_mac..of_mac + 6].copy_from_slice(&record.mac);
        let key = std::mem::offset_of!(Novelty, key);
        let read_back: Novelty = read(bytes).unwrap();
        assert_eq!((read_back.time_ns, read_back.source_port, read_back.mac), (7, 0x1234, record.mac));
        assert!(bytes[key..key + size_of::<CellKey>()].iter().all(|byte| *byte == 0));
    }
    assert!(read::<Novelty>(&page.0[..LENGTH - 1]).is_none());
    assert!(read::<Novelty>(&page.0[..=LENGTH]).is_none());
    assert!(read::<Novelty>(&[]).is_none());
}

#[test]
fn values_of_a_map_are_read_and_emptied_in_place() {
    const SIZE: usize = size_of::<KeyedCell>();
    let mut page = page();
    let cells: &mut [KeyedCell] = values_mut(&mut page.0[SIZE..4 * SIZE]).unwrap();
    assert_eq!(cells.len(), 3);
    let before = cells[1].cell.facts;
    for cell in &mut cells[..2] {
        *cell = KeyedCell { key: CellKey::NOBODY, cell: Cell::EMPTY };
    }
    assert_ne!(before, cells[1].cell.facts);
    assert_eq!(page.0[4 * SIZE], (4 * SIZE * 37) as u8, "what lies behind is left alone");
    let untouched = &page.0[3 * SIZE..4 * SIZE];
    assert!(untouched.iter().enumerate().all(|(at, byte)| *byte == ((3 * SIZE + at) * 37) as u8));
}

#[test]
fn bytes_that_begin_or_end_within_a_value_are_none() {
    let mut page = page();
    assert_eq!(values_mut::<PortPage>(&mut page.0).map(|pages| pages.len()), Some(2));
    assert!(values_mut::<IndexLine>(&mut page.0[32..96]).is_none(), "it begins within one");
    assert!(values_mut::<IndexLine>(&mut page.0[..100]).is_none(), "it ends within one");
    assert_eq!(values_mut::<IndexLine>(&mut page.0[64..64]).map(|lines| lines.len()), Some(0));
}
