//! An outage told from a scan: everybody's new contacts with the internet fail, of machines whose contacts used to
//! succeed.

use std::time::Duration;

use scanwatch_common::abi::{Side, Technique};

use super::super::facts::Overview;
use super::super::pairs::Pair;
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

/// True where the contacts of the other machines inside fail as well.
#[must_use]
pub fn is_there(overview: &Overview) -> bool {
    let context = &overview.context;
    let (mut machines, mut tried, mut succeeded) = (0, 0, 0);
    for other in context.sources.all() {
        if other.profile.side != Side::Internal || other.profile.key == overview.source.profile.key {
            continue;
        }
        let (mut past, mut past_ok, mut new, mut new_ok) = (0, 0, 0, 0);
        for pair in other.pairs.all().iter().filter(|pair| is_outbound(pair)) {
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
            machines += 1;
            tried += new;
            succeeded += new_ok;
        }
    }
    machines >= MACHINES_MIN && tried >= CONTACTS_MIN && 10 * succeeded < tried
}

fn is_outbound(pair: &Pair) -> bool {
    pair.zone == INTERNET && pair.is_tried() && matches!(pair.technique, Technique::Syn | Technique::Udp)
}
