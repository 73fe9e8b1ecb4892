//! Noting in the port table who tries what from outside, and who is answered.
//!
//! Whoever is served is a guest, not a scanner: a socket inside that answered an outsider of late counts nobody. So the
//! table tells who tries a port where it does not serve, and a service that draws a crowd is no surge.

use core::borrow::Borrow;

use super::Ports;
use super::source::Parties;
use super::tables::Tables;
use crate::abi::{Outcome, Settings, Side, Technique};
use crate::counters::Counter;
use crate::ports::PortKey;
use crate::sighting::{Sighting, Workspace};

/// Notes a contact of a source outside, where it is one with a port. What the sketch knows already ends here, so that a flood
/// costs one cache line, and no look at the zones.
#[inline(always)]
pub(super) fn note_port<T: Tables>(space: &Workspace, parties: &Parties, tables: &mut T) {
    let seen = &space.seen;
    let Some(key) = key_of(seen) else { return };
    if seen.is(Outcome::Tried) {
        let host = parties.target.host();
        let is_news = tables.port(key).is_some_and(|port| port.is_news(parties.source_hash, host));
        if is_news {
            note_news(space, tables);
        }
    } else {
        note_answer(space, tables);
    }
}

#[inline(always)]
const fn key_of(seen: &Sighting) -> Option<PortKey> {
    let technique = seen.technique();
    let transport = if technique == Technique::Syn as u8 {
        Ports::Tcp
    } else if technique == Technique::Udp as u8 {
        Ports::Udp
    } else {
        return None;
    };
    Some(PortKey { transport, port: seen.target_port() })
}

/// Notes who tries a port that does not serve. On a stack of its own, as it is rare. (It returns a number because it must
/// return something: what the compiler leaves behind in the register of a function without a value may be an address, which
/// the verifier refuses.)
#[inline(never)]
fn note_news<T: Tables>(space: &Workspace, tables: &mut T) -> u32 {
    let settings = tables.settings();
    let settings: &Settings = settings.borrow();
    let Some(key) = key_of(&space.seen) else { return 0 };
    if tables.zone(space.target) == 0 {
        return 0;
    }
    let parties = Parties::new(Side::External as u32, space.source, space.target, settings);
    let (socket, tick) = (parties.target.pair(&settings.hasher, key.port), tables.tick());
    let line = tables.serving_line(socket);
    if line.is_some_and(|line| line.knows(socket, tick, settings.flow_idle_ticks)) {
        return 0;
    }
    if let Some(port) = tables.port(key) {
        port.insert(parties.source_hash, parties.target.host());
    }
    tables.count(Counter::PortNovel);
    0
}

/// Notes who is answered, and by which socket. On a stack of its own, as above.
#[inline(never)]
fn note_answer<T: Tables>(space: &Workspace, tables: &mut T) -> u32 {
    let seen = &space.seen;
    let settings = tables.settings();
    let settings: &Settings = settings.borrow();
    let Some(key) = key_of(seen) else { return 0 };
    // Who goes on with a conversation was answered, too; and of two that end one, the server has the lower port.
    if seen.is(Outcome::Refused) || seen.is(Outcome::Continued) && seen.target_port() > seen.source_port() {
        return 0;
    }
    let parties = Parties::new(Side::External as u32, space.source, space.target, settings);
    let (socket, tick) = (parties.target.pair(&settings.hasher, key.port), tables.tick());
    if let Some(line) = tables.serving_line(socket) {
        line.note(socket, true, 0, tick, settings.flow_idle_ticks);
    }
    // Only by what the target itself sends: of anything else outsiders can make what they like.
    let is_new_guest = tables.port(key).is_some_and(|port| port.is_new_guest(parties.source_hash));
    if seen.reversed() == 0 || !is_new_guest || tables.zone(space.target) == 0 {
        return 0;
    }
    if let Some(port) = tables.port(key) {
        port.answer(parties.source_hash);
    }
    tables.count(Counter::PortAnswered);
    0
}
