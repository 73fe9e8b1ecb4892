//! What an epoch ends with: the cells that were drained are merged into their sources' windows.

use scanwatch::engine::Timestamp;
use scanwatch_common::abi::{Cell, CellKey, Outcome, Settings, Side, Technique};
use scanwatch_common::sketch::Hasher;

use super::Effort;
use super::office::{Office, client, server, site};
use super::row::{Row, quantile, timed_ms};

pub const NAMES: &[&str] = &["merge_65536_cells"];

/// Cells of a source: four services, what was tried and what was answered.
const CELLS_PER_SOURCE: u32 = 8;
/// Pairs of a cell.
const PAIRS: u32 = 6;

/// Merges epochs of cells, which hold other pairs each time.
pub fn measure(effort: Effort) -> Result<Vec<Row>, String> {
    let cells = effort.sources;
    let mut office = Office::new();
    let (mut merges, mut copies) = (Vec::new(), Vec::new());
    // The first epoch makes the sources, and is not counted.
    for epoch in 0..=effort.runs as u32 {
        office.wait_ms(10_000);
        let drained: Vec<(CellKey, Cell)> = (0..cells)
            .map(|number| cell(&office, number / CELLS_PER_SOURCE, number % CELLS_PER_SOURCE, epoch))
            .collect();
        let mut copy = vec![Cell::EMPTY; cells as usize];
        let copying = timed_ms(|| {
            for (to, (_, from)) in copy.iter_mut().zip(&drained) {
                *to = *from;
            }
            std::hint::black_box(&copy);
        });
        let merging = timed_ms(|| {
            for (key, cell) in &drained {
                let (first, last) =
                    (Timestamp::from_ns(cell.facts.first_ns), Timestamp::from_ns(cell.facts.last_ns()));
                office.engine.cell(Side::Internal, key, cell, first, last);
            }
        });
        office.engine.judge(office.now());
        if epoch > 0 {
            merges.push(merging);
            copies.push(copying);
        }
    }
    office.check(cells / CELLS_PER_SOURCE)?;
    let what = format!(
        "{cells} cells of {} sources, {PAIRS} pairs each, merged into windows; beside it, their bytes copied",
        cells / CELLS_PER_SOURCE
    );
    Ok(vec![Row::new(NAMES[0], quantile(&merges, 0.5), "ms", what).against(quantile(&copies, 0.5))])
}

fn cell(office: &Office, source: u32, number: u32, epoch: u32) -> (CellKey, Cell) {
    let contact = [(Technique::Syn, 445), (Technique::Udp, 53), (Technique::Syn, 443), (Technique::Udp, 443)]
        [(number / 2) as usize % 4];
    let outcome = if number.is_multiple_of(2) { Outcome::Tried } else { Outcome::Answered };
    let target = |n: u32| if number / 2 < 2 { server(n as u8) } else { site(n) };
    let key = office.key(source, &target(0), contact, outcome);
    let hasher = Hasher::new(Settings::SEED);
    let mut cell = Cell::EMPTY;
    for pair in 0..PAIRS {
        let endpoint = hasher.endpoint(&target(source + epoch * PAIRS + pair));
        cell.pairs.insert(endpoint.pair(&hasher, contact.1));
        cell.hosts.insert(endpoint.host());
        cell.ports.insert(hasher.port(contact.1));
    }
    cell.facts.first_ns = office.now().as_ns() - 9_000_000_000;
    cell.facts.lasted_us = 8_000_000;
    cell.facts.mac = [2; 6];
    debug_assert_eq!(key.source, client(source));
    (key, cell)
}
