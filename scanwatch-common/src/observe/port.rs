//! Noting in the port table who tries what from outside, and who is answered.
//!
//! Whoever is served is a guest, not a scanner: a socket inside that answered an outsider of late counts nobody. So the
//! table tells who tries a port where it does not serve, and a service that draws a crowd is no surge.

use super::Ports;
use super::tables::Tables;
use crate::abi::{Novelty, Outcome, Technique};
use crate::counters::Counter;
use crate::ports::PortKey;
use crate::sighting::Sighting;
use crate::sketch::Hasher;

/// No counter.
const NOTHING: u32 = u32::MAX;

/// Notes a contact of a source outside. What the sketch knows already ends here, so that a flood
/// costs one cache line, and no look at the zones. Returns the number of the counter to be raised, [`NOTHING`] where there is
/// none; on a stack of its own, as the parts of the decision are.
#[inline(never)]
pub(super) fn note_port<T: Tables>(seen: &Sighting, record: &Novelty, tables: &mut T) -> u32 {
    let transport = match seen.technique() {
        technique if technique == Technique::Syn as u8 => Ports::Tcp,
        technique if technique == Technique::Udp as u8 => Ports::Udp,
        _ => return NOTHING,
    };
    let key = PortKey { transport, port: record.target_port };
    let settings = tables.settings();
    let hasher = Hasher::new(settings.seed);
    let source = hasher.endpoint(&record.key.source).host();
    let target = hasher.endpoint(&record.target);
    if seen.is(Outcome::Tried) {
        let host = target.host();
        let is_news = tables.port(key).is_some_and(|port| port.is_news(source, host));
        if !is_news || tables.zone(&record.target) == 0 {
            return NOTHING;
        }
        let (socket, tick) = (target.pair(record.target_port), tables.tick());
        let line = tables.serving_line(socket);
        if line.is_some_and(|line| line.knows(socket, tick, settings.flow_idle_ticks)) {
            return NOTHING;
        }
        if let Some(port) = tables.port(key) {
            port.insert(source, host);
        }
        return Counter::PortNovel as u32;
    }
    // Who goes on with a conversation was answered, too; and of two that end one, the server has the lower port.
    if seen.is(Outcome::Refused) || seen.is(Outcome::Continued) && record.target_port > record.source_port {
        return NOTHING;
    }
    let (socket, tick) = (target.pair(record.target_port), tables.tick());
    if let Some(line) = tables.serving_line(socket) {
        line.note(socket, true, 0, tick, settings.flow_idle_ticks);
    }
    // Only by what the target itself sends: of anything else outsiders can make what they like.
    let is_new_guest = tables.port(key).is_some_and(|port| port.is_new_guest(source));
    if seen.reversed == 0 || !is_new_guest || tables.zone(&record.target) == 0 {
        return NOTHING;
    }
    if let Some(port) = tables.port(key) {
        port.answer(source);
    }
    Counter::PortAnswered as u32
}
