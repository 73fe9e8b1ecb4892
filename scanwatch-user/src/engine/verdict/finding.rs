//! One scan as a rule found it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use scanwatch_common::abi::{Address, Technique};
use scanwatch_common::sketch::Hasher;

use super::super::counts::{Counts, Part};
use super::super::facts::{Facts, union};
use super::super::pairs::Pair;
use super::super::probe::Element;
use super::super::role::RoleId;
use super::super::scan::{CellView, Kind, Lane, Lanes, Scope, Techniques};
use super::super::source::SourceCell;
use super::super::time::Timestamp;
use super::super::window::Window;
use super::Rule;
use crate::policy::{Direction, ZoneId};

/// What a finding is about: findings about the same are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Ports of one host.
    Host(Technique, Address),
    /// Hosts on one lane.
    Lane(Lane),
    /// All that was done by these techniques.
    All(Techniques),
    /// A role's budget.
    Budget(RoleId),
}

/// A finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which probes it is about.
    pub scope: Scope,
    /// What it is about.
    pub subject: Subject,
    /// The rule.
    pub rule: Rule,
    /// The shortest window in which the rule fired.
    pub window: Window,
    /// The count at which it fires.
    pub limit: u64,
    /// Distinct pairs, hosts and ports it is about.
    pub counts: Counts,
    /// Answers to the source cannot be seen.
    pub one_way: bool,
    /// A stranger was answered where nothing was known to answer.
    pub escalates: bool,
    /// Of many sources: all are who their packets say.
    pub confirmed: bool,
    /// Other addresses of the same scanner, or all of many scanners.
    pub others: Vec<IpAddr>,
    /// The pairs themselves, as far as they are remembered.
    pub pairs: Vec<Pair>,
    /// Zones of the targets that only cells tell of.
    pub zones: BTreeSet<ZoneId>,
    /// First seen.
    pub first: Timestamp,
    /// Last seen.
    pub last: Timestamp,
}

impl Finding {
    /// A finding without anything in it.
    #[must_use]
    pub fn new(
        (direction, window): (Direction, Window),
        kind: Kind,
        subject: Subject,
        (rule, limit): (Rule, u64),
    ) -> Self {
        let budget = if let Subject::Budget(role) = subject { Some(role) } else { None };
        let techniques = Techniques::default();
        Self {
            scope: Scope { direction, budget, kind, techniques, lanes: Lanes::default() },
            subject,
            rule,
            window,
            limit,
            counts: Counts::whole(),
            one_way: false,
            escalates: false,
            confirmed: false,
            others: Vec::new(),
            pairs: Vec::new(),
            zones: BTreeSet::new(),
            first: Timestamp::from_ns(u64::MAX),
            last: Timestamp::default(),
        }
    }

    /// With these pairs.
    #[must_use]
    pub fn with_pairs<'a>(mut self, facts: &Facts, pairs: impl IntoIterator<Item = &'a Pair>) -> Self {
        let pairs: Vec<&Pair> = pairs.into_iter().collect();
        self.one_way |= pairs.iter().any(|pair| facts.overview.is_blind(pair));
        self.with_hashed(facts.context().hasher, pairs)
    }

    /// With these pairs, of whose answers nothing is said.
    #[must_use]
    pub fn with_hashed<'a>(mut self, hasher: &Hasher, pairs: impl IntoIterator<Item = &'a Pair>) -> Self {
        for pair in pairs {
            let element = Element::of(hasher, &pair.target, pair.port);
            self.counts.insert(Part::Pairs, element.pair);
            self.counts.insert(Part::Hosts, element.host);
            if !Techniques::PORTLESS.has(pair.technique) {
                self.counts.insert(Part::Ports, element.port);
            }
            self.scope.add_lane(Lane::of(pair.technique, pair.service, pair.port));
            self.first = self.first.min(pair.first);
            self.last = self.last.max(pair.last);
            self.pairs.push(*pair);
        }
        self
    }

    /// With all that these cells counted.
    #[must_use]
    pub fn with_cells<'a>(mut self, cells: impl IntoIterator<Item = &'a SourceCell>) -> Self {
        for cell in cells {
            let counts = union(self.window, [cell]);
            self.add_cell(cell, &counts);
        }
        self
    }

    /// With the cells all of which belongs to it: what the pair table did not see.
    #[must_use]
    pub fn completed(mut self, facts: &Facts) -> Self {
        for cell in facts.cells(self.scope.techniques) {
            let counts = union(self.window, [cell]);
            let (hosts, ports) = (counts.sketch(Part::Hosts), counts.sketch(Part::Ports));
            if self.scope.takes_cell(&self.counts, &CellView::new(cell.id, &hosts, &ports)) {
                self.add_cell(cell, &counts);
            }
        }
        self
    }

    fn add_cell(&mut self, cell: &SourceCell, counts: &Counts) {
        self.counts.merge_part(Part::Pairs, counts);
        self.counts.merge_part(Part::Hosts, counts);
        if !Techniques::PORTLESS.has(cell.id.technique) {
            self.counts.merge_part(Part::Ports, counts);
        }
        self.scope.add_lane(Lane { technique: cell.id.technique, service: cell.id.service, port: None });
        self.zones.insert(cell.id.zone);
        if self.pairs.is_empty() {
            self.first = self.first.min(cell.first);
            self.last = self.last.max(cell.last);
        }
    }

    /// The shortest window in which as many pairs were new as the rule asks for.
    #[must_use]
    pub fn pace(&self) -> Window {
        let fits = |window: &Window| {
            let new = self.pairs.iter().filter(|pair| self.last.since(pair.first) < window.length());
            new.count() as u64 >= self.limit
        };
        Window::ALL.into_iter().take_while(|window| *window < self.window).find(fits).unwrap_or(self.window)
    }

    /// True where both are about the same.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        self.scope.direction == other.scope.direction
            && self.scope.kind == other.scope.kind
            && self.subject == other.subject
    }

    /// Adds what a finding of the same scan holds.
    pub fn merge(&mut self, other: Self) {
        self.scope.merge(&other.scope);
        self.counts.merge(&other.counts);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.pairs.extend(other.pairs);
        self.zones.extend(other.zones);
    }
}
