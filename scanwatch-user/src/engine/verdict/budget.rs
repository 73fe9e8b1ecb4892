//! More hosts than a role allows each of its sources.

use super::super::counts::Part;
use super::super::facts::{mean, union};
use super::super::scan::Kind;
use super::super::source::{Source, SourceCell};
use super::super::window::Window;
use super::{Finding, Rule, Subject, Verdict};
use crate::policy::Policy;

/// Hosts and ports for each other from which covered work looks like a block scan.
const GRID: u64 = 5;

/// Judges what the source's roles cover, over the longest window and all directions together.
pub fn judge(policy: &Policy, source: &Source, verdict: &mut Verdict) {
    for id in source.profile.roles.iter().copied() {
        let Some(hosts_max) = id.of(policy).and_then(|role| role.hosts_max) else { continue };
        let cells: Vec<&SourceCell> =
            source.cells.iter().filter(|cell| cell.id.role == Some(id) && cell.id.is_tried()).collect();
        let counts = union(Window::LONGEST, cells.iter().copied());
        let hosts = counts.estimate(Part::Hosts);
        // In the source's favour by one standard error: a proxy just below ten thousand hosts is within its budget.
        if hosts.count * (1.0 - hosts.relative_error) <= hosts_max as f64 {
            continue;
        }
        // The direction of most of it.
        let share = |cell: &&&SourceCell| union(Window::LONGEST, [**cell]).estimate(Part::Hosts).rounded();
        let Some(most) = cells.iter().max_by_key(share) else { continue };
        let direction = source.direction(most.id.zone);
        let per_host = mean(&counts, Part::Pairs, Part::Hosts);
        let per_port = mean(&counts, Part::Pairs, Part::Ports);
        let kind = if per_host >= GRID && per_port >= GRID { Kind::Block } else { Kind::Horizontal };
        let place = (direction, Window::LONGEST);
        let finding = Finding::new(place, kind, Subject::Budget(id), (Rule::HostsMax, hosts_max));
        verdict.add(finding.with_cells(cells));
    }
}
