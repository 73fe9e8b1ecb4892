//! What one source did in one direction within one window, without what its roles cover, and what became of it: the
//! evidence before a rule.

use std::cell::OnceCell;

use scanwatch_common::abi::{Address, Technique};
use scanwatch_common::sketch::{Estimate, Hasher};

use super::counts::{Counts, Part};
use super::pairs::Pair;
use super::scan::Techniques;
use super::source::{Source, SourceCell};
use super::sources::Sources;
use super::time::Timestamp;
use super::verdict::Tally;
use super::window::Window;
use super::world::World;
use crate::policy::{Direction, Policy, ServiceId};

/// The ports traceroute counts up through (Jacobson's, from 33434, three probes for each of up to 85 hops).
const TRACEROUTE: std::ops::RangeInclusive<u16> = 33434..=33689;
/// Ports below need a privilege to serve.
pub const WELL_KNOWN: u16 = 1024;
/// Programs of this group try every peer they ever heard of; a service by this name is nobody's way in.
pub const PEER: &str = "peer";
/// Mail servers.
pub const MAIL: &str = "mail";
/// Pages, where some failure is ordinary.
pub const WEB: &str = "web";

/// What a verdict is given besides its source.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Makes the hashes of pairs.
    pub hasher: &'a Hasher,
    /// What all sources together show.
    pub world: &'a World,
    /// All sources.
    pub sources: &'a Sources,
    /// The time.
    pub now: Timestamp,
    /// When watching began.
    pub began: Timestamp,
    /// How new contacts fare everywhere, once somebody asked: the same for all sources judged at one time.
    pub tally: &'a OnceCell<Tally>,
}

impl Context<'_> {
    /// True where the name of a service group is this one.
    #[must_use]
    pub fn is_group(&self, service: ServiceId, name: &str) -> bool {
        self.policy.service(service).is_some_and(|service| service.name == name)
    }

    /// True for a way in that intruders try first. NetBIOS names are one among neighbours only.
    #[must_use]
    pub fn is_sensitive(&self, service: ServiceId, direction: Direction) -> bool {
        let group = self.policy.service(service);
        group.is_some_and(|group| group.sensitive && (is_inside(direction) || group.name != "netbios"))
    }
}

/// True where targets are inside: a stranger who tries many of our hosts is judged by the strict limits.
#[must_use]
pub const fn is_inside(direction: Direction) -> bool {
    matches!(direction, Direction::Lateral | Direction::Inbound)
}

/// What a contact is within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It answered within the day: what answered and then does not is an outage.
    Ok,
    /// It was refused, or met silence.
    Bad,
    /// It was first tried before the window: polling what is dead is no scan.
    Old,
    /// Its answer could not be seen.
    Blind,
    /// Its outcome is not known yet.
    Wait,
}

/// A contact that rules over services look at.
#[derive(Clone, Copy)]
pub struct Contact<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// What it is within the window.
    pub status: Status,
    /// Another host answered this source on the same port: the port is something it has business with.
    pub elsewhere: bool,
    /// Answers to this source cannot be seen.
    pub blind: bool,
}

impl Contact<'_> {
    /// True where it failed, and not on a port that others serve to this source.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.status == Status::Bad && !self.elsewhere
    }

    /// True for a hop of traceroute.
    #[must_use]
    pub fn is_traceroute(&self) -> bool {
        self.pair.technique == Technique::Udp && TRACEROUTE.contains(&self.pair.port)
    }
}

/// Ports on which somebody answered a source, each with who did, in order.
type Serving = Vec<(Technique, u16, Address)>;

/// What does not depend on direction and window.
pub struct Overview<'a> {
    /// What the verdict is given.
    pub context: Context<'a>,
    /// The source.
    pub source: &'a Source,
    serving: Serving,
}

impl<'a> Overview<'a> {
    /// The overview of a source that was rolled to now.
    #[must_use]
    pub fn new(context: Context<'a>, source: &'a Source) -> Self {
        let answered = source.pairs.all().iter().filter(|pair| pair.is_answered());
        let mut serving: Serving = answered.map(|pair| (pair.technique, pair.port, pair.target)).collect();
        serving.sort_unstable();
        Self { context, source, serving }
    }

    fn answers_elsewhere(&self, pair: &Pair) -> bool {
        let port = (pair.technique, pair.port);
        let from = self.serving.partition_point(|(technique, port_of, _)| (*technique, *port_of) < port);
        let on_port = self.serving[from..].iter().take_while(|(technique, of, _)| (*technique, *of) == port);
        // Pairs are distinct: two who answered are two hosts.
        on_port.take(2).any(|(_, _, target)| *target != pair.target)
    }

    /// True where answers of a pair's target to the source cannot be seen.
    #[must_use]
    pub fn is_blind(&self, pair: &Pair) -> bool {
        self.context.world.is_one_way(self.context.policy, (self.source.profile.zone, pair.zone))
    }

    fn status(&self, pair: &Pair, window: Window, blind: bool) -> Status {
        let Context { now, policy, .. } = self.context;
        if pair.is_answered() {
            Status::Ok
        } else if blind && !pair.technique.is_tcp() {
            Status::Blind
        } else if pair.is_missed() {
            Status::Wait
        } else if window < Window::LONGEST && pair.first < window.start(now) {
            Status::Old
        } else if pair.is_refused() || now.since(pair.first) >= policy.thresholds.silence {
            Status::Bad
        } else {
            Status::Wait
        }
    }

    /// When the first contact without an outcome gets one.
    #[must_use]
    pub fn next_outcome(&self) -> Option<Timestamp> {
        let Context { now, policy, .. } = self.context;
        let silence = policy.thresholds.silence;
        let waiting = |pair: &&Pair| {
            pair.is_tried() && !pair.is_answered() && !pair.is_refused() && now.since(pair.first) < silence
        };
        self.source.pairs.all().iter().filter(waiting).map(|pair| pair.first.plus(silence)).min()
    }
}

/// What the rules look at: contacts of one source, direction and window.
pub struct Facts<'a> {
    /// What does not depend on direction and window.
    pub overview: &'a Overview<'a>,
    /// The direction.
    pub direction: Direction,
    /// The window.
    pub window: Window,
    /// Contacts by SYN, UDP and SCTP, those of one technique and target side by side.
    pub contacts: Vec<Contact<'a>>,
    /// All pairs that were tried, in the order of technique, target and port.
    pub pairs: Vec<&'a Pair>,
    /// Every pair of the direction was first tried within the window.
    is_young: bool,
}

impl<'a> Facts<'a> {
    /// The facts of a source.
    #[must_use]
    pub fn new(overview: &'a Overview<'a>, direction: Direction, window: Window) -> Self {
        let start = window.start(overview.context.now);
        let all = overview.source.pairs.all().iter();
        let here = |pair: &&Pair| pair.direction == direction && pair.last >= start && pair.is_tried();
        let pairs: Vec<&Pair> = all.filter(here).collect();
        let is_young = |pair: &Pair| pair.direction != direction || !pair.is_tried() || pair.first >= start;
        let is_young = overview.source.pairs.all().iter().all(is_young);
        let judged = Techniques::of(&[Technique::Syn, Technique::Udp, Technique::Sctp]);
        let contacts = pairs.iter().filter(|pair| judged.has(pair.technique)).map(|pair| {
            let blind = overview.is_blind(pair);
            let status = overview.status(pair, window, blind);
            Contact { pair, status, elsewhere: overview.answers_elsewhere(pair), blind }
        });
        Self { overview, direction, window, contacts: contacts.collect(), pairs, is_young }
    }

    /// The facts of the same source and direction in a longer window. Where all is young they are the same.
    #[must_use]
    pub fn within(self, window: Window) -> Self {
        let is_same = self.is_young || window == self.window;
        if is_same { Self { window, ..self } } else { Self::new(self.overview, self.direction, window) }
    }

    /// What the verdict is given.
    #[must_use]
    pub fn context(&self) -> &Context<'a> {
        &self.overview.context
    }

    /// Direction and window, where a finding is made.
    #[must_use]
    pub const fn place(&self) -> (Direction, Window) {
        (self.direction, self.window)
    }

    /// The pairs of these techniques.
    #[must_use]
    pub fn pairs(&self, techniques: Techniques) -> Vec<&'a Pair> {
        self.pairs.iter().copied().filter(|pair| techniques.has(pair.technique)).collect()
    }

    /// Contacts by one technique on one host, host by host.
    pub fn hosts(&self) -> impl Iterator<Item = &[Contact<'a>]> {
        let of = |contact: &Contact| (contact.pair.technique, contact.pair.target);
        self.contacts.chunk_by(move |a, b| of(a) == of(b))
    }

    /// The cells of these techniques that count what was tried; those of one technique and service side by side.
    pub fn cells(&self, techniques: Techniques) -> impl Iterator<Item = &'a SourceCell> + Clone {
        let (source, direction) = (self.overview.source, self.direction);
        source.cells.iter().filter(move |cell| {
            techniques.has(cell.id.technique)
                && cell.id.role.is_none()
                && cell.id.is_tried()
                && source.direction(cell.id.zone) == direction
        })
    }

    /// True where a pair went unanswered for so long that nothing will come any more, or was refused.
    #[must_use]
    pub fn is_silent(&self, pair: &Pair) -> bool {
        let silence = self.context().policy.thresholds.silence;
        !pair.is_answered()
            && !pair.is_missed()
            && (pair.is_refused() || self.context().now.since(pair.first) >= silence)
    }

    /// True where a port is a service's: below 1024, or in a group that programs do not try by the dozen.
    #[must_use]
    pub fn is_known(&self, pair: &Pair) -> bool {
        let group = self.context().policy.service(pair.service);
        pair.port < WELL_KNOWN || group.is_some_and(|group| group.name != PEER)
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
