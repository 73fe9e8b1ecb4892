//! An outage told from a scan: everybody's new contacts with the internet fail, of machines whose contacts used to
//! succeed.

use std::time::Duration;

use scanwatch_common::abi::{Side, Technique};

use super::super::facts::{Context, Overview};
use super::super::pairs::Pair;
use super::super::source::Source;
use crate::policy::INTERNET;

/// Contacts younger than this are new.
const NEW: Duration = Duration::from_secs(20);
/// Contacts older than this are a machine's past.
const PAST: Duration = Duration::from_mins(2);
/// Contacts of the past without which a machine's success is not known.
const PAST_MIN: usize = 5;
/// Machines and new contacts without which nothing is said.
const MACHINES_MIN: usize = 3;
const CONTACTS_MIN: usize = 6;

/// New contacts of machines whose past is a success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    machines: usize,
    tried: usize,
    succeeded: usize,
}

impl Tally {
    /// Those of all machines inside. Takes as long as there are pairs: to be made once for all sources that are judged at a
    /// time.
    #[must_use]
    pub fn of_all(context: &Context) -> Self {
        // Nobody else can have a new contact.
        let is_busy = |source: &&Source| context.now.since(source.last) < NEW;
        context.sources.all().filter(is_busy).map(|source| Self::of(context, source)).fold(
            Self::default(),
            |all, one| Self {
                machines: all.machines + one.machines,
                tried: all.tried + one.tried,
                succeeded: all.succeeded + one.succeeded,
            },
        )
    }

    /// Those of one machine.
    fn of(context: &Context, source: &Source) -> Self {
        if source.profile.side != Side::Internal {
            return Self::default();
        }
        let (mut past, mut past_ok, mut new, mut new_ok) = (0, 0, 0, 0);
        for pair in source.pairs.all().iter().filter(|pair| is_outbound(pair)) {
            let age = context.now.since(pair.first);
            if age > PAST {
                past += 1;
                past_ok += usize::from(pair.is_answered());
            } else if age < NEW && age >= context.policy.thresholds.silence {
                new += 1;
                new_ok += usize::from(pair.is_answered());
            }
        }
        if new > 0 && past >= PAST_MIN && 2 * past_ok >= past {
            Self { machines: 1, tried: new, succeeded: new_ok }
        } else {
            Self::default()
        }
    }
}

/// True where the contacts of the other machines inside fail as well.
#[must_use]
pub fn is_there(overview: &Overview) -> bool {
    let context = &overview.context;
    let all = context.tally.get_or_init(|| Tally::of_all(context));
    let own = Tally::of(context, overview.source);
    let others = |all: usize, own: usize| all.saturating_sub(own);
    let tried = others(all.tried, own.tried);
    others(all.machines, own.machines) >= MACHINES_MIN
        && tried >= CONTACTS_MIN
        && 10 * others(all.succeeded, own.succeeded) < tried
}

fn is_outbound(pair: &Pair) -> bool {
    pair.zone == INTERNET && pair.is_tried() && matches!(pair.technique, Technique::Syn | Technique::Udp)
}
