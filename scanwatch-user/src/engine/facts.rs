//! What one source did in one direction within one window, without what its roles cover: the evidence before a rule.

use scanwatch_common::abi::Technique;
use scanwatch_common::sketch::{Estimate, Hasher};

use super::counts::{Counts, Part};
use super::pairs::Pair;
use super::scan::Techniques;
use super::source::{Source, SourceCell};
use super::time::Timestamp;
use super::window::Window;
use crate::policy::{Direction, OTHER, Policy};

/// The ports traceroute counts up through (Jacobson's, from 33434, three probes for each of up to 85 hops).
const TRACEROUTE: std::ops::RangeInclusive<u16> = 33434..=33689;
/// Ports below need a privilege to serve.
pub const WELL_KNOWN: u16 = 1024;
/// Programs of this group try every peer they ever heard of; a service by this name is nobody's way in.
const PEER: &str = "peer";

/// What the rules look at: counts of cells, and pairs, of one source, direction and window.
pub struct Facts<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Makes the hashes of pairs.
    pub hasher: Hasher,
    /// The direction.
    pub direction: Direction,
    /// The window.
    pub window: Window,
    cells: Vec<&'a SourceCell>,
    pairs: Vec<&'a Pair>,
}

impl<'a> Facts<'a> {
    /// The facts of a source that was rolled to `now`.
    #[must_use]
    pub fn new(
        policy: &'a Policy,
        hasher: Hasher,
        source: &'a Source,
        (direction, window): (Direction, Window),
        now: Timestamp,
    ) -> Self {
        let cells = source.cells.iter();
        let pairs = source.pairs.all().iter();
        Self {
            policy,
            hasher,
            direction,
            window,
            cells: cells
                .filter(|cell| cell.id.role.is_none() && source.direction(cell.id.zone) == direction)
                .collect(),
            pairs: pairs
                .filter(|pair| {
                    source.direction(pair.zone) == direction && now.apart(pair.last) < window.length()
                })
                .collect(),
        }
    }

    /// The cells of these techniques; those of one technique and service side by side.
    pub fn cells(&self, techniques: Techniques) -> impl Iterator<Item = &'a SourceCell> + Clone {
        self.cells.iter().copied().filter(move |cell| techniques.has(cell.id.technique))
    }

    /// The pairs of these techniques, those of one target side by side.
    #[must_use]
    pub fn pairs(&self, techniques: Techniques) -> Vec<&'a Pair> {
        let mut pairs: Vec<_> =
            self.pairs.iter().copied().filter(|pair| techniques.has(pair.technique)).collect();
        // One technique is in order already, which this sort notices.
        pairs.sort_by_key(|pair| (pair.target, pair.port));
        pairs
    }

    /// Distinct elements of one part in cells within the window, or a few more; cheap where they are few: below `enough`
    /// the halves of the window are simply added up.
    pub fn at_most<'c>(
        &self,
        part: Part,
        cells: impl Iterator<Item = &'c SourceCell> + Clone,
        enough: f64,
    ) -> f64 {
        const BITS: f64 = 2_048.0;
        let bits: u32 = cells.clone().map(|cell| cell.windowed.bits(self.window, part)).sum();
        if bits == 0 {
            return 0.0;
        }
        // Linear counting (Whang et al., 1990); beyond nearly all bits it says nothing.
        let filled = f64::from(bits) / BITS;
        let sum = if filled < 0.95 { 1.0 - BITS * (1.0 - filled).ln() } else { f64::INFINITY };
        if sum < enough {
            return sum;
        }
        let exact = union(self.window, cells).estimate(part);
        exact.count * (1.0 + 3.0 * exact.relative_error) + 1.0
    }

    /// True where a port is a service's: below 1024, or in a group that programs do not try by the dozen.
    #[must_use]
    pub fn is_known(&self, pair: &Pair) -> bool {
        pair.port < WELL_KNOWN
            || self.policy.service(pair.service).is_some_and(|service| service.name != PEER)
    }

    /// True where a pair counts for breadth over ports. Traceroute's ports and media on unnamed high ports do not.
    #[must_use]
    pub fn is_counted(pair: &Pair) -> bool {
        pair.technique != Technique::Udp
            || (pair.port < WELL_KNOWN || pair.service != OTHER) && !TRACEROUTE.contains(&pair.port)
    }

    /// True where all that a cell holds counts for breadth over ports.
    #[must_use]
    pub fn is_counted_cell(cell: &SourceCell) -> bool {
        cell.id.technique != Technique::Udp || cell.id.service != OTHER
    }
}

/// The union of cells within a window.
pub fn union<'a>(window: Window, cells: impl IntoIterator<Item = &'a SourceCell>) -> Counts {
    let mut union = Counts::whole();
    for cell in cells {
        cell.windowed.add_to(window, &mut union);
    }
    union
}

/// True where the sketches hold plainly more than the pair table saw: records were lost, or the table was full.
#[must_use]
pub fn is_partial(exact: usize, sketch: Estimate) -> bool {
    sketch.count * (1.0 - 3.0 * sketch.relative_error) - 1.0 > exact as f64
}

/// Elements of one part for each of another: by the pigeonhole principle some host has that many ports at least.
#[must_use]
pub fn mean(counts: &Counts, of: Part, by: Part) -> u64 {
    let (of, by) = (counts.estimate(of).count, counts.estimate(by).count);
    // Counts are not negative, and the cast saturates.
    #[allow(clippy::cast_sign_loss)]
    let mean = (of / by.max(1.0)) as u64;
    mean
}
