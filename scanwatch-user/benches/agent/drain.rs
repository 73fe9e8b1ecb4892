//! What an epoch ends with, before its cells are merged: they are taken out of the kernel. Beside it, what it takes to ask the
//! kernel for the same cells one by one.

use scanwatch::kernel::{Kernel, Options};
use scanwatch_common::abi::Side;
use scanwatch_common::counters::Counter;

use super::Effort;
use super::build::{ether, ipv4, tcp};
use super::row::{Row, quantile, timed_ms};
use super::support::net::inside;
use super::support::{admitting, count};

pub const NAMES: &[&str] = &["drain_65536_cells"];

const TARGET_MS: f64 = 30.0;

/// Fills the cells by the loaded program, and drains them.
pub fn measure(effort: Effort) -> Result<Vec<Row>, String> {
    let cells = effort.sources;
    let text = |error: scanwatch::kernel::KernelError| error.to_string();
    let mut policy = admitting();
    policy.limits.cells_internal = cells;
    let mut kernel = Kernel::load(&policy, Options::default()).map_err(text)?;
    let (mut drains, mut singles) = (Vec::new(), Vec::new());
    for _ in 0..effort.runs {
        for source in 0..cells {
            let frame = ether().carry(ipv4(inside(source), [10, 0, 1, 7]).carry(tcp(40_000, 445)));
            kernel.run(&frame).map_err(text)?;
        }
        kernel.flip().map_err(text)?;
        singles.push(timed_ms(|| {
            for number in 0..cells {
                std::hint::black_box(kernel.idle_cell(Side::Internal, number).ok());
            }
        }));
        let mut drained = 0;
        let mut outcome = Ok(());
        drains.push(timed_ms(|| {
            outcome = kernel.drain(|cell| drained += u32::from(cell.cell.facts.novelties > 0));
        }));
        outcome.map_err(text)?;
        if drained != cells {
            let refused = count(&kernel.counters().map_err(text)?, Counter::CellRefused);
            return Err(format!("{drained} of {cells} cells were drained, {refused} refused"));
        }
    }
    let what =
        format!("{cells} cells drained through mapped memory; beside it, each looked up by a system call");
    Ok(vec![
        Row::new(NAMES[0], quantile(&drains, 0.5), "ms", what)
            .at_most(TARGET_MS)
            .against(quantile(&singles, 0.5)),
    ])
}
