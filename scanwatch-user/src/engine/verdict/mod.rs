//! The verdict: which of a source's doings are scans, by breadth and failure together.
//!
//! A rule is a small function over [`Facts`]. Small numbers come from the pair table, which is exact and knows the outcome
//! of each pair; where the table did not see everything (records lost, more pairs than it holds), the sketches count.
//! That failure tells a scan from ordinary work is the idea of threshold random walk (Jung et al., 2004); here it is
//! judged in fixed windows, so that success is never banked as immunity.

mod block;
mod budget;
mod fanout;
mod finding;
mod horizontal;
mod mail;
mod odd;
mod outage;
mod rule;
mod sketches;
mod sweep;
mod vertical;
mod ways_in;

pub use finding::{Finding, Subject};
pub use outage::Tally;
pub use rule::Rule;

use super::facts::{Context, Facts, Overview};
use super::fan::FanOut;
use super::source::Source;
use super::time::Timestamp;
use super::window::Window;
use crate::policy::Direction;

/// What was found about one source.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Scans, each host of a vertical one and each lane of a horizontal one by itself.
    pub findings: Vec<Finding>,
    /// When the source is to be judged again, even where nothing new is seen of it.
    pub again: Option<Timestamp>,
}

impl Verdict {
    /// Adds a finding, to the same finding of a shorter window where there is one.
    fn add(&mut self, finding: Finding) {
        match self.findings.iter_mut().find(|known| known.is_about(&finding)) {
            Some(known) => known.merge(finding),
            None => self.findings.push(finding),
        }
    }
}

/// Judges a source that was rolled to now. What is usual for it is kept in `fan`.
#[must_use]
pub fn judge(context: Context, source: &Source, fan: &mut FanOut) -> Verdict {
    let mut verdict = Verdict::default();
    let overview = Overview::new(context, source);
    for direction in directions(source) {
        let mut facts = Facts::new(&overview, direction, Window::ALL[0]);
        for window in Window::ALL {
            facts = facts.within(window);
            vertical::judge(&facts, &mut verdict);
            horizontal::judge(&facts, &mut verdict);
            mail::judge(&facts, &mut verdict);
            odd::judge(&facts, &mut verdict);
            sweep::judge(&facts, &mut verdict);
            block::judge(&facts, &mut verdict);
            sketches::judge(&facts, &mut verdict);
        }
    }
    fanout::judge(&overview, fan);
    fanout::release(&overview, fan, &mut verdict);
    block::gather(&mut verdict);
    budget::judge(context.policy, source, &mut verdict);
    verdict.again = overview.next_outcome().into_iter().chain(fan.next()).min();
    verdict
}

/// The directions in which a source did anything that no role covers.
fn directions(source: &Source) -> impl Iterator<Item = Direction> {
    let all = [Direction::Lateral, Direction::Outbound, Direction::Inbound, Direction::Transit];
    all.into_iter().filter(|direction| {
        source.pairs.all().iter().any(|pair| pair.direction == *direction)
            || source
                .cells
                .iter()
                .any(|cell| cell.id.role.is_none() && source.direction(cell.id.zone) == *direction)
    })
}
