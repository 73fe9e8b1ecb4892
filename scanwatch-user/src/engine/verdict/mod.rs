//! The verdict: which of a source's doings are scans, by breadth.
//!
//! A rule is a small function over [`Facts`]. Small numbers come from the pair table, which is exact; where the table
//! did not see everything (records lost, more pairs than it holds), the sketches count.

mod block;
mod budget;
mod finding;
mod horizontal;
mod odd;
mod rule;
mod sweep;
mod vertical;

pub use finding::{Finding, Subject};
pub use rule::Rule;

use scanwatch_common::sketch::Hasher;

use super::counts::Part;
use super::facts::Facts;
use super::pairs::ROOM;
use super::source::{Source, SourceCell};
use super::time::Timestamp;
use super::window::Window;
use crate::policy::{Direction, Policy};

/// Count from which a source is near any limit, however high: its small table is then nearly full.
const NEAR_MAX: f64 = ROOM as f64 * 0.75;

/// What was found about one source.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Scans, each host of a vertical one and each lane of a horizontal one by itself.
    pub findings: Vec<Finding>,
    /// Some count comes near what its rule asks for: this source's pairs are worth remembering.
    pub near: bool,
}

impl Verdict {
    /// True where the counts of cells can reach their limits. Where they can reach half of them, or as much as an ordinary
    /// source's table holds, the source is near.
    fn can_reach<'a>(
        &mut self,
        facts: &Facts,
        limits: &[(Part, u64)],
        cells: &(impl Iterator<Item = &'a SourceCell> + Clone),
    ) -> bool {
        let mut reached = true;
        for (part, limit) in limits {
            let limit = *limit as f64;
            let near = (limit / 2.0).min(NEAR_MAX);
            let at_most = facts.at_most(*part, cells.clone(), near);
            if at_most < near {
                return false;
            }
            reached &= at_most >= limit;
        }
        self.near = true;
        reached
    }

    /// Adds a finding, to the same finding of a shorter window where there is one.
    fn add(&mut self, finding: Finding) {
        match self.findings.iter_mut().find(|known| known.is_about(&finding)) {
            Some(known) => known.merge(finding),
            None => self.findings.push(finding),
        }
    }
}

/// Judges a source that was rolled to `now`.
#[must_use]
pub fn judge(policy: &Policy, hasher: Hasher, source: &Source, now: Timestamp) -> Verdict {
    let mut verdict = Verdict::default();
    for direction in directions(source) {
        for window in Window::ALL {
            let facts = Facts::new(policy, hasher, source, (direction, window), now);
            vertical::judge(&facts, &mut verdict);
            horizontal::judge(&facts, &mut verdict);
            block::judge(&facts, &mut verdict);
            odd::judge(&facts, &mut verdict);
            sweep::judge(&facts, &mut verdict);
            if window == Window::LONGEST {
                block::gather(&facts, &mut verdict);
            }
        }
    }
    budget::judge(policy, source, &mut verdict);
    verdict
}

/// The directions in which a source did anything that no role covers.
fn directions(source: &Source) -> impl Iterator<Item = Direction> {
    let all = [Direction::Lateral, Direction::Outbound, Direction::Inbound, Direction::Transit];
    all.into_iter().filter(|direction| {
        source.cells.iter().any(|cell| cell.id.role.is_none() && source.direction(cell.id.zone) == *direction)
    })
}
